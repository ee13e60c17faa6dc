// The store's thread: what is asked of it is done in order, it may die, and it may find the database taken or full.
import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it, type TestContext } from "node:test";
import type { Worker } from "node:worker_threads";
import Database from "better-sqlite3";
import type { RecordChange } from "../../../src/calls/log/records.store.ts";
import { newRecord } from "../../../src/calls/log/records.ts";
import { GatewayError } from "../../../src/domain/errors.ts";
import {
  CallSid,
  ConfigurationId,
  DefinitionId,
  NumberId,
  RunId,
  WorkflowId,
} from "../../../src/domain/ids.ts";
import { openStore, type Store } from "../../../src/store/store.ts";
import { configuration, newStore } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";

const workers = new Set<Worker>();
process.on("worker", (worker: Worker) => {
  workers.add(worker);
  worker.once("exit", () => workers.delete(worker));
});

async function open(t: TestContext): Promise<{ store: Store; databasePath: string }> {
  const { store, databasePath, remove } = await newStore();
  t.after(() => store.close().then(remove));
  return { store, databasePath };
}

const change = (n: number): RecordChange => {
  const facts = {
    ...{ callSid: CallSid(`CA${n}`), accountSid: undefined, direction: "inbound" as const, from: "", to: "" },
    ...{ configurationId: ConfigurationId(1), numberId: NumberId(1), workflowId: WorkflowId(1) },
    ...{ workflowVersion: 1, definitionId: DefinitionId(1) },
  };
  const { events: _, ...record } = newRecord(RunId(n), facts, n);
  return { record, firstOrdinal: 0, events: [{ atMs: n, kind: "received" }] };
};
const isUnavailable = (error: unknown) => error instanceof GatewayError && error.code === "STORE_UNAVAILABLE";

describe("what is asked of the store", () => {
  it("is done in the order it was asked, each after all before it", async (t) => {
    const { store } = await open(t);
    const seen: (string | undefined)[] = [];
    const asked: Promise<unknown>[] = [];
    for (let n = 0; n < 200; n++) {
      asked.push(store.meta.set("count", `${n}`));
      asked.push(store.meta.get("count").then((value) => seen.push(value)));
    }
    assert.equal(store.pending, 400);
    await Promise.all(asked);
    assert.deepEqual(
      seen,
      Array.from({ length: 200 }, (_, n) => `${n}`),
    );
    assert.equal(store.pending, 0);
  });

  it("is done before it closes, and refused afterwards", async () => {
    const { store, databasePath, remove } = await newStore();
    const writes = Array.from({ length: 50 }, (_, n) => store.records.save([change(n + 1)]));
    await store.close();
    await Promise.all(writes);
    await assert.rejects(store.meta.get("a"), isUnavailable);
    assert.ok(!existsSync(`${databasePath}-wal`), "nothing is left in the log");
    const db = new Database(databasePath, { readonly: true });
    assert.equal(db.prepare("SELECT count(*) FROM runs").pluck().get(), 50);
    db.close();
    remove();
  });

  it("that is wrong comes back with its code and its words", async (t) => {
    const { store } = await open(t);
    await store.configurations.add(configuration("Taken"), 0);
    await assert.rejects(
      store.configurations.add(configuration("Taken"), 0),
      (error) =>
        error instanceof GatewayError && error.code === "CONFLICT" && /'Taken' exists/.test(error.message),
    );
    const nothing = store.meta.set(undefined as unknown as string, "a");
    await assert.rejects(nothing, /in the store's thread: .*NOT NULL/s, "a bug is shown as one");
    assert.equal(await store.meta.get("a"), undefined, "and the next is served");
  });

  it("can be repeated: a record that is saved twice is one", async (t) => {
    const { store } = await open(t);
    assert.deepEqual(await store.records.save([change(1)]), []);
    assert.deepEqual(await store.records.save([change(1), change(2)]), []);
    assert.equal((await store.records.get(RunId(1)))?.events.length, 1);
    const other = change(3);
    const twice = { ...other, record: { ...other.record, callSid: CallSid("CA1") } };
    assert.deepEqual(await store.records.save([twice, change(4)]), [RunId(3)], "a call has one record");
    assert.equal((await store.records.get(RunId(4)))?.callSid, "CA4", "its fellows are written");
    assert.equal(await store.records.lastRun(), 4);
  });
});

describe("the secrets of a workflow's agent", () => {
  const definition = { agent: { type: "any" } };
  const create = (store: Store, secrets?: Record<string, string>) =>
    store.workflows.create("0-0-0-0-0", "Any", { definition, secrets }, 0);

  it("are each version's own: a new definition has none but those that come with it", async (t) => {
    const { store } = await open(t);
    const made = await create(store, { agent_secret: "one" });
    const change = (changes: Parameters<Store["workflows"]["update"]>[1]) =>
      store.workflows.update(made.id, changes, 0);
    await change({ name: "Renamed" });
    await change({ definition, secrets: { agent_secret: "two", other: "three" } });
    await change({ templateContextVariables: { a: 1 } });
    await change({ definition });
    const versions = [0, 1, 2, 3, 4].map((n) => store.workflows.version(DefinitionId(made.definitionId + n)));
    assert.deepEqual(
      (await Promise.all(versions)).map((version) => version?.secrets),
      [
        { agent_secret: "one" },
        { agent_secret: "one" },
        { agent_secret: "two", other: "three" },
        { agent_secret: "two", other: "three" },
        {},
      ],
    );
    assert.deepEqual((await store.workflows.all()).at(-1)?.secrets, {});
  });

  it("open in their own version alone", async () => {
    const { store, databasePath, key, remove } = await newStore();
    const { id, definitionId } = await create(store, { agent_secret: "one" });
    await store.workflows.update(id, { definition, secrets: { agent_secret: "two" } }, 0);
    await store.close();
    const db = new Database(databasePath);
    assert.ok(!JSON.stringify(db.prepare("SELECT definition FROM definitions").all()).includes("secret"));
    const moved = "(SELECT secrets FROM definitions WHERE id = ?)";
    db.prepare(`UPDATE definitions SET secrets = ${moved} WHERE id = ?`).run(definitionId, definitionId + 1);
    db.close();
    const again = await openStore(databasePath, key);
    assert.deepEqual((await again.workflows.version(definitionId))?.secrets, { agent_secret: "one" });
    await assert.rejects(again.workflows.get(id), /can't be opened/);
    await again.close();
    remove();
  });
});

describe("a store's thread that dies", () => {
  it("is replaced, with all that was committed, and goes on", async (t) => {
    const { store } = await open(t);
    await store.meta.set("before", "kept");
    for (let death = 0; death < 3; death++) {
      const [thread] = workers;
      await thread!.terminate();
      assert.equal(await store.meta.get("before"), "kept");
      await store.meta.set(`after ${death}`, "too");
    }
    assert.equal(workers.size, 1);
  });

  it("tells whoever waited for it, and writes again what it may not have written", async (t) => {
    const { store } = await open(t);
    const changes = Array.from({ length: 500 }, (_, n) => change(n + 1));
    const writing = store.records.save(changes);
    const waiting = store.meta.get("a");
    await workers.values().next().value!.terminate();
    const [written, next] = await Promise.allSettled([writing, waiting]);
    if (written.status === "rejected") assert.ok(isUnavailable(written.reason));
    if (next.status === "rejected") assert.ok(isUnavailable(next.reason));
    assert.deepEqual(await store.records.save(changes), []);
    assert.equal(await store.records.lastRun(), 500);
  });

  it("is replaced though its replacement dies before it can work", async (t) => {
    const { store } = await open(t);
    await store.meta.set("before", "kept");
    let born = 0;
    const kill = (worker: Worker) => {
      born += 1;
      if (born <= 3) void worker.terminate();
    };
    process.on("worker", kill);
    t.after(() => process.off("worker", kill));
    await workers.values().next().value!.terminate();
    let answer: string | undefined;
    await until("the store to be back", async () => {
      answer = await store.meta.get("before").catch((error: unknown) => {
        assert.ok(isUnavailable(error), String(error));
        return undefined;
      });
      return answer !== undefined;
    });
    assert.equal(answer, "kept");
    assert.ok(born > 3, `${born} were born`);
  });

  it("does not keep others from the database once it is closed", async () => {
    const key = createSecretKey(randomBytes(32));
    const folder = mkdtempSync(join(tmpdir(), "linecard-store-"));
    after(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "linecard.db");
    const first = await openStore(path, key);
    await assert.rejects(
      openStore(path, key),
      (error) => error instanceof GatewayError && error.code === "DATABASE_IN_USE",
    );
    await first.close();
    const second = await openStore(path, key);
    await second.close();
  });
});

describe("a secret", () => {
  it("is nowhere in the clear: not in the database, its log, or any other file", async (t) => {
    const { store, databasePath } = await open(t);
    const secrets = ["canary-auth-token", "canary-next-token", "canary-api-secret"];
    const theirs = configuration("Canary", {
      authToken: secrets[0]!,
      secondaryAuthToken: secrets[1]!,
      apiKey: { sid: "SK1", secret: secrets[2]! },
    });
    const { id } = await store.configurations.add(theirs, 0);
    await store.configurations.update(id, { ...theirs, name: "Canary 2" }, 1);
    const folder = join(databasePath, "..");
    const files = readdirSync(folder);
    assert.ok(files.some((name) => name.endsWith("-wal")));
    for (const name of files)
      for (const secret of ["canary-auth", "canary-next", "canary-api"])
        assert.ok(!readFileSync(join(folder, name)).includes(secret), `${name} holds ${secret}`);
    const [read] = await store.configurations.all();
    assert.deepEqual([read?.authTokens, read?.apiKey?.secret], [secrets.slice(0, 2), secrets[2]]);
  });

  it("that was put into another row, or damaged, stops whoever reads it with a sentence", async (t) => {
    const { store, databasePath } = await open(t);
    await store.configurations.add(configuration("One", { authToken: "token one" }), 0);
    const two = await store.configurations.add(configuration("Two", { authToken: "token two" }), 0);
    const db = new Database(databasePath);
    t.after(() => db.close());
    const swap =
      "UPDATE configurations SET auth_token = (SELECT auth_token FROM configurations WHERE name = 'One')";
    db.exec(`${swap} WHERE name = 'Two'`);
    await assert.rejects(store.configurations.get(two.id), (error) => {
      assert.ok(error instanceof GatewayError && error.code === "DATABASE_UNUSABLE", String(error));
      assert.match(
        error.message,
        /configurations\/2\/auth_token can't be opened: put a backup in the database's place/,
      );
      assert.doesNotMatch(error.message, /token one|token two/);
      return true;
    });
  });
});
