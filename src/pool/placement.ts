// One call's way to whichever worker has it: the same object before, during and after a worker's death.

import { FRAME_MS } from "../domain/audio.ts";
import type { EndReason } from "../domain/endings.ts";
import type { StreamSid } from "../domain/ids.ts";
import { LANE_BOUND_MS, RecordKind } from "../lane/lane.ts";
import type { Remains } from "../lane/remains.ts";
import type { CallTicket, TaskReport } from "../lane/ticket.ts";
import type { MediaWorker } from "./mediaWorker.ts";

/** What the pool needs to know to run a call; it adds where and for the how-manieth time. */
export type CallOrder = Omit<CallTicket, "slot" | "epoch" | "placedAtMs" | "resumed">;

/** What the owner of a call is told of its task. */
export interface PlacementListener {
  /** One finished text frame for the call's socket; `bytes` is valid during the call only. */
  frame(bytes: Uint8Array, isAudio: boolean): void;
  /** Two of them, audio and what follows it at once, a mark mostly: sent together they cost as much as one. */
  frameAndControl(audio: Uint8Array, control: Uint8Array): void;
  /** What its worker tells of the call, in order with the frames; `bytes` are `ToldNews` as JSON. */
  told(bytes: Uint8Array): void;
  /** The call's worker died and it was placed once more. */
  replaced(): void;
  /** The task is over and nothing follows. Called exactly once. */
  ended(report: TaskReport): void;
}

export interface StartedStream {
  readonly streamSid: StreamSid;
  /** Monotonic. */
  readonly startedMs: number;
}

/** Audio kept for a call that has no worker yet, or none again. */
const PARKED_MEDIA_MAX = LANE_BOUND_MS / FRAME_MS;
/** Other messages kept meanwhile. A caller can't press keys faster. */
const PARKED_CONTROL_MAX = 64;

interface Parked {
  readonly kind: RecordKind;
  readonly bytes: Uint8Array;
}

const ascii = new TextEncoder();
const NOTHING = new Uint8Array(0);

export class Placement {
  readonly order: CallOrder;
  readonly slot: number;
  readonly listener: PlacementListener;
  epoch = 0;
  /** The worker that has the call; undefined while it waits for one. */
  worker: MediaWorker | undefined;
  /** Workers that died under this call, and workers that had died before they could begin it. */
  deaths = 0;
  falseStarts = 0;
  /** When it was placed first, and when a worker was last wanted for it. */
  readonly placedAtMs: number;
  askedAtMs = 0;
  /** What its dead workers left behind, the newest that there is. */
  remains: Remains | undefined;
  /** Set once the call has been told to end: it is not placed again. */
  ending: EndReason | undefined;
  /** Messages dropped while the call had no worker. */
  parkedDrops = 0;
  #stream: StartedStream | undefined;
  /** The stream's start, until a worker has it. */
  #start: Uint8Array | undefined;
  #isReady = false;
  /** The caller has hung up: whoever read that may have died since. */
  #isStopped = false;
  #parked: Parked[] = [];

  constructor(order: CallOrder, slot: number, listener: PlacementListener, nowMs: number) {
    this.order = order;
    this.slot = slot;
    this.listener = listener;
    this.placedAtMs = Math.floor(nowMs);
  }

  /** The stream a worker has been told of, for the one that takes the call over. */
  get stream(): StartedStream | undefined {
    return this.#start === undefined ? this.#stream : undefined;
  }

  /** The stream has started, by the message `bytes`, which is copied. Once, before anything is delivered. */
  started(stream: StartedStream, bytes: Uint8Array): void {
    this.#stream = stream;
    this.#start = bytes.slice();
    if (this.#isReady) this.#sendStart();
  }

  /** One message of the stream, in order. `bytes` is copied. True when it is audio. */
  deliver(bytes: Uint8Array): boolean {
    const isAudio = begins(bytes, MEDIA_PREFIX);
    if (!isAudio && begins(bytes, STOP_PREFIX)) this.#isStopped = true;
    this.#send(isAudio ? RecordKind.media : RecordKind.control, bytes);
    return isAudio;
  }

  /** The stream's socket is gone; the worker says what that means. */
  closed(): void {
    if (this.#isStopped) return this.end("caller_hung_up");
    this.ending ??= "media_lost";
    this.#send(RecordKind.closed, NOTHING);
  }

  /** Tells the worker to end the call. */
  end(reason: EndReason): void {
    this.ending ??= reason;
    this.#send(RecordKind.end, ascii.encode(reason));
  }

  /** A worker has been chosen; its task has not begun. */
  assign(worker: MediaWorker): void {
    this.worker = worker;
    this.#isReady = false;
    worker.give(this);
  }

  /** The task has begun: what was kept for it goes first. */
  ready(): void {
    this.#isReady = true;
    this.#sendStart();
    for (const { kind, bytes } of this.#parked) this.#send(kind, bytes);
    this.#parked = [];
  }

  /** Takes the call off its worker. */
  detach(): void {
    this.worker?.take(this);
    this.worker = undefined;
    this.#isReady = false;
  }

  #sendStart(): void {
    const start = this.#start;
    this.#start = undefined;
    if (start !== undefined) this.#send(RecordKind.control, start);
  }

  #send(kind: RecordKind, bytes: Uint8Array): void {
    if (this.#isReady && this.worker !== undefined) {
      this.worker.lane.write(kind, this.slot, this.epoch, bytes);
      return;
    }
    const ofKind = this.#parked.filter(
      (parked) => (parked.kind === RecordKind.media) === (kind === RecordKind.media),
    );
    const most = kind === RecordKind.media ? PARKED_MEDIA_MAX : PARKED_CONTROL_MAX;
    if (ofKind.length >= most) {
      this.#parked.splice(this.#parked.indexOf(ofKind[0]!), 1);
      this.parkedDrops++;
    }
    this.#parked.push({ kind, bytes: bytes.slice() });
  }
}

// As Twilio writes them. What is written otherwise is never dropped, which is safe.
const MEDIA_PREFIX = ascii.encode('{"event":"media"');
const STOP_PREFIX = ascii.encode('{"event":"stop"');

function begins(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (bytes.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}
