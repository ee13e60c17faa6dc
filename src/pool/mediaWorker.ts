// One media worker as the front thread sees it: its thread, its end of the lane, its counts and its heartbeat.
import type { Worker } from "node:worker_threads";
import type { Clock } from "../domain/clock.ts";
import { WorkerCounts } from "../lane/counts.ts";
import { LaneEnd, RecordKind } from "../lane/lane.ts";
import type { WorkerHello } from "../lane/ticket.ts";
import type { Placement } from "./placement.ts";

/** Heartbeats are looked at this often… */
export const HEARTBEAT_MS = 100;
/** …and a worker with calls whose heart stood still over so many looks is stuck. Looks are counted, not
 * milliseconds, so that a front thread that was itself held up blames no one. */
const LOOKS_UNTIL_STUCK = 5;
/** A look that itself came later than this doesn't count: the whole machine is short of time. */
export const LOOK_LATE_MS = 2 * HEARTBEAT_MS;

export class MediaWorker {
  readonly threadId: number;
  readonly thread: Worker;
  readonly lane: LaneEnd;
  readonly counts: WorkerCounts;
  readonly bornMs: number;
  /** The calls it has, by slot. */
  readonly placements = new Map<number, Placement>();
  /** Set once it has been told to die: no call is placed on it. */
  isDying = false;
  #heartbeat: Int32Array;
  #lastBeat = 0;
  #stillLooks = 0;

  constructor(hello: WorkerHello, thread: Worker, clock: Clock) {
    this.threadId = hello.threadId;
    this.thread = thread;
    this.counts = new WorkerCounts(hello.counts);
    this.bornMs = clock.nowMs();
    this.#heartbeat = new Int32Array(hello.heartbeat);
    this.lane = new LaneEnd(hello.lane, "front", clock, (kind, slot, epoch, bytes) => {
      const placement = this.placements.get(slot);
      // A record of another epoch is a dead worker's or a past call's.
      if (placement === undefined || placement.epoch !== epoch) return;
      if (kind === RecordKind.ready) placement.ready();
      else if (kind === RecordKind.news) placement.listener.told(bytes);
      else placement.listener.frame(bytes, kind === RecordKind.media);
    });
  }

  /** Looks at its heart; true when it has calls and has not beaten for `LOOKS_UNTIL_STUCK` looks. */
  isStuck(): boolean {
    const beat = Atomics.load(this.#heartbeat, 0);
    this.#stillLooks = beat === this.#lastBeat && this.placements.size > 0 ? this.#stillLooks + 1 : 0;
    this.#lastBeat = beat;
    return this.#stillLooks >= LOOKS_UNTIL_STUCK;
  }
}
