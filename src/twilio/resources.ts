// Twilio's accounts, numbers and calls as this gateway sees them, read from what the `twilio` package makes of
// Twilio's answers. The package trusts them; here a missing field is undefined and a foreign answer is refused.
import assert from "node:assert/strict";
import type { CallInstance } from "twilio/lib/rest/api/v2010/account/call.js";
import type { IncomingPhoneNumberInstance } from "twilio/lib/rest/api/v2010/account/incomingPhoneNumber.js";
import type { AccountInstance } from "twilio/lib/rest/api/v2010/account.js";
import { CallSid } from "../domain/ids.ts";
import { CALL_STATUSES, type CallStatus } from "./voiceWebhook.ts";

export interface TwilioAccount {
  readonly status: "active" | "suspended" | "closed";
  readonly type: "Trial" | "Full";
  readonly friendlyName: string;
}

export type HttpMethod = "GET" | "POST";

/** What a number does with calls, as it is set: an empty text clears a field. */
export interface VoiceSettings {
  readonly voiceUrl: string;
  readonly voiceMethod: HttpMethod;
  /** Twilio refuses it (21405) on a number without voiceUrl. */
  readonly voiceFallbackUrl: string;
  readonly voiceFallbackMethod: HttpMethod;
  readonly statusCallback: string;
  readonly statusCallbackMethod: HttpMethod;
  /** While it is set Twilio ignores voiceUrl. */
  readonly voiceApplicationSid: string;
  /** While it is set Twilio ignores voiceUrl. */
  readonly trunkSid: string;
}

/** A number the account owns. What Twilio has empty is undefined. */
export interface TwilioNumber {
  /** `PN` and 32 hex digits. */
  readonly sid: string;
  /** E.164. */
  readonly phoneNumber: string;
  readonly friendlyName: string;
  readonly voiceUrl: string | undefined;
  readonly voiceMethod: HttpMethod | undefined;
  readonly voiceFallbackUrl: string | undefined;
  readonly voiceFallbackMethod: HttpMethod | undefined;
  readonly statusCallback: string | undefined;
  readonly statusCallbackMethod: HttpMethod | undefined;
  readonly voiceApplicationSid: string | undefined;
  readonly trunkSid: string | undefined;
  readonly capabilities: { readonly voice: boolean };
}

/** A call as Twilio has it at the moment; its record there may lag behind the callbacks. */
export interface TwilioCall {
  readonly sid: CallSid;
  /** Undefined: a word Twilio has added since. */
  readonly status: CallStatus | undefined;
  readonly to: string;
  readonly from: string;
  readonly direction: string | undefined;
  readonly answeredBy: string | undefined;
  /** Since the epoch, to the second. */
  readonly createdAtMs: number | undefined;
  readonly startedAtMs: number | undefined;
  readonly endedAtMs: number | undefined;
  /** From answer to end; undefined until it is over. */
  readonly durationS: number | undefined;
}

// The readers assert what makes a resource what it is; their caller turns that into a failure of the answer.

export function readAccount(account: AccountInstance): TwilioAccount {
  const { status, type } = account;
  assert(status === "active" || status === "suspended" || status === "closed", "an account's status");
  // Types that Twilio might add are paid ones: nothing is warned about that isn't known to be on trial.
  return {
    status,
    type: type === "Trial" ? "Trial" : "Full",
    friendlyName: text(account.friendlyName) ?? "",
  };
}

export function readNumber(number: IncomingPhoneNumberInstance): TwilioNumber {
  const sid = text(number.sid);
  const phoneNumber = text(number.phoneNumber);
  assert(sid !== undefined && phoneNumber !== undefined, "a number's SID and number");
  return {
    sid,
    phoneNumber,
    friendlyName: text(number.friendlyName) ?? "",
    voiceUrl: text(number.voiceUrl),
    voiceMethod: method(number.voiceMethod),
    voiceFallbackUrl: text(number.voiceFallbackUrl),
    voiceFallbackMethod: method(number.voiceFallbackMethod),
    statusCallback: text(number.statusCallback),
    statusCallbackMethod: method(number.statusCallbackMethod),
    voiceApplicationSid: text(number.voiceApplicationSid),
    trunkSid: text(number.trunkSid),
    capabilities: { voice: (number.capabilities as { voice?: unknown } | undefined)?.voice === true },
  };
}

export function readCall(call: CallInstance): TwilioCall {
  const sid = text(call.sid);
  assert(sid !== undefined && /^CA[0-9a-zA-Z]{1,62}$/.test(sid), "a call's SID");
  const duration = text(call.duration);
  return {
    sid: CallSid(sid),
    status: CALL_STATUSES.find((status) => status === call.status),
    to: text(call.to) ?? "",
    from: text(call.from) ?? "",
    direction: text(call.direction),
    answeredBy: text(call.answeredBy),
    createdAtMs: moment(call.dateCreated),
    startedAtMs: moment(call.startTime),
    endedAtMs: moment(call.endTime),
    durationS: duration !== undefined && /^[0-9]+$/.test(duration) ? Number(duration) : undefined,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function method(value: unknown): HttpMethod | undefined {
  return value === "GET" || value === "POST" ? value : undefined;
}

/** The package gives a Date, or the text as it was when that is none. */
function moment(value: unknown): number | undefined {
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.getTime() : undefined;
}
