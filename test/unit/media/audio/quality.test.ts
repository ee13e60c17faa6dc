// How good the changes of rate are, measured as one measures a device, at 16 bits and without mu-law.
//
// Method: tones of half full scale (16,384), each a multiple of 100 Hz, rounded to whole samples, go through frame by
// frame. What comes out is judged over half a second that begins 100 ms in, which is a whole number of periods of the
// tone and of all its images and aliases, so that a correlation with sine and cosine gives each one's amplitude
// exactly. Levels are in dB of the tone that went in. "Noise" is all that is left once the tone is taken out.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CARRIER_RATE_HZ, frameSamples } from "../../../../src/domain/audio.ts";
import { RATIOS } from "../../../../src/media/kernels/design.ts";
import { loadKernels } from "../../../../src/media/kernels/kernels.ts";
import { amplitude, decibels, down, tone, up } from "./tones.ts";

const kernels = await loadKernels();
const LOUD = 16_384;
const FRAMES = 30;
const RIPPLE_DB = 0.05;
const ATTENUATION_DB = 70;
const NOISE_DB = 80;
const ROUND_TRIP_DB = 64;
/** 3.875 ms, on the telephone's clock. */
const ROUND_TRIP = 31;
const DELAY_MS = 2;

const steps = (fromHz: number, toHz: number): number[] =>
  Array.from({ length: (toHz - fromHz) / 100 + 1 }, (_, n) => fromHz + 100 * n);
/** The telephone's band. */
const BAND_HZ = steps(100, 3_400);

const settled = (samples: Int16Array, rateHz: number): Int16Array =>
  samples.subarray(rateHz / 10, (rateHz * 6) / 10);

const levelDb = (samples: Int16Array, toneHz: number, rateHz: number): number =>
  decibels(amplitude(settled(samples, rateHz), toneHz, rateHz) / LOUD);

/** Distortion and noise of a tone that may have any frequency: the residue of the best fit, in dB of the tone. */
function noiseDb(samples: Int16Array, toneHz: number, rateHz: number): number {
  const steady = settled(samples, rateHz);
  const angle = (n: number): number => (2 * Math.PI * toneHz * n) / rateHz;
  const sum = (of: (n: number) => number): number => steady.reduce((total, _, n) => total + of(n), 0);
  const sine = (2 / steady.length) * sum((n) => steady[n]! * Math.sin(angle(n)));
  const cosine = (2 / steady.length) * sum((n) => steady[n]! * Math.cos(angle(n)));
  const fit = (n: number): number => sine * Math.sin(angle(n)) + cosine * Math.cos(angle(n));
  return 10 * Math.log10(sum((n) => (steady[n]! - fit(n)) ** 2) / sum((n) => fit(n) ** 2));
}

/** What the samples differ in from those of `delay` before, in dB of these. */
function errorDb(samples: Int16Array, original: Int16Array, delay: number): number {
  let [signal, error] = [0, 0];
  for (let n = 800; n < samples.length; n++) {
    signal += original[n - delay]! ** 2;
    error += (samples[n]! - original[n - delay]!) ** 2;
  }
  return 10 * Math.log10(error / signal);
}

/** From 100 Hz to 3.4 kHz within the time. */
const sweep = Int16Array.from({ length: FRAMES * 160 }, (_, n) => {
  const seconds = n / CARRIER_RATE_HZ;
  const slope = 3_300 / ((FRAMES * 160) / CARRIER_RATE_HZ);
  return Math.round(LOUD * Math.sin(2 * Math.PI * (100 * seconds + (slope * seconds ** 2) / 2)));
});

for (const ratio of RATIOS) {
  const rateHz = ratio * CARRIER_RATE_HZ;
  describe(`between 8 and ${rateHz / 1_000} kHz`, () => {
    it(`the telephone's band is within ${RIPPLE_DB} dB, both ways`, (t) => {
      const ripple = (levels: readonly number[]): number => Math.max(...levels.map(Math.abs));
      const upDb = ripple(
        BAND_HZ.map((hz) => levelDb(up(kernels, ratio, tone(hz, CARRIER_RATE_HZ, FRAMES, LOUD)), hz, rateHz)),
      );
      const downDb = ripple(
        BAND_HZ.map((hz) =>
          levelDb(down(kernels, ratio, tone(hz, rateHz, FRAMES, LOUD)), hz, CARRIER_RATE_HZ),
        ),
      );
      t.diagnostic(`up ${upDb.toFixed(4)} dB, down ${downDb.toFixed(4)} dB`);
      assert.ok(upDb <= RIPPLE_DB && downDb <= RIPPLE_DB);
    });

    it(`its images on the way up are ${ATTENUATION_DB} dB lower`, (t) => {
      let worstDb = Number.NEGATIVE_INFINITY;
      for (const toneHz of BAND_HZ) {
        const samples = up(kernels, ratio, tone(toneHz, CARRIER_RATE_HZ, FRAMES, LOUD));
        for (let baseHz = CARRIER_RATE_HZ; baseHz <= rateHz / 2; baseHz += CARRIER_RATE_HZ)
          for (const imageHz of [baseHz - toneHz, baseHz + toneHz])
            if (imageHz < rateHz / 2) worstDb = Math.max(worstDb, levelDb(samples, imageHz, rateHz));
      }
      t.diagnostic(`the worst at ${worstDb.toFixed(1)} dB`);
      assert.ok(worstDb <= -ATTENUATION_DB);
    });

    it(`what would fold into it on the way down is ${ATTENUATION_DB} dB lower`, (t) => {
      let worstDb = Number.NEGATIVE_INFINITY;
      for (const toneHz of steps(4_600, rateHz / 2 - 100)) {
        const folded = toneHz % CARRIER_RATE_HZ;
        const aliasHz = Math.min(folded, CARRIER_RATE_HZ - folded);
        if (aliasHz < 100 || aliasHz > 3_400) continue;
        const samples = down(kernels, ratio, tone(toneHz, rateHz, FRAMES, LOUD));
        worstDb = Math.max(worstDb, levelDb(samples, aliasHz, CARRIER_RATE_HZ));
      }
      t.diagnostic(`the worst at ${worstDb.toFixed(1)} dB`);
      assert.ok(worstDb <= -ATTENUATION_DB);
    });

    it(`distortion and noise at 1 kHz are ${NOISE_DB} dB lower, both ways`, (t) => {
      // 1,002 Hz, so that the rounding of samples is not the same in every period.
      const upDb = noiseDb(up(kernels, ratio, tone(1_002, CARRIER_RATE_HZ, FRAMES, 32_000)), 1_002, rateHz);
      const downDb = noiseDb(
        down(kernels, ratio, tone(1_002, rateHz, FRAMES, 32_000)),
        1_002,
        CARRIER_RATE_HZ,
      );
      t.diagnostic(`up ${upDb.toFixed(1)} dB, down ${downDb.toFixed(1)} dB`);
      assert.ok(upDb <= -NOISE_DB && downDb <= -NOISE_DB);
    });

    it(`there and back, any tone and a sweep are themselves within ${-ROUND_TRIP_DB} dB`, (t) => {
      let worstDb = Number.NEGATIVE_INFINITY;
      for (const original of [sweep, ...BAND_HZ.map((hz) => tone(hz, CARRIER_RATE_HZ, FRAMES, LOUD))]) {
        const back = down(kernels, ratio, up(kernels, ratio, original));
        worstDb = Math.max(worstDb, errorDb(back, original, ROUND_TRIP));
      }
      t.diagnostic(`the worst ${worstDb.toFixed(1)} dB`);
      assert.ok(worstDb <= -ROUND_TRIP_DB);
    });

    it(`the delay is less than ${DELAY_MS} ms each way`, (t) => {
      const at = 50;
      const peak = (samples: Int16Array): number =>
        samples.reduce((best, sample, n) => (Math.abs(sample) > Math.abs(samples[best]!) ? n : best), 0);
      const click = new Int16Array(160 * 2);
      click[at] = 20_000;
      const upMs = ((peak(up(kernels, ratio, click)) - at * ratio) * 1_000) / rateHz;
      // Of the agent's samples one in `ratio` lines up with the telephone's, the last of each.
      const fastClick = new Int16Array(frameSamples(rateHz) * 2);
      fastClick[(at + 1) * ratio - 1] = 20_000;
      const downMs =
        (peak(down(kernels, ratio, fastClick)) * 1_000) / CARRIER_RATE_HZ -
        (((at + 1) * ratio - 1) * 1_000) / rateHz;
      t.diagnostic(`up ${upMs.toFixed(3)} ms, down ${downMs.toFixed(3)} ms`);
      assert.ok(upMs > 0 && upMs < DELAY_MS && downMs > 0 && downMs < DELAY_MS);
      assert.ok(Math.abs(upMs + downMs - (ROUND_TRIP * 1_000) / CARRIER_RATE_HZ) < 1e-9);
    });
  });
}
