// Media messages read without a parser, in WASM and in TypeScript, held against the parser that reads any.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { StreamSid } from "../../../../src/domain/ids.ts";
import { filled, loadKernels } from "../../../../src/media/kernels/kernels.ts";
import { MESSAGE_BYTES } from "../../../../src/media/kernels/layout.ts";
import { plainKernels } from "../../../../src/media/kernels/plain.ts";
import { MediaMessages } from "../../../../src/media/protocol/mediaMessages.ts";
import { decodeMessage, type Message } from "../../../../src/media/protocol/messages.ts";
import { bytesOf, mediaFacts, mediaMessage, RECORDED, RECORDED_MEDIA, STREAM_SID } from "../protocol/wire.ts";

const SIMD = new MediaMessages(await loadKernels());
const PLAIN = new MediaMessages(filled(plainKernels()));
const MUTATED = 1_000_000;
const MUTATED_AT_ONCE = 2_000;
/** What nobody understands may be anything: of so many such messages the parser says what one is. */
const LOOKED_AT = 16;
const OTHER = StreamSid(`MZ${"9".repeat(32)}`);

const media = `{"event":"media","streamSid":"${STREAM_SID}","media":{"track":"inbound","chunk":"1","timestamp":"155","payload":"/w=="}}`;

function isOf(messages: MediaMessages, streamSid: StreamSid): boolean {
  const prefix = messages.take(streamSid);
  const isIt = messages.isOf(prefix);
  messages.giveBack(prefix);
  return isIt;
}

/** Whether they are understood; then they say what the parser says. */
function reads(messages: MediaMessages, bytes: Uint8Array, expected?: Message): boolean {
  if (!messages.read(bytes)) return false;
  const message = expected ?? decodeMessage(bytes);
  const shown = () => new TextDecoder().decode(bytes);
  assert.ok(message.event === "media" && message.track === "inbound", shown());
  assert.equal(messages.timestampMs, message.timestampMs, shown());
  assert.ok(Buffer.from(messages.codes).equals(message.payload), shown());
  assert.ok(isOf(messages, message.streamSid) && !isOf(messages, OTHER), shown());
  return true;
}

const DECLINED: Record<string, string> = {
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

for (const [where, messages] of [
  ["in WASM", SIMD],
  ["in TypeScript", PLAIN],
] as const)
  describe(`a media message, read ${where},`, () => {
    it("is understood in a recorded stream, and nothing else is", () => {
      for (const line of RECORDED) {
        const { event } = decodeMessage(bytesOf(line));
        assert.equal(reads(messages, bytesOf(line)), event === "media", line);
      }
    });

    it("is declined when it is cut short anywhere", () => {
      for (const line of RECORDED_MEDIA.slice(0, 3)) {
        const bytes = bytesOf(line);
        for (let length = 0; length < bytes.length; length++)
          assert.equal(messages.read(bytes.subarray(0, length)), false);
      }
    });

    it("is understood by structure: its fields in any order, among others, with white space", () => {
      fc.assert(
        fc.property(mediaFacts.chain(mediaMessage), (text) => {
          assert.ok(reads(messages, bytesOf(text)));
        }),
        { numRuns: 1_000 },
      );
    });

    it("is understood with any audio that it has room for", () => {
      const audio = fc.oneof(fc.uint8Array({ maxLength: 700 }), fc.uint8Array({ maxLength: 14_000 }));
      fc.assert(
        fc.property(audio, (payload) => {
          const bytes = bytesOf(media.replace("/w==", Buffer.from(payload).toString("base64")));
          assert.equal(reads(messages, bytes), bytes.length <= MESSAGE_BYTES);
        }),
        { numRuns: 1_000 },
      );
    });

    it("is not mistaken for fields of the same name elsewhere, or for their names in values", () => {
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
      assert.ok(reads(messages, bytesOf(JSON.stringify(message)), decodeMessage(bytesOf(media))));
    });

    for (const [what, text] of Object.entries(DECLINED))
      it(`is declined with ${what}`, () => {
        assert.notEqual(text, media);
        assert.equal(messages.read(bytesOf(text)), false);
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
      return Buffer.concat([before, Uint8Array.of(bytes[at]! ^ (1 << roll(8))), bytes.subarray(at + 1)]);
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

describe("those who read media messages and the parser", () => {
  it(`never disagree, over ${MUTATED} mutated messages`, () => {
    const tally = { understood: 0, declined: 0, media: 0, malformed: 0 };
    const originals = [...RECORDED_MEDIA.slice(0, 5), media, media, media].map(bytesOf);
    const written = fc.sample(mediaFacts.chain(mediaMessage), { numRuns: 20, seed: 7 }).map(bytesOf);
    const sources = [...originals, ...written];
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const roll = dice(seed);
        for (let run = 0; run < MUTATED_AT_ONCE; run++) {
          let bytes = sources[roll(sources.length)]!;
          for (let count = 1 + roll(3); count > 0; count--) bytes = mutate(bytes, roll);
          const isUnderstood = reads(SIMD, bytes);
          // The twin is slow, and serves where there is no SIMD only.
          if (run % 4 === 0) assert.equal(PLAIN.read(bytes), isUnderstood, new TextDecoder().decode(bytes));
          if (isUnderstood) tally.understood++;
          else if (++tally.declined % LOOKED_AT === 0) {
            const { event } = decodeMessage(bytes);
            if (event === "media") tally.media++;
            if (event === "malformed") tally.malformed++;
          }
        }
      }),
      { numRuns: MUTATED / MUTATED_AT_ONCE },
    );
    // Both answers must be common, or the agreement says little.
    const shown = JSON.stringify(tally);
    assert.ok(tally.understood > MUTATED / 20 && tally.malformed * LOOKED_AT > MUTATED / 2, shown);
    assert.ok(tally.understood > 4 * tally.media * LOOKED_AT, `too much is declined: ${shown}`);
  });
});
