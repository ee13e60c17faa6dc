// What calls tell whoever counts and logs. Implemented by the composition root over metrics and the log.
import type { Outcome, StreamViolation } from "../domain/endings.ts";
import type { CallSid, RunId } from "../domain/ids.ts";
import type { News } from "../lane/news.ts";
import type { StreamRefusal } from "./live/stream.ts";

/** Every answer a Twilio webhook can get. Labels `linecard_webhook_answers_total`. */
export const WEBHOOK_ANSWERS = [
  "connect", // the call is answered
  "repeat", // the same TwiML again
  "reject", // nobody answers this number
  "busy", // full, or shutting down
  "hang_up",
  "apologize",
  "noted", // a status, taken down
  "forbidden", // signature missing or wrong, or a stranger's account
  "malformed",
] as const;
export type WebhookAnswer = (typeof WEBHOOK_ANSWERS)[number];

/** What stands in a log line of a call: enough to find it, nothing of who it is. */
export interface CallLabel {
  /** Undefined for a call that Twilio never had. */
  readonly callSid: CallSid | undefined;
  readonly run: RunId;
}

/** A call's side of the metrics and the log. */
export interface CallObserver {
  webhookAnswered(answer: WebhookAnswer, tookMs: number): void;
  ended(
    call: CallLabel,
    direction: "inbound" | "outbound",
    outcome: Outcome,
    talkedMs: number,
    error?: string,
  ): void;
  replaced(call: CallLabel): void;
  /** What its worker tells of a call while it goes on. Texts in it are what was said: not for a log. */
  told(call: CallLabel, news: News): void;
  streamRefused(reason: StreamRefusal): void;
  streamViolated(call: CallLabel, violation: StreamViolation): void;
  /** A stream was given up: nothing came and no ping was answered, or nobody reads it. */
  streamSilent(call: CallLabel): void;
  /** A status callback came after a later one of its call. */
  statusLate(): void;
  /** Frames that the socket did not take. */
  framesRefused(frames: number): void;
  /** The operator should know; `remedy` says what to do. */
  hint(what: string, remedy: string): void;
}
