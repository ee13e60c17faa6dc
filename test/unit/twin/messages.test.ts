import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { CONNECTED, mediaText, readMessage, startBody } from "../../../src/twin/messages.ts";

const STREAM = "MZ00000000000000000000000000000001";
const file = new URL("../../vectors/media-stream-inbound.jsonl", import.meta.url);
const [connected, start, firstMedia] = readFileSync(file, "utf8")
  .split("\n", 3)
  .map((line) => JSON.parse(line));

describe("the messages Twilio sends", () => {
  it("look like the captured ones, field by field and type by type", () => {
    assert.deepEqual(CONNECTED, connected);
    const { accountSid, callSid, streamSid, customParameters } = start.start;
    assert.deepEqual(
      startBody({ accountSid, callSid, streamSid, parameters: customParameters }),
      start.start,
    );
    assert.deepEqual(JSON.parse(mediaText(STREAM, 2, 1, 155, firstMedia.media.payload)), firstMedia);
  });
});

describe("the messages a gateway sends", () => {
  it("are read when they are exact", () => {
    for (const message of [
      { event: "media", streamSid: STREAM, media: { payload: "////" } },
      { event: "media", streamSid: STREAM, media: { payload: "/w==" } },
      { event: "mark", streamSid: STREAM, mark: { name: "1" } },
      { streamSid: STREAM, event: "clear" },
    ]) {
      assert.deepEqual(readMessage(JSON.stringify(message), STREAM), message);
    }
  });

  const faults: [what: string, message: unknown, fault: RegExp][] = [
    ["no object", [], /not a JSON object/],
    ["an unknown event", { event: "stop", streamSid: STREAM }, /unknown event/],
    ["no event", { streamSid: STREAM }, /unknown event/],
    ["no streamSid", { event: "clear" }, /clear lacks streamSid/],
    ["another stream's streamSid", { event: "clear", streamSid: "MZ1" }, /another stream's/],
    [
      "an extra field",
      { event: "clear", streamSid: STREAM, sequenceNumber: "1" },
      /clear has sequenceNumber/,
    ],
    ["no media", { event: "media", streamSid: STREAM }, /media lacks media/],
    ["media that is no object", { event: "media", streamSid: STREAM, media: "" }, /not an object/],
    ["no payload", { event: "media", streamSid: STREAM, media: {} }, /no payload/],
    ["an empty payload", { event: "media", streamSid: STREAM, media: { payload: "" } }, /no payload/],
    [
      "a payload that is not base64",
      { event: "media", streamSid: STREAM, media: { payload: "a" } },
      /base64/,
    ],
    ["URL-safe base64", { event: "media", streamSid: STREAM, media: { payload: "-_-_" } }, /base64/],
    [
      "a track beside the payload",
      { event: "media", streamSid: STREAM, media: { payload: "////", track: "outbound" } },
      /media\.media has track/,
    ],
    ["a mark without a name", { event: "mark", streamSid: STREAM, mark: {} }, /no name/],
    [
      "a mark with an extra field",
      { event: "mark", streamSid: STREAM, mark: { name: "a", at: 1 } },
      /has at/,
    ],
  ];
  for (const [what, message, expected] of faults) {
    it(`are at fault with ${what}`, () => {
      const read = readMessage(JSON.stringify(message), STREAM);
      assert.ok("fault" in read);
      assert.match(read.fault, expected);
    });
  }

  it("are at fault when they are no JSON", () => {
    assert.deepEqual(readMessage("{", STREAM), { fault: "not a JSON object: {" });
  });
});
