// Call records and their timelines in the database. Saving is repeatable: the same record saved twice, or again
// after a crash in between, is the same rows.
import type { RunId } from "../../domain/ids.ts";
import type { Db } from "../../store/open.ts";
import type { CallFacts, CallLogEvent, CallRecord } from "./records.ts";

/** A record's present state, and those of its events that are not in the database yet. */
export interface RecordChange {
  readonly record: Omit<CallRecord, "events">;
  readonly firstOrdinal: number;
  readonly events: readonly CallLogEvent[];
}

/** Facts that nothing is looked up by stand together in one column. */
type LooseFacts = Pick<CallFacts, "stirVerstat" | "forwardedFrom" | "callerName" | "initialContext"> &
  Pick<CallRecord, "isApologized" | "recordingFile" | "hasTranscript">;

const COLUMNS: readonly (readonly [column: string, field: keyof CallRecord])[] = [
  ["id", "run"],
  ["name", "name"],
  ["mode", "mode"],
  ["direction", "direction"],
  ["state", "state"],
  ["outcome", "outcome"],
  ["ended_by", "endedBy"],
  ["call_sid", "callSid"],
  ["account_sid", "accountSid"],
  ["configuration_id", "configurationId"],
  ["number_id", "numberId"],
  ["from_address", "from"],
  ["to_address", "to"],
  ["workflow_id", "workflowId"],
  ["workflow_version", "workflowVersion"],
  ["definition_id", "definitionId"],
  ["received_at_ms", "receivedAtMs"],
  ["submitted_at_ms", "submittedAtMs"],
  ["ringing_at_ms", "ringingAtMs"],
  ["answered_at_ms", "answeredAtMs"],
  ["started_at_ms", "startedAtMs"],
  ["ended_at_ms", "endedAtMs"],
  ["heard_ms", "heardMs"],
  ["digits", "digits"],
  ["answered_by", "answeredBy"],
  ["twilio_code", "twilioCode"],
];
/** Integers in the database, so that fractions of a millisecond are not refused. */
const isTime = (field: string) => field.endsWith("Ms");

export interface StoredEvent {
  readonly at_ms: number;
  readonly kind: CallLogEvent["kind"];
  readonly detail: string | null;
  readonly sequence: number | null;
  readonly facts: string | null;
}
export type RunRow = Readonly<Record<string, string | number | null>>;

export function recordStore(db: Db) {
  const names = [...COLUMNS.map(([column]) => column), "facts"];
  const updates = names.slice(1).map((name) => `${name} = excluded.${name}`);
  const upsert = db.prepare(
    `INSERT INTO runs (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})
     ON CONFLICT (id) DO UPDATE SET ${updates.join(", ")}`,
  );
  const insertEvent = db.prepare(
    `INSERT INTO run_events (run_id, ordinal, at_ms, kind, detail, sequence, facts) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  );
  const eventsOf = db.prepare<[number], StoredEvent>(
    "SELECT at_ms, kind, detail, sequence, facts FROM run_events WHERE run_id = ? ORDER BY ordinal",
  );
  const byRun = db.prepare<[number], RunRow>("SELECT * FROM runs WHERE id = ?");
  const byCallSid = db.prepare<[string], RunRow>("SELECT * FROM runs WHERE call_sid = ?");
  const newest = db.prepare<[number], RunRow>("SELECT * FROM runs ORDER BY id DESC LIMIT ?");
  const open = db.prepare<[], RunRow>(
    "SELECT * FROM runs WHERE outcome IS NULL AND state != 'created' ORDER BY id",
  );
  const lastRun = db.prepare("SELECT coalesce(max(id), 0) FROM runs").pluck();

  const withEvents = (row: RunRow): CallRecord => recordOf(row, eventsOf.all(row.id as number));
  const saveOne = db.transaction(({ record, firstOrdinal, events }: RecordChange) => {
    upsert.run(...COLUMNS.map(([, field]) => columnOf(field, record)), JSON.stringify(looseFacts(record)));
    for (const [index, { atMs, kind, detail = null, sequence = null, facts }] of events.entries()) {
      const ordinal = firstOrdinal + index;
      const told = facts === undefined ? null : JSON.stringify(facts);
      insertEvent.run(record.run, ordinal, Math.round(atMs), kind, detail, sequence, told);
    }
  });

  return {
    /** One transaction. Gives back the runs that the database's rules refuse, whose fellows are written all the same. */
    save: db.transaction((changes: readonly RecordChange[]): RunId[] => {
      const refused: RunId[] = [];
      for (const change of changes) {
        try {
          saveOne(change);
        } catch (error) {
          if (!/^SQLITE_CONSTRAINT/.test((error as { code?: string }).code ?? "")) throw error;
          refused.push(change.record.run);
        }
      }
      return refused;
    }) as (changes: readonly RecordChange[]) => RunId[],

    lastRun(): number {
      return lastRun.get() as number;
    },
    /** With their events, oldest first: those that are not over, and the newest `count`. */
    current(count: number): CallRecord[] {
      const rows = new Map<number, RunRow>();
      for (const row of [...open.all(), ...newest.all(count).reverse()]) rows.set(row.id as number, row);
      return [...rows.values()].sort((a, b) => (a.id as number) - (b.id as number)).map(withEvents);
    },
    get(run: RunId): CallRecord | undefined {
      const row = byRun.get(run);
      return row && withEvents(row);
    },
    find(callSid: string): CallRecord | undefined {
      const row = byCallSid.get(callSid);
      return row && withEvents(row);
    },
  };
}

function columnOf(field: keyof CallRecord, record: RecordChange["record"]): string | number | null {
  const value = record[field as keyof typeof record] as string | number | undefined;
  if (value === undefined) return null;
  return isTime(field) ? Math.round(value as number) : value;
}

function looseFacts(record: LooseFacts): LooseFacts {
  const { stirVerstat, forwardedFrom, callerName, initialContext } = record;
  const { isApologized, recordingFile, hasTranscript } = record;
  return {
    ...{ stirVerstat, forwardedFrom, callerName, initialContext },
    ...{ isApologized, recordingFile, hasTranscript },
  };
}

/** A row and its events as a record; absent values are undefined. */
export function recordOf(row: RunRow, events: readonly StoredEvent[]): CallRecord {
  const fields = COLUMNS.map(([column, field]) => [field, row[column] ?? undefined]);
  const loose = JSON.parse(row.facts as string) as LooseFacts;
  const record = {
    ...Object.fromEntries(fields),
    from: row.from_address ?? "",
    to: row.to_address ?? "",
    ...loose,
  };
  return { ...record, events: events.map(eventOf) } as CallRecord;
}

function eventOf({ at_ms: atMs, kind, detail, sequence, facts }: StoredEvent): CallLogEvent {
  return {
    atMs,
    kind,
    ...(detail !== null && { detail }),
    ...(sequence !== null && { sequence }),
    ...(facts !== null && { facts: JSON.parse(facts) }),
  };
}
