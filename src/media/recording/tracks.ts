// The newest seconds of a call's two sides, as mu-law on the call's own time axis, until they are written. Positions
// are samples since the stream began; what nobody has put there is silence.
import assert from "node:assert/strict";
import { CARRIER_RATE_HZ } from "../../domain/audio.ts";
import { STEREO } from "../../domain/recordingFile.ts";
import { decodeMulaw, MULAW_SILENCE } from "../kernels/g711.ts";

/** Enough while the disk keeps up; it doubles when more must be held. */
const FIRST_SAMPLES = 1.5 * CARRIER_RATE_HZ;

// Files are little-endian, and samples are written as they stand in memory.
assert(new Uint8Array(Int16Array.of(1).buffer)[0] === 1);

const PCM_OF = new Int16Array(256);
decodeMulaw(
  Uint8Array.from(PCM_OF, (_, code) => code),
  PCM_OF,
);

export class Tracks {
  readonly #samplesMax: number;
  /** Rings of equal length: the sample at position `p` stands at `p % length`. */
  #caller = silent(FIRST_SAMPLES);
  #agent = silent(FIRST_SAMPLES);
  #from: number;

  /** Holds at most `samplesMax` samples from its first position on, which begins at `from`. */
  constructor(from: number, samplesMax: number) {
    this.#from = from;
    this.#samplesMax = samplesMax;
  }

  /** The first position that has not been taken. */
  get from(): number {
    return this.#from;
  }

  /** Puts the bytes `[start, end)` of the caller's from `at` on. What doesn't fit on either side is left out. */
  putCaller(mulaw: Uint8Array, start: number, end: number, at: number): void {
    this.#reserve(at + end - start);
    this.#put(this.#caller, mulaw, start, end, at);
  }

  putAgent(mulaw: Uint8Array, start: number, end: number, at: number): void {
    this.#reserve(at + end - start);
    this.#put(this.#agent, mulaw, start, end, at);
  }

  /** Nothing of the agent's is left from `at` on. */
  silenceAgent(at: number): void {
    const { length } = this.#agent;
    for (let position = Math.max(at, this.#from); position < this.#from + length; position++)
      this.#agent[position % length] = MULAW_SILENCE;
  }

  /** Takes the first `samples` of both, as 16-bit PCM, one beside the other. */
  take(samples: number, pcm: Int16Array): void {
    const caller = this.#caller;
    const agent = this.#agent;
    let ring = this.#from % caller.length;
    for (let i = 0; i < samples; i++) {
      pcm[STEREO * i] = PCM_OF[caller[ring]!]!;
      pcm[STEREO * i + 1] = PCM_OF[agent[ring]!]!;
      caller[ring] = MULAW_SILENCE;
      agent[ring] = MULAW_SILENCE;
      if (++ring === caller.length) ring = 0;
    }
    this.#from += samples;
  }

  /** Forgets the first `samples` of both. */
  skip(samples: number): void {
    const { length } = this.#caller;
    for (let i = 0; i < Math.min(samples, length); i++) {
      this.#caller[(this.#from + i) % length] = MULAW_SILENCE;
      this.#agent[(this.#from + i) % length] = MULAW_SILENCE;
    }
    this.#from += samples;
  }

  #put(ring: Uint8Array, mulaw: Uint8Array, start: number, end: number, at: number): void {
    const first = Math.max(0, this.#from - at);
    const last = Math.min(end - start, this.#from + ring.length - at);
    let to = (at + first) % ring.length;
    for (let i = first; i < last; i++) {
      ring[to] = mulaw[start + i]!;
      if (++to === ring.length) to = 0;
    }
  }

  #reserve(end: number): void {
    const samples = Math.min(end - this.#from, this.#samplesMax);
    let { length } = this.#caller;
    if (samples <= length) return;
    while (length < samples) length = Math.min(2 * length, this.#samplesMax);
    this.#caller = this.#longer(this.#caller, length);
    this.#agent = this.#longer(this.#agent, length);
  }

  #longer(ring: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
    const longer = silent(length);
    for (let i = 0; i < ring.length; i++)
      longer[(this.#from + i) % length] = ring[(this.#from + i) % ring.length]!;
    return longer;
  }
}

function silent(samples: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(samples).fill(MULAW_SILENCE);
}
