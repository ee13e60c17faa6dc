// Takes Twilio's word on a call, wherever it came from, to the call's record and to the call itself.
import type { RunId } from "../../domain/ids.ts";
import { isTerminal } from "../../twilio/voiceWebhook.ts";
import type { LiveCall } from "../live/liveCall.ts";
import type { CallObserver } from "../observer.ts";
import { endingAfter, eventOf, isLate, progressAfter, type StatusReport } from "./callStatus.ts";
import { closeRecord, type RecordCloserParts } from "./ending.ts";

export interface StatusParts extends RecordCloserParts {
  readonly observer: Pick<CallObserver, "ended" | "statusLate">;
  readonly calls: { find(run: RunId): LiveCall | undefined };
}

/** Whether the call is over by what was said. The record is one of those in memory. */
export function hearStatus(parts: StatusParts, run: RunId, report: StatusReport): boolean {
  const { records, calls, clock } = parts;
  const nowMs = clock.wallMs();
  const record = records.get(run);
  if (record === undefined) return isTerminal(report.status);
  if (isLate(record, report)) parts.observer.statusLate();
  records.append(run, eventOf(record, report, nowMs));
  if (record.direction === "outbound") {
    const progress = progressAfter(record, report, nowMs);
    if (Object.keys(progress).length > 0) records.update(run, progress);
  }
  if (!isTerminal(report.status)) return false;
  calls.find(run)?.apply({ type: "caller_left" });
  const ending = endingAfter(record, report, nowMs);
  if (ending !== undefined) closeRecord(parts, run, ending);
  return true;
}
