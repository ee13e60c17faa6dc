// What becomes of the calls that were not over when the gateway went away. Pure: one rule, asked at each start.
import type { CallRecord } from "../log/records.ts";

/** A call that was asked for this long ago no longer rings: 60 s, Twilio's buffer, and its own queue before it. */
const RINGING_MAX_MS = 150_000;

/**
 *   keep     it has not been begun
 *   settle   whether Twilio placed it has to be found out
 *   follow   it may still be ringing: Twilio's words on it, or asking, tell how it goes on
 *   lost     it can't be gone on with; `words` say why
 */
export type Afterlife =
  | { readonly kind: "keep" | "settle" | "follow" }
  | { readonly kind: "lost"; readonly words: string };

/** For a record without an outcome. `nowMs` is by the wall clock. */
export function afterRestart(record: CallRecord, nowMs: number): Afterlife {
  const { direction, state, submittedAtMs, callSid } = record;
  if (state === "created") return { kind: "keep" };
  if (direction === "outbound") {
    switch (state) {
      case "queued":
        return {
          kind: "lost",
          words: "The gateway stopped before it had asked Twilio for the call, so none was placed.",
        };
      case "submitting":
        return { kind: "settle" };
      case "placed":
      case "ringing": {
        const isYoung = submittedAtMs !== undefined && Math.abs(nowMs - submittedAtMs) <= RINGING_MAX_MS;
        if (isYoung && callSid !== undefined) return { kind: "follow" };
      }
    }
  }
  return { kind: "lost", words: "The gateway stopped before the call was over and can't tell how it ended." };
}
