// The call log, as a story asks it.
import assert from "node:assert/strict";
import type { CallRecord } from "../../src/calls/log/records.ts";
import { CallSid } from "../../src/domain/ids.ts";
import type { Gateway } from "../../src/gateway.ts";
import { until } from "./until.ts";

/** The record of a call, by the id that Twilio gave it. */
export function recordOf(gateway: Gateway, { sid }: { readonly sid: string }): CallRecord {
  const record = gateway.records.find(CallSid(sid));
  assert(record, `there is no record of ${sid}`);
  return record;
}

/** Resolves once nothing of the call is left but its record. */
export function isReleased(gateway: Gateway, { sid }: { readonly sid: string }): Promise<void> {
  return until("the call to be over", () => gateway.calls.find(CallSid(sid)) === undefined);
}
