// How strained this process is, measured while there are calls and while someone is still refused for it. What follows
// from that is calls/live/admission.ts's to say.
import { totalmem } from "node:os";
import {
  type Admission,
  type Arrival,
  HARD,
  isAtRest,
  type Level,
  levelOf,
  next,
  OPEN,
  refuses,
  type StrainName,
} from "../calls/live/admission.ts";
import type { Clock, Stop } from "../domain/clock.ts";
import { LATENESS_BOUNDS_MS } from "../lane/counts.ts";

/** Ten times a second, of which the loop's own delay is how late this timer is. */
const SAMPLE_MS = 100;
/** A second of samples. */
const SAMPLES = 10;
/** Reading the process's memory asks the system: once in so many samples. */
const MEMORY_SAMPLES = 10;
/** Nineteen of twenty frames were sent no later than what playout is judged by. */
const PLAYOUT_SHARE = 0.95;
/** What a frame counts as whose lateness has no upper bound. */
const VERY_LATE_MS = 2 * LATENESS_BOUNDS_MS.at(-1)!;

export interface OverloadParts {
  readonly clock: Clock;
  readonly callsMax: number;
  /** Calls that hold a slot. */
  readonly callsLive: () => number;
  /** Age of the oldest audio that a media worker has not taken. */
  readonly laneDepthMs: () => number;
  /** Frames per bucket of `LATENESS_BOUNDS_MS`, since the start. */
  readonly lateness: () => readonly number[];
  /** What the process has in memory. */
  readonly residentBytes: () => number;
  /** False: strain is measured, and nobody is turned away for it. */
  readonly isHeeded: boolean;
}

/** For the metrics. Pressure 1 is where callers are turned away. */
export interface Pressure {
  readonly level: Level;
  readonly pressure: Readonly<Record<"calls" | StrainName, number>>;
}

export class Overload {
  readonly #parts: OverloadParts;
  readonly #memoryBytes = memoryLimit();
  #admission: Admission = OPEN;
  readonly #lately = { loop: new Lately(), lane: new Lately(), playout: new Lately() };
  #memory = 0;
  #samples = 0;
  #dueMs = 0;
  #latenessBefore: readonly number[] = [];
  #stop: Stop | undefined;

  constructor(parts: OverloadParts) {
    this.#parts = parts;
  }

  /** Whether such a call is refused now. */
  refuses(arrival: Arrival): boolean {
    return refuses(this.#admission, arrival, this.#callsShare, this.#parts.clock.nowMs());
  }

  /** A call was taken; from now on strain is measured. */
  taken(): void {
    const { clock } = this.#parts;
    this.#admission = next(this.#admission, { type: "taken" }, clock.nowMs());
    if (this.#stop !== undefined) return;
    this.#dueMs = clock.nowMs() + SAMPLE_MS;
    this.#latenessBefore = this.#parts.lateness();
    this.#samples = 0;
    this.#stop = clock.every(SAMPLE_MS, () => this.#sample());
  }

  /** Whether callers hear busy. */
  get isBusy(): boolean {
    return levelOf(this.#admission, this.#callsShare) === 2;
  }

  read(): Pressure {
    const { loop, lane, playout } = this.#strain();
    const pressure = { calls: this.#callsShare, loop, lane, playout, memory: this.#memory };
    return { level: levelOf(this.#admission, this.#callsShare), pressure };
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
    for (const name of ["loop", "lane", "playout"] as const) this.#lately[name].forget();
    this.#memory = 0;
  }

  get #callsShare(): number {
    return this.#parts.callsLive() / this.#parts.callsMax;
  }

  #strain(): Readonly<Record<StrainName, number>> {
    const { loop, lane, playout } = this.#lately;
    return {
      loop: loop.sustained / HARD.loop,
      lane: lane.sustained / HARD.lane,
      playout: playout.sustained / HARD.playout,
      memory: this.#memory,
    };
  }

  #sample(): void {
    const { clock, callsLive, laneDepthMs, lateness, residentBytes } = this.#parts;
    const nowMs = clock.nowMs();
    this.#lately.loop.add(Math.max(0, nowMs - this.#dueMs));
    this.#dueMs = nowMs + SAMPLE_MS;
    this.#lately.lane.add(laneDepthMs());
    const latenessNow = lateness();
    this.#lately.playout.add(latenessOf(this.#latenessBefore, latenessNow));
    this.#latenessBefore = latenessNow;
    // What was freed seldom goes back to the system: without a call, memory that is held is no strain.
    if (callsLive() === 0) this.#memory = 0;
    else if (this.#samples++ % MEMORY_SAMPLES === 0) {
      this.#memory = residentBytes() / this.#memoryBytes / HARD.memory;
    }
    if (this.#parts.isHeeded)
      this.#admission = next(this.#admission, { type: "measured", strain: this.#strain() }, nowMs);
    if (callsLive() === 0 && isAtRest(this.#admission)) this.close();
  }
}

/** The last second of one measurement. */
class Lately {
  readonly #values = new Float64Array(SAMPLES);
  #at = 0;

  add(value: number): void {
    this.#values[this.#at++ % SAMPLES] = value;
  }

  /**
   * The mean of the last second without its worst moment: one pause, however long, is no strain, because no caller
   * less would have prevented it.
   */
  get sustained(): number {
    let sum = 0;
    let most = 0;
    for (const value of this.#values) {
      sum += value;
      most = Math.max(most, value);
    }
    return (sum - most) / (SAMPLES - 1);
  }

  forget(): void {
    this.#values.fill(0);
  }
}

/** How late the frames between two readings were sent: nineteen of twenty no later than this. 0 when there were none. */
export function latenessOf(before: readonly number[], after: readonly number[]): number {
  let frames = 0;
  for (const [bucket, seen] of after.entries()) frames += seen - (before[bucket] ?? 0);
  let left = frames * PLAYOUT_SHARE;
  for (const [bucket, seen] of after.entries()) {
    left -= seen - (before[bucket] ?? 0);
    if (frames > 0 && left <= 0) return LATENESS_BOUNDS_MS[bucket] ?? VERY_LATE_MS;
  }
  return 0;
}

/** What the container may have, or the machine has. */
function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}
