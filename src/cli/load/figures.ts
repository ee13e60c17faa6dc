// What a load run has measured so far, and how it is told.
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

/** A frame whose echo takes longer than this is late. */
export const LATE_MS = 40;

/** Durations; kept in microseconds, told in milliseconds. */
export class Durations {
  readonly #histogram: RecordableHistogram = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });

  add(ms: number): void {
    this.#histogram.record(Math.min(60_000_000, Math.max(1, Math.round(ms * 1_000))));
  }

  /** Milliseconds, with one decimal; null when nothing was measured. */
  percentile(percent: number): number | null {
    return this.#told(this.#histogram.percentile(percent));
  }

  get max(): number | null {
    return this.#told(this.#histogram.max);
  }

  #told(microseconds: number): number | null {
    return this.#histogram.count === 0 ? null : Math.round(microseconds / 100) / 10;
  }
}

/** All calls' figures together. Frames are those that carry a tone. */
export class Figures {
  /** From sending the webhook to having its TwiML, and to sending the stream's start. */
  readonly toTwiml = new Durations();
  readonly toStart = new Durations();
  /** From sending a frame to receiving its echo. */
  readonly roundTrip = new Durations();
  /** How long after they were due frames were sent: this program's own fault. */
  readonly lateness = new Durations();
  sent = 0;
  received = 0;
  /** Frames whose echo came after LATE_MS; they count as received too. */
  late = 0;
  /** Echoes of a frame whose echo had come already. */
  repeated = 0;
  /** Messages with audio that is none of the call's frames: noise, another call's, or silence between the frames. */
  foreign = 0;
  /** Why calls failed, and how many. */
  readonly failures = new Map<string, number>();

  fail(reason: string): void {
    this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1);
  }

  get failed(): number {
    return [...this.failures.values()].reduce((sum, count) => sum + count, 0);
  }
}
