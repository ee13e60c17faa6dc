// The database can't be written for a while: calls go on, their records wait, and are all there afterwards.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createSecretKey, randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { Worker } from "node:worker_threads";
import { BACKLOG_MAX, CallLog, type RecordKeeper } from "../../../src/calls/log/callLog.ts";
import type { CallFacts } from "../../../src/calls/log/records.ts";
import { systemClock } from "../../../src/domain/clock.ts";
import { GatewayError } from "../../../src/domain/errors.ts";
import { CallSid, RunId } from "../../../src/domain/ids.ts";
import { failureOf } from "../../../src/store/failure.ts";
import { openDatabase } from "../../../src/store/open.ts";
import { prepareOperations } from "../../../src/store/operations.ts";
import { Vault } from "../../../src/store/vault.ts";
import { ECHO_NUMBER, startStory } from "../../support/gateway.ts";
import { folder } from "../../support/process.ts";
import { recordOf } from "../../support/records.ts";
import { allFree, until } from "../../support/until.ts";

/** So long the store waits for a lock before an operation fails. */
const BUSY_MS = 5_000;

const facts = (n: number): CallFacts => ({
  ...{ callSid: CallSid(`CA of the story ${n}`), accountSid: undefined, configurationId: undefined },
  ...{ direction: "inbound", from: "", to: "", numberId: undefined, workflowId: undefined },
  ...{ workflowVersion: undefined, definitionId: undefined },
});

/** Another process that holds the database until it is told to let go. */
async function lockElsewhere(t: TestContext, databasePath: string): Promise<() => Promise<unknown>> {
  const script = `
    const db = new (require("better-sqlite3"))(process.argv[1]);
    db.exec("BEGIN IMMEDIATE");
    process.stdout.write("held");
    process.stdin.once("data", () => { db.exec("ROLLBACK"); db.close(); process.exit(0); });
  `;
  const cwd = new URL("../../../", import.meta.url);
  const child: ChildProcess = spawn(process.execPath, ["-e", script, databasePath], {
    cwd,
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout!, "data");
  return () => {
    const gone = once(child, "exit");
    child.stdin!.write("let go\n");
    return gone;
  };
}

describe("a database that another process holds", () => {
  it("stops no call: records wait, admission closes at the bound, and all is written when it is free", async (t) => {
    const lines: string[] = [];
    const story = await startStory({ onLogLine: (line) => lines.push(line) });
    const { gateway, twilio, store, databasePath, origin } = story;
    const told = (words: string) => lines.filter((line) => line.includes(words)).length;
    const letGo = await lockElsewhere(t, databasePath);

    const call = await twilio.dial({ to: ECHO_NUMBER });
    const stream = await call.connect();
    await stream.hasPlayed(100);
    assert.ok(gateway.records.backlog > 0, "its record waits");
    const STALLED = "the call log can't be written; calls go on";
    await until("the log to stall", () => told(STALLED) > 0, 4 * BUSY_MS);
    const playedMs = stream.playedMs;
    await stream.hasPlayed(playedMs + 200);
    assert.equal((await call.hangUp()).how, "caller");
    const { run } = recordOf(gateway, call);
    assert.equal(recordOf(gateway, call).outcome, "caller_hung_up");

    const runs = Array.from({ length: BACKLOG_MAX }, (_, n) => gateway.records.open(facts(n), n));
    assert.equal(gateway.calls.refusal(), "log_full");
    const refused = await twilio.dial({ to: ECHO_NUMBER });
    assert.match(refused.webhook!.body, /<Reject reason="busy"\/>/);
    assert.equal(gateway.records.find(CallSid(refused.sid)), undefined, "which makes no record more");
    const ready = await fetch(`${origin}/readyz`);
    assert.deepEqual([ready.status, JSON.parse(await ready.text()).refusal], [503, "log_full"]);

    await letGo();
    await until("the log to be written again", () => told("the call log is written again") > 0, 4 * BUSY_MS);
    await gateway.records.committed();
    assert.deepEqual([told(STALLED), told("the call log is written again")], [1, 1]);
    const written = await store.records.get(run);
    assert.equal(written?.outcome, "caller_hung_up");
    assert.deepEqual(written?.events, recordOf(gateway, call).events);
    assert.equal((await store.records.get(runs.at(-1)!))?.callSid, facts(BACKLOG_MAX - 1).callSid);
    assert.equal(gateway.calls.refusal(), undefined);
    const next = await twilio.dial({ to: ECHO_NUMBER });
    assert.match(next.webhook!.body, /<Stream /);
    await (await next.connect()).hasPlayed(40);
    await next.hangUp();
    await allFree(story);
  });
});

describe("a store's thread that dies under a gateway", () => {
  it("takes no call and no record along", async (t) => {
    const born: Worker[] = [];
    const note = (worker: Worker) => born.push(worker);
    process.on("worker", note);
    t.after(() => process.off("worker", note));
    const story = await startStory();
    const { gateway, twilio, store } = story;
    const storeThread = () => born[0]!; // made before the media workers
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const stream = await call.connect();
    await stream.hasPlayed(100);
    const workers = gateway.pool.state().workers;
    await storeThread().terminate();
    assert.equal(gateway.pool.state().workers, workers, "no media worker was meant");
    const other = await twilio.dial({ to: ECHO_NUMBER });
    await (await other.connect()).hasPlayed(60);
    await stream.hasPlayed(stream.playedMs + 200);
    for (const each of [call, other]) assert.equal((await each.hangUp()).how, "caller");
    await allFree(story);
    for (const each of [call, other]) {
      const record = recordOf(gateway, each);
      const isWritten = async () => (await store.records.get(record.run))?.outcome === "caller_hung_up";
      await until("its record to be written", isWritten);
    }
  });
});

describe("a disk that is full", () => {
  it("loses no record: what did not fit is written once there is room", async (t) => {
    const vault = new Vault(createSecretKey(randomBytes(32)));
    const path = join(folder(t), "linecard.db");
    const { db, close } = openDatabase(path, vault);
    t.after(close);
    const { records } = prepareOperations(db, vault);
    const attempt = async <Value>(operation: () => Value): Promise<Value> => {
      try {
        return operation();
      } catch (error) {
        const failure = failureOf(error, path);
        assert.ok("failed" in failure, JSON.stringify(failure));
        throw new GatewayError(failure.failed.code, failure.failed.message);
      }
    };
    const keeper: RecordKeeper = {
      save: (changes) => attempt(() => records.save(changes)),
      get: (run) => attempt(() => records.get(run)),
      find: (callSid) => attempt(() => records.find(callSid)),
    };
    const told: string[] = [];
    const log = new CallLog(keeper, { lastRun: 0, records: [] }, systemClock, {
      onStalled: (why) => told.push(why),
      onResumed: () => told.push("resumed"),
      onRefused: (run) => assert.fail(`${run}`),
    });
    log.open(facts(1), 1);
    await log.committed();

    const pages = db.pragma("page_count", { simple: true }) as number;
    db.pragma(`max_page_count = ${pages + 2}`);
    const RUNS = 2_000;
    for (let n = 2; n <= RUNS; n++) log.append(log.open(facts(n), n), { atMs: n, kind: "received" });
    await assert.rejects(log.committed(), /can't be used now \(SQLITE_FULL\)/);
    assert.deepEqual(told, ["the database can't be used now (SQLITE_FULL)"]);
    assert.equal(await records.lastRun(), 1, "all of a batch or nothing");
    assert.equal(
      (await log.recall(RunId(RUNS)))?.callSid,
      facts(RUNS).callSid,
      "what waits is read all the same",
    );

    db.pragma("max_page_count = 1000000");
    await until("the log to be written", () => told.includes("resumed"));
    assert.deepEqual(told.slice(1), ["resumed"]);
    for (let n = 1; n <= RUNS; n++) assert.deepEqual(await keeper.get(RunId(n)), log.get(RunId(n)));
    assert.equal(db.pragma("integrity_check", { simple: true }), "ok");
    log.close();
  });
});
