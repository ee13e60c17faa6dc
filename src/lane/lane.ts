// The one ordered way between the front thread and a media worker. It moves whole records of one call at a
// time, in order, as batches; it knows nothing of what the bytes mean.
import assert from "node:assert/strict";
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { Clock } from "../domain/clock.ts";

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
 * Takes one record. `bytes` is valid during the call only.
 * `slot` and `epoch` say which placement of which call it belongs to: a record of a past epoch is stale.
 */
export type LaneReceiver = (kind: RecordKind, slot: number, epoch: number, bytes: Uint8Array) => void;

/** The lane never holds more than this much unread audio: past it, media is dropped (newest first) and counted. */
export const LANE_BOUND_MS = 500;

/**
 * A batch is one ArrayBuffer, filled from the start with records, each beginning at a multiple of 4:
 *
 *   byte  0  Uint32  payload length
 *   byte  4  Uint32  kind
 *   byte  8  Uint32  slot
 *   byte 12  Uint32  epoch
 *   byte 16  payload, padded to a multiple of 4
 *
 * A buffer belongs to exactly one thread at a time: posting transfers it, and the reader sends it back empty
 * with its own next batch. So the batches out and not yet back are exactly those the other side hasn't read.
 */
const HEADER_WORDS = 4;
const HEADER_BYTES = HEADER_WORDS * Uint32Array.BYTES_PER_ELEMENT;
const BATCH_BYTES = 32 * 1_024;
/** Buffers kept for reuse; more than this come back only after a stall. */
const SPARE_BATCHES = 8;

interface Batch {
  readonly buffer: ArrayBuffer | undefined;
  readonly usedBytes: number;
  /** Empty buffers going home. */
  readonly returned: ArrayBuffer[];
}

/** One end of a lane. Single-threaded; its peer is another `LaneEnd` on the other side of the port. */
export class LaneEnd {
  readonly #port: MessagePort;
  readonly #receive: LaneReceiver;
  readonly #clock: Clock;
  #words: Uint32Array | undefined;
  #bytes: Uint8Array | undefined;
  #usedBytes = 0;
  #spares: ArrayBuffer[] = [];
  #returned: ArrayBuffer[] = [];
  /** When each batch that is not back yet was posted, oldest first. */
  #postedMs: number[] = [];
  #isOpen = true;
  #isFull = false;
  #isReading = false;
  /** Media records refused because the other side was `LANE_BOUND_MS` behind. */
  dropped = 0;

  constructor(port: MessagePort, clock: Clock, receive: LaneReceiver) {
    this.#port = port;
    this.#clock = clock;
    this.#receive = receive;
    port.on("message", (batch: Batch) => this.#read(batch));
  }

  /** Appends a record; false when it is media and the lane is full. `bytes` is copied. */
  write(kind: RecordKind, slot: number, epoch: number, bytes: Uint8Array): boolean {
    const at = this.reserve(kind, slot, epoch, bytes.length);
    if (at < 0) return false;
    this.batchBytes.set(bytes, at);
    return true;
  }

  /**
   * Appends a record whose `length` bytes of payload the caller now writes into `batchBytes`, from the returned
   * offset on. Returns -1 when the record is media and the lane is full.
   */
  reserve(kind: RecordKind, slot: number, epoch: number, length: number): number {
    if (kind === RecordKind.media && this.#isFull) {
      this.dropped++;
      return -1;
    }
    const recordBytes = HEADER_BYTES + ((length + 3) & ~3);
    if (this.#bytes === undefined || this.#usedBytes + recordBytes > this.#bytes.length) {
      this.#post();
      this.#begin(recordBytes);
    }
    const words = this.#words!;
    const word = this.#usedBytes >>> 2;
    words[word] = length;
    words[word + 1] = kind;
    words[word + 2] = slot;
    words[word + 3] = epoch;
    const at = this.#usedBytes + HEADER_BYTES;
    this.#usedBytes += recordBytes;
    return at;
  }

  /** The batch being filled. Only meaningful right after `reserve`. */
  get batchBytes(): Uint8Array {
    assert(this.#bytes !== undefined, "reserve before writing");
    return this.#bytes;
  }

  /** Hands over what has been written since the last flush. Called on the media tick, by both ends. */
  flush(): void {
    // Behind may mean that this thread itself was held up: what came back meanwhile is looked at first.
    if (this.depthMs > LANE_BOUND_MS) this.poll();
    this.#isFull = this.depthMs > LANE_BOUND_MS;
    this.#post();
  }

  /** Milliseconds since the oldest batch that the other side has not read was handed over; 0 when none. */
  get depthMs(): number {
    const oldestMs = this.#postedMs[0];
    return oldestMs === undefined ? 0 : this.#clock.nowMs() - oldestMs;
  }

  /**
   * Reads what has arrived but was not yet delivered by an event. Does nothing from inside a receiver, or a later
   * batch would overtake the one being read.
   */
  poll(): void {
    if (this.#isReading) return;
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#read(received.message as Batch);
    }
  }

  /** Nothing is delivered or sent from here on. */
  close(): void {
    this.#isOpen = false;
    this.#port.close();
  }

  #begin(recordBytes: number): void {
    const spare = recordBytes <= BATCH_BYTES ? this.#spares.pop() : undefined;
    const buffer = spare ?? new ArrayBuffer(Math.max(BATCH_BYTES, recordBytes));
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#usedBytes = 0;
  }

  #post(): void {
    const returned = this.#returned;
    const buffer = this.#usedBytes > 0 ? this.#bytes!.buffer : undefined;
    if ((buffer === undefined && returned.length === 0) || !this.#isOpen) return;
    const batch: Batch = { buffer: buffer as ArrayBuffer | undefined, usedBytes: this.#usedBytes, returned };
    const transfer = batch.buffer === undefined ? returned : [batch.buffer, ...returned];
    this.#port.postMessage(batch, transfer);
    if (batch.buffer !== undefined) {
      this.#postedMs.push(this.#clock.nowMs());
      this.#bytes = undefined;
      this.#words = undefined;
      this.#usedBytes = 0;
    }
    this.#returned = [];
  }

  #read(batch: Batch): void {
    if (!this.#isOpen) return;
    for (const buffer of batch.returned) {
      this.#postedMs.shift();
      if (buffer.byteLength === BATCH_BYTES && this.#spares.length < SPARE_BATCHES) this.#spares.push(buffer);
    }
    if (batch.buffer === undefined) return;
    this.#isReading = true;
    try {
      this.#deliver(batch.buffer, batch.usedBytes);
    } finally {
      this.#isReading = false;
      this.#returned.push(batch.buffer);
    }
  }

  #deliver(buffer: ArrayBuffer, usedBytes: number): void {
    const words = new Uint32Array(buffer);
    let at = 0;
    while (at < usedBytes) {
      const word = at >>> 2;
      const length = words[word]!;
      const bytes = new Uint8Array(buffer, at + HEADER_BYTES, length);
      this.#receive(words[word + 1] as RecordKind, words[word + 2]!, words[word + 3]!, bytes);
      at += HEADER_BYTES + ((length + 3) & ~3);
    }
  }
}
