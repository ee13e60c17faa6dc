import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  createMediaFrame,
  decodeBase64,
  decodeMessage,
  scanMedia,
} from "../../../../src/media/protocol/messages.ts";
import { bytesOf, mediaFacts, mediaMessage, RECORDED, RECORDED_MEDIA, STREAM_SID } from "./wire.ts";

const frame = createMediaFrame();

/** What a message says when the scanner understands it, in decodeMessage's words; undefined when it declines. */
function scanned(bytes: Uint8Array) {
  if (!scanMedia(bytes, frame)) return undefined;
  const payload = new Uint8Array(bytes.length);
  const length = decodeBase64(bytes, frame.payloadStart, frame.payloadEnd, payload);
  assert.ok(length >= 0, "a payload the scanner accepts decodes");
  return {
    event: "media",
    streamSid: new TextDecoder().decode(bytes.subarray(frame.streamSidStart, frame.streamSidEnd)),
    chunk: frame.chunk,
    timestampMs: frame.timestampMs,
    track: "inbound",
    payload: payload.subarray(0, length),
  };
}

const media = `{"event":"media","streamSid":"${STREAM_SID}","media":{"track":"inbound","chunk":"1","timestamp":"155","payload":"/w=="}}`;

describe("scanMedia", () => {
  it("reads every media message of a recorded stream and declines all others", () => {
    for (const line of RECORDED) {
      const message = decodeMessage(bytesOf(line));
      assert.deepEqual(scanned(bytesOf(line)), message.event === "media" ? message : undefined, line);
    }
  });

  it("declines a message cut short anywhere", () => {
    for (const line of RECORDED_MEDIA.slice(0, 3)) {
      const bytes = bytesOf(line);
      for (let length = 0; length < bytes.length; length++)
        assert.equal(scanMedia(bytes.subarray(0, length), frame), false);
    }
  });

  it("finds the fields by structure: in any order, among others, with white space", () => {
    fc.assert(
      fc.property(
        mediaFacts.chain((facts) => fc.tuple(fc.constant(facts), mediaMessage(facts))),
        ([facts, text]) => {
          assert.deepEqual(scanned(bytesOf(text)), { event: "media", track: "inbound", ...facts });
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("is not misled by fields of the same name elsewhere, or by their names in values", () => {
    const { event, streamSid, media: inner } = JSON.parse(media);
    const decoy = {
      track: "outbound",
      chunk: "9",
      timestamp: "9",
      payload: "AAAA",
      event: "stop",
      streamSid: "MZ9",
    };
    const message = {
      chunk: "3",
      payload: "event",
      decoy,
      event,
      media: { ...inner, event: "stop", media: decoy, streamSid: "timestamp" },
      list: ["media", decoy],
      streamSid,
    };
    assert.deepEqual(scanned(bytesOf(JSON.stringify(message))), decodeMessage(bytesOf(media)));
  });

  const declined: Record<string, string> = {
    "an escape in the event": media.replace('"media",', '"m\\u0065dia",'),
    "an escape in a key": media.replace('"chunk"', '"ch\\u0075nk"'),
    "an escape in the StreamSid": media.replace("MZ0", "MZ\\u0030"),
    "an escape in the payload": media.replace("/w==", "\\/w=="),
    "a second event": media.replace("}}", '},"event":"media"}'),
    "a second payload": media.replace("}}", ',"payload":"/w=="}}'),
    "letters beyond ASCII": media.replace("{", '{"é":1,'),
    "the agent's track": media.replace("inbound", "outbound"),
    "another track": media.replace('"inbound"', '"inbound_track"'),
    "another event": media.replace('"media",', '"medial",'),
    "no StreamSid": media.replace('"streamSid"', '"streamsid"'),
    "a StreamSid of another kind": media.replace("MZ", "CA"),
    "a StreamSid without an end": media.replace("MZ", `MZ${"0".repeat(31)}`),
    "an empty StreamSid": media.replace(STREAM_SID, "MZ"),
    "a media list": media.replace('"media":{', '"media":[').replace("}}", "]}"),
    "an empty media": media.replace(/\{"track.*\}\}/, "{}}"),
    "a fraction of a chunk": media.replace('"1"', '"1.5"'),
    "a negative chunk": media.replace('"1"', "-1"),
    "a chunk with a leading zero": media.replace('"1"', "01"),
    "a chunk with an exponent": media.replace('"1"', "1e1"),
    "an endless chunk": media.replace('"1"', `"${"1".repeat(16)}"`),
    "an empty chunk": media.replace('"1"', '""'),
    "a payload of the wrong length": media.replace("/w==", "/w="),
    "a payload with padding inside": media.replace("/w==", "/w==/w=="),
    "a payload of another alphabet": media.replace("/w==", "_w=="),
    "something behind it": `${media}{}`,
    "something before it": `x${media}`,
    "a comma too many": media.replace("}}", "},}"),
    "no colon": media.replace('"chunk":', '"chunk"'),
    "a broken unknown value": media.replace("{", '{"a":tru,'),
    "a broken unknown number": media.replace("{", '{"a":01,'),
    "a control character": media.replace("{", '{"a":"\u0001",'),
    "very deep unknown values": media.replace("{", `{"a":${"[".repeat(20)}${"]".repeat(20)},`),
    "nothing at all": "",
    "an empty object": "{}",
  };
  for (const [what, text] of Object.entries(declined))
    it(`declines ${what}`, () => {
      assert.notEqual(text, media);
      assert.equal(scanMedia(bytesOf(text), frame), false);
    });

  it("reads a message that lies anywhere in a larger buffer", () => {
    const around = new Uint8Array(1_000).fill(0x22);
    around.set(bytesOf(media), 300);
    assert.deepEqual(scanned(around.subarray(300, 300 + media.length)), decodeMessage(bytesOf(media)));
  });
});

/** A seeded source of numbers (mulberry32): a failure's seed is the whole story. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) % sides;
  };
}

const FRAGMENTS = [
  ...'{}[]",:\\/=+-.0123456789eE \n\tAZaz\u0000\u007f\u0080é',
  '"event":"media"',
  '"event":"stop",',
  ',"chunk":"7"',
  '"payload":"AAAA"',
  '"track":"outbound"',
  '"timestamp":20,',
  '"media":{',
  '"streamSid":"MZ1",',
  '"a":[{"b":null},-1.5e3],',
  "\\u0061",
  "true",
  "__proto__",
].map(bytesOf);

/** The bytes with one thing wrong, or at least different. */
function mutate(bytes: Uint8Array, roll: (sides: number) => number): Uint8Array {
  const at = roll(bytes.length + 1);
  const span = roll(4) === 0 ? roll(40) : roll(3);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  const rest = bytes.subarray(Math.min(bytes.length, at + span));
  switch (roll(6)) {
    case 0: // one bit
      return bytes.map((byte, index) => (index === at ? byte ^ (1 << roll(8)) : byte));
    case 1: // something in between
      return Buffer.concat([before, FRAGMENTS[roll(FRAGMENTS.length)]!, after]);
    case 2: // something instead
      return Buffer.concat([before, FRAGMENTS[roll(FRAGMENTS.length)]!, rest]);
    case 3: // a piece missing
      return Buffer.concat([before, rest]);
    case 4: // a piece twice
      return Buffer.concat([before, bytes.subarray(at, at + span), after]);
    default: {
      // a piece from elsewhere
      const from = roll(bytes.length + 1);
      return Buffer.concat([before, bytes.subarray(from, from + span), rest]);
    }
  }
}

describe("scanner and parser", () => {
  it("never disagree, over 60,000 mutated messages", () => {
    const tally = { understood: 0, media: 0, malformed: 0 };
    const originals = [...RECORDED_MEDIA.slice(0, 5), media, media, media].map(bytesOf);
    const written = fc.sample(mediaFacts.chain(mediaMessage), { numRuns: 20, seed: 7 }).map(bytesOf);
    const sources = [...originals, ...written];
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const roll = dice(seed);
        for (let run = 0; run < 600; run++) {
          let bytes = sources[roll(sources.length)]!;
          for (let count = 1 + roll(3); count > 0; count--) bytes = mutate(bytes, roll);
          const understood = scanned(bytes);
          const message = decodeMessage(bytes);
          if (understood !== undefined)
            assert.deepEqual(understood, message, new TextDecoder().decode(bytes));
          if (understood !== undefined) tally.understood++;
          if (message.event === "media") tally.media++;
          if (message.event === "malformed") tally.malformed++;
        }
      }),
      { numRuns: 100 },
    );
    // Both answers must be common, or the agreement says little.
    assert.ok(tally.understood > 3_000 && tally.malformed > 30_000, JSON.stringify(tally));
    assert.ok(
      tally.understood > tally.media * 0.8,
      `the scanner declines too much: ${JSON.stringify(tally)}`,
    );
  });
});
