// The program and its database: what stops a start, in a sentence and with the files left alone, and that what it
// knew is on disk once it has stopped.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, describe, it, type TestContext } from "node:test";
import Database from "better-sqlite3";
import { demoAccount } from "../../../src/numbers/firstStart.ts";
import { TwilioTwin } from "../../../src/twin/twin.ts";
import {
  type Environment,
  folder,
  Program,
  type RunningGateway,
  startGatewayProcess,
} from "../../support/process.ts";
import { tone } from "../../support/sound.ts";
import { until } from "../../support/until.ts";

const ONE_WORKER = { MEDIA_WORKERS: "1" };
const STACK = /^\s+at /m;

/** The database's files and what they hold; an empty log is none. */
function filesOf(databasePath: string): Record<string, string> {
  const names = readdirSync(dirname(databasePath)).filter((name) => /\.(db|db-wal|key|json)$/.test(name));
  const read = names.map((name) => [name, readFileSync(join(dirname(databasePath), name))] as const);
  const hashed = read
    .filter(([, bytes]) => bytes.length > 0)
    .map(([name, bytes]) => [name, createHash("sha256").update(bytes).digest("hex")]);
  return Object.fromEntries(hashed);
}

/** The same call log, read without the gateway. */
function rowsOf(
  databasePath: string,
): { readonly outcome: string | null; readonly ended_by: string | null }[] {
  const db = new Database(databasePath, { readonly: true });
  try {
    assert.equal(db.pragma("integrity_check", { simple: true }), "ok");
    return db.prepare("SELECT outcome, ended_by FROM runs ORDER BY id").all() as ReturnType<typeof rowsOf>;
  } finally {
    db.close();
  }
}

async function stopped(gateway: RunningGateway): Promise<string> {
  gateway.program.signal("SIGTERM");
  assert.equal((await gateway.program.exited).status, 0);
  return gateway.databasePath;
}

const made = await stopped(await startGatewayProcess({ after }, ONE_WORKER));

describe("a start that its database forbids", { concurrency: 2 }, () => {
  /** The database of an earlier start, in a folder of its own. */
  function copied(t: TestContext): string {
    const databasePath = join(folder(t), "linecard.db");
    for (const name of readdirSync(dirname(made)).filter((each) => /\.(db|key|json)$/.test(each)))
      copyFileSync(join(dirname(made), name), join(dirname(databasePath), name));
    return databasePath;
  }

  /** The start ends with this one sentence. */
  async function isRefused(
    t: TestContext,
    databasePath: string,
    words: RegExp,
    env: Environment = {},
  ): Promise<void> {
    const all = { ...ONE_WORKER, PORT: "0", DATABASE_PATH: databasePath, ...env };
    const { status, stdout, stderr } = await new Program(t, "main.ts", [], all).exited;
    assert.deepEqual([status, stdout], [1, ""], stderr);
    assert.match(stderr, words);
    assert.equal(stderr.trimEnd().split("\n").length, 1, `one sentence: ${stderr}`);
    assert.doesNotMatch(stderr, STACK);
  }

  /** And leaves every file as it was. */
  async function isRefusedUntouched(...refusal: Parameters<typeof isRefused>): Promise<void> {
    const before = filesOf(refusal[1]);
    await isRefused(...refusal);
    assert.deepEqual(filesOf(refusal[1]), before, "nothing was touched");
  }

  it("because another process has it, which goes on undisturbed", async (t) => {
    const { databasePath, origin } = await startGatewayProcess(t, ONE_WORKER);
    await isRefused(
      t,
      databasePath,
      /linecard\.db is in use by another Linecard: stop that one, or set DATABASE_PATH/,
    );
    assert.equal((await fetch(`${origin}/readyz`)).status, 200);
    const twilio = new TwilioTwin({ ...demoAccount(databasePath), publicBase: origin });
    t.after(() => twilio.close());
    await twilio.dial({ to: "+12025550199" });
    await until("what it goes on writing to be on disk", () => rowsOf(databasePath).length === 1);
  });

  it("because its key's file is missing", async (t) => {
    const databasePath = copied(t);
    const key = join(dirname(databasePath), "linecard.key");
    rmSync(key);
    await isRefusedUntouched(
      t,
      databasePath,
      /linecard\.key, the key of .*linecard\.db, is missing: put it back, or set LINECARD/,
    );
    assert.ok(!existsSync(key), "and none is made that could not open it");
  });

  it("because its key is another", async (t) => {
    const databasePath = copied(t);
    const LINECARD_ENCRYPTION_KEY = randomBytes(32).toString("base64");
    const words = /was encrypted with another key: set LINECARD_ENCRYPTION_KEY to the key it was made with/;
    await isRefusedUntouched(t, databasePath, words, { LINECARD_ENCRYPTION_KEY });
    writeFileSync(join(dirname(databasePath), "linecard.key"), LINECARD_ENCRYPTION_KEY);
    await isRefusedUntouched(t, databasePath, words);
    writeFileSync(join(dirname(databasePath), "linecard.key"), "no key");
    await isRefusedUntouched(t, databasePath, /linecard\.key does not hold a key of 32 bytes in base64/);
  });

  it("because it is newer, damaged, or not ours", async (t) => {
    const newer = copied(t);
    const db = new Database(newer);
    db.pragma("user_version = 1000");
    db.close();
    await isRefusedUntouched(
      t,
      newer,
      /was written by a newer Linecard \(its version is 1000, this one knows \d+\); it was left/,
    );

    const cut = copied(t);
    truncateSync(cut, 8_192);
    await isRefusedUntouched(
      t,
      cut,
      /linecard\.db is damaged: put a backup in its place, or set DATABASE_PATH/,
    );

    const text = copied(t);
    writeFileSync(text, "no database ".repeat(999));
    await isRefusedUntouched(t, text, /linecard\.db is damaged, or no database at all/);
  });

  it("by no earlier start that failed: it opens all the same", async (t) => {
    const databasePath = copied(t);
    const LINECARD_ENCRYPTION_KEY = randomBytes(32).toString("base64");
    await isRefusedUntouched(t, databasePath, /another key/, { LINECARD_ENCRYPTION_KEY });
    await startGatewayProcess(t, { ...ONE_WORKER, DATABASE_PATH: databasePath });
  });

  it("because its folder is a file", async (t) => {
    const place = join(folder(t), "file");
    writeFileSync(place, "");
    mkdirSync(join(dirname(place), "beside"));
    const all = { ...ONE_WORKER, PORT: "0", DATABASE_PATH: join(place, "linecard.db") };
    const { status, stderr } = await new Program(t, "main.ts", [], all).exited;
    assert.equal(status, 1);
    assert.match(stderr, /can't be made \((ENOTDIR|EEXIST)\): set DATABASE_PATH to a file in a folder/);
  });
});

describe("a gateway that is stopped", { concurrency: 2 }, () => {
  async function talking(t: TestContext, env: Environment = {}) {
    const gateway = await startGatewayProcess(t, { ...ONE_WORKER, ...env });
    const { phoneNumber: to, ...account } = demoAccount(gateway.databasePath);
    const twilio = new TwilioTwin({ ...account, publicBase: gateway.origin });
    t.after(() => twilio.close());
    for (let calls = 0; calls < 3; calls++) {
      const stream = await (await twilio.dial({ to })).connect();
      stream.say(tone(440, 200));
      await stream.hasPlayed(60);
    }
    await twilio.dial({ to: "+12025550199" });
    return gateway;
  }
  const DRAINED = { outcome: "drained", ended_by: "gateway" };
  const UNKNOWN = { outcome: "number_unknown", ended_by: "gateway" };

  it("has written every record, those of the calls that it cut among them", async (t) => {
    const gateway = await talking(t, { DRAIN_TIMEOUT_MS: "100" });
    gateway.program.signal("SIGTERM");
    assert.equal((await gateway.program.exited).status, 1);
    assert.ok(!existsSync(`${gateway.databasePath}-wal`), "all of it is in one file");
    assert.deepEqual(rowsOf(gateway.databasePath), [DRAINED, DRAINED, DRAINED, UNKNOWN]);
  });

  it("has written every record though it was told twice", async (t) => {
    const gateway = await talking(t);
    gateway.program.signal("SIGTERM");
    await gateway.program.wrote(/"msg":"draining: no new calls"/);
    gateway.program.signal("SIGTERM");
    assert.equal((await gateway.program.exited).status, 1);
    assert.deepEqual(rowsOf(gateway.databasePath), [DRAINED, DRAINED, DRAINED, UNKNOWN]);
  });

  it("by nothing that it can answer closes its calls at its next start, as lost", async (t) => {
    const gateway = await talking(t);
    // What Twilio was told a moment ago is written a moment later.
    await until("the last record to be on disk", () => rowsOf(gateway.databasePath).length === 4);
    gateway.program.signal("SIGKILL");
    await gateway.program.exited;
    const next = await startGatewayProcess(t, { ...ONE_WORKER, DATABASE_PATH: gateway.databasePath });
    await stopped(next);
    const LOST = { outcome: "lost", ended_by: "gateway" };
    assert.deepEqual(rowsOf(gateway.databasePath), [LOST, LOST, LOST, UNKNOWN]);
  });
});
