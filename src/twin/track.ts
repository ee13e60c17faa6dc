// One side of a call's audio on the call's time axis, kept as the mu-law it was; silence where nothing stands.
import { expand } from "./mulaw.ts";

/** The telephone's sample rate. */
export const RATE_HZ = 8_000;
export const SAMPLES_PER_MS = RATE_HZ / 1_000;
/** Twilio's frame. */
export const FRAME_MS = 20;
export const FRAME_SAMPLES = FRAME_MS * SAMPLES_PER_MS;

/** The sample at a moment of the axis. */
export function sampleAt(ms: number): number {
  return Math.floor(ms * SAMPLES_PER_MS);
}

interface Segment {
  readonly at: number;
  readonly codes: Uint8Array;
}

/** Segments in the order of their places; a hole between two is silence. */
export class Track {
  readonly #segments: Segment[] = [];

  /** Puts mu-law audio at a sample, which must not lie before the end of what was written last. */
  write(at: number, codes: Uint8Array): void {
    this.#segments.push({ at, codes });
  }

  /** Takes back everything from this sample on. */
  cut(at: number): void {
    for (;;) {
      const last = this.#segments.at(-1);
      if (last === undefined || last.at + last.codes.length <= at) return;
      this.#segments.pop();
      if (last.at < at) this.#segments.push({ at: last.at, codes: last.codes.subarray(0, at - last.at) });
    }
  }

  /** The audio between two moments, as 16-bit samples. */
  samples(fromMs: number, toMs: number): Int16Array {
    const from = sampleAt(fromMs);
    const to = Math.max(from, sampleAt(toMs));
    const samples = new Int16Array(to - from);
    for (let index = this.#segments.length - 1; index >= 0; index--) {
      const { at, codes } = this.#segments[index]!;
      if (at + codes.length <= from) break;
      const end = Math.min(codes.length, to - at);
      for (let i = Math.max(0, from - at); i < end; i++) samples[at + i - from] = expand(codes[i]!);
    }
    return samples;
  }
}
