// One number brought to how it should be at Twilio, step by step; each step is recorded before the next. Whose turn
// it is, and what happens after a failure, is sync.ts's business.
import type { TwilioAccess, TwilioNumber, TwilioRest } from "../../twilio/rest.ts";
import type { StoredNumber } from "../numbers.store.ts";
import { comesTo, planPlacing, planPuttingBack, stillCalls } from "./syncPlan.ts";
import type { NumberSync, Places, SyncEvent, SyncReason } from "./syncState.ts";

export interface Settling {
  readonly number: Pick<StoredNumber, "address" | "type" | "isActive" | "inboundWorkflowId">;
  readonly sync: NumberSync;
  /** What should stand at Twilio. */
  readonly places: Places;
  /** Whether Twilio, as this account reaches it, can call there. */
  readonly isReachable: boolean;
  readonly access: TwilioAccess;
  readonly rest: TwilioRest;
  /** The number as Twilio has it, where that was asked just now. */
  readonly found?: TwilioNumber | undefined;
  /** Resolves once what happened can't be forgotten. */
  readonly record: (event: SyncEventWithoutSpread) => Promise<void>;
}

type SyncEventWithoutSpread =
  | Exclude<SyncEvent, { readonly type: "failed" }>
  | { readonly type: "failed"; readonly failure: { readonly reason: SyncReason; readonly by?: string } };

/** Whether calls to this number should come here. */
export function isWanted({ type, isActive, inboundWorkflowId }: Settling["number"]): boolean {
  return type === "pstn" && isActive && inboundWorkflowId !== undefined;
}

/** Throws TwilioFailure, which is for the caller to record. */
export async function settle(settling: Settling): Promise<void> {
  const { number, sync } = settling;
  if (isWanted(number)) await place(settling);
  else if (sync.ours !== undefined) await putBack(settling);
  else await look(settling);
}

async function place(settling: Settling): Promise<void> {
  const { number, sync, places, isReachable, access, rest, record } = settling;
  const fail = (reason: SyncReason) => record({ type: "failed", failure: { reason } });
  if (!isReachable) return fail("loopback");
  const found = settling.found ?? (await rest.findNumber(access, number.address));
  if (found === undefined) return fail("not_owned");
  const { sid: numberSid } = found;
  const plan = planPlacing(found, sync, places, sync.may ?? "keep");
  switch (plan.do) {
    case "leave":
      return record({ type: "foreign", numberSid, found: plan.found });
    case "report_override":
      return record({ type: "failed", failure: { reason: "overridden", by: plan.by } });
    case "nothing":
      return record({ type: "as_wanted", numberSid, placed: places });
    case "place": {
      await record({ type: "placing", numberSid, placed: places, before: plan.before });
      const changed = await rest.updateNumber(access, numberSid, plan.changes);
      if (!comesTo(changed, places)) return fail("not_kept");
      return record({ type: "as_wanted", numberSid, placed: places });
    }
  }
}

/**
 * Has what stood there before us stand there again, unless somebody has put something else there meanwhile. Throws
 * TwilioFailure, which is for the caller to record.
 */
export async function putBack({ number, sync, access, rest, found, record }: Settling): Promise<void> {
  const { numberSid } = sync;
  const now =
    found ??
    (await (numberSid === undefined
      ? rest.findNumber(access, number.address)
      : rest.getNumber(access, numberSid)));
  const changes = now === undefined ? {} : planPuttingBack(now, sync);
  if (now !== undefined && Object.keys(changes).length > 0) {
    const changed = await rest.updateNumber(access, now.sid, changes);
    if (stillCalls(changed, sync)) return record({ type: "failed", failure: { reason: "not_kept" } });
  }
  return record({ type: "nothing_there", numberSid: now?.sid });
}

/** Whether the number is the account's; nothing is changed. */
async function look({ number, sync, access, rest, found, record }: Settling): Promise<void> {
  if (number.type !== "pstn" || !number.isActive) {
    return record({ type: "nothing_there", numberSid: sync.numberSid });
  }
  const now = found ?? (await rest.findNumber(access, number.address));
  if (now === undefined) return record({ type: "failed", failure: { reason: "not_owned" } });
  return record({ type: "nothing_there", numberSid: now.sid });
}
