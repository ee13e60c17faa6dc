// What a record's timeline tells that no field of it does, and the order in which it is to be read.
import type { CallLogEvent, CallRecord } from "./records.ts";

type Timeline = Pick<CallRecord, "events">;

/** Begins the `queued` line of a call that a trial account places. */
export const TRIAL = "trial";

/** Whether it was placed by an account that Twilio had on trial. */
export function wasTrial({ events }: Timeline): boolean {
  return events.some(({ kind, detail }) => kind === "queued" && detail?.startsWith(`${TRIAL}:`));
}

/** Whether the operator wants it over. */
export function wasHangUpAsked({ events }: Timeline): boolean {
  return events.some(({ kind }) => kind === "hang_up_asked");
}

/** Whether Twilio has said that the call is over, or that it has none. */
export function isOverAtTwilio({ events }: Timeline): boolean {
  return events.some(
    ({ kind, detail = "" }) =>
      kind === "call_status" && /^(completed|busy|failed|no-answer|canceled)\b/.test(detail),
  );
}

/**
 * As what happened came about, not as we were told: callbacks stand in Twilio's order, what a worker told at its own
 * time, and all else where it was.
 */
export function inOrder(events: readonly CallLogEvent[]): readonly CallLogEvent[] {
  const told = events
    .filter(({ sequence }) => sequence !== undefined)
    .sort((one, other) => one.sequence! - other.sequence!);
  const notes = events.filter(isNote).sort((one, other) => one.atMs - other.atMs);
  const others = events
    .filter((event) => !isNote(event))
    .map((event) => (event.sequence === undefined ? event : told.shift()!));
  const before = (event: CallLogEvent) => {
    const later = notes.findIndex(({ atMs }) => atMs >= event.atMs);
    return notes.splice(0, later < 0 ? notes.length : later);
  };
  return [...others.flatMap((event) => [...before(event), event]), ...notes];
}

function isNote({ facts }: CallLogEvent): boolean {
  return facts !== undefined;
}
