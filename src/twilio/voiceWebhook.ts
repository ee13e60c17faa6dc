// What Twilio's voice webhooks and stream status callbacks say, as typed values. It reads parameters that are
// already known to be signed, and keeps what callers look like as Twilio sent it.
import { AccountSid, CallSid, StreamSid } from "../domain/ids.ts";
import { type FormParams, param } from "./forms.ts";

/** A call's progress, in the order it is made. The last five are terminal. */
export const CALL_STATUSES = [
  "queued",
  "initiated",
  "ringing",
  "in-progress",
  "completed",
  "busy",
  "failed",
  "no-answer",
  "canceled",
] as const;
export type CallStatus = (typeof CALL_STATUSES)[number];

export const TERMINAL_STATUSES = ["completed", "busy", "failed", "no-answer", "canceled"] as const;
export type TerminalStatus = (typeof TERMINAL_STATUSES)[number];

/** Whether a call with this status is over. */
export function isTerminal(status: string | undefined): status is TerminalStatus {
  return isOneOf(TERMINAL_STATUSES, status);
}

const DIRECTIONS = ["inbound", "outbound-api", "outbound-dial"] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** What all voice webhooks of a call have in common. Absent and unknown words are undefined. */
export interface VoiceWebhook {
  readonly callSid: CallSid;
  readonly accountSid: AccountSid;
  /** As sent, untrimmed: a number, `anonymous`, `client:x`, `sip:…`, any text, or empty. */
  readonly from: string;
  /** As sent, untrimmed. */
  readonly to: string;
  /** The telephone number in `from`, in the one form numbers are compared in. */
  readonly fromNumber: string | undefined;
  /** The telephone number in `to`: what inbound calls are routed by. */
  readonly toNumber: string | undefined;
  readonly callStatus: CallStatus | undefined;
  readonly direction: Direction | undefined;
  /** The caller ID's attestation, such as `TN-Validation-Passed-A`. */
  readonly stirVerstat: string | undefined;
  readonly forwardedFrom: string | undefined;
  readonly callerName: string | undefined;
}

/** Undefined when CallSid or AccountSid is missing, repeated or garbled: then it is no voice webhook. */
export function readVoiceWebhook(params: FormParams): VoiceWebhook | undefined {
  const callSid = sid(params, "CallSid");
  const accountSid = sid(params, "AccountSid");
  if (callSid === undefined || accountSid === undefined) return undefined;
  const from = param(params, "From") ?? "";
  const to = param(params, "To") ?? "";
  return {
    callSid: CallSid(callSid),
    accountSid: AccountSid(accountSid),
    from,
    to,
    fromNumber: phoneNumberIn(from),
    toNumber: phoneNumberIn(to),
    callStatus: oneOf(CALL_STATUSES, param(params, "CallStatus")),
    direction: oneOf(DIRECTIONS, param(params, "Direction")),
    stirVerstat: textOf(params, "StirVerstat"),
    forwardedFrom: textOf(params, "ForwardedFrom"),
    callerName: textOf(params, "CallerName"),
  };
}

/**
 * The E.164 form of a telephone number, `+` and 7 to 15 digits, however it is spaced or bracketed; undefined for
 * anything else. A missing `+` is forgiven, since a form that forgot to escape it sends a space.
 */
export function phoneNumberIn(address: string): string | undefined {
  const compact = address.replace(/[\s().-]/g, "");
  return /^\+?[1-9][0-9]{6,14}$/.test(compact) ? `+${compact.replace("+", "")}` : undefined;
}

const STREAM_EVENTS = ["stream-started", "stream-stopped", "stream-error"] as const;

/** What Twilio's side of a media stream reports about it. */
export interface StreamStatus {
  readonly callSid: CallSid;
  readonly accountSid: AccountSid;
  readonly streamSid: StreamSid;
  /** `other`: an event Twilio has added since. */
  readonly event: (typeof STREAM_EVENTS)[number] | "other";
  /** Twilio's words, with `stream-error` only. */
  readonly error: string | undefined;
  /** ISO 8601 as sent, to the nanosecond. */
  readonly timestamp: string | undefined;
}

/** Undefined when one of the three SIDs is missing, repeated or garbled. */
export function readStreamStatus(params: FormParams): StreamStatus | undefined {
  const callSid = sid(params, "CallSid");
  const accountSid = sid(params, "AccountSid");
  const streamSid = sid(params, "StreamSid");
  if (callSid === undefined || accountSid === undefined || streamSid === undefined) return undefined;
  return {
    callSid: CallSid(callSid),
    accountSid: AccountSid(accountSid),
    streamSid: StreamSid(streamSid),
    event: oneOf(STREAM_EVENTS, param(params, "StreamEvent")) ?? "other",
    error: textOf(params, "StreamError"),
    timestamp: textOf(params, "Timestamp"),
  };
}

/** Real SIDs have 32 hex digits after their two letters, those in Twilio's documentation fewer and any letters. */
const SIDS = {
  CallSid: /^CA[0-9a-zA-Z]{1,62}$/,
  AccountSid: /^AC[0-9a-zA-Z]{1,62}$/,
  StreamSid: /^MZ[0-9a-zA-Z]{1,62}$/,
};

function sid(params: FormParams, name: keyof typeof SIDS): string | undefined {
  const value = param(params, name);
  return value !== undefined && SIDS[name].test(value) ? value : undefined;
}

/** Twilio sends some parameters empty rather than not at all. */
function textOf(params: FormParams, name: string): string | undefined {
  return param(params, name) || undefined;
}

function oneOf<Word extends string>(words: readonly Word[], word: string | undefined): Word | undefined {
  return isOneOf(words, word) ? word : undefined;
}

function isOneOf<Word extends string>(words: readonly Word[], word: string | undefined): word is Word {
  return (words as readonly (string | undefined)[]).includes(word);
}
