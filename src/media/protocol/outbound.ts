// What we say to Twilio on a media stream, as bytes ready to send. A field too many makes Twilio drop a message
// (warning 31951), so nothing is written here that its documentation does not show.
import type { StreamSid } from "../../domain/ids.ts";
import { base64Length, encodeBase64 } from "./base64.ts";

const UTF8 = new TextEncoder();

/** One stream's encoder: everything but the audio itself is written once. */
export class OutboundEncoder {
  readonly #streamSid: StreamSid;
  readonly #prefix: Uint8Array;
  readonly #suffix: Uint8Array;
  readonly #clear: Uint8Array;

  constructor(streamSid: StreamSid) {
    this.#streamSid = streamSid;
    const media = JSON.stringify({ event: "media", streamSid, media: { payload: "" } });
    const payloadAt = media.length - '"}}'.length;
    this.#prefix = UTF8.encode(media.slice(0, payloadAt));
    this.#suffix = UTF8.encode(media.slice(payloadAt));
    this.#clear = UTF8.encode(JSON.stringify({ event: "clear", streamSid }));
  }

  /** Bytes of the media message that carries so many mu-law bytes. */
  mediaLength(sampleCount: number): number {
    return this.#prefix.length + base64Length(sampleCount) + this.#suffix.length;
  }

  /**
   * Writes the media message for the mu-law bytes `[start, end)` into `target` from `at` on, where the caller has
   * made room for `mediaLength`. Returns the bytes written.
   */
  writeMedia(mulaw: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
    const payloadAt = at + this.#prefix.length;
    target.set(this.#prefix, at);
    const payloadEnd = payloadAt + encodeBase64(mulaw, start, end, target, payloadAt);
    target.set(this.#suffix, payloadEnd);
    return payloadEnd + this.#suffix.length - at;
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
