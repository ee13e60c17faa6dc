// The call log with 100,000 runs in it: lists, totals and reports are quick, and records of calls are written while a
// report is made. Figures are printed; what is asserted leaves a slow machine room.
import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { type RunParts, runOperations } from "../../../src/calls/log/runOperations.ts";
import { RunLinks } from "../../../src/calls/recordings/links.ts";
import { systemClock } from "../../../src/domain/clock.ts";
import { WorkflowId } from "../../../src/domain/ids.ts";
import { type Operation, routesOf } from "../../../src/http/operation.ts";
import { type ApiAnswer, ApiClient } from "../../support/api.ts";
import { newStore } from "../../support/gateway.ts";
import { EPOCH_MS, saveRuns, storedRun } from "../../unit/calls/log/storedRuns.ts";
import { startFront } from "../front/rig.ts";

const RUNS = 100_000;
/** What one report holds at most, as it is promised. */
const REPORTED = 50_000;
/** A page is asked for while calls are going on, and their records wait for it. */
const PAGE_MS = 500;
const REPORT_MS = 60_000;
/** While a report is made, a record waits for one piece of it at most. */
const WRITE_MS = 500;

const REPORT = "/api/v1/organizations/usage/runs/report";
/** Of an operation that looks at its query alone. */
const INPUT = {
  params: undefined,
  headers: undefined,
  body: undefined,
  caller: { keyId: undefined },
  request: undefined as never,
};

const { store, remove } = await newStore();
after(() => store.close().then(remove));

const parts: RunParts = {
  store,
  records: { get: () => undefined, committed: async () => {} },
  directory: { workflow: (id) => ({ id }) as never },
  clock: systemClock,
  links: new RunLinks(createSecretKey(randomBytes(32))),
  publicBase: () => "https://gateway.test",
};
const operations: readonly Operation[] = runOperations(parts);

function* records(from: number, to: number) {
  for (let run = from; run <= to; run++) {
    const startedAtMs = EPOCH_MS + run * 60_000;
    yield storedRun(run, {
      workflowId: WorkflowId(run % 20 === 0 ? 2 : 1),
      outcome: run % 7 === 0 ? "busy" : "caller_hung_up",
      direction: run % 3 === 0 ? "outbound" : "inbound",
      from: `+1202555${1_000 + (run % 9_000)}`,
      startedAtMs,
      endedAtMs: startedAtMs + ((run * 7_919) % 600_000),
      initialContext: { customer: `Customer ${run}`, notes: "n".repeat(200) },
      events: ["received", "stream_opened", "stream_started", "ended"].map((kind) => ({
        atMs: startedAtMs,
        kind: kind as "received",
      })),
    });
  }
}

describe(`a call log of ${RUNS} runs`, () => {
  before(async () => {
    await store.workflows.create("one", "One", { definition: {} }, 0);
    await store.workflows.create("two", "Two", { definition: {} }, 0);
    await saveRuns(store, records(1, RUNS));
  });

  it("is listed, counted and summed quickly, whatever the page, order and filters", async (t) => {
    const routes = routesOf(operations, () => ({ keyId: undefined }));
    const api = new ApiClient(`http://127.0.0.1:${(await startFront(t, { routes })).port}`);
    const filtered = (...each: readonly object[]) => `filters=${encodeURIComponent(JSON.stringify(each))}`;
    const caller = (value: string) => filtered({ attribute: "callerNumber", type: "text", value: { value } });
    const busy = filtered({ attribute: "dispositionCode", value: { codes: ["busy"] } });
    const none = filtered({ attribute: "dispositionCode", value: { codes: ["drained"] } });
    const runs = "/api/v1/workflow/1/runs?limit=100&";
    const usage = "/api/v1/organizations/usage/runs?limit=100&";
    const asked: Readonly<Record<string, string>> = {
      "newest page": runs,
      "last page": `${runs}page=950`,
      "longest calls": `${runs}sort_by=duration`,
      "last page by duration": `${runs}sort_by=duration&page=950`,
      "busy calls": `${runs}${busy}`,
      "busy calls, longest first": `${runs}sort_by=duration&${busy}`,
      "an outcome no call had": `${runs}${none}`,
      "the same by duration": `${runs}sort_by=duration&${none}`,
      "calls of a month, a minute or longer": `${runs}${filtered(
        { attribute: "dateRange", value: { from: "2026-05-01", to: "2026-05-31" } },
        { attribute: "duration", value: { min: 60 } },
      )}`,
      usage,
      "usage, last page": `${usage}page=1000`,
      "usage of a month": `${usage}start_date=2026-05-01&end_date=2026-05-31`,
      "usage by part of a number": `${usage}${caller("5551")}`,
      "usage by a number nobody has": `${usage}${caller("999999999")}`,
      "usage, longest first": `${usage}sort_by=duration`,
      "usage by part of a number, longest first": `${usage}sort_by=duration&${caller("5551")}`,
    };
    for (const [what, path] of Object.entries(asked)) {
      const answers: { ms: number; answer: ApiAnswer }[] = [];
      for (let n = 0; n < 5; n++) {
        const startedMs = performance.now();
        const answer = await api.get(path);
        answers.push({ ms: performance.now() - startedMs, answer });
      }
      const [median] = answers
        .map(({ ms }) => ms)
        .sort((a, b) => a - b)
        .slice(2);
      const { status, body } = answers[0]!.answer;
      t.diagnostic(`${what}: ${median!.toFixed(1)} ms, ${body.runs.length} of ${body.total_count}`);
      assert.equal(status, 200);
      assert.ok(median! < PAGE_MS, `${what} took ${median} ms`);
    }
  });

  it("becomes one CSV, while records of calls are written", async (t) => {
    const report = operations.find(({ path }) => path === REPORT)!;
    const query = { end_date: EPOCH_MS + REPORTED * 60_000 };
    const waits: number[] = [];
    let isMade = false;
    let longestStallMs = 0;
    let lastMs = performance.now();
    const watch = setInterval(() => {
      longestStallMs = Math.max(longestStallMs, performance.now() - lastMs - 1);
      lastMs = performance.now();
    }, 1);
    t.after(() => clearInterval(watch));
    const startedMs = performance.now();
    const made = Promise.resolve(report.run({ ...INPUT, query })).finally(() => {
      isMade = true;
    });
    const written = (async () => {
      for (let run = RUNS + 1; !isMade; run++) {
        const askedMs = performance.now();
        await saveRuns(store, [storedRun(run)]);
        waits.push(performance.now() - askedMs);
      }
    })();
    const [answer] = await Promise.all([made, written]);
    const { body } = answer as { body: Uint8Array };
    const tookMs = performance.now() - startedMs;
    waits.sort((a, b) => a - b);
    const p99 = waits[Math.floor(waits.length * 0.99)]!;
    let lines = 0;
    for (const byte of body) if (byte === 10) lines++;
    t.diagnostic(
      `${lines - 1} rows, ${(body.length / 1e6).toFixed(1)} MB in ${tookMs.toFixed(0)} ms; ` +
        `${waits.length} records written meanwhile, median ${waits[waits.length >> 1]!.toFixed(1)} ms, ` +
        `p99 ${p99.toFixed(1)} ms; longest stall of the asking thread ${longestStallMs.toFixed(1)} ms`,
    );
    assert.equal(lines, REPORTED + 1);
    assert.ok(tookMs < REPORT_MS, `${tookMs} ms`);
    assert.ok(waits.length > 20 && p99 < WRITE_MS, `${waits.length} records, p99 ${p99} ms`);
  });

  it("is not cut short: a report of more is refused, saying how to ask for less", async () => {
    const report = operations.find(({ path }) => path === REPORT)!;
    await assert.rejects(
      async () => report.run({ ...INPUT, query: {} }),
      /at most 50000: narrow it down with start_date and end_date/,
    );
  });
});

describe("reports", () => {
  it("are made two at a time; who asks for a third is told to come back", async () => {
    const report = operations.find(({ path }) => path === REPORT)!;
    const ask = async () => report.run({ ...INPUT, query: { end_date: EPOCH_MS + 1_000 * 60_000 } });
    const first = [ask(), ask()];
    await assert.rejects(ask, ({ code, retryAfterS }: { code: string; retryAfterS: number }) => {
      return code === "TOO_MANY" && retryAfterS > 0;
    });
    await Promise.all(first);
    await ask();
  });

  it("have a limit in bytes too, whatever the runs carry", async () => {
    const own = await newStore();
    try {
      const notes = "n".repeat(60_000);
      const heavy = Array.from({ length: 600 }, (_, n) => storedRun(n + 1, { initialContext: { notes } }));
      await saveRuns(own.store, heavy);
      const report = runOperations({ ...parts, store: own.store }).find(({ path }) => path === REPORT)!;
      await assert.rejects(
        async () => report.run({ ...INPUT, query: {} }),
        /longer than 32 MB: narrow it down/,
      );
    } finally {
      await own.store.close();
      own.remove();
    }
  });
});
