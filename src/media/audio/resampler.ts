// From one sample rate to another, frame by frame, by the Speex resampler in WASM. One instance of it serves a
// whole worker; each resampler owns a state in that instance's memory, to be freed by hand.
import assert from "node:assert/strict";
import instantiateSpeex, { type SpeexModule } from "@echogarden/speex-resampler-wasm/simd";
import { FRAME_MS, frameSamples } from "../../domain/audio.ts";

export interface Resampler {
  readonly fromHz: number;
  readonly toHz: number;
  /**
   * Converts one frame: `frameSamples(fromHz)` samples into `frameSamples(toHz)`, all of them, every time. The
   * filter's delay, 5 ms of the lower rate, is silence before the first sample.
   */
  process(source: Int16Array, target: Int16Array): void;
  /** Forgets what came before, as after a gap. */
  reset(): void;
  /** Gives the state's memory back. Nothing may be called after this. */
  free(): void;
}

export type MakeResampler = (fromHz: number, toHz: number) => Resampler;

/** Flat to 3.4 kHz, images and aliases below -80 dB. Above it come delay and cost that no telephone lets one hear. */
const QUALITY = 5;
const RATE_MAX_HZ = 48_000;
const FRAME_SAMPLES_MAX = frameSamples(RATE_MAX_HZ);

/** Loads the resampler's code, once per worker: each load takes 17 MB of address space. */
export async function loadResamplers(): Promise<MakeResampler> {
  return resamplersOf(await instantiateSpeex());
}

/** The factory over one instance. Any two rates up to 48 kHz whose frames are whole samples. */
export function resamplersOf(speex: SpeexModule): MakeResampler {
  const scratch = new Scratch(speex);
  return (fromHz, toHz) => {
    for (const rateHz of [fromHz, toHz])
      assert(
        rateHz > 0 && rateHz <= RATE_MAX_HZ && Number.isInteger(frameSamples(rateHz)),
        `${rateHz} Hz has frames of whole samples`,
      );
    return fromHz === toHz ? new Copy(fromHz) : new SpeexResampler(speex, scratch, fromHz, toHz);
  };
}

/** Where frames pass in and out of the instance; shared, because a conversion is over before the next begins. */
class Scratch {
  readonly sourceAt: number;
  readonly targetAt: number;
  readonly countsAt: number;

  constructor(speex: SpeexModule) {
    const frameBytes = FRAME_SAMPLES_MAX * Int16Array.BYTES_PER_ELEMENT;
    this.sourceAt = speex._malloc(frameBytes);
    this.targetAt = speex._malloc(frameBytes);
    this.countsAt = speex._malloc(2 * Uint32Array.BYTES_PER_ELEMENT);
    assert(this.sourceAt !== 0 && this.targetAt !== 0 && this.countsAt !== 0, "a new instance has memory");
  }
}

class SpeexResampler implements Resampler {
  readonly fromHz: number;
  readonly toHz: number;
  readonly #speex: SpeexModule;
  readonly #scratch: Scratch;
  readonly #sourceSamples: number;
  readonly #targetSamples: number;
  #state: number;
  /** The memory the two views below are of. */
  #heap: Int16Array;
  #source: Int16Array;
  #target: Int16Array;

  constructor(speex: SpeexModule, scratch: Scratch, fromHz: number, toHz: number) {
    this.fromHz = fromHz;
    this.toHz = toHz;
    this.#speex = speex;
    this.#scratch = scratch;
    this.#sourceSamples = frameSamples(fromHz);
    this.#targetSamples = frameSamples(toHz);
    this.#state = speex._speex_resampler_init(1, fromHz, toHz, QUALITY, scratch.countsAt);
    if (this.#state === 0) throw new Error(`no memory for a resampler from ${fromHz} to ${toHz} Hz`);
    this.#heap = speex.HEAP16;
    this.#source = this.#view(scratch.sourceAt, this.#sourceSamples);
    this.#target = this.#view(scratch.targetAt, this.#targetSamples);
  }

  process(source: Int16Array, target: Int16Array): void {
    const sourceSamples = this.#sourceSamples;
    const targetSamples = this.#targetSamples;
    if (source.length !== sourceSamples || target.length !== targetSamples)
      assert.fail(`frames are ${FRAME_MS} ms long`);
    if (this.#state === 0) assert.fail("a freed resampler is not used");
    if (this.#heap !== this.#speex.HEAP16) this.#followMemory();

    const { sourceAt, targetAt, countsAt } = this.#scratch;
    const counts = this.#speex.HEAPU32;
    const count = countsAt >> 2;
    counts[count] = sourceSamples;
    counts[count + 1] = targetSamples;
    this.#source.set(source);
    this.#speex._speex_resampler_process_int(this.#state, 0, sourceAt, countsAt, targetAt, countsAt + 4);
    // A frame is whole samples at both rates, so the filter ends each where it began: none is left over.
    if (counts[count] !== sourceSamples || counts[count + 1] !== targetSamples)
      assert.fail("a frame in is a frame out");
    target.set(this.#target);
  }

  reset(): void {
    assert(this.#state !== 0, "a freed resampler is not used");
    this.#speex._speex_resampler_reset_mem(this.#state);
  }

  free(): void {
    assert(this.#state !== 0, "a resampler is freed once");
    this.#speex._speex_resampler_destroy(this.#state);
    this.#state = 0;
  }

  /** Someone's new state made the memory grow, which leaves views of the old one empty. */
  #followMemory(): void {
    this.#heap = this.#speex.HEAP16;
    this.#source = this.#view(this.#scratch.sourceAt, this.#sourceSamples);
    this.#target = this.#view(this.#scratch.targetAt, this.#targetSamples);
  }

  #view(at: number, samples: number): Int16Array {
    const first = at / Int16Array.BYTES_PER_ELEMENT;
    return this.#heap.subarray(first, first + samples);
  }
}

/** Equal rates: nothing to convert. */
class Copy implements Resampler {
  readonly fromHz: number;
  readonly toHz: number;

  constructor(rateHz: number) {
    this.fromHz = rateHz;
    this.toHz = rateHz;
  }

  process(source: Int16Array, target: Int16Array): void {
    const samples = frameSamples(this.fromHz);
    if (source.length !== samples || target.length !== samples) assert.fail(`frames are ${FRAME_MS} ms long`);
    target.set(source);
  }

  reset(): void {}
  free(): void {}
}
