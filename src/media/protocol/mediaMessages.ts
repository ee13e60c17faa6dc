// The messages that are nothing but audio, both ways, by way of the kernels' memory. One for all calls of a worker,
// which run one after the other, so that no object is made for a message.
import type { StreamSid } from "../../domain/ids.ts";
import type { Kernels } from "../kernels/kernels.ts";
import {
  CODES_BYTES,
  FOUND,
  MESSAGE,
  MESSAGE_BYTES,
  PAYLOAD,
  PAYLOAD_BYTES,
  SID_END_AT,
  SID_START_AT,
  SPEECH,
  SPEECH_BYTES,
  TEXT,
  TEXT_BYTES,
} from "../kernels/layout.ts";

const UTF8 = new TextEncoder();
const SUFFIX = UTF8.encode('"}}');

/** What a media message begins with, up to its audio. */
export function mediaPrefix(streamSid: StreamSid): Uint8Array {
  const media = JSON.stringify({ event: "media", streamSid, media: { payload: "" } });
  return UTF8.encode(media.slice(0, -SUFFIX.length));
}

export class MediaMessages {
  readonly #kernels: Kernels;
  readonly #message: Uint8Array;
  readonly #numbers: Float64Array;
  readonly #offsets: Int32Array;
  readonly #payload: Uint8Array;
  /** A payload of one frame, as almost all are. */
  readonly #frame: Uint8Array;
  #codes: Uint8Array;
  readonly #speech: Uint8Array;
  readonly #text: Uint8Array;
  /** All of `#text` that was written last. */
  #written: Uint8Array;

  /** Nothing else may read or write messages in those kernels. */
  constructor(kernels: Kernels) {
    const { buffer } = kernels.memory;
    this.#kernels = kernels;
    this.#message = new Uint8Array(buffer, MESSAGE, MESSAGE_BYTES);
    this.#numbers = new Float64Array(buffer, FOUND, 1);
    this.#offsets = new Int32Array(buffer, FOUND, 1 + SID_END_AT / Int32Array.BYTES_PER_ELEMENT);
    this.#payload = new Uint8Array(buffer, PAYLOAD, PAYLOAD_BYTES);
    this.#frame = new Uint8Array(buffer, PAYLOAD, CODES_BYTES);
    this.#codes = this.#frame;
    this.#speech = new Uint8Array(buffer, SPEECH, SPEECH_BYTES);
    this.#text = new Uint8Array(buffer, TEXT, TEXT_BYTES);
    this.#written = this.#text;
  }

  /**
   * Reads a media message of the caller's track. False for any other, also for one written in an unusual way (escapes,
   * a field twice, beyond ASCII, longer than 16 KiB), which decodeMessage reads.
   */
  read(bytes: Uint8Array): boolean {
    if (bytes.length > MESSAGE_BYTES) return false;
    this.#message.set(bytes);
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

  /** Whether it is of this stream. */
  isOf(streamSid: Uint8Array): boolean {
    const message = this.#message;
    const start = this.#offsets[SID_START_AT / Int32Array.BYTES_PER_ELEMENT]!;
    const { length } = streamSid;
    if (this.#offsets[SID_END_AT / Int32Array.BYTES_PER_ELEMENT]! - start !== length) return false;
    for (let i = 0; i < length; i++) if (message[start + i] !== streamSid[i]) return false;
    return true;
  }

  /**
   * The message that carries the mu-law bytes `[start, end)`, at most 100 ms of them, in a stream that has this prefix.
   * Valid until the next is written.
   */
  write(prefix: Uint8Array, mulaw: Uint8Array, start: number, end: number): Uint8Array {
    // What the codec has made is read where it lies.
    const isHere = mulaw.buffer === this.#speech.buffer;
    const source = isHere ? mulaw.byteOffset + start : this.#copied(mulaw, start, end);
    const text = this.#text;
    text.set(prefix);
    const payloadAt = prefix.length;
    const suffixAt = payloadAt + this.#kernels.writeBase64(source, end - start, TEXT + payloadAt);
    text.set(SUFFIX, suffixAt);
    const length = suffixAt + SUFFIX.length;
    if (this.#written.length !== length) this.#written = text.subarray(0, length);
    return this.#written;
  }

  /** Byte by byte: a view to copy from would be made for each frame. */
  #copied(mulaw: Uint8Array, start: number, end: number): number {
    const speech = this.#speech;
    for (let from = start, to = 0; from < end; ) speech[to++] = mulaw[from++]!;
    return SPEECH;
  }
}
