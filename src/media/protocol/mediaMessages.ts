// The messages that are nothing but audio, both ways, by way of the kernels' memory. One for all calls of a worker,
// which run one after the other, so that no object is made for a message.
import assert from "node:assert/strict";
import type { StreamSid } from "../../domain/ids.ts";
import type { Kernels } from "../kernels/kernels.ts";
import {
  CODES_BYTES,
  FOUND,
  MESSAGE,
  MESSAGE_BYTES,
  PAYLOAD,
  PAYLOAD_BYTES,
  PREFIX_BYTES,
  PREFIX_LENGTH_AT,
  PREFIXES,
  PREFIXES_MAX,
  SID_END_AT,
  SID_START_AT,
  SPEECH,
  TEXT,
} from "../kernels/layout.ts";

const UTF8 = new TextEncoder();
/** What a media message begins with, up to its audio: in three parts, of which the second is the stream's id. */
const [BEFORE_SID, BEHIND_SID] = JSON.stringify({ event: "media", streamSid: "?", media: { payload: "" } })
  .replace(/"}}$/, "")
  .split("?") as [string, string];

export class MediaMessages {
  readonly #kernels: Kernels;
  /** What is put here needs no copying to be read. */
  readonly inbox: Uint8Array;
  readonly #numbers: Float64Array;
  readonly #offsets: Int32Array;
  readonly #payload: Uint8Array;
  /** A payload of one frame, as almost all are. */
  readonly #frame: Uint8Array;
  #codes: Uint8Array;
  /** All of their memory. */
  readonly #bytes: Uint8Array;
  /** The message that was written last. */
  #written: Uint8Array;
  readonly #free: number[] = [];
  /** Prefixes that were ever taken. */
  #taken = 0;

  /** Nothing else may read or write messages in those kernels. */
  constructor(kernels: Kernels) {
    const { buffer } = kernels.memory;
    this.#kernels = kernels;
    this.inbox = new Uint8Array(buffer, MESSAGE, MESSAGE_BYTES);
    this.#numbers = new Float64Array(buffer, FOUND, 1);
    this.#offsets = new Int32Array(buffer, FOUND, 1 + SID_END_AT / Int32Array.BYTES_PER_ELEMENT);
    this.#payload = new Uint8Array(buffer, PAYLOAD, PAYLOAD_BYTES);
    this.#frame = new Uint8Array(buffer, PAYLOAD, CODES_BYTES);
    this.#codes = this.#frame;
    this.#bytes = new Uint8Array(buffer);
    this.#written = this.#bytes;
  }

  /**
   * Reads a media message of the caller's track. False for any other, also for one written in an unusual way (escapes,
   * a field twice, beyond ASCII, longer than 16 KiB), which decodeMessage reads.
   */
  read(bytes: Uint8Array): boolean {
    if (bytes.length > MESSAGE_BYTES) return false;
    if (bytes.byteOffset !== MESSAGE || bytes.buffer !== this.#bytes.buffer) this.inbox.set(bytes);
    const length = this.#kernels.readMedia(bytes.length);
    if (length < 0) return false;
    this.#codes = length === CODES_BYTES ? this.#frame : this.#payload.subarray(0, length);
    return true;
  }

  // What the message read last says. Until the next is read.

  /** Since the stream began. */
  get timestampMs(): number {
    return this.#numbers[0]!;
  }

  /** Mu-law, any length. */
  get codes(): Uint8Array {
    return this.#codes;
  }

  /** Whether it is of the stream that has this prefix. */
  isOf(prefix: number): boolean {
    const bytes = this.#bytes;
    const offsets = this.#offsets;
    const start = offsets[SID_START_AT / Int32Array.BYTES_PER_ELEMENT]!;
    const length = offsets[SID_END_AT / Int32Array.BYTES_PER_ELEMENT]! - start;
    if (length !== bytes[prefix + PREFIX_LENGTH_AT]! - BEFORE_SID.length - BEHIND_SID.length) return false;
    const own = prefix + BEFORE_SID.length;
    for (let i = 0; i < length; i++) if (bytes[MESSAGE + start + i] !== bytes[own + i]) return false;
    return true;
  }

  // Prefixes: of each stream there is one, in the kernels' memory, until it is given back.

  /** Writes the prefix of a stream's media messages; its address, which is never 0. */
  take(streamSid: StreamSid): number {
    const text = UTF8.encode(BEFORE_SID + JSON.stringify(streamSid).slice(1, -1) + BEHIND_SID);
    assert(text.length <= PREFIX_LENGTH_AT, "a stream's id has at most 64 characters");
    const prefix = this.#free.pop() ?? this.#next();
    this.#bytes.set(text, prefix);
    this.#bytes[prefix + PREFIX_LENGTH_AT] = text.length;
    return prefix;
  }

  giveBack(prefix: number): void {
    this.#free.push(prefix);
  }

  /**
   * The message that carries the mu-law bytes `[start, end)`, at most 100 ms of them, in the stream that has this
   * prefix. Valid until the next is written.
   */
  write(prefix: number, mulaw: Uint8Array, start: number, end: number): Uint8Array {
    // What the codec has made is read where it lies.
    const isHere = mulaw.buffer === this.#bytes.buffer;
    const source = isHere ? mulaw.byteOffset + start : this.#copied(mulaw, start, end);
    const length = this.#kernels.writeMedia(prefix, source, end - start);
    if (this.#written.length !== length) this.#written = this.#bytes.subarray(TEXT, TEXT + length);
    return this.#written;
  }

  #next(): number {
    if (this.#taken === PREFIXES_MAX) throw new Error("this worker has no more memory for streams");
    return PREFIXES + PREFIX_BYTES * this.#taken++;
  }

  /** Byte by byte: a view to copy from would be made for each frame. */
  #copied(mulaw: Uint8Array, start: number, end: number): number {
    const bytes = this.#bytes;
    for (let from = start, to = SPEECH; from < end; ) bytes[to++] = mulaw[from++]!;
    return SPEECH;
  }
}
