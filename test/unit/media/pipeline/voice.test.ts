import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AGENT_RATES_HZ, frameSamples } from "../../../../src/domain/audio.ts";
import type { Audio, AudioFormat } from "../../../../src/media/agents/port.ts";
import { codecOf } from "../../../../src/media/audio/codec.ts";
import { loadKernels } from "../../../../src/media/kernels/kernels.ts";
import { Voice } from "../../../../src/media/pipeline/voice.ts";

const FRAME = 160;
const codec = codecOf(await loadKernels());

/** A voice, and the bytes that were taken of it: at most so many. */
function voice(format: AudioFormat, room = Number.POSITIVE_INFINITY) {
  const taken: number[] = [];
  const one = new Voice(format, codec, {
    take(mulaw) {
      const takes = Math.min(mulaw.length, room - taken.length);
      taken.push(...mulaw.subarray(0, takes));
      return takes;
    },
  });
  return { voice: one, taken };
}

function sound(samples: number): Int16Array {
  return Int16Array.from({ length: samples }, (_, n) => 6_000 * Math.sin(n / 7) + 4_000 * Math.sin(n / 19.3));
}

function* cut<Sound extends Audio>(whole: Sound, sizes: readonly number[]): Generator<Sound> {
  let at = 0;
  for (const size of [...sizes, whole.length]) {
    yield whole.subarray(at, at + size) as Sound;
    at = Math.min(whole.length, at + size);
  }
}

const anySizes = (whole: number) =>
  fc.array(fc.oneof(fc.constantFrom(0, 1, whole - 1, whole, whole + 1, 2 * whole), fc.nat(3 * whole)), {
    maxLength: 20,
  });

describe("an agent's voice", () => {
  for (const rateHz of AGENT_RATES_HZ)
    it(`is the same bytes at ${rateHz} Hz however its audio is cut`, () => {
      const whole = frameSamples(rateHz);
      fc.assert(
        fc.property(fc.nat(12 * whole), anySizes(whole), (length, sizes) => {
          const said = sound(length);
          const atOnce = voice({ encoding: "pcm16", rateHz });
          const inPieces = voice({ encoding: "pcm16", rateHz });
          assert.equal(atOnce.voice.say(said), length);
          assert.equal(atOnce.voice.hasPartial, length % whole > 0);
          assert.equal(atOnce.taken.length, FRAME * Math.floor(length / whole));
          for (const piece of cut(said, sizes)) assert.equal(inPieces.voice.say(piece), piece.length);
          assert.deepEqual(inPieces.taken, atOnce.taken);
          for (const one of [atOnce, inPieces]) {
            one.voice.flush();
            one.voice.flush();
            assert.equal(one.voice.hasPartial, false);
            one.voice.free();
          }
          assert.equal(atOnce.taken.length, FRAME * Math.ceil(length / whole));
          assert.deepEqual(inPieces.taken, atOnce.taken);
        }),
        { numRuns: 40 },
      );
    });

  it("in mu-law passes bit for bit, as it comes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), anySizes(FRAME), (said, sizes) => {
        const { voice: one, taken } = voice({ encoding: "mulaw", rateHz: 8_000 });
        for (const piece of cut(said, sizes)) assert.equal(one.say(piece), piece.length);
        one.flush();
        assert.deepEqual(taken, [...said]);
        assert.equal(one.hasPartial, false);
      }),
    );
  });

  it("of which there is no room for all is taken in whole frames, and begins with a frame again", () => {
    const { voice: one, taken } = voice({ encoding: "pcm16", rateHz: 16_000 }, 3 * FRAME);
    assert.equal(one.say(sound(5 * 320)), 3 * 320);
    assert.equal(one.say(sound(320)), 0);
    assert.equal(one.say(sound(100)), 100, "less than a frame waits here");
    assert.equal(one.say(sound(500)), 0);
    assert.equal(one.say(sound(219)), 219);
    assert.equal(taken.length, 3 * FRAME);
    const mulaw = voice({ encoding: "mulaw", rateHz: 8_000 }, 500);
    assert.equal(mulaw.voice.say(new Uint8Array(700)), 500);
  });

  it("that is dropped leaves nothing in what comes after, not even in its filter", () => {
    for (const rateHz of AGENT_RATES_HZ) {
      const fresh = voice({ encoding: "pcm16", rateHz });
      const dropped = voice({ encoding: "pcm16", rateHz });
      const whole = frameSamples(rateHz);
      dropped.voice.say(sound(3 * whole + 17));
      dropped.voice.drop();
      assert.equal(dropped.voice.hasPartial, false);
      const before = dropped.taken.length;
      for (const one of [fresh, dropped]) {
        one.voice.say(sound(4 * whole + 5));
        one.voice.flush();
      }
      assert.deepEqual(dropped.taken.slice(before), fresh.taken);
    }
  });

  it("that is drained keeps nothing back: the last 2 ms come with one frame more, once", () => {
    for (const rateHz of AGENT_RATES_HZ) {
      const whole = frameSamples(rateHz);
      const drained = voice({ encoding: "pcm16", rateHz });
      const followed = voice({ encoding: "pcm16", rateHz });
      drained.voice.drain();
      assert.deepEqual(drained.taken, [], "nothing was said");
      for (const one of [drained, followed]) one.voice.say(sound(3 * whole));
      followed.voice.say(new Int16Array(whole));
      drained.voice.drain();
      drained.voice.drain();
      if (rateHz === 8_000) assert.equal(drained.taken.length, 3 * FRAME, "no filter, nothing held");
      else assert.deepEqual(drained.taken, followed.taken);
    }
  });
});
