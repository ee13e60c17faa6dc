// What of a call outlives its worker, in memory that both threads share.
import assert from "node:assert/strict";

/** What a replacement needs to go on where a dead worker stopped. */
export interface Remains {
  /** Milliseconds of agent audio the caller had heard, by the last acknowledged mark. */
  readonly heardMs: number;
  /** When the audio already sent to Twilio runs out, on the process's monotonic clock. */
  readonly playheadMs: number;
  /** What the agent needs to be found again; empty when it has nothing to say. At most 48 ASCII characters. */
  readonly resumeId: string;
}

const RECORD_BYTES = 64;
const RESUME_ID_BYTES = 48;

/**
 * One 64-byte record per slot. Written by the worker that has the call, read by the front thread only after that
 * worker is dead.
 *
 *   byte  0  Int32      epoch       of the placement; a record of another placement never matches
 *   byte  4  Int32      heardMs     by the last acknowledged mark
 *   byte  8  Float64    playheadMs  monotonic; when the audio already sent runs out
 *   byte 16  Uint8[48]  resumeId    the agent's, zero-padded
 *
 * Invariant: heardMs never decreases within an epoch.
 * Order: epoch is stored last (Atomics), so a seen epoch means a whole first record.
 */
export class CallRemains {
  readonly memory: SharedArrayBuffer;
  readonly #ints: Int32Array;
  readonly #floats: Float64Array;
  readonly #bytes: Uint8Array;

  /** Over `memory` that another thread made, or over new memory for `slots` calls. */
  constructor(from: SharedArrayBuffer | { readonly slots: number }) {
    this.memory = from instanceof SharedArrayBuffer ? from : new SharedArrayBuffer(from.slots * RECORD_BYTES);
    this.#ints = new Int32Array(this.memory);
    this.#floats = new Float64Array(this.memory);
    this.#bytes = new Uint8Array(this.memory);
  }

  get slots(): number {
    return this.memory.byteLength / RECORD_BYTES;
  }

  /** Replaces the slot's record. `epoch` is above 0. */
  write(slot: number, epoch: number, heardMs: number, playheadMs: number, resumeId: string): void {
    assert(epoch > 0, "epochs begin at 1: a fresh slot is all zero");
    const int = (slot * RECORD_BYTES) / Int32Array.BYTES_PER_ELEMENT;
    this.#ints[int + 1] = heardMs;
    this.#floats[(slot * RECORD_BYTES) / Float64Array.BYTES_PER_ELEMENT + 1] = playheadMs;
    const id = slot * RECORD_BYTES + RECORD_BYTES - RESUME_ID_BYTES;
    for (let i = 0; i < RESUME_ID_BYTES; i++) this.#bytes[id + i] = resumeId.charCodeAt(i) || 0;
    Atomics.store(this.#ints, int, epoch);
  }

  /** The record of that placement; undefined when its worker died before it began the call. */
  read(slot: number, epoch: number): Remains | undefined {
    const int = (slot * RECORD_BYTES) / Int32Array.BYTES_PER_ELEMENT;
    if (Atomics.load(this.#ints, int) !== epoch) return undefined;
    const id = slot * RECORD_BYTES + RECORD_BYTES - RESUME_ID_BYTES;
    const idBytes = this.#bytes.slice(id, id + RESUME_ID_BYTES);
    const end = idBytes.indexOf(0);
    return {
      heardMs: this.#ints[int + 1]!,
      playheadMs: this.#floats[(slot * RECORD_BYTES) / Float64Array.BYTES_PER_ELEMENT + 1]!,
      resumeId: String.fromCharCode(...idBytes.subarray(0, end < 0 ? RESUME_ID_BYTES : end)),
    };
  }
}
