// Twilio's playback model as arithmetic: audio is queued in order of arrival and played in real time, a mark comes
// back when what was queued before it has played, and a clear takes back all that has not. Knows lengths, not audio.
import { SAMPLES_PER_MS, sampleAt } from "./track.ts";

/** Above this much waiting audio Twilio drops what comes (its warning 31931). */
export const BUFFER_MAX_MS = 600_000;

interface PendingMark {
  readonly name: string;
  /** The sample at which everything before it has played. */
  readonly at: number;
}

/**
 * Because playing never pauses, where a piece will play is known when it arrives; only a clear changes that.
 * All times are on the call's axis and must not go backwards.
 */
export class Playback {
  readonly #marks: PendingMark[] = [];
  /** The sample after the last one queued. */
  #end = 0;
  #queued = 0;
  #firstMs: number | undefined;

  /** Queues this many samples; the sample they play at, or undefined when the buffer is full. */
  queue(samples: number, nowMs: number): number | undefined {
    if (this.waitingMs(nowMs) + samples / SAMPLES_PER_MS > BUFFER_MAX_MS) return undefined;
    const at = Math.max(this.#end, sampleAt(nowMs));
    this.#end = at + samples;
    this.#queued += samples;
    this.#firstMs ??= at / SAMPLES_PER_MS;
    return at;
  }

  /** Sets a mark behind what is queued now. */
  mark(name: string): void {
    this.#marks.push({ name, at: this.#end });
  }

  /** Empties the buffer; the names of all outstanding marks, which come back at once. */
  clear(nowMs: number): string[] {
    const cut = Math.min(this.#end, sampleAt(nowMs));
    this.#queued -= this.#end - cut;
    this.#end = cut;
    if (this.#queued === 0) this.#firstMs = undefined;
    return this.#marks.splice(0).map(({ name }) => name);
  }

  /** The names of the marks whose audio has played, in order. Each is given once. */
  reached(nowMs: number): string[] {
    const now = sampleAt(nowMs);
    const waiting = this.#marks.findIndex(({ at }) => at > now);
    return this.#marks.splice(0, waiting === -1 ? this.#marks.length : waiting).map(({ name }) => name);
  }

  /** Whether a mark has yet to come back. */
  get hasMarks(): boolean {
    return this.#marks.length > 0;
  }

  /** Audio not yet played. */
  waitingMs(nowMs: number): number {
    return Math.max(0, this.#end - sampleAt(nowMs)) / SAMPLES_PER_MS;
  }

  /** Audio played so far; silence that was sent counts, silence for want of audio does not. */
  playedMs(nowMs: number): number {
    return this.#queued / SAMPLES_PER_MS - this.waitingMs(nowMs);
  }

  /** When the first audio played or will play; undefined if none did. */
  get firstMs(): number | undefined {
    return this.#firstMs;
  }
}
