import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { apologizeAndHangUp, connectStream, hangUp, reject } from "../../../src/twilio/twiml.ts";
import { type Element, parseXml } from "./xml.ts";

const element = (
  name: string,
  attributes: Record<string, string>,
  ...children: (Element | string)[]
): Element => ({
  name,
  attributes,
  children,
});
const response = (...children: Element[]): Element => element("Response", {}, ...children);

const URLS = {
  streamUrl: "wss://gw.example.com/media/t0ken",
  statusCallbackUrl: "https://gw.example.com/api/v1/telephony/twilio/stream-status/7",
  actionUrl: "https://gw.example.com/api/v1/telephony/twilio/stream-ended/7",
};

/** Everything XML has to be careful with, and everything it can't hold. */
const hard = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "]]>",
        "&",
        "&amp;",
        "&#65;",
        '"',
        "'",
        "<",
        "</Response>",
        "<!--",
        "\t",
        "\n",
        "\r",
        "\r\n",
        " ",
      ),
      fc.constantFrom(
        "\0",
        "\x1b",
        "\x7f",
        "\x85",
        "\u2028",
        "\ufffe",
        "\uffff",
        "\ud800",
        "\udc00",
        "🦊",
        "\u{10ffff}",
      ),
      fc.string({ unit: "binary", maxLength: 4 }),
    ),
  )
  .map((parts) => parts.join(""));

/** What XML 1.0 calls a Char, one at a time. */
function isHeld(text: string): boolean {
  return [...text].every((character) => {
    const code = character.codePointAt(0)!;
    if (code < 0x20) return code === 0x09 || code === 0x0a || code === 0x0d;
    return (code < 0xd800 || code > 0xdfff) && code !== 0xfffe && code !== 0xffff;
  });
}

describe("TwiML", () => {
  it("joins a call to its stream and names what comes after", () => {
    const stream = element("Stream", { url: URLS.streamUrl, statusCallback: URLS.statusCallbackUrl });
    assert.deepEqual(
      parseXml(connectStream(URLS)),
      response(element("Connect", { action: URLS.actionUrl }, stream)),
    );
  });

  it("rejects a call with a busy signal or with no reason at all", () => {
    assert.deepEqual(parseXml(reject("busy")), response(element("Reject", { reason: "busy" })));
    assert.deepEqual(parseXml(reject()), response(element("Reject", {})));
  });

  it("hangs up, with an apology where one is due", () => {
    assert.deepEqual(parseXml(hangUp()), response(element("Hangup", {})));
    assert.deepEqual(
      parseXml(apologizeAndHangUp("We are sorry.")),
      response(element("Say", {}, "We are sorry."), element("Hangup", {})),
    );
  });

  it("has the same bytes every time", () => {
    assert.equal(reject(), reject());
    assert.equal(connectStream(URLS), connectStream({ ...URLS }));
  });

  it("holds every URL that XML can hold, and refuses the others", () => {
    let held = 0;
    fc.assert(
      fc.property(hard, fc.constantFrom("streamUrl", "statusCallbackUrl", "actionUrl"), (end, name) => {
        const urls = { ...URLS, [name]: `https://gw.example.com/${end}` };
        if (!isHeld(end)) return assert.throws(() => connectStream(urls), /a URL that XML can hold/);
        held++;
        const stream = element("Stream", { url: urls.streamUrl, statusCallback: urls.statusCallbackUrl });
        assert.deepEqual(
          parseXml(connectStream(urls)),
          response(element("Connect", { action: urls.actionUrl }, stream)),
        );
      }),
      { numRuns: 500 },
    );
    assert.ok(held > 50, `${held} of 500 were held`);
  });

  it("says every text, less the characters that XML can't hold", () => {
    fc.assert(
      fc.property(hard, (text) => {
        const said = [...`Sorry: ${text}`].filter(isHeld).join("");
        assert.deepEqual(
          parseXml(apologizeAndHangUp(`Sorry: ${text}`)),
          response(element("Say", {}, said), element("Hangup", {})),
        );
      }),
      { numRuns: 500 },
    );
  });
});
