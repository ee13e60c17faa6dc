// What the database finds, held against a plain filter over the same records.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import type { CallRecord } from "../../../../src/calls/log/records.ts";
import {
  type RunCondition,
  readUsageFilters,
  readWorkflowFilters,
} from "../../../../src/calls/log/runFilters.ts";
import type { RunQuery } from "../../../../src/calls/log/runs.store.ts";
import { callDurationS } from "../../../../src/calls/log/runView.ts";
import { OUTCOMES } from "../../../../src/domain/endings.ts";
import { newStore } from "../../../support/gateway.ts";
import { parseCsv } from "./csv.ts";
import { anyRun, EPOCH_MS, saveRuns, storedRun } from "./storedRuns.ts";

const SEED = 20_260_402;
const RUNS = 400;

const { store, remove } = await newStore();
after(() => store.close().then(remove));
const [records] = fc.sample(fc.tuple(...Array.from({ length: RUNS }, (_, n) => anyRun(n + 1))), {
  seed: SEED,
  numRuns: 1,
}) as [CallRecord[]];
await saveRuns(store, records);

/** The rule in plain words, once more. */
function holds(condition: RunCondition, record: CallRecord): boolean {
  const within = (value: number | undefined, least = -Infinity, most = Infinity) =>
    value !== undefined && value >= least && value <= most;
  switch (condition.is) {
    case "received":
      return within(record.receivedAtMs, condition.fromMs, condition.toMs);
    case "duration":
      return within(callDurationS(record), condition.minS, condition.maxS);
    case "outcome":
      return record.outcome !== undefined && condition.anyOf.includes(record.outcome);
    case "over":
      return (record.outcome !== undefined) === condition.over;
    case "run":
      return record.run === condition.run;
    case "up_to_run":
      return record.run <= condition.run;
    case "workflow":
      return (record.workflowId ?? 0) === condition.workflowId;
    case "caller":
      return record.from.includes(condition.contains);
    case "called":
      return record.to.includes(condition.contains);
    case "direction":
      return record.direction === condition.direction;
    case "channel":
      return { telephony: ["twilio", "other"], web: ["smallwebrtc"], chat: ["textchat"] }[
        condition.channel
      ].includes(record.mode);
    case "never":
      return false;
  }
}

const moment = fc.integer({ min: -1, max: 21 }).map((minute) => EPOCH_MS + minute * 60_000);
const seconds = fc.constantFrom(-1, 0, 0.5, 1, 2, 60, 61, 3_600, 4_000);
const bounds = <Key extends string>(least: Key, most: Key, value: fc.Arbitrary<number>) =>
  fc.record({ [least]: value, [most]: value } as Record<Key, fc.Arbitrary<number>>, { requiredKeys: [] });
const condition: fc.Arbitrary<RunCondition> = fc.oneof(
  bounds("fromMs", "toMs", moment).map((range) => ({ is: "received" as const, ...range })),
  bounds("minS", "maxS", seconds).map((range) => ({ is: "duration" as const, ...range })),
  fc
    .array(fc.constantFrom(...OUTCOMES, "other", "'; DROP TABLE runs; --"), { maxLength: 8 })
    .map((anyOf) => ({
      is: "outcome" as const,
      anyOf,
    })),
  fc.boolean().map((over) => ({ is: "over" as const, over })),
  fc.integer({ min: 0, max: RUNS + 5 }).map((run) => ({ is: "run" as const, run })),
  fc.integer({ min: 0, max: RUNS + 5 }).map((run) => ({ is: "up_to_run" as const, run })),
  fc.constantFrom(0, 1, 2, 3).map((workflowId) => ({ is: "workflow" as const, workflowId })),
  fc
    .tuple(
      fc.constantFrom("caller" as const, "called" as const),
      fc.constantFrom("+1202", "0100", "%", "_", "a_b%", "'", "x"),
    )
    .map(([is, contains]) => ({ is, contains })),
  fc
    .constantFrom("inbound" as const, "outbound" as const)
    .map((direction) => ({ is: "direction" as const, direction })),
  fc
    .constantFrom("telephony" as const, "web" as const, "chat" as const)
    .map((channel) => ({ is: "channel" as const, channel })),
);
const query = fc.record({
  conditions: fc.array(condition, { maxLength: 3 }),
  sortBy: fc.constantFrom("created_at" as const, "duration" as const),
  order: fc.constantFrom("asc" as const, "desc" as const),
  page: fc.integer({ min: 1, max: 4 }),
  limit: fc.integer({ min: 1, max: 100 }),
});

function plainly({ conditions, sortBy, order }: Pick<RunQuery, "conditions" | "sortBy" | "order">) {
  const sign = order === "asc" ? 1 : -1;
  const key = (record: CallRecord) => (sortBy === "created_at" ? record.receivedAtMs : callDurationS(record));
  return records
    .filter((record) => conditions.every((each) => holds(each, record)))
    .sort((a, b) => {
      const [one, other] = [key(a), key(b)];
      if (one === undefined || other === undefined) {
        if (one !== other) return one === undefined ? 1 : -1;
      } else if (one !== other) return sign * (one - other);
      return sign * (a.run - b.run);
    });
}

const decoder = new TextDecoder();
const parsed = (body: Uint8Array) => JSON.parse(decoder.decode(body));

describe("a list of runs", () => {
  it("is what a plain filter finds, in its order, page by page, with its totals", async (t) => {
    t.diagnostic(`seed ${SEED}`);
    let found = 0;
    await fc.assert(
      fc.asyncProperty(query, async (wanted) => {
        const expected = plainly(wanted);
        found += Number(expected.length > 0);
        const { page, limit } = wanted;
        const ids = expected.slice((page - 1) * limit, page * limit).map(({ run }) => run);
        const shared = {
          total_count: expected.length,
          page,
          limit,
          total_pages: Math.ceil(expected.length / limit),
          newest_run: RUNS,
        };
        const { runs, ...paging } = parsed(await store.runs.workflowPage(wanted, null, EPOCH_MS, ""));
        assert.deepEqual(
          runs.map(({ id }: { id: number }) => id),
          ids,
        );
        assert.deepEqual(paging, { ...shared, applied_filters: null });
        const { runs: used, ...totals } = parsed(await store.runs.usagePage(wanted, EPOCH_MS, ""));
        assert.deepEqual(
          used.map(({ id }: { id: number }) => id),
          ids,
        );
        const durationS = expected.reduce((sum, record) => sum + (callDurationS(record) ?? 0), 0);
        assert.deepEqual(totals, { ...shared, total_dograh_tokens: 0, total_duration_seconds: durationS });
      }),
      { seed: SEED, numRuns: 500 },
    );
    assert.ok(found > 200, `${found} of 500 queries found anything`);
  });

  it("holds in a report what it holds, oldest first, whatever the size of the pieces", async () => {
    await fc.assert(
      fc.asyncProperty(query, async ({ conditions, limit }) => {
        const expected = plainly({ conditions, sortBy: "created_at", order: "asc" });
        const lines: string[][] = [];
        let place: Parameters<typeof store.runs.reportPiece>[1];
        do {
          const piece = await store.runs.reportPiece(conditions, place, limit, EPOCH_MS);
          lines.push(...parseCsv(decoder.decode(piece.lines)));
          place = piece.next;
        } while (place !== undefined);
        assert.deepEqual(
          lines.map(([id]) => Number(id)),
          expected.map(({ run }) => run),
        );
        assert.equal(await store.runs.count(conditions), expected.length);
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it("takes nothing a filter says for SQL or for a pattern", async () => {
    for (const text of ["' OR 1=1 --", "%", "x'); DELETE FROM runs; --", '"]'])
      for (const attribute of ["callerNumber", "calledNumber"]) {
        const { conditions } = readUsageFilters(JSON.stringify([{ attribute, value: { value: text } }]));
        const field = attribute === "callerNumber" ? "from" : "to";
        const expected = records.filter((record) => record[field].includes(text)).length;
        assert.equal(await store.runs.count(conditions), expected, text);
      }
    const codes = ["busy') OR 1=1 --", '"', "]", "busy"];
    const { conditions } = readWorkflowFilters(
      JSON.stringify([{ attribute: "dispositionCode", value: { codes } }]),
    );
    assert.equal(
      await store.runs.count(conditions),
      records.filter(({ outcome }) => outcome === "busy").length,
    );
    assert.equal(await store.runs.count([]), RUNS);
  });
});

describe("pages", () => {
  it("up to the newest run there was show every run once, though calls come in meanwhile", async () => {
    const own = await newStore();
    try {
      await saveRuns(
        own.store,
        Array.from({ length: 50 }, (_, n) => storedRun(n + 1, { receivedAtMs: EPOCH_MS })),
      );
      const seen: number[] = [];
      let upTo: number | undefined;
      for (let page = 1; page <= 5; page++) {
        const conditions: RunCondition[] = upTo === undefined ? [] : [{ is: "up_to_run", run: upTo }];
        const wanted = { conditions, sortBy: "created_at", order: "desc", page, limit: 10 } as const;
        const { runs, newest_run, total_count } = parsed(
          await own.store.runs.workflowPage(wanted, null, 0, ""),
        );
        upTo ??= newest_run;
        assert.equal(total_count, 50);
        seen.push(...runs.map(({ id }: { id: number }) => id));
        await saveRuns(own.store, [storedRun(50 + page, { receivedAtMs: EPOCH_MS })]);
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 50 }, (_, n) => 50 - n),
      );
    } finally {
      await own.store.close();
      own.remove();
    }
  });
});
