// One call's way to whichever worker has it: the same object before, during and after a worker's death.

import { FRAME_MS } from "../domain/audio.ts";
import type { EndReason } from "../domain/endings.ts";
import type { StreamSid } from "../domain/ids.ts";
import { LANE_BOUND_MS, RecordKind } from "../lane/lane.ts";
import type { CallTicket, TaskReport } from "../lane/ticket.ts";
import type { MediaWorker } from "./mediaWorker.ts";

/** What the pool needs to know to run a call; it adds where and for the how-manieth time. */
export type CallOrder = Omit<CallTicket, "slot" | "epoch" | "resumed">;

/** What the owner of a call is told of its task. */
export interface PlacementListener {
  /** One finished text frame for the call's socket; `bytes` is valid during the call only. */
  frame(bytes: Uint8Array): void;
  /** The call's worker died and it was placed once more. */
  replaced(): void;
  /** The task is over and nothing follows. Called exactly once. */
  ended(report: TaskReport): void;
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
  /** Workers that died under this call. */
  deaths = 0;
  askedAtMs = 0;
  /** Set once the stream has started, for whoever takes the call over. */
  stream: { readonly streamSid: StreamSid; readonly startedMs: number } | undefined;
  /** Set once the call has been told to end: it is not placed again. */
  ending: EndReason | undefined;
  /** Media messages dropped while the call had no worker. */
  parkedDrops = 0;
  #isReady = false;
  #parked: Parked[] = [];

  constructor(order: CallOrder, slot: number, listener: PlacementListener) {
    this.order = order;
    this.slot = slot;
    this.listener = listener;
  }

  /** One message of the stream, in order. `bytes` is copied. True when it is audio. */
  deliver(bytes: Uint8Array): boolean {
    const isAudio = isMedia(bytes);
    this.#send(isAudio ? RecordKind.media : RecordKind.control, bytes);
    return isAudio;
  }

  /** The stream's socket is gone; the worker says what that means. */
  closed(): void {
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
    worker.placements.set(this.slot, this);
  }

  /** The task has begun: what was kept for it goes first. */
  ready(): void {
    this.#isReady = true;
    for (const { kind, bytes } of this.#parked) this.#send(kind, bytes);
    this.#parked = [];
  }

  /** Takes the call off its worker. */
  detach(): void {
    this.worker?.placements.delete(this.slot);
    this.worker = undefined;
    this.#isReady = false;
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

const MEDIA_PREFIX = ascii.encode('{"event":"media"');

/** Whether a message is audio, as Twilio writes it. What is written otherwise is never dropped, which is safe. */
function isMedia(bytes: Uint8Array): boolean {
  if (bytes.length < MEDIA_PREFIX.length) return false;
  for (let i = 0; i < MEDIA_PREFIX.length; i++) if (bytes[i] !== MEDIA_PREFIX[i]) return false;
  return true;
}
