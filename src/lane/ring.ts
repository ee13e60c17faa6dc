// One direction of a lane: records from one thread to one other, through memory that both see. It knows when there is
// no more room and for how long the oldest record has waited; what is to be dropped then is for its owner to say.
import assert from "node:assert/strict";
import type { Clock } from "../domain/clock.ts";
import type { LaneReceiver, RecordKind } from "./lane.ts";

const PAGE_BYTES = 64 * 1_024;
/** Half a second of 1,700 calls. What was never written to takes no memory. */
const PAGES = 256;
const CONTROL_BYTES = 4_096;
const HEADER_BYTES = 16;
/** A writer that ticks later than this was itself held up: what waited meanwhile is not the reader's fault. */
const STANDSTILL_MS = 250;
/** The longest payload. Wherever one such record lies, there is room in a row for another. */
export const PAYLOAD_BYTES_MAX = (PAGES / 4) * PAGE_BYTES - 2 * HEADER_BYTES;

/**
 * A ring's memory: the two sides' own words, each on a cache line of its own, then the pages.
 *
 *   byte    0  Int32  head     behind the last record that may be read. Written by the writer alone
 *   byte   64  Int32  tail     where the reader goes on. Written by the reader alone
 *   byte   68  Int32  resting  1 while the reader doesn't look. Written by the reader alone
 *   byte 4096  256 pages of 64 KB
 *
 * Head, tail and jumps count bytes from the first page. A record begins at a multiple of 16:
 *
 *   byte  0  Uint32  payload length, and in the highest eight bits the kind; a kind of 0 is a jump
 *   byte  4  Uint32  slot; of a jump: where it goes on
 *   byte  8  Uint32  epoch
 *   byte 12  Uint32  when it was written, in whole milliseconds modulo 2^32. For the writer's eyes
 *   byte 16  payload, padded to a multiple of 16
 *
 * No record wraps. Where a run of pages ends, a jump says which comes next: the lowest that are free. So while the
 * reader keeps up, the same few pages are used over and over, and stay in the processor's cache.
 *
 * Invariant: from the page that tail is in to head, nothing is written over. So head and tail are equal only when
 * all has been read.
 * Order: head is stored (Atomics) after the record, and tail after the last use of the records before it.
 */
const HEAD = 0;
const TAIL = 64 / Int32Array.BYTES_PER_ELEMENT;
const RESTING = TAIL + 1;
const JUMP = 0;
const LENGTH_BITS = 24;
const LENGTH_MASK = 2 ** LENGTH_BITS - 1;
assert(PAYLOAD_BYTES_MAX <= LENGTH_MASK);

export const RING_BYTES = CONTROL_BYTES + PAGES * PAGE_BYTES;

function recordBytes(length: number): number {
  return HEADER_BYTES + ((length + HEADER_BYTES - 1) & -HEADER_BYTES);
}

/** Pages in a row, in bytes. */
interface Run {
  readonly start: number;
  readonly end: number;
}

export class RingWriter {
  readonly #bytes: Uint8Array;
  readonly #control: Int32Array;
  readonly #words: Uint32Array;
  readonly #clock: Clock;
  readonly #isTaken = new Uint8Array(PAGES);
  /** All that the reader may still be in, oldest first; the last is being filled. */
  readonly #runs: Run[] = [];
  /** Where the next record begins, and where the run that it is in ends. */
  #next = 0;
  #end = PAGE_BYTES;
  #stamp = 0;
  #isStampOld = true;
  #tickedMs: number;
  /** The end of the writer's own last standstill. */
  #movingMs: number;

  constructor(memory: SharedArrayBuffer, startsAt: number, clock: Clock) {
    const pagesAt = startsAt + CONTROL_BYTES;
    this.#control = new Int32Array(memory, startsAt, CONTROL_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.#bytes = new Uint8Array(memory, pagesAt, PAGES * PAGE_BYTES);
    this.#words = new Uint32Array(memory, pagesAt, (PAGES * PAGE_BYTES) / Uint32Array.BYTES_PER_ELEMENT);
    this.#clock = clock;
    this.#tickedMs = clock.nowMs();
    this.#movingMs = this.#tickedMs;
    this.#take(1);
  }

  /** Appends a record, which can be read at once. False when there is no room. */
  write(kind: RecordKind, slot: number, epoch: number, bytes: Uint8Array): boolean {
    const needed = recordBytes(bytes.length);
    const isRoom = this.#next + needed + HEADER_BYTES <= this.#end; // a jump's header goes in as well
    if (!isRoom && !this.#jump(needed)) return false;
    const at = this.#next;
    this.#header(kind, bytes.length, slot, epoch);
    this.#bytes.set(bytes, at + HEADER_BYTES);
    this.#next = at + needed;
    Atomics.store(this.#control, HEAD, this.#next);
    return true;
  }

  /**
   * Milliseconds that the reader has left the oldest record unread, as far as the writer can blame it; 0 when all is
   * read, or the reader rests.
   */
  get waitingMs(): number {
    const tail = Atomics.load(this.#control, TAIL);
    if (tail === this.#next || Atomics.load(this.#control, RESTING) === 1) return 0;
    const nowMs = this.#clock.nowMs();
    const waitedMs = (nowMs - this.#words[(tail + 12) >>> 2]!) >>> 0;
    return Math.min(waitedMs, Math.floor(nowMs - this.#movingMs));
  }

  /** Once a millisecond. Records share the time of the first one since: to read the clock for each would cost too much. */
  tick(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#tickedMs > STANDSTILL_MS) this.#movingMs = nowMs;
    this.#tickedMs = nowMs;
    this.#isStampOld = true;
  }

  #header(kind: number, length: number, slot: number, epoch: number): void {
    if (this.#isStampOld) {
      this.#stamp = this.#clock.nowMs() >>> 0;
      this.#isStampOld = false;
    }
    const word = this.#next >>> 2;
    this.#words[word] = (kind << LENGTH_BITS) | length;
    this.#words[word + 1] = slot;
    this.#words[word + 2] = epoch;
    this.#words[word + 3] = this.#stamp;
  }

  /** Goes on in other pages; false when there are none. */
  #jump(needed: number): boolean {
    this.#free();
    const run = this.#take(Math.ceil((needed + HEADER_BYTES) / PAGE_BYTES));
    if (run === undefined) return false;
    this.#header(JUMP, 0, run.start, 0);
    this.#next = run.start;
    this.#end = run.end;
    return true;
  }

  /** Gives up the pages that the reader has left. */
  #free(): void {
    const tail = Atomics.load(this.#control, TAIL);
    for (;;) {
      const { start, end } = this.#runs[0]!;
      if (tail >= start && tail < end) return;
      this.#isTaken.fill(0, start / PAGE_BYTES, end / PAGE_BYTES);
      this.#runs.shift();
    }
  }

  /** The lowest so many free pages in a row. */
  #take(pages: number): Run | undefined {
    let first = 0;
    for (let page = 0; page < PAGES; page++) {
      if (this.#isTaken[page] === 1) first = page + 1;
      if (page + 1 - first < pages) continue;
      this.#isTaken.fill(1, first, first + pages);
      const run = { start: first * PAGE_BYTES, end: (first + pages) * PAGE_BYTES };
      this.#runs.push(run);
      return run;
    }
    return undefined;
  }
}

/** Where a reader copies payloads to, unless they are longer. */
export class Desk {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  /** By length, from the beginning on: few lengths are read. */
  readonly #views: (Uint8Array | undefined)[] = [];

  /** `bytes` begins and ends at a multiple of 4 of its buffer. */
  constructor(bytes: Uint8Array) {
    assert(bytes.length % Uint32Array.BYTES_PER_ELEMENT === 0, "a desk is of whole words");
    const words = bytes.length / Uint32Array.BYTES_PER_ELEMENT;
    this.#bytes = bytes;
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, words);
    while (this.#views.length <= bytes.length) this.#views.push(undefined); // one without holes is quick to read
  }

  get lengthMax(): number {
    return this.#bytes.length;
  }

  /** Word by word: a view to copy from would be made for each record. Writes up to three bytes behind the payload. */
  put(from: Uint32Array, word: number, length: number): Uint8Array {
    const words = this.#words;
    const end = (length + 3) >>> 2;
    for (let i = 0; i < end; i++) words[i] = from[word + i]!;
    const view = this.#views[length] ?? this.#bytes.subarray(0, length);
    this.#views[length] = view;
    return view;
  }
}

export class RingReader {
  readonly #memory: SharedArrayBuffer;
  readonly #pagesAt: number;
  readonly #control: Int32Array;
  readonly #words: Uint32Array;
  /** They take turns. */
  readonly #desks: readonly Desk[];
  #turn = 0;
  #at = 0;
  #isReading = false;
  #isResting = false;

  /** What a receiver is given is valid until all is read; on a desk, until as many more records are as there are desks. */
  constructor(memory: SharedArrayBuffer, startsAt: number, desks: readonly Desk[]) {
    this.#desks = desks;
    this.#memory = memory;
    this.#pagesAt = startsAt + CONTROL_BYTES;
    this.#control = new Int32Array(memory, startsAt, CONTROL_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.#words = new Uint32Array(
      memory,
      this.#pagesAt,
      (PAGES * PAGE_BYTES) / Uint32Array.BYTES_PER_ELEMENT,
    );
  }

  /**
   * Reads what there was at the call, and calls `allRead` before it lets the writer write over it, also when a
   * receiver throws. Does nothing from inside a receiver: a later record would overtake.
   */
  poll(receive: LaneReceiver, allRead: () => void): void {
    if (this.#isReading) return;
    const head = Atomics.load(this.#control, HEAD);
    if (head !== this.#at) this.#read(head, receive, allRead);
    if (!this.#isResting) return;
    this.#isResting = false;
    Atomics.store(this.#control, RESTING, 0);
  }

  /** There is no `poll` for now: what waits meanwhile is not late. */
  rest(): void {
    this.#isResting = true;
    Atomics.store(this.#control, RESTING, 1);
  }

  #read(head: number, receive: LaneReceiver, allRead: () => void): void {
    this.#isReading = true;
    let at = this.#at;
    try {
      while (at !== head) {
        const word = at >>> 2;
        const first = this.#words[word]!;
        const slot = this.#words[word + 1]!;
        const kind = first >>> LENGTH_BITS;
        const length = first & LENGTH_MASK;
        if (kind === JUMP) {
          at = slot;
          continue;
        }
        const bytes = this.#payload(at + HEADER_BYTES, length);
        at += recordBytes(length);
        receive(kind as RecordKind, slot, this.#words[word + 2]!, bytes);
      }
    } finally {
      try {
        allRead();
      } finally {
        this.#isReading = false;
        this.#at = at;
        Atomics.store(this.#control, TAIL, at);
      }
    }
  }

  #payload(at: number, length: number): Uint8Array {
    const desk = this.#desks[this.#turn];
    if (desk === undefined || length > desk.lengthMax)
      return new Uint8Array(this.#memory, this.#pagesAt + at, length);
    this.#turn = (this.#turn + 1) % this.#desks.length;
    return desk.put(this.#words, at >>> 2, length);
  }
}
