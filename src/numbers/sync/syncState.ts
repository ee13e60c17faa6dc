// How a number stands with Twilio: data that is stored beside it, and one pure function that says what becomes of
// it. Asks nothing, and knows no time but what it is told.
import { assertNever } from "../../domain/errors.ts";
import type { FailureKind } from "../../twilio/failure.ts";
import type { VoiceSettings } from "../../twilio/resources.ts";

export const SYNC_STATES = ["none", "pending", "in_sync", "failed", "drifted"] as const;

export const SYNC_REASONS = [
  "credentials",
  "suspended",
  "refused",
  "rate_limited",
  "unreachable",
  "unknown",
  "not_owned", //   the account has no such number
  "loopback", //    our own address means nothing to Twilio
  "overridden", //  a SIP trunk or an application answers instead of the number's address
  "not_kept", //    Twilio took a change and doesn't show it
] as const satisfies readonly (FailureKind | string)[];

/** Why a number is not as it should be; the first six are Twilio's ways to fail. */
export type SyncReason = (typeof SYNC_REASONS)[number];

export interface SyncFailure {
  readonly reason: SyncReason;
  /** What Twilio's refusal means, whole sentences; where Twilio was asked. */
  readonly words?: string;
  /** The trunk's or application's SID. */
  readonly by?: string;
}

/** The addresses that a number gets at Twilio, all asked by POST. */
export type Places = Pick<VoiceSettings, "voiceUrl" | "voiceFallbackUrl" | "statusCallback">;

/**
 * What may be done at Twilio to a number. `keep`: nothing that isn't ours is touched. `replace`: an address that
 * isn't ours makes room for ours. `release`: the number is taken off its trunk or application as well.
 */
export type May = "keep" | "replace" | "release";

/** Milliseconds since the epoch throughout. */
export type SyncState =
  /** Nothing is wanted of Twilio, and nothing of ours stands there. */
  | { readonly state: "none"; readonly checkedAtMs?: number }
  /** Ordered, and not done yet. */
  | { readonly state: "pending"; readonly attempts: number }
  | { readonly state: "in_sync"; readonly checkedAtMs: number }
  | {
      readonly state: "failed";
      readonly failure: SyncFailure;
      readonly attempts: number;
      readonly checkedAtMs: number;
      /** Undefined: it can't pass by itself. */
      readonly retryAtMs?: number;
    }
  /** Somebody else's address stands where ours should. */
  | { readonly state: "drifted"; readonly found: string; readonly checkedAtMs: number };

/** What is known of Twilio's side in every state. */
export interface Held {
  /** Twilio's SID of the number. */
  readonly numberSid?: string;
  /**
   * What we put there and have not taken back, the newest last. More than one while it isn't known which of them
   * Twilio has: they are written down before Twilio is told, so that no crash forgets one.
   */
  readonly ours?: readonly Places[];
  /** What stood there before us, to be put back. */
  readonly before?: VoiceSettings;
  /** What the user has ordered and was not done yet; `keep` unless given. */
  readonly may?: May;
}

export type NumberSync = SyncState & Held;

export type SyncEvent =
  /** A user's act. */
  | { readonly type: "ordered"; readonly may: May }
  /** Twilio is about to be told. */
  | {
      readonly type: "placing";
      readonly numberSid: string;
      readonly placed: Places;
      readonly before: VoiceSettings;
    }
  /** Ours stands there. */
  | { readonly type: "as_wanted"; readonly numberSid: string; readonly placed: Places }
  | { readonly type: "foreign"; readonly numberSid: string; readonly found: string }
  /** Nothing of ours stands there, as wanted. */
  | { readonly type: "nothing_there"; readonly numberSid: string | undefined }
  /** `spread`: 0 to 1, for its next try; undefined when it gets none of its own. */
  | { readonly type: "failed"; readonly failure: SyncFailure; readonly spread?: number | undefined };

/** Past it the oldest is forgotten: so many bases in a row, with Twilio never answering, are not expected. */
const OURS_MAX = 4;

export const NOTHING: NumberSync = { state: "none" };

/** Pure. */
export function next(sync: NumberSync, event: SyncEvent, nowMs: number): NumberSync {
  const held = heldOf(sync);
  switch (event.type) {
    case "ordered":
      return { ...held, state: "pending", attempts: 0, may: event.may };
    case "placing": {
      const { numberSid, placed, before } = event;
      const ours = [...(held.ours ?? []), placed].slice(-OURS_MAX);
      return { ...held, numberSid, ours, before, state: "pending", attempts: attemptsOf(sync) };
    }
    case "as_wanted": {
      const { may: _, ...rest } = held;
      const { numberSid, placed } = event;
      return { ...rest, numberSid, ours: [placed], state: "in_sync", checkedAtMs: nowMs };
    }
    case "foreign": {
      const { may: _, ...rest } = held;
      const { numberSid, found } = event;
      return { ...rest, numberSid, state: "drifted", found, checkedAtMs: nowMs };
    }
    case "nothing_there": {
      const { numberSid } = event;
      return { state: "none", checkedAtMs: nowMs, ...(numberSid !== undefined && { numberSid }) };
    }
    case "failed": {
      const { failure, spread } = event;
      const attempts = attemptsOf(sync) + 1;
      const isRetried = spread !== undefined && mayPass(failure.reason);
      const retry = isRetried && { retryAtMs: nowMs + backoffMs(attempts, spread) };
      const { may, ...rest } = held;
      // Who takes a number off its trunk may give it another address then, which the old order says nothing about.
      const order = may !== undefined && failure.reason !== "overridden" && { may };
      return { ...rest, ...order, state: "failed", failure, attempts, checkedAtMs: nowMs, ...retry };
    }
    default:
      return assertNever(event);
  }
}

/** Whether time alone may mend it. */
export function mayPass(reason: SyncReason): boolean {
  return MAY_PASS.includes(reason);
}

const MAY_PASS: readonly SyncReason[] = ["unreachable", "unknown", "rate_limited", "not_kept"];
const BACKOFF_FIRST_MS = 5_000;
const BACKOFF_MAX_MS = 15 * 60_000;

/** Doubled with every attempt, and up to half as much again by `spread` (0 to 1), so that numbers don't ask at once. */
export function backoffMs(attempts: number, spread: number): number {
  return Math.round(Math.min(BACKOFF_FIRST_MS * 2 ** (attempts - 1), BACKOFF_MAX_MS) * (1 + spread / 2));
}

/** From 0 up to 1, the same for each id, and far apart for neighbours (Knuth's multiplicative hash). */
export function spreadOf(id: number): number {
  return ((id * 2_654_435_761) % 2 ** 32) / 2 ** 32;
}

function heldOf({ numberSid, ours, before, may }: NumberSync): Held {
  return {
    ...(numberSid !== undefined && { numberSid }),
    ...(ours !== undefined && { ours }),
    ...(before !== undefined && { before }),
    ...(may !== undefined && { may }),
  };
}

function attemptsOf(sync: NumberSync): number {
  return sync.state === "failed" || sync.state === "pending" ? sync.attempts : 0;
}
