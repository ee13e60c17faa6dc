import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseTwiml, TwimlError } from "../../../src/twin/twiml.ts";
import { parseXml, XmlError } from "../../../src/twin/xml.ts";

const response = (inner: string) => `<?xml version="1.0" encoding="UTF-8"?><Response>${inner}</Response>`;

describe("TwiML", () => {
  it("connects a stream with everything Twilio lets it say", () => {
    const [connect, ...rest] = parseTwiml(
      response(`
        <!-- what the gateway answers with -->
        <Connect action="https://gw.example.com/next?a=1&amp;b=2" method="GET">
          <Stream url="wss://gw.example.com/media/t.o-k" name="talk" track="inbound_track"
                  statusCallback="https://gw.example.com/status" statusCallbackMethod="POST">
            <Parameter name="caller" value="&quot;O&apos;Brien&quot; &lt;&#x41;&#66;&gt;"/>
            <Parameter name="empty" value=""/>
          </Stream>
        </Connect>
        <Hangup/>`),
    );
    assert.deepEqual(connect, {
      verb: "Connect",
      action: "https://gw.example.com/next?a=1&b=2",
      method: "GET",
      stream: {
        url: "wss://gw.example.com/media/t.o-k",
        name: "talk",
        track: "inbound_track",
        statusCallback: "https://gw.example.com/status",
        statusCallbackMethod: "POST",
        parameters: { caller: `"O'Brien" <AB>`, empty: "" },
      },
    });
    assert.deepEqual(rest, [{ verb: "Hangup" }]);
  });

  it("fills in Twilio's defaults", () => {
    const verbs = parseTwiml(
      response(`<Connect><Stream url="wss://gw.example.com/m"/></Connect><Reject/><Pause/>`),
    );
    assert.deepEqual(verbs, [
      {
        verb: "Connect",
        action: undefined,
        method: "POST",
        stream: {
          url: "wss://gw.example.com/m",
          name: undefined,
          track: "inbound_track",
          statusCallback: undefined,
          statusCallbackMethod: "POST",
          parameters: {},
        },
      },
      { verb: "Reject", reason: "rejected" },
      { verb: "Pause", lengthS: 1 },
    ]);
  });

  it("knows the other verbs", () => {
    const text = `<Say voice="alice" language="en-US">We&#8217;re <![CDATA[closed & sorry]]>.</Say>
      <Play>https://gw.example.com/a.wav</Play><Pause length="3"/><Redirect method="GET">/next</Redirect>
      <Reject reason="busy"/>`;
    assert.deepEqual(parseTwiml(response(text)), [
      { verb: "Say", text: "We’re closed & sorry." },
      { verb: "Play", url: "https://gw.example.com/a.wav" },
      { verb: "Pause", lengthS: 3 },
      { verb: "Redirect", url: "/next", method: "GET" },
      { verb: "Reject", reason: "busy" },
    ]);
    assert.deepEqual(parseTwiml("<Response/>"), []);
  });

  const refused: Record<string, string> = {
    "nothing at all": "",
    "no XML": "OK",
    "another root": "<Reply/>",
    "an unknown verb": response("<Enqueue/>"),
    "a verb in the wrong case": response("<hangup/>"),
    "a misspelt attribute": response(`<Connect><Stream url="wss://h/m" statuscallback="x"/></Connect>`),
    "a stream without a url": response("<Connect><Stream/></Connect>"),
    "two streams in one Connect": response(
      `<Connect><Stream url="wss://h/m"/><Stream url="wss://h/m"/></Connect>`,
    ),
    "a Connect without a stream": response("<Connect/>"),
    "a method that is none": response(`<Redirect method="PUT">/x</Redirect>`),
    "a reason that is none": response(`<Reject reason="tired"/>`),
    "a pause of half a second": response(`<Pause length="0.5"/>`),
    "a parameter without a value": response(
      `<Connect><Stream url="wss://h/m"><Parameter name="a"/></Stream></Connect>`,
    ),
    "a parameter of 500 characters": response(
      `<Connect><Stream url="wss://h/m"><Parameter name="a" value="${"x".repeat(499)}"/></Stream></Connect>`,
    ),
    "an element that is not closed": "<Response><Hangup></Response>",
    "an attribute twice": response(`<Say voice="a" voice="b">x</Say>`),
    "an attribute without quotes": response("<Pause length=1/>"),
    "an & that is not escaped": response("<Say>you & me</Say>"),
    "an entity that XML does not know": response("<Say>a&nbsp;b</Say>"),
    "something after the end": "<Response/><Response/>",
    "a document type": `<!DOCTYPE Response [<!ENTITY x "y">]><Response/>`,
    "an unfinished comment": response("<!-- "),
    "a character that does not exist": response("<Say>&#x110000;</Say>"),
  };
  for (const [what, text] of Object.entries(refused)) {
    it(`refuses ${what}`, () => assert.throws(() => parseTwiml(text), TwimlError));
  }
});

describe("the XML reader", () => {
  it("reads back any text and attribute that was escaped", () => {
    const escaped = (text: string) =>
      text.replace(/[&<>"'\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (text, attribute) => {
        const root = parseXml(`<a b="${escaped(attribute)}">${escaped(text)}</a>`);
        assert.equal(root.text, text);
        assert.equal(root.attributes.b, attribute);
      }),
    );
  });

  it("says where, and never fails in another way, whatever comes", () => {
    const piece = fc.constantFrom(
      "<",
      ">",
      "/",
      "a",
      "=",
      '"',
      "&",
      ";",
      "<!--",
      "-->",
      "<![CDATA[",
      "]]>",
      " ",
      "<?",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          parseXml(pieces.join(""));
        } catch (error) {
          assert.ok(error instanceof XmlError, String(error));
          assert.match(error.message, /at character \d+$/);
        }
      }),
    );
  });

  it("bounds how deeply elements nest", () => {
    assert.throws(() => parseXml(`${"<a>".repeat(100)}${"</a>".repeat(100)}`), XmlError);
  });
});
