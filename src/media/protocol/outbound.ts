// What we say to Twilio on a media stream, as bytes ready to send. A field too many makes Twilio drop a message
// (warning 31951), so nothing is written here that its documentation does not show.
import type { StreamSid } from "../../domain/ids.ts";
import { type MediaMessages, mediaPrefix } from "./mediaMessages.ts";

const UTF8 = new TextEncoder();
/** A frame is 213 to 216 characters of base64; what else is in a message is shorter than that. */
const FRAME_CHARACTERS = 214;

/** Frames in one of our media messages, by its length. */
export function framesIn(messageBytes: number): number {
  return Math.floor(messageBytes / FRAME_CHARACTERS);
}

/** One stream's encoder: everything but the audio itself is written once. */
export class OutboundEncoder {
  readonly #streamSid: StreamSid;
  readonly #messages: MediaMessages;
  readonly #prefix: Uint8Array;
  readonly #clear: Uint8Array;

  constructor(streamSid: StreamSid, messages: MediaMessages) {
    this.#streamSid = streamSid;
    this.#messages = messages;
    this.#prefix = mediaPrefix(streamSid);
    this.#clear = UTF8.encode(JSON.stringify({ event: "clear", streamSid }));
  }

  /** The mu-law bytes `[start, end)`, at most 100 ms of them. Valid until any stream's next. */
  media(mulaw: Uint8Array, start: number, end: number): Uint8Array {
    return this.#messages.write(this.#prefix, mulaw, start, end);
  }

  /** Asks Twilio to send `name` back once everything before it was played, or cleared. */
  mark(name: string): Uint8Array {
    return UTF8.encode(JSON.stringify({ event: "mark", streamSid: this.#streamSid, mark: { name } }));
  }

  /** Empties what Twilio has not played yet. The same bytes each time: not to be changed. */
  clear(): Uint8Array {
    return this.#clear;
  }
}
