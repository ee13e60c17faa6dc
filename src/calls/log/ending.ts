// Closes the record of a call that is not live, or never was. A live call's record is closed by the call itself.
import type { Clock } from "../../domain/clock.ts";
import type { Outcome } from "../../domain/endings.ts";
import type { RunId } from "../../domain/ids.ts";
import type { CallObserver } from "../observer.ts";
import { type CallRecords, type EndedBy, endedByOf } from "./records.ts";

export interface RecordCloserParts {
  readonly records: CallRecords;
  readonly observer: Pick<CallObserver, "ended">;
  readonly clock: Clock;
}

export interface RecordEnding {
  readonly outcome: Outcome;
  readonly endedBy?: EndedBy;
  /** Now, unless it is known better. */
  readonly endedAtMs?: number;
  readonly twilioCode?: number | undefined;
  /** For the timeline, after the outcome. */
  readonly words?: string | undefined;
}

/** One ending, one reason: a record that has one keeps it. */
export function closeRecord(parts: RecordCloserParts, run: RunId, ending: RecordEnding): void {
  const { records, observer, clock } = parts;
  const record = records.get(run);
  if (record === undefined || record.outcome !== undefined) return;
  const { outcome, twilioCode, words } = ending;
  const nowMs = clock.wallMs();
  records.update(run, {
    outcome,
    endedBy: ending.endedBy ?? endedByOf(outcome, record.direction),
    endedAtMs: ending.endedAtMs ?? nowMs,
    ...(twilioCode !== undefined && { twilioCode }),
  });
  records.append(run, {
    atMs: nowMs,
    kind: "ended",
    detail: words === undefined ? outcome : `${outcome}: ${words}`,
  });
  observer.ended({ run, callSid: record.callSid }, record.direction, outcome, 0);
}
