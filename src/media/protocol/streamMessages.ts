// The messages of one stream: whether what was read is its own, and what we say to Twilio on it, as bytes ready to send.
// A field too many makes Twilio drop a message (warning 31951), so nothing is written here that its documentation does
// not show.
import assert from "node:assert/strict";
import type { StreamSid } from "../../domain/ids.ts";
import { writeMark } from "./markMessages.ts";
import type { MediaMessages } from "./mediaMessages.ts";

const UTF8 = new TextEncoder();
/** A frame is 213 to 216 characters of base64; what else is in a message is shorter than that. */
const FRAME_CHARACTERS = 214;

/** Frames in one of our media messages, by its length. */
export function framesIn(messageBytes: number): number {
  return Math.floor(messageBytes / FRAME_CHARACTERS);
}

export class StreamMessages {
  readonly streamSid: StreamSid;
  readonly #messages: MediaMessages;
  /** What its media messages begin with; 0 once it is closed. */
  #prefix: number;

  constructor(streamSid: StreamSid, messages: MediaMessages) {
    this.streamSid = streamSid;
    this.#messages = messages;
    this.#prefix = messages.take(streamSid);
  }

  /** Whether the media message read last is of this stream. */
  get isOwn(): boolean {
    return this.#messages.isOf(this.#prefix);
  }

  /** The mu-law bytes `[start, end)`, at most 100 ms of them. Valid until any stream's next. */
  media(mulaw: Uint8Array, start: number, end: number): Uint8Array {
    assert(this.#prefix !== 0, "a stream that is closed says nothing");
    return this.#messages.write(this.#prefix, mulaw, start, end);
  }

  /** Asks Twilio to send `name` back once everything before it was played, or cleared. Valid until any stream's next. */
  mark(name: string): Uint8Array {
    return writeMark(this.streamSid, name);
  }

  /** Empties what Twilio has not played yet. */
  clear(): Uint8Array {
    return UTF8.encode(JSON.stringify({ event: "clear", streamSid: this.streamSid }));
  }

  /** Gives its memory back. No media message is asked about or written after this; closing it twice is harmless. */
  close(): void {
    if (this.#prefix !== 0) this.#messages.giveBack(this.#prefix);
    this.#prefix = 0;
  }
}
