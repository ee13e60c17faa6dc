import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { StreamSid } from "../../../../src/domain/ids.ts";
import { OutboundEncoder } from "../../../../src/media/protocol/outbound.ts";
import { STREAM_SID } from "./wire.ts";

const read = (bytes: Uint8Array): unknown =>
  JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));

describe("what is said to Twilio", () => {
  const encoder = new OutboundEncoder(StreamSid(STREAM_SID));

  it("is a media message with a payload and nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat(9), fc.nat(9), (around, start, at) => {
        const from = Math.min(start, around.length);
        const length = encoder.mediaLength(around.length - from);
        const target = new Uint8Array(at + length + 1).fill(0x7f);
        assert.equal(encoder.writeMedia(around, from, around.length, target, at), length);
        assert.deepEqual(read(target.subarray(at, at + length)), {
          event: "media",
          streamSid: STREAM_SID,
          media: { payload: Buffer.from(around.subarray(from)).toString("base64") },
        });
        assert.ok(target.subarray(0, at).every((byte) => byte === 0x7f) && target.at(-1) === 0x7f);
      }),
    );
  });

  it("is a mark with a name, whatever the name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (name) => {
        assert.deepEqual(read(encoder.mark(name)), { event: "mark", streamSid: STREAM_SID, mark: { name } });
      }),
    );
  });

  it("is a clear", () => {
    assert.deepEqual(read(encoder.clear()), { event: "clear", streamSid: STREAM_SID });
    assert.deepEqual(encoder.clear(), encoder.clear());
  });

  it("cannot be turned into something else by an odd StreamSid", () => {
    for (const odd of ['MZ","event":"clear', "MZ\\", "MZ\u0000", "MZé", '"}}']) {
      const streamSid = StreamSid(odd);
      const encoder = new OutboundEncoder(streamSid);
      const target = new Uint8Array(encoder.mediaLength(1));
      encoder.writeMedia(Uint8Array.of(0xff), 0, 1, target, 0);
      assert.deepEqual(read(target), { event: "media", streamSid, media: { payload: "/w==" } });
      assert.deepEqual(read(encoder.mark("a")), { event: "mark", streamSid, mark: { name: "a" } });
      assert.deepEqual(read(encoder.clear()), { event: "clear", streamSid });
    }
  });
});
