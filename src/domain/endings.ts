// Why a call ended. One closed list: it labels the metric, fills the record and picks what the caller hears.

/** Endings of calls that were answered. */
export const END_REASONS = [
  "caller_hung_up", // the caller, by a stop message or a terminal status
  "agent_hung_up", // the agent, after its last words were heard
  "no_stream", // Twilio never opened the media stream, or it never sent an acceptable start
  "media_lost", // the stream's socket died or fell silent without a stop
  "protocol_error", // Twilio's side of the stream broke the contract after its start
  "agent_failed", // the agent could not be reached or broke off
  "call_error", // an exception in this call's own code
  "worker_lost", // two media workers died under it
  "max_duration", // the workflow's limit
  "silence", // nobody spoke for the workflow's limit
  "drained", // the gateway was shut down and its deadline passed
  "operator_hung_up", // by the API
  "lost", // the gateway was gone before the call was over; found at its next start
] as const;
export type EndReason = (typeof END_REASONS)[number];

/** Why a call was refused at the webhook, before anything was answered. */
export const REFUSALS = [
  "number_unknown",
  "number_inactive",
  "workflow_missing",
  "workflow_archived",
  "workflow_invalid",
  "calls_at_limit",
  "draining",
  "no_worker",
  "overloaded", // one call more would have cost the others their quality
  "log_full", // what was to be written to the call log waits for a store that can't write
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Endings of outbound calls that nobody answered. */
export const DIAL_ENDINGS = [
  "busy",
  "no_answer",
  "dial_failed", // Twilio or the carrier could not reach it
  "canceled", // before it was answered
  "not_placed", // Twilio refused it, or never had it
] as const;
export type DialEnding = (typeof DIAL_ENDINGS)[number];

/** The one reason in a call's record. */
export const OUTCOMES = [...END_REASONS, ...REFUSALS, ...DIAL_ENDINGS] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What an accepted stream did against the contract. Labels `linecard_stream_violations_total`. */
export const STREAM_VIOLATIONS = [
  "no_start", // no start within five seconds
  "early_message", // media, a mark, a digit or stop before the start
  "start_mismatch", // a start for another call or account than the token's
  "start_format", // audio that is not mu-law at 8 kHz, one channel
  "start_twice",
  "foreign_stream", // a message of another stream
  "binary", // Twilio sends text only
  "flood", // far more messages than a call has
  "malformed", // one message after the other that could not be read
] as const;
export type StreamViolation = (typeof STREAM_VIOLATIONS)[number];

/** What Twilio is told to do with the caller once the stream is over. */
export type Farewell = "hang_up" | "apologize";

/** A good goodbye is followed by nothing; a failure is never followed by dead air. */
export function farewellOf(reason: EndReason): Farewell {
  switch (reason) {
    case "caller_hung_up":
    case "agent_hung_up":
    case "max_duration":
    case "operator_hung_up":
      return "hang_up";
    case "no_stream":
    case "media_lost":
    case "protocol_error":
    case "agent_failed":
    case "call_error":
    case "worker_lost":
    case "silence":
    case "drained":
    case "lost":
      return "apologize";
  }
}
