// Tones through the kernels at 16 bits, without mu-law, and what is found of them behind.
import { frameSamples } from "../../../../src/domain/audio.ts";
import type { Kernels } from "../../../../src/media/kernels/kernels.ts";
import {
  CARRIER_IN,
  CARRIER_OUT,
  SAMPLES_IN,
  SAMPLES_OUT,
  STATE_BYTES,
  STATES,
} from "../../../../src/media/kernels/layout.ts";

const CARRIER = 160;

/** A tone, rounded to whole samples. */
export function tone(toneHz: number, rateHz: number, frames: number, amplitude: number): Int16Array {
  const samples = new Int16Array(frames * frameSamples(rateHz));
  return samples.map((_, n) => Math.round(amplitude * Math.sin((2 * Math.PI * toneHz * n) / rateHz + 0.3)));
}

export function up(kernels: Kernels, ratio: number, samples: Int16Array): Int16Array {
  return through(kernels, samples, [CARRIER, CARRIER_IN], [CARRIER * ratio, SAMPLES_OUT], () =>
    kernels.upsample(STATES, ratio),
  );
}

export function down(kernels: Kernels, ratio: number, samples: Int16Array): Int16Array {
  return through(kernels, samples, [CARRIER * ratio, SAMPLES_IN], [CARRIER, CARRIER_OUT], () =>
    kernels.downsample(STATES, ratio),
  );
}

type Place = readonly [samples: number, address: number];

/** All of it, frame by frame, from silence on. */
function through(kernels: Kernels, samples: Int16Array, from: Place, to: Place, run: () => void): Int16Array {
  const { buffer } = kernels.memory;
  const source = new Int16Array(buffer, from[1], from[0]);
  const target = new Int16Array(buffer, to[1], to[0]);
  new Uint8Array(buffer, STATES, STATE_BYTES).fill(0);
  const result = new Int16Array((samples.length / from[0]) * to[0]);
  for (let frame = 0; frame < samples.length / from[0]; frame++) {
    source.set(samples.subarray(frame * from[0], (frame + 1) * from[0]));
    run();
    result.set(target, frame * to[0]);
  }
  return result;
}

/**
 * The amplitude of a tone. Over whole periods of it, and of whatever else is there, this is exact.
 */
export function amplitude(samples: Int16Array | Float64Array, toneHz: number, rateHz: number): number {
  let [sine, cosine] = [0, 0];
  for (const [n, sample] of samples.entries()) {
    const angle = (2 * Math.PI * toneHz * n) / rateHz;
    sine += sample * Math.sin(angle);
    cosine += sample * Math.cos(angle);
  }
  return (2 * Math.hypot(sine, cosine)) / samples.length;
}

export const decibels = (ratio: number): number => 20 * Math.log10(ratio);
