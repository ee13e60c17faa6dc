// Lists of calls out of the database, found and encoded in the store's thread, so that the front thread only passes
// bytes on. Conditions become SQL of constant parts, with every value bound.
import type { KeyObject } from "node:crypto";
import type { Db } from "../../store/open.ts";
import type { Vault } from "../../store/vault.ts";
import { linksOf, RunLinks } from "../recordings/links.ts";
import { type RunRow, recordOf, type StoredEvent } from "./records.store.ts";
import type { CallRecord } from "./records.ts";
import { reportLine } from "./report.ts";
import { MODES_OF, NO_WORKFLOW, type RunCondition } from "./runFilters.ts";
import { runAnswer, usageRun } from "./runView.ts";
import { mayHaveUntoldError } from "./runWords.ts";

export interface RunQuery {
  readonly conditions: readonly RunCondition[];
  readonly sortBy: "created_at" | "duration";
  readonly order: "asc" | "desc";
  /** From 1 on. */
  readonly page: number;
  /** Runs on a page. */
  readonly limit: number;
}

/** The last line of one piece of a report, which the next begins after. */
export interface ReportPlace {
  readonly receivedAtMs: number;
  readonly run: number;
}

export interface ReportPiece {
  /** Lines of CSV, UTF-8. */
  readonly lines: Uint8Array;
  /** Undefined once there are no more. */
  readonly next: ReportPlace | undefined;
}

/** Whole seconds, to the nearest; NULL before the end. Indexed as it is written here, see store/schema.ts. */
const DURATION = "max(0, ended_at_ms - coalesce(started_at_ms, ended_at_ms) + 500) / 1000";
/** The conditions that the indexes by duration can tell; others would have them look into every row. */
const TOLD_BY_DURATION: ReadonlySet<RunCondition["is"]> = new Set(["workflow", "duration", "up_to_run"]);

/** Which sum and which totals a page of a list has; its runs come as rows. */
interface Found {
  readonly records: readonly CallRecord[];
  readonly names: readonly (string | null)[];
  readonly count: number;
  readonly durationS: number;
  readonly newestRun: number;
}

type NamedRow = RunRow & { readonly workflow_name: string | null };

export function runStore(db: Db, vault: Vault) {
  const linkKey = vault.keyFor("links");
  const links = new RunLinks(linkKey);
  const encoder = new TextEncoder();
  const newestRun = db.prepare("SELECT coalesce(max(id), 0) FROM runs").pluck();
  const eventsOf = db.prepare<[number], StoredEvent>(
    `SELECT at_ms, kind, detail, sequence, facts FROM run_events
     WHERE run_id = ? AND facts IS NULL ORDER BY ordinal`, // no list shows what a call's own code told
  );
  const named = db.prepare<[string], NamedRow>(
    `SELECT r.*, w.name AS workflow_name
     FROM json_each(?) wanted JOIN runs r ON r.id = wanted.value LEFT JOIN workflows w ON w.id = r.workflow_id
     ORDER BY wanted.key`,
  );

  /** The rows with these ids, in this order. */
  function read(ids: readonly number[]): Pick<Found, "records" | "names"> {
    const rows = named.all(JSON.stringify(ids));
    return { records: rows.map(withErrors), names: rows.map((row) => row.workflow_name) };
  }
  /** With its events, if only those tell what Twilio has to do with its end. */
  function withErrors(row: RunRow): CallRecord {
    const record = recordOf(row, []);
    return mayHaveUntoldError(record) ? recordOf(row, eventsOf.all(record.run)) : record;
  }

  function totals(conditions: readonly RunCondition[]): Pick<Found, "count" | "durationS"> {
    const { sql, values } = where(conditions);
    return db
      .prepare(`SELECT count(*) AS count, coalesce(sum(${DURATION}), 0) AS durationS FROM runs ${sql}`)
      .get(...values) as Pick<Found, "count" | "durationS">;
  }

  function find(query: RunQuery): Found {
    const { sql, values } = where(query.conditions);
    const { page, limit } = query;
    const ids = db
      .prepare(`SELECT id FROM runs ${sql} ${orderOf(query)} LIMIT ? OFFSET ?`)
      .pluck()
      .all(...values, limit, (page - 1) * limit) as number[];
    return { ...read(ids), ...totals(query.conditions), newestRun: newestRun.get() as number };
  }

  const encoded = (value: unknown) => encoder.encode(JSON.stringify(value));
  return {
    /** What links to recordings and transcripts are made with. */
    linkKey(): KeyObject {
      return linkKey;
    },
    /** One workflow's runs: the answer's body. `nowMs` is wall clock, as are all times here. */
    workflowPage(query: RunQuery, applied: unknown, nowMs: number, publicBase: string): Uint8Array {
      const found = find(query);
      return encoded({
        runs: found.records.map((record) =>
          runAnswer(record, nowMs, linksOf(record, links, publicBase, nowMs)),
        ),
        ...pagingOf(query, found),
        applied_filters: applied,
      });
    },
    /** All runs with what they used: the answer's body. */
    usagePage(query: RunQuery, nowMs: number, publicBase: string): Uint8Array {
      const found = find(query);
      return encoded({
        runs: found.records.map((record, index) =>
          usageRun(record, found.names[index]!, linksOf(record, links, publicBase, nowMs)),
        ),
        total_dograh_tokens: 0,
        total_duration_seconds: found.durationS,
        ...pagingOf(query, found),
      });
    },
    count(conditions: readonly RunCondition[]): number {
      return totals(conditions).count;
    },
    /** At most `limit` lines of a report, oldest run first, from after `place` on. */
    reportPiece(
      conditions: readonly RunCondition[],
      place: ReportPlace | undefined,
      limit: number,
      nowMs: number,
    ): ReportPiece {
      const { sql, values } = where(conditions);
      const after = `${sql === "" ? "WHERE" : `${sql} AND`} (received_at_ms, id) > (?, ?)`;
      const { receivedAtMs, run } = place ?? { receivedAtMs: -1, run: 0 };
      const ids = db
        .prepare(`SELECT id FROM runs ${after} ORDER BY received_at_ms, id LIMIT ?`)
        .pluck()
        .all(...values, receivedAtMs, run, limit) as number[];
      const { records, names } = read(ids);
      const lines = records.map((record, index) =>
        reportLine({ record, workflowName: names[index]!, nowMs }),
      );
      const last = records.length === limit ? records.at(-1) : undefined;
      return {
        lines: encoder.encode(lines.join("")),
        next: last && { receivedAtMs: last.receivedAtMs, run: last.run },
      };
    },
  };
}

function pagingOf({ page, limit }: RunQuery, { count, newestRun }: Found) {
  return {
    total_count: count,
    page,
    limit,
    total_pages: Math.ceil(count / limit),
    newest_run: newestRun,
  };
}

/** Equals in the order of their ids, so that no run is on two pages. */
function orderOf({ sortBy, order, conditions }: RunQuery): string {
  const direction = order === "asc" ? "ASC" : "DESC";
  if (sortBy === "created_at") return `ORDER BY received_at_ms ${direction}, id ${direction}`;
  // A plus sign keeps SQLite from an index.
  const key = conditions.every(({ is }) => TOLD_BY_DURATION.has(is)) ? DURATION : `+(${DURATION})`;
  return `ORDER BY ${key} ${direction} NULLS LAST, id ${direction}`;
}

interface Clause {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

function where(conditions: readonly RunCondition[]): Clause {
  const clauses = conditions.map(clauseOf);
  return {
    sql: clauses.length === 0 ? "" : `WHERE ${clauses.map(({ sql }) => sql).join(" AND ")}`,
    values: clauses.flatMap(({ values }) => values),
  };
}

function clauseOf(condition: RunCondition): Clause {
  switch (condition.is) {
    case "received":
      return within("received_at_ms", condition.fromMs, condition.toMs);
    case "duration":
      return within(DURATION, condition.minS, condition.maxS, "ended_at_ms IS NOT NULL");
    case "outcome":
      return clause("outcome IN (SELECT value FROM json_each(?))", JSON.stringify(condition.anyOf));
    case "over":
      return clause(`outcome IS ${condition.over ? "NOT " : ""}NULL`);
    case "run":
      return clause("id = ?", condition.run);
    case "up_to_run":
      return clause("id <= ?", condition.run);
    case "workflow":
      return condition.workflowId === NO_WORKFLOW
        ? clause("workflow_id IS NULL")
        : clause("workflow_id = ?", condition.workflowId);
    case "caller":
      return clause("instr(from_address, ?) > 0", condition.contains);
    case "called":
      return clause("instr(to_address, ?) > 0", condition.contains);
    case "direction":
      return clause("direction = ?", condition.direction);
    case "channel": {
      const { channel } = condition;
      const others = [...MODES_OF.web, ...MODES_OF.chat];
      return channel === "telephony"
        ? clause("mode NOT IN (SELECT value FROM json_each(?))", JSON.stringify(others))
        : clause("mode IN (SELECT value FROM json_each(?))", JSON.stringify(MODES_OF[channel]));
    }
    case "never":
      return clause("0");
  }
}

function clause(sql: string, ...values: readonly (string | number)[]): Clause {
  return { sql, values };
}

/** `otherwise` is what must hold where neither bound says it. */
function within(
  expression: string,
  least: number | undefined,
  most: number | undefined,
  otherwise = "1",
): Clause {
  const parts: string[] = [];
  const values: number[] = [];
  if (least !== undefined) {
    parts.push(`${expression} >= ?`);
    values.push(least);
  }
  if (most !== undefined) {
    parts.push(`${expression} <= ?`);
    values.push(most);
  }
  return { sql: parts.length === 0 ? otherwise : parts.join(" AND "), values };
}
