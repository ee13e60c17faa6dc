// An agent's audio, in whatever format and portions it comes, as mu-law frames. Keeps what doesn't fill a frame yet;
// knows nothing of when they are sent.
import { CARRIER_FRAME_SAMPLES, frameSamples } from "../../domain/audio.ts";
import type { Audio, AudioFormat } from "../agents/port.ts";
import type { Codec, Encoder } from "../audio/codec.ts";

/** An object for the reason that FrameTaker gives. */
export interface MulawTaker {
  /** Returns how many bytes were taken: fewer than given when there is no more room. */
  take(mulaw: Uint8Array): number;
}

export class Voice {
  /** Of the audio that it is given. */
  readonly rateHz: number;
  readonly #taker: MulawTaker;
  /** None where that is mu-law. */
  readonly #encoder: Encoder | undefined;
  readonly #frameSamples: number;
  /** Samples that don't fill a frame yet; made when first needed. */
  #partial: Int16Array | undefined;
  #partialSamples = 0;
  /** The filter holds the end of what was said. */
  #isSounding = false;

  constructor({ encoding, rateHz }: AudioFormat, codec: Codec, taker: MulawTaker) {
    this.rateHz = rateHz;
    this.#taker = taker;
    this.#frameSamples = frameSamples(rateHz);
    this.#encoder = encoding === "pcm16" ? codec.createEncoder(rateHz) : undefined;
  }

  /** Whether something of what was said waits here for the rest of its frame. */
  get hasPartial(): boolean {
    return this.#partialSamples > 0;
  }

  /** Takes audio of the format. Returns the samples taken: fewer than given when there is no more room. */
  say(audio: Audio): number {
    if (this.#encoder === undefined) return this.#taker.take(audio as Uint8Array);
    const samples = audio as Int16Array;
    const whole = this.#frameSamples;
    let taken = 0;
    while (taken < samples.length) {
      const room = whole - this.#partialSamples;
      const next = Math.min(room, samples.length - taken);
      if (next === whole && samples.length === whole) {
        if (!this.#convert(samples)) break;
      } else {
        this.#partial ??= new Int16Array(whole);
        const partial = this.#partial;
        // Sample by sample: a view to copy from would be made for each frame.
        for (let from = taken, to = whole - room; to < whole - room + next; )
          partial[to++] = samples[from++]!;
        if (next === room && !this.#convert(partial)) break;
        this.#partialSamples = next === room ? 0 : this.#partialSamples + next;
      }
      taken += next;
    }
    return taken;
  }

  /** Nothing more comes for now: what doesn't fill a frame is padded with silence. */
  flush(): void {
    if (this.#partial === undefined || this.#partialSamples === 0) return;
    this.#partial.fill(0, this.#partialSamples);
    this.#partialSamples = 0;
    this.#convert(this.#partial);
  }

  /** Nothing that belongs to it follows: what the filter still holds of the sound, 2 ms, is said too. */
  drain(): void {
    this.flush();
    if (!this.#isSounding) return;
    this.#convert(new Int16Array(this.#frameSamples));
    this.drop();
  }

  /** Forgets what is not a frame yet, and the sound before it. */
  drop(): void {
    this.#partialSamples = 0;
    this.#isSounding = false;
    this.#encoder?.reset();
  }

  free(): void {
    this.#encoder?.free();
  }

  #convert(samples: Int16Array): boolean {
    this.#isSounding = this.#frameSamples > CARRIER_FRAME_SAMPLES;
    return this.#taker.take(this.#encoder!.encode(samples)) === CARRIER_FRAME_SAMPLES;
  }
}
