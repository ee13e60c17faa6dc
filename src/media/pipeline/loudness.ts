// How loud the agent is at the caller's ear: of what was sent, what Twilio plays now. Knows mu-law and times.
import { CARRIER_FRAME_SAMPLES, FRAME_MS } from "../../domain/audio.ts";
import { LEVEL_MIN_DB, mulawLevelDb } from "../audio/level.ts";

export class Loudness {
  /** By frame sent: when Twilio begins to play it, and how loud it is. */
  readonly #playMs: Float64Array;
  readonly #levelsDb: Float32Array;
  #frame = 0;

  /** Remembers as many frames as Twilio may still be playing. */
  constructor(frames: number) {
    this.#playMs = new Float64Array(frames);
    this.#levelsDb = new Float32Array(frames).fill(LEVEL_MIN_DB);
  }

  /** The mu-law bytes `[start, end)`, whole frames, are played from `playMs` on. */
  sent(mulaw: Uint8Array, start: number, end: number, playMs: number): void {
    for (let at = start, ms = playMs; at < end; at += CARRIER_FRAME_SAMPLES, ms += FRAME_MS) {
      this.#frame = (this.#frame + 1) % this.#playMs.length;
      this.#playMs[this.#frame] = ms;
      this.#levelsDb[this.#frame] = mulawLevelDb(mulaw, at);
    }
  }

  /** Nothing of what was sent is played any more. */
  clear(): void {
    this.#playMs.fill(0);
  }

  /** In dB below full scale. */
  atDb(nowMs: number): number {
    for (let frame = 0; frame < this.#playMs.length; frame++) {
      const sinceMs = nowMs - this.#playMs[frame]!;
      if (sinceMs >= 0 && sinceMs < FRAME_MS) return this.#levelsDb[frame]!;
    }
    return LEVEL_MIN_DB;
  }
}
