import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeMessage, type Malformation, type Message } from "../../../../src/media/protocol/messages.ts";
import { bytesOf, mediaFacts, mediaMessage, RECORDED, STREAM_SID } from "./wire.ts";

const CALL_SID = `CA${"0".repeat(31)}1`;
const ACCOUNT_SID = `AC${"0".repeat(31)}1`;

const decode = (message: unknown): Message => decodeMessage(bytesOf(JSON.stringify(message)));
const malformed = (why: Malformation) => ({ event: "malformed", why });
/** A message with a prototype-less member as a plain object, for comparison. */
const plain = (message: Message): object =>
  message.event === "start" ? { ...message, parameters: { ...message.parameters } } : message;

const start = (overrides: object = {}) => ({
  event: "start",
  sequenceNumber: "1",
  start: {
    accountSid: ACCOUNT_SID,
    streamSid: STREAM_SID,
    callSid: CALL_SID,
    tracks: ["inbound"],
    mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
    customParameters: {},
    ...overrides,
  },
  streamSid: STREAM_SID,
});
const started = (parameters: Record<string, string> = {}) => ({
  event: "start",
  streamSid: STREAM_SID,
  callSid: CALL_SID,
  accountSid: ACCOUNT_SID,
  encoding: "audio/x-mulaw",
  sampleRateHz: 8_000,
  channels: 1,
  parameters,
});

describe("a recorded stream", () => {
  const messages = RECORDED.map((line) => decodeMessage(bytesOf(line)));

  it("is connected, started, heard, and stopped", () => {
    assert.deepEqual(messages[0], { event: "connected" });
    assert.deepEqual(plain(messages[1]!), started({ token: "9f2c7c1e4b", from: "+14155550100" }));
    assert.deepEqual(messages.at(-1), { event: "stop", streamSid: STREAM_SID });
    const named = new Set(["connected", "start", "media", "dtmf", "mark", "stop"]);
    for (const message of messages) assert.ok(named.has(message.event), JSON.stringify(message));
  });

  it("has a second of audio in frames of 160 bytes, with times that wobble", () => {
    const media = messages.filter((message) => message.event === "media");
    assert.equal(media.length, 50);
    for (const [index, message] of media.entries()) {
      assert.equal(message.chunk, index + 1);
      assert.equal(message.track, "inbound");
      assert.equal(message.payload.length, 160);
      assert.ok(Math.abs(message.timestampMs - (155 + 20 * index)) <= 2);
    }
    assert.deepEqual(
      Buffer.from(media[0]!.payload).toString("base64"),
      JSON.parse(RECORDED.find((line) => line.includes('"chunk":"1"'))!).media.payload,
    );
  });

  it("is read in the same way with its fields in reverse", () => {
    const reversed = (value: unknown): unknown =>
      typeof value !== "object" || value === null || Array.isArray(value)
        ? value
        : Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([key, inner]) => [key, reversed(inner)]),
          );
    for (const [index, line] of RECORDED.entries())
      assert.deepEqual(decode(reversed(JSON.parse(line))), messages[index]);
  });

  it("is read in the same way with fields that nobody knows", () => {
    for (const [index, line] of RECORDED.entries()) {
      const { event, ...rest } = JSON.parse(line);
      const extended = { colour: ["blue", { deep: null }], event, ...rest, later: 1.5 };
      assert.deepEqual(decode(extended), messages[index]);
    }
  });

  it("has no message that is anything but malformed when cut short anywhere", () => {
    for (const line of RECORDED) {
      const bytes = bytesOf(line);
      for (let length = 0; length < bytes.length; length++)
        assert.deepEqual(decodeMessage(bytes.subarray(0, length)), malformed("not_json"));
    }
  });
});

describe("media", () => {
  it("says the same however it is written", () => {
    fc.assert(
      fc.property(
        mediaFacts.chain((facts) => fc.tuple(fc.constant(facts), mediaMessage(facts))),
        ([facts, text]) => {
          assert.deepEqual(decodeMessage(bytesOf(text)), { event: "media", track: "inbound", ...facts });
        },
      ),
    );
  });

  it("has a payload of its own: the received bytes may be reused", () => {
    const bytes = bytesOf(RECORDED.find((line) => line.includes('"media"'))!);
    const message = decodeMessage(bytes);
    const again = decodeMessage(bytes.slice());
    bytes.fill(0);
    assert.deepEqual(message, again);
  });

  const withMedia = (media: object) => ({ event: "media", streamSid: STREAM_SID, media });
  const media = { track: "inbound", chunk: "1", timestamp: "155", payload: "/w==" };

  it("takes counts as strings or as numbers", () => {
    const message = { event: "media", streamSid: STREAM_SID, track: "inbound", chunk: 7, timestampMs: 155 };
    const expected = { ...message, payload: Uint8Array.of(0xff) };
    assert.deepEqual(decode(withMedia({ ...media, chunk: "7" })), expected);
    assert.deepEqual(decode(withMedia({ ...media, chunk: 7, timestamp: 155 })), expected);
    assert.deepEqual(decode(withMedia({ ...media, chunk: "007" })), expected);
  });

  it("may be of any track and of no length", () => {
    const message = decode(withMedia({ ...media, track: "outbound", payload: "" }));
    assert.ok(message.event === "media" && message.track === "outbound" && message.payload.length === 0);
  });

  for (const chunk of [
    "",
    "-1",
    "1.0",
    "1e3",
    " 1",
    "0x1",
    "9".repeat(16),
    -1,
    1.5,
    2 ** 53,
    null,
    true,
    [1],
  ])
    it(`is malformed with chunk ${JSON.stringify(chunk)}`, () => {
      assert.deepEqual(decode(withMedia({ ...media, chunk })), malformed("bad_field"));
      assert.deepEqual(decode(withMedia({ ...media, timestamp: chunk })), malformed("bad_field"));
    });

  for (const payload of ["/w", "/w=", "/w==\n", "/w==/w==", "_w==", "/w=\u0141", "====", "é==="])
    it(`is malformed with payload ${JSON.stringify(payload)}`, () => {
      assert.deepEqual(decode(withMedia({ ...media, payload })), malformed("bad_payload"));
    });

  for (const field of Object.keys(media))
    it(`is malformed without its ${field}, or with null there`, () => {
      assert.deepEqual(decode(withMedia({ ...media, [field]: undefined })), malformed("bad_field"));
      assert.deepEqual(decode(withMedia({ ...media, [field]: null })), malformed("bad_field"));
    });
});

describe("start", () => {
  it("may come without custom parameters, as older ones did", () => {
    for (const customParameters of [undefined, null, {}])
      assert.deepEqual(plain(decode(start({ customParameters }))), started());
  });

  it("keeps parameters of any name, harmlessly", () => {
    const message = decodeMessage(
      bytesOf(
        JSON.stringify(start()).replace(
          '"customParameters":{}',
          '"customParameters":{"__proto__":"a","constructor":"b","n":3,"toString":"c"}',
        ),
      ),
    );
    assert.ok(message.event === "start");
    assert.equal(Object.getPrototypeOf(message.parameters), null);
    assert.deepEqual(Object.entries(message.parameters), [
      ["__proto__", "a"],
      ["constructor", "b"],
      ["toString", "c"],
    ]);
  });

  it("leaves the judgement of its format to the reader", () => {
    const message = decode(
      start({ mediaFormat: { encoding: "audio/x-l16", sampleRate: "16000", channels: "2" } }),
    );
    assert.ok(message.event === "start");
    assert.deepEqual([message.encoding, message.sampleRateHz, message.channels], ["audio/x-l16", 16_000, 2]);
  });

  const broken: Record<string, object> = {
    "a CallSid of another kind": { callSid: STREAM_SID },
    "an AccountSid that is none": { accountSid: `AC${"0".repeat(31)}"` },
    "an endless AccountSid": { accountSid: `AC${"0".repeat(63)}` },
    "no CallSid": { callSid: undefined },
    "two StreamSids": { streamSid: `MZ${"0".repeat(31)}2` },
    "no format": { mediaFormat: undefined },
    "half a format": { mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000 } },
    "parameters in a list": { customParameters: ["a"] },
  };
  for (const [what, overrides] of Object.entries(broken))
    it(`is malformed with ${what}`, () => {
      assert.deepEqual(decode(start(overrides)), malformed("bad_field"));
    });
});

describe("mark, dtmf and stop", () => {
  it("are read, whatever else they say", () => {
    const mark = { event: "mark", sequenceNumber: 4, streamSid: STREAM_SID, mark: { name: 'a "b"\n' } };
    assert.deepEqual(decode(mark), { event: "mark", streamSid: STREAM_SID, name: 'a "b"\n' });
    for (const digit of "0123456789*#ABCD") {
      const dtmf = { event: "dtmf", streamSid: STREAM_SID, dtmf: { track: "inbound_track", digit } };
      assert.deepEqual(decode(dtmf), { event: "dtmf", streamSid: STREAM_SID, digit });
    }
    assert.deepEqual(decode({ event: "stop", streamSid: STREAM_SID }), {
      event: "stop",
      streamSid: STREAM_SID,
    });
  });

  it("are malformed without what they are for", () => {
    for (const message of [
      { event: "mark", streamSid: STREAM_SID },
      { event: "mark", streamSid: STREAM_SID, mark: { name: 1 } },
      { event: "mark", mark: { name: "a" } },
      { event: "dtmf", streamSid: STREAM_SID, dtmf: { digit: "12" } },
      { event: "dtmf", streamSid: STREAM_SID, dtmf: { digit: 1 } },
      { event: "dtmf", streamSid: STREAM_SID, dtmf: "1" },
      { event: "stop", streamSid: "stream" },
      { event: "stop" },
    ])
      assert.deepEqual(decode(message), malformed("bad_field"), JSON.stringify(message));
  });
});

describe("anything else", () => {
  it("is ignored by name when it is an event of some other kind", () => {
    assert.deepEqual(decode({ event: "transcription", text: "hello" }), {
      event: "ignored",
      was: "transcription",
    });
    assert.deepEqual(decode({ event: "x".repeat(10_000) }), { event: "ignored", was: "x".repeat(64) });
    assert.deepEqual(decode({ event: "toString" }), { event: "ignored", was: "toString" });
  });

  it("is malformed for a reason", () => {
    for (const text of [
      "",
      " ",
      "{",
      "hello",
      "{'event':1}",
      '\ufeff{"event":"connected"}',
      '{"event":"stop",}',
    ])
      assert.deepEqual(decodeMessage(bytesOf(text)), malformed("not_json"), text);
    for (const text of ["null", "1", '"media"', "[]", '[{"event":"stop"}]'])
      assert.deepEqual(decodeMessage(bytesOf(text)), malformed("not_object"), text);
    for (const text of [
      "{}",
      '{"event":null}',
      '{"event":1}',
      '{"event":["stop"]}',
      '{"__proto__":{"event":"stop"}}',
    ])
      assert.deepEqual(decodeMessage(bytesOf(text)), malformed("no_event"), text);
  });

  it("is malformed when it is not UTF-8", () => {
    assert.deepEqual(
      decodeMessage(Uint8Array.of(...bytesOf('{"event":"'), 0xc3, 0x28, ...bytesOf('"}'))),
      malformed("not_json"),
    );
  });

  it("may be nested as deeply as its size allows", () => {
    const depth = 100_000;
    assert.deepEqual(decodeMessage(bytesOf("[".repeat(depth))), malformed("not_json"));
    const nested = `${"[".repeat(depth)}${"]".repeat(depth)}`;
    assert.deepEqual(decodeMessage(bytesOf(nested)), malformed("not_object"));
    assert.deepEqual(decodeMessage(bytesOf(`{"event":"later","a":${nested}}`)), {
      event: "ignored",
      was: "later",
    });
    assert.deepEqual(
      decodeMessage(bytesOf(`{"event":"mark","streamSid":"${STREAM_SID}","mark":${nested}}`)),
      malformed("bad_field"),
    );
  });

  it("never throws, whatever the bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeMessage(bytes)));
    fc.assert(fc.property(fc.json(), (text) => void decodeMessage(bytesOf(text))));
    const fields = ["event", "streamSid", "media", "start", "mark", "dtmf", "payload", "chunk", "__proto__"];
    const anyMessage = fc.record({
      event: fc.constantFrom("connected", "start", "media", "mark", "dtmf", "stop", "x"),
      streamSid: fc.oneof(fc.constant(STREAM_SID), fc.jsonValue()),
      start: fc.oneof(fc.constant(start().start), fc.jsonValue()),
      media: fc.oneof(fc.dictionary(fc.constantFrom(...fields), fc.jsonValue()), fc.jsonValue()),
      mark: fc.jsonValue(),
      dtmf: fc.jsonValue(),
    });
    fc.assert(fc.property(anyMessage, (message) => void decode(message)));
  });
});
