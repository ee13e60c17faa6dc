import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { StreamSid } from "../../../../src/domain/ids.ts";
import { loadKernels } from "../../../../src/media/kernels/kernels.ts";
import { MediaMessages } from "../../../../src/media/protocol/mediaMessages.ts";
import { framesIn, StreamMessages } from "../../../../src/media/protocol/streamMessages.ts";
import { STREAM_SID } from "./wire.ts";

const read = (bytes: Uint8Array): unknown =>
  JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));

const messages = new MediaMessages(await loadKernels());

describe("what is said to Twilio", () => {
  const stream = new StreamMessages(StreamSid(STREAM_SID), messages);

  it("is a media message with a payload and nothing else", () => {
    const audio = fc.uint8Array({ minLength: 9, maxLength: 800 });
    fc.assert(
      fc.property(audio, fc.nat(9), (around, start) => {
        assert.deepEqual(read(stream.media(around, start, around.length)), {
          event: "media",
          streamSid: STREAM_SID,
          media: { payload: Buffer.from(around.subarray(start)).toString("base64") },
        });
      }),
      { numRuns: 1_000 },
    );
  });

  it("tells by its length how many frames it has", () => {
    for (let frames = 1; frames <= 5; frames++)
      assert.equal(framesIn(stream.media(new Uint8Array(800), 0, frames * 160).length), frames);
  });

  it("is a mark with a name, whatever the name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (name) => {
        assert.deepEqual(read(stream.mark(name)), { event: "mark", streamSid: STREAM_SID, mark: { name } });
      }),
    );
  });

  it("is a clear", () => {
    assert.deepEqual(read(stream.clear()), { event: "clear", streamSid: STREAM_SID });
  });

  it("cannot be turned into something else by an odd StreamSid", () => {
    for (const odd of ['MZ","event":"clear', "MZ\\", "MZ\u0000", "MZé", '"}}']) {
      const streamSid = StreamSid(odd);
      const stream = new StreamMessages(streamSid, messages);
      assert.deepEqual(read(stream.media(Uint8Array.of(0xff), 0, 1)), {
        event: "media",
        streamSid,
        media: { payload: "/w==" },
      });
      assert.deepEqual(read(stream.mark("a")), { event: "mark", streamSid, mark: { name: "a" } });
      assert.deepEqual(read(stream.clear()), { event: "clear", streamSid });
    }
  });
});
