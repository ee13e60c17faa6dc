// What tests do with audio: make tones, read the recordings, and judge what came back. All of it is 16-bit samples
// at the telephone's rate.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readWav } from "../../src/twin/wav.ts";

export const RATE_HZ = 8_000;
/** Samples of 20 ms. */
export const FRAME = 160;

const FULL_SCALE = 32_768;

/** A sine; `peakDbfs` is its peak below full scale. */
export function tone(hz: number, ms: number, peakDbfs = -12): Int16Array {
  const peak = FULL_SCALE * 10 ** (peakDbfs / 20);
  return Int16Array.from({ length: (RATE_HZ * ms) / 1_000 }, (_, n) =>
    Math.round(peak * Math.sin((2 * Math.PI * hz * n) / RATE_HZ)),
  );
}

/** One of the recordings that callers say. */
export function recording(name: "hello" | "question" | "stop"): Int16Array {
  const path = new URL(`../../src/twin/recordings/${name}.wav`, import.meta.url);
  const { rateHz, channels } = readWav(readFileSync(path));
  assert.equal(rateHz, RATE_HZ);
  return channels[0]!;
}

/** Root mean square below full scale, in dB. */
export function levelDb(samples: Int16Array): number {
  return 10 * Math.log10(energyOf(samples, samples) / samples.length / FULL_SCALE ** 2);
}

/** How much of a tone of this frequency there is, as its peak below full scale in dB (Goertzel). */
export function toneDb(samples: Int16Array, hz: number): number {
  const step = 2 * Math.cos((2 * Math.PI * hz) / RATE_HZ);
  let last = 0;
  let beforeLast = 0;
  for (const sample of samples) {
    const next = sample + step * last - beforeLast;
    beforeLast = last;
    last = next;
  }
  const power = last * last + beforeLast * beforeLast - step * last * beforeLast;
  return 20 * Math.log10((2 * Math.sqrt(Math.max(power, 0))) / samples.length / FULL_SCALE + 1e-9);
}

/**
 * Where in `heard` the whole of `said` is most like it, and how alike they are there: 1 is the same but for level.
 * Takes a tenth of a second of the thread for a second of speech: not for when calls are going on.
 */
export function align(said: Int16Array, heard: Int16Array): { readonly at: number; readonly alike: number } {
  assert.ok(heard.length >= said.length, `${heard.length} samples cannot hold ${said.length}`);
  const saidEnergy = energyOf(said, said);
  let best = { at: 0, alike: -1 };
  for (let at = 0; at + said.length <= heard.length; at++) {
    const there = heard.subarray(at, at + said.length);
    const alike = energyOf(said, there) / Math.sqrt(saidEnergy * energyOf(there, there) || 1);
    if (alike > best.alike) best = { at, alike };
  }
  return best;
}

/**
 * How rough a stream of frames is where one follows another, against how rough it is elsewhere: the largest second
 * difference at a border by the largest at any other place. A click at the borders makes it large.
 */
export function borderRoughness(samples: Int16Array, firstSample: number): number {
  let atBorders = 0;
  let elsewhere = 0;
  for (let n = 1; n < samples.length - 1; n++) {
    const bend = Math.abs(samples[n - 1]! - 2 * samples[n]! + samples[n + 1]!);
    const inFrame = (firstSample + n) % FRAME;
    if (inFrame === 0 || inFrame === FRAME - 1) atBorders = Math.max(atBorders, bend);
    else elsewhere = Math.max(elsewhere, bend);
  }
  return atBorders / elsewhere;
}

function energyOf(one: Int16Array, other: Int16Array): number {
  let energy = 0;
  for (let n = 0; n < one.length; n++) energy += one[n]! * other[n]!;
  return energy;
}
