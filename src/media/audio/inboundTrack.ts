// The caller's audio in order: whatever pieces Twilio sends become 20 ms frames on the stream's own time axis, with
// silence where pieces are missing. Knows timestamps and mu-law bytes, nothing of messages.
import assert from "node:assert/strict";
import { CARRIER_FRAME_SAMPLES, CARRIER_RATE_HZ } from "../../domain/audio.ts";
import { MULAW_SILENCE } from "../kernels/g711.ts";

/** Who gets the caller's audio. An object and not a function: a call's closures would lie in memory of their own. */
export interface FrameTaker {
  /** The next 20 ms. Concealed: some of it was missing and is silence. Overwritten after this returns. */
  frame(mulaw: Uint8Array, isConcealed: boolean): void;
  /** A piece was dropped because what it holds had been delivered, or concealed, before it came. */
  late(): void;
  /** A jump of the time axis was followed without filling. */
  resynced(): void;
}

const SAMPLES_PER_MS = CARRIER_RATE_HZ / 1_000;
/** A timestamp is off by up to 2 ms either way, so between two of them it may be twice that. */
const WOBBLE_SAMPLES = 4 * SAMPLES_PER_MS;
/** A piece no further than this from where it belongs follows on; rounding a gap may have cost half of it. */
const IN_STEP_SAMPLES = 2 * WOBBLE_SAMPLES;
/** A longer gap is a new beginning, not something to fill. */
const GAP_MAX_SAMPLES = 1_000 * SAMPLES_PER_MS;
/** So many pieces in a row from before: the clock was set back (a restart, a wrap), and they are not late. */
const BEHIND_MAX = 10;
assert(Number.isInteger(SAMPLES_PER_MS) && 2 * IN_STEP_SAMPLES < CARRIER_FRAME_SAMPLES);

/**
 * Takes pieces of any length and delivers frames of 20 ms. Delivered time is stream time: a gap of up to a second
 * is filled with silence and what comes too late is dropped, while wobbling timestamps and a slowly drifting
 * clock change nothing.
 */
export class InboundTrack {
  readonly #taker: FrameTaker;
  readonly #frame = new Uint8Array(CARRIER_FRAME_SAMPLES);
  /** Samples of `#frame` that are filled, and whether some of them are made up. */
  #filled = 0;
  #concealed = false;
  /** Where on the stream's axis the next sample belongs, in samples; -1 before the first. */
  #next = -1;
  /** Late pieces in a row. */
  #behind = 0;

  /** `taker` may not call the track. */
  constructor(taker: FrameTaker) {
    this.#taker = taker;
  }

  /** One piece, which began `timestampMs` into the stream. */
  accept(timestampMs: number, mulaw: Uint8Array): void {
    const { length } = mulaw;
    const at = Math.round(timestampMs * SAMPLES_PER_MS); // what comes from a Float64Array would stay an object of its own
    if (this.#next < 0) this.#next = at;
    const ahead = at - this.#next;
    if (Math.abs(ahead) <= IN_STEP_SAMPLES) {
      this.#append(mulaw, 0);
      this.#next += Math.sign(ahead); // a sample per piece: keeps up with drift, and lets wobble average out
    } else if (ahead > 0) {
      const gap = gapOf(ahead);
      if (gap > GAP_MAX_SAMPLES) return this.#resync(at, mulaw);
      this.#conceal(gap);
      this.#append(mulaw, 0);
    } else if (length + ahead > IN_STEP_SAMPLES) {
      this.#append(mulaw, -ahead); // its beginning was delivered before
    } else if (++this.#behind < BEHIND_MAX) {
      this.#taker.late();
    } else {
      this.#resync(at, mulaw);
    }
  }

  #resync(at: number, mulaw: Uint8Array): void {
    this.#taker.resynced();
    this.#next = at;
    this.#append(mulaw, 0);
  }

  #append(mulaw: Uint8Array, start: number): void {
    const end = mulaw.length;
    this.#behind = 0;
    this.#next += end - start;
    // A whole frame where one is due, as they almost all come, is delivered as it is.
    if (end - start === CARRIER_FRAME_SAMPLES && start + this.#filled === 0)
      return this.#taker.frame(mulaw, false);
    const frame = this.#frame;
    let from = start;
    while (from < end) {
      let to = this.#filled;
      const until = Math.min(end, from + CARRIER_FRAME_SAMPLES - to);
      while (from < until) frame[to++] = mulaw[from++]!;
      this.#filledTo(to);
    }
  }

  #conceal(samples: number): void {
    this.#next += samples;
    let left = samples;
    while (left > 0) {
      const to = Math.min(CARRIER_FRAME_SAMPLES, this.#filled + left);
      left -= to - this.#filled;
      this.#frame.fill(MULAW_SILENCE, this.#filled, to);
      this.#concealed = true;
      this.#filledTo(to);
    }
  }

  #filledTo(to: number): void {
    this.#filled = to;
    if (to < CARRIER_FRAME_SAMPLES) return;
    const concealed = this.#concealed;
    this.#filled = 0;
    this.#concealed = false;
    this.#taker.frame(this.#frame, concealed);
  }
}

/** Samples to fill: whole frames where wobble alone makes the difference, so that frames stay aligned. */
function gapOf(ahead: number): number {
  const frames = Math.round(ahead / CARRIER_FRAME_SAMPLES) * CARRIER_FRAME_SAMPLES;
  return Math.abs(ahead - frames) <= WOBBLE_SAMPLES ? frames : ahead;
}
