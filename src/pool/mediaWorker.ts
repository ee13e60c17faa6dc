// One media worker as the front thread sees it: its thread, its end of the lane, its counts and its heartbeat.
import assert from "node:assert/strict";
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
/** Longer than any message of a stream that is sent. */
const DESK_BYTES = 2_048;
/** A look that itself came later than this doesn't count: the whole machine is short of time. */
export const LOOK_LATE_MS = 2 * HEARTBEAT_MS;

export class MediaWorker {
  readonly threadId: number;
  readonly thread: Worker;
  readonly lane: LaneEnd;
  readonly counts: WorkerCounts;
  readonly bornMs: number;
  /** The calls it has, by slot, and how many. */
  readonly #placements: (Placement | undefined)[] = [];
  #calls = 0;
  /** Audio that has been read and is not sent yet, and whose it is: what comes next may belong to it. */
  #frame: Uint8Array | undefined;
  #whose: Placement | undefined;
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
    this.lane = new LaneEnd(
      hello.lane,
      "front",
      clock,
      (kind, slot, epoch, bytes) => this.#receive(kind, slot, epoch, bytes),
      () => this.#sendFrame(),
      [new Uint8Array(DESK_BYTES), new Uint8Array(DESK_BYTES)], // a frame is kept until the next record is there
    );
  }

  get calls(): number {
    return this.#calls;
  }

  /** It has this call from now on. */
  give(placement: Placement): void {
    const { slot } = placement;
    if (this.#placements[slot] === placement) return;
    while (this.#placements.length <= slot) this.#placements.push(undefined); // one without holes is quick to read
    assert.equal(this.#placements[slot], undefined, "a slot's calls follow one another");
    this.#placements[slot] = placement;
    this.#calls++;
  }

  /** It has this call no more. */
  take(placement: Placement): void {
    if (this.#placements[placement.slot] !== placement) return;
    this.#placements[placement.slot] = undefined;
    this.#calls--;
  }

  #receive(kind: RecordKind, slot: number, epoch: number, bytes: Uint8Array): void {
    const placement = this.#placements[slot];
    // A record of another epoch is a dead worker's or a past call's.
    const isCurrent = placement?.epoch === epoch;
    if (isCurrent && kind === RecordKind.control && this.#whose === placement) return this.#sendBoth(bytes);
    try {
      this.#sendFrame(); // whatever came: the next record may be written over the frame
    } finally {
      if (isCurrent) this.#deliver(kind, placement, bytes); // whatever became of another call's
    }
  }

  #deliver(kind: RecordKind, placement: Placement, bytes: Uint8Array): void {
    if (kind === RecordKind.media) {
      this.#frame = bytes;
      this.#whose = placement;
    } else if (kind === RecordKind.control) placement.listener.frame(bytes, false);
    else if (kind === RecordKind.ready) placement.ready();
    else placement.listener.told(bytes);
  }

  #sendFrame(): void {
    const frame = this.#frame;
    if (frame === undefined) return;
    const whose = this.#whose!;
    this.#frame = undefined;
    this.#whose = undefined;
    whose.listener.frame(frame, true);
  }

  #sendBoth(control: Uint8Array): void {
    const frame = this.#frame!;
    const whose = this.#whose!;
    this.#frame = undefined;
    this.#whose = undefined;
    whose.listener.frameAndControl(frame, control);
  }

  /** Looks at its heart; true when it has calls and has not beaten for `LOOKS_UNTIL_STUCK` looks. */
  isStuck(): boolean {
    const beat = Atomics.load(this.#heartbeat, 0);
    this.#stillLooks = beat === this.#lastBeat && this.#calls > 0 ? this.#stillLooks + 1 : 0;
    this.#lastBeat = beat;
    return this.#stillLooks >= LOOKS_UNTIL_STUCK;
  }
}
