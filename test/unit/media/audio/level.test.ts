// The level of a frame, told from its codes, against the same told from its samples.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CARRIER_FRAME_SAMPLES } from "../../../../src/domain/audio.ts";
import { LEVEL_MIN_DB, mulawLevelDb } from "../../../../src/media/audio/level.ts";
import { decodeMulaw, encodeMulaw, MULAW_SILENCE } from "../../../../src/media/kernels/g711.ts";
import { levelDb, tone } from "../../../support/sound.ts";

const frameOf = (code: number): Uint8Array => new Uint8Array(CARRIER_FRAME_SAMPLES).fill(code);

describe("the level of a frame", () => {
  it("is finite for digital silence, of both its codes", () => {
    assert.equal(mulawLevelDb(frameOf(MULAW_SILENCE)), LEVEL_MIN_DB);
    assert.equal(mulawLevelDb(frameOf(0x7f)), LEVEL_MIN_DB);
  });

  it("is a sine's peak less 3 dB", () => {
    for (const peakDb of [-3, -20, -40]) {
      const frame = new Uint8Array(CARRIER_FRAME_SAMPLES);
      encodeMulaw(tone(1_000, 20, peakDb), frame);
      assert.ok(Math.abs(mulawLevelDb(frame) - (peakDb - 3)) < 0.3, `${peakDb}: ${mulawLevelDb(frame)}`);
    }
  });

  it("is that of the samples, whatever the codes", () => {
    const codes = fc.uint8Array({ minLength: CARRIER_FRAME_SAMPLES, maxLength: CARRIER_FRAME_SAMPLES });
    fc.assert(
      fc.property(codes, (frame) => {
        const samples = new Int16Array(frame.length);
        decodeMulaw(frame, samples);
        const expected = Math.max(levelDb(samples), LEVEL_MIN_DB);
        assert.ok(Math.abs(mulawLevelDb(frame) - expected) < 1e-6);
        assert.ok(expected <= 0);
      }),
    );
  });

  it("weighs every place of the frame and every code alike", () => {
    for (let place = 0; place < CARRIER_FRAME_SAMPLES; place++) {
      const frame = frameOf(MULAW_SILENCE);
      frame[place] = place & 0x7f;
      const samples = new Int16Array(frame.length);
      decodeMulaw(frame, samples);
      const expected = Math.max(levelDb(samples), LEVEL_MIN_DB);
      assert.ok(Math.abs(mulawLevelDb(frame) - expected) < 1e-6, `place ${place}`);
    }
  });

  it("is that of the frame that begins where it is asked for, which must be whole", () => {
    const frames = new Uint8Array(3 * CARRIER_FRAME_SAMPLES).fill(MULAW_SILENCE);
    encodeMulaw(tone(1_000, 20), frames.subarray(CARRIER_FRAME_SAMPLES, 2 * CARRIER_FRAME_SAMPLES));
    const levels = [0, 1, 2].map((n) => Math.round(mulawLevelDb(frames, n * CARRIER_FRAME_SAMPLES)));
    assert.deepEqual(levels, [LEVEL_MIN_DB, -15, LEVEL_MIN_DB]);
    assert.throws(() => mulawLevelDb(frames, 2 * CARRIER_FRAME_SAMPLES + 1), /one frame's/);
    assert.throws(() => mulawLevelDb(new Uint8Array(CARRIER_FRAME_SAMPLES - 2)), /one frame's/);
  });
});
