// One call's stream as it comes from Twilio: each message read once, told to the call by what it is, and held against
// the contract. Plain audio never becomes an object.
import type { StreamViolation } from "../../domain/endings.ts";
import { assertNever } from "../../domain/errors.ts";
import type { StreamSid } from "../../domain/ids.ts";
import type { WorkerCounts } from "../../lane/counts.ts";
import { readMark } from "../protocol/markMessages.ts";
import type { MediaMessages } from "../protocol/mediaMessages.ts";
import { decodeMessage, type Message } from "../protocol/messages.ts";
import { StreamMessages } from "../protocol/streamMessages.ts";

/** A stream may send this many unreadable messages in so long. */
const MALFORMED_MAX = 50;
const MALFORMED_MS = 10_000;

/** What a stream says beside audio, to whoever has the call. */
export interface StreamListener {
  /** The stream has begun, and can be written to. */
  started(stream: StreamMessages): void;
  mark(name: string): void;
  dtmf(digit: string): void;
  stopped(): void;
  violated(violation: StreamViolation): void;
}

/** Where the caller's audio goes. */
export interface AudioTaker {
  /** A piece of it, which began `timestampMs` into the stream; valid during the call only. */
  accept(timestampMs: number, mulaw: Uint8Array): void;
}

export class StreamReader {
  readonly #audio: AudioTaker;
  readonly #listener: StreamListener;
  readonly #messages: MediaMessages;
  readonly #counts: WorkerCounts;
  readonly #nowMs: () => number;
  #stream: StreamMessages | undefined;
  #malformed = 0;
  #malformedSinceMs = 0;

  constructor(
    audio: AudioTaker,
    listener: StreamListener,
    messages: MediaMessages,
    counts: WorkerCounts,
    nowMs: () => number,
  ) {
    this.#audio = audio;
    this.#listener = listener;
    this.#messages = messages;
    this.#counts = counts;
    this.#nowMs = nowMs;
  }

  /** Whether it has begun. */
  get isUp(): boolean {
    return this.#stream !== undefined;
  }

  /** The stream is this one, from now on. */
  begin(streamSid: StreamSid): void {
    this.#stream = new StreamMessages(streamSid, this.#messages);
    this.#listener.started(this.#stream);
  }

  /** Nothing more is read, and nothing written to the stream. */
  close(): void {
    this.#stream?.close();
  }

  /** Takes one message. `bytes` belongs to the lane and is reused after this returns. */
  read(bytes: Uint8Array): void {
    const messages = this.#messages;
    const stream = this.#stream;
    if (stream === undefined) this.#control(decodeMessage(bytes));
    else if (!messages.read(bytes)) this.#other(bytes, stream.streamSid);
    else if (stream.isOwn) this.#audio.accept(messages.timestampMs, messages.codes);
    else this.#listener.violated("foreign_stream");
  }

  #other(bytes: Uint8Array, streamSid: StreamSid): void {
    const name = readMark(bytes, streamSid);
    if (name === undefined) this.#control(decodeMessage(bytes));
    else this.#listener.mark(name);
  }

  #control(message: Message): void {
    const listener = this.#listener;
    const stream = this.#stream;
    if (message.event === "malformed") return this.#unreadable();
    if (message.event === "ignored" || message.event === "connected") return;
    if (message.event === "start") {
      if (stream !== undefined) return listener.violated("start_twice");
      return this.begin(message.streamSid);
    }
    if (stream === undefined) return listener.violated("early_message");
    if (message.streamSid !== stream.streamSid) return listener.violated("foreign_stream");
    switch (message.event) {
      case "media":
        if (message.track !== "inbound") return;
        return this.#audio.accept(message.timestampMs, message.payload);
      case "mark":
        return listener.mark(message.name);
      case "dtmf":
        return listener.dtmf(message.digit);
      case "stop":
        return listener.stopped();
      default:
        assertNever(message);
    }
  }

  #unreadable(): void {
    this.#counts.add("messagesMalformed");
    const nowMs = this.#nowMs();
    if (nowMs - this.#malformedSinceMs > MALFORMED_MS) {
      this.#malformedSinceMs = nowMs;
      this.#malformed = 0;
    }
    if (++this.#malformed > MALFORMED_MAX) this.#listener.violated("malformed");
  }
}
