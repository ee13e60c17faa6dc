// The one ordered way between the front thread and a media worker. It moves whole records of one call at a
// time, in order, through two rings in shared memory; it knows nothing of what the bytes mean. No side is ever woken:
// each looks once a millisecond while there are calls.
import assert from "node:assert/strict";
import type { Clock } from "../domain/clock.ts";
import { Desk, PAYLOAD_BYTES_MAX, RING_BYTES, RingReader, RingWriter } from "./ring.ts";

/** What a record is. Only `media` may be dropped. */
export const RecordKind = {
  /** Both ways: one text frame of the call's stream that is plain audio. */
  media: 1,
  /** Both ways: any other text frame of the call's stream. */
  control: 2,
  /** To the worker: the stream's socket is gone. No payload. */
  closed: 3,
  /** To the worker: end the call; the payload is the end reason in ASCII. */
  end: 4,
  /** To the front: the call's task has begun and takes records. No payload. */
  ready: 5,
  /** To the front: what happened in the call; the payload is `ToldNews` as JSON. */
  news: 6,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/**
 * Takes one record. `bytes` is valid until all that was there is read, which a `LaneEnd` tells its owner; or, where
 * it lies on a desk, until as many more records are read as there are desks.
 * `slot` and `epoch` say which placement of which call it belongs to: a record of a past epoch is stale.
 */
export type LaneReceiver = (kind: RecordKind, slot: number, epoch: number, bytes: Uint8Array) => void;

/** The lane never holds more than this much unread audio: past it, media is dropped (newest first) and counted. */
export const LANE_BOUND_MS = 500;

/** The memory of a lane: the ring to the worker, then the one to the front thread. */
export function createLaneMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * RING_BYTES);
}

const WRITES_AT = { front: 0, worker: RING_BYTES } as const;
const READS_AT = { front: RING_BYTES, worker: 0 } as const;

/** What found no room in the ring: a record, or what is to be done once those before it can be read. */
type Held =
  | { readonly kind: RecordKind; readonly slot: number; readonly epoch: number; readonly bytes: Uint8Array }
  | (() => void);

/** One end of a lane. Single-threaded; its peer is the other side's `LaneEnd` over the same memory. */
export class LaneEnd {
  readonly #out: RingWriter;
  readonly #in: RingReader;
  readonly #receive: LaneReceiver;
  readonly #allRead: () => void;
  /**
   * Everything that is not media goes in here, in order, while the ring is full of bytes. It has no bound of its own:
   * whoever doesn't read 16 MB is killed, or the process is lost.
   */
  readonly #held: Held[] = [];
  #isOpen = true;
  #isBehind = false;
  /** Media records refused because the other side was `LANE_BOUND_MS` behind, or the ring full. */
  dropped = 0;

  /**
   * @param allRead called after the last record of a `poll`, while its bytes are still there
   * @param desks memory that what is read is copied to, if it fits: in turn, so that no view is made for a record
   */
  constructor(
    memory: SharedArrayBuffer,
    side: keyof typeof WRITES_AT,
    clock: Clock,
    receive: LaneReceiver,
    allRead: () => void = () => {},
    desks: readonly Uint8Array[] = [],
  ) {
    this.#out = new RingWriter(memory, WRITES_AT[side], clock);
    const read = desks.map((bytes) => new Desk(bytes));
    this.#in = new RingReader(memory, READS_AT[side], read);
    this.#receive = receive;
    this.#allRead = allRead;
  }

  /** Appends a record, which can be read at once; false when it is media and was dropped. `bytes` is copied. */
  write(kind: RecordKind, slot: number, epoch: number, bytes: Uint8Array): boolean {
    assert(bytes.length <= PAYLOAD_BYTES_MAX, "a record fits into the ring, and another beside it");
    const isMedia = kind === RecordKind.media;
    const mayGoIn = this.#isOpen && this.#held.length === 0 && !(isMedia && this.isBehind);
    if (mayGoIn && this.#out.write(kind, slot, epoch, bytes)) return true;
    if (isMedia) {
      this.dropped++;
      return false;
    }
    if (this.#isOpen) this.#held.push({ kind, slot, epoch, bytes: bytes.slice() });
    return true;
  }

  /** Hands over what was held, and judges whether the other side is behind. Called once a tick, by both sides. */
  flush(): void {
    this.#release();
    this.#out.tick();
    this.#isBehind = this.depthMs > LANE_BOUND_MS;
  }

  /** Calls `then` once the other side can read all that was written so far: at once, unless the ring is full. */
  afterwards(then: () => void): void {
    if (this.#held.length === 0) then();
    else this.#held.push(then);
  }

  /** Whether something waits for room in the ring: the tick must go on. */
  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  /** Whether the other side is too far behind to be given media. As soon as it has caught up it is not. */
  get isBehind(): boolean {
    if (this.#isBehind) this.#isBehind = this.depthMs > LANE_BOUND_MS;
    return this.#isBehind;
  }

  /** Milliseconds that the oldest record has waited for the other side to read it; 0 when none has. */
  get depthMs(): number {
    return this.#out.waitingMs;
  }

  /** Reads what has come. Called once a tick, and before anything is believed that was said after it. */
  poll(): void {
    if (this.#isOpen) this.#in.poll(this.#receive, this.#allRead);
  }

  /** This side's tick stops, until the next `poll`: what the other side writes meanwhile is not late. */
  rest(): void {
    this.#in.rest();
  }

  /** Nothing is delivered or sent from here on. */
  close(): void {
    this.#isOpen = false;
  }

  #release(): void {
    while (this.#held.length > 0 && this.#isOpen) {
      const first = this.#held[0]!;
      if (typeof first === "function") {
        this.#held.shift();
        first();
        continue;
      }
      const { kind, slot, epoch, bytes } = first;
      if (!this.#out.write(kind, slot, epoch, bytes)) return;
      this.#held.shift();
    }
  }
}
