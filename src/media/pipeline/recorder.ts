// What a call needs of a recorder. Where the audio goes, and what a file looks like, is the recorder's business.
import type { News } from "../../lane/news.ts";
import type { CallTicket } from "../../lane/ticket.ts";

/** Records one call, both sides. Nothing here waits or throws: what can't be written is dropped and told. */
export interface Recorder {
  /** 20 ms of the caller as mu-law, in order and without gaps. Valid during the call only. */
  caller(mulaw: Uint8Array): void;
  /** 20 ms for the caller's ear, the bytes `[start, end)`, played from `playMs` on: up to 200 ms from now. */
  agent(mulaw: Uint8Array, start: number, end: number, playMs: number): void;
  /** What was to be played after this moment is unsaid. */
  cleared(nowMs: number): void;
  /** Called about every 20 ms. */
  tick(nowMs: number): void;
  /** The call is over. */
  finish(nowMs: number): void;
}

/** `startedMs` is when the stream began, by the clock all threads share; earlier than now for a call that is resumed. */
export type MakeRecorder = (ticket: CallTicket, startedMs: number, tell: (news: News) => void) => Recorder;
