// The operator's commands on real databases: backups of running gateways, and keys that are replaced however the
// replacing is cut short.
import assert from "node:assert/strict";
import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  watch,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import Database from "better-sqlite3";
import { AccountSid, DefinitionId } from "../../../src/domain/ids.ts";
import { databaseKey, keyPath, newKeyPath, readKey, writeKey } from "../../../src/store/key.ts";
import { openDatabase } from "../../../src/store/open.ts";
import { prepareOperations } from "../../../src/store/operations.ts";
import { finishRotation } from "../../../src/store/rotation.ts";
import { Vault } from "../../../src/store/vault.ts";
import { ACCOUNT_SID, configuration } from "../../support/gateway.ts";
import { type Environment, type Exit, folder, Program, startGatewayProcess } from "../../support/process.ts";
import { until } from "../../support/until.ts";
import { INBOUND, ringing, send } from "../calls/requests.ts";

type Name = "backup" | "rotateKey";
const start = (t: TestContext, name: Name, args: readonly string[], env: Environment = {}) =>
  new Program(t, `commands/${name}.ts`, args, env);
const run = (t: TestContext, name: Name, args: readonly string[], env: Environment = {}): Promise<Exit> =>
  start(t, name, args, env).exited;
const asText = (key: KeyObject) => key.export().toString("base64");
const newKey = () => createSecretKey(randomBytes(32));

const SECRETS = ["token one", "token two", "next of two", "secret of two", "agent's first", "agent's second"];

/** A stopped gateway's database with secrets, sealed with this key; a key file beside it unless `isInFile` is false. */
function sealed(t: TestContext, { key = newKey(), isInFile = true } = {}): { path: string; key: KeyObject } {
  const path = join(folder(t), "linecard.db");
  if (isInFile) writeKey(keyPath(path), key.export());
  const vault = new Vault(key);
  const { db, close } = openDatabase(path, vault);
  const { configurations, workflows } = prepareOperations(db, vault);
  configurations.add(configuration("One", { authToken: SECRETS[0]! }), 0);
  const apiKey = { sid: "SK2", secret: SECRETS[3]! };
  const two = { authToken: SECRETS[1]!, secondaryAuthToken: SECRETS[2]!, apiKey };
  configurations.add(configuration("Two", { accountSid: AccountSid(`AC${"2".repeat(32)}`), ...two }), 0);
  const definition = { agent: { type: "any" } };
  const { id } = workflows.create(
    "0-0-0-0-0",
    "Any",
    { definition, secrets: { agent_secret: SECRETS[4]! } },
    0,
  );
  workflows.update(id, { definition, secrets: { agent_secret: SECRETS[5]! } }, 0);
  workflows.update(id, { definition }, 0);
  close();
  return { path, key };
}

/** The secrets, as a gateway with this key would read them. */
function secretsIn(path: string, key: KeyObject): (string | undefined)[] {
  const vault = new Vault(key);
  const { db, close } = openDatabase(path, vault);
  try {
    const { configurations, workflows } = prepareOperations(db, vault);
    const versions = [1, 2, 3].map((id) => workflows.version(DefinitionId(id))!);
    return [
      ...configurations.all().flatMap(({ authTokens, apiKey }) => [...authTokens, apiKey?.secret]),
      ...versions.map(({ secrets }) => secrets.agent_secret),
    ].filter(Boolean);
  } finally {
    close();
  }
}

describe("every command", () => {
  for (const name of ["backup", "rotateKey"] as const) {
    it(`tells how it is used, and what it does not understand: ${name}`, async (t) => {
      const help = await run(t, name, ["--help"]);
      assert.deepEqual([help.status, help.stderr], [0, ""]);
      assert.match(help.stdout, /npm run (backup|rotate-key)/);
      assert.match(help.stdout, /Exit status/);
      for (const args of [["--unheard-of"], ["something"]]) {
        const { status, stdout, stderr } = await run(t, name, args);
        assert.deepEqual([status, stdout], [2, ""]);
        assert.match(stderr, /^(backup|rotate-key): [^\n]+--help[^\n]+\n$/);
      }
    });
  }

  it("fails with a sentence where there is no database", async (t) => {
    const env = { DATABASE_PATH: join(folder(t), "linecard.db") };
    for (const [name, args] of [
      ["backup", ["--to", join(folder(t), "copy.db")]],
      ["rotateKey", []],
    ] as const) {
      const { status, stderr } = await run(t, name, args, env);
      assert.equal(status, 1);
      assert.match(stderr, /linecard\.db is not there: DATABASE_PATH must be what the gateway has\n$/);
      assert.ok(!existsSync(env.DATABASE_PATH), "and makes none");
    }
  });
});

describe("a backup", () => {
  it("is taken of a running gateway that goes on writing, whole and of one moment", async (t) => {
    const env = {
      ...{ TWILIO_ACCOUNT_SID: ACCOUNT_SID, TWILIO_AUTH_TOKEN: "0123456789abcdef0123456789abcdef" },
      ...{
        TWILIO_PHONE_NUMBER: "+12025550100",
        MEDIA_WORKERS: "1",
        LOG_LEVEL: "warn",
        TWILIO_API_BASE_URL: "http://127.0.0.1:9",
      },
    };
    const gateway = await startGatewayProcess(t, env);
    let isOver = false;
    let answered = 0;
    const calling = (async () => {
      while (!isOver) {
        const { status } = await send({
          origin: gateway.origin,
          path: INBOUND,
          params: ringing("+12025550199"),
        });
        assert.equal(status, 200);
        answered++;
      }
    })();
    await until("calls to be answered", () => answered > 20);
    const to = join(folder(t), "copy.db");
    const args = ["--to", to];
    const before = answered;
    const { status, stdout, stderr } = await run(t, "backup", args, { DATABASE_PATH: gateway.databasePath });
    const during = answered - before;
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /was copied to .*copy\.db \(\d+ KiB\) and checked\.\nKeep .*linecard\.key as well/);
    isOver = true;
    await calling;
    t.diagnostic(`${during} calls were answered while the backup was taken`);
    assert.ok(during > 0);

    assert.equal(statSync(to).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(dirname(to)), ["copy.db"], "one file, and nothing beside it");
    const restored = join(folder(t), "linecard.db");
    copyFileSync(to, restored);
    copyFileSync(keyPath(gateway.databasePath), keyPath(restored));
    const next = await startGatewayProcess(t, { ...env, DATABASE_PATH: restored });
    const db = new Database(restored, { readonly: true });
    const count = db.prepare("SELECT count(*) FROM runs").pluck().get() as number;
    db.close();
    assert.ok(count >= 20 && count <= answered, `${count} of ${answered}`);
    const route = await send({ origin: next.origin, path: INBOUND, params: ringing("+12025550100") });
    assert.match(route.body, /<Stream /, "a gateway starts on it and knows its numbers");
  });

  it("writes over nothing unless it is told to", async (t) => {
    const { path } = sealed(t);
    const to = join(folder(t), "copy.db");
    writeFileSync(to, "precious");
    const refused = await run(t, "backup", ["--to", to], { DATABASE_PATH: path });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /copy\.db is there already: choose another file, or say --force/);
    assert.equal(readFileSync(to, "utf8"), "precious");
    const forced = await run(t, "backup", ["--to", to, "--force"], { DATABASE_PATH: path });
    assert.equal(forced.status, 0, forced.stderr);
    assert.equal(statSync(to).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(dirname(to)), ["copy.db"]);
    for (const own of [path, `${path}-wal`]) {
      const itself = await run(t, "backup", ["--to", own, "--force"], { DATABASE_PATH: path });
      assert.equal(itself.status, 1);
      assert.match(itself.stderr, /belongs to the database itself: choose another file/);
    }
  });

  it("leaves nothing where it fails", async (t) => {
    const { path } = sealed(t);
    const nowhere = join(folder(t), "missing", "copy.db");
    const unwritten = await run(t, "backup", ["--to", nowhere], { DATABASE_PATH: path });
    assert.equal(unwritten.status, 1);
    assert.match(unwritten.stderr, /copy\.db can't be written \(ENOENT\): choose another file/);
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 8_192, 16_384);
    writeFileSync(path, bytes);
    const to = join(folder(t), "copy.db");
    const damaged = await run(t, "backup", ["--to", to], { DATABASE_PATH: path });
    assert.equal(damaged.status, 1);
    assert.match(damaged.stderr, /damaged, so no copy was made/);
    assert.deepEqual(readdirSync(dirname(to)), []);
    const foreign = join(folder(t), "theirs.db");
    new Database(foreign).exec("CREATE TABLE a (b)").close();
    const theirs = await run(t, "backup", ["--to", to], { DATABASE_PATH: foreign });
    assert.match(theirs.stderr, /theirs\.db is not a database of Linecard's/);
  });
});

describe("a key's rotation", () => {
  it("seals every secret anew, in the file's case with a key that is made", async (t) => {
    const { path, key } = sealed(t);
    const { status, stdout, stderr } = await run(t, "rotateKey", [], { DATABASE_PATH: path });
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(
      stdout,
      /^6 secrets were sealed with a new key\.\nIt stands in .*linecard\.key: keep a copy/,
    );
    const next = readKey(keyPath(path));
    assert.ok(!next.equals(key));
    assert.ok(!stdout.includes(asText(next)), "the key itself is not told");
    assert.equal(statSync(keyPath(path)).mode & 0o777, 0o600);
    assert.deepEqual(secretsIn(path, next), SECRETS);
    assert.throws(() => secretsIn(path, key), /encrypted with another key/);
    assert.ok(!existsSync(newKeyPath(path)));
    const gateway = await startGatewayProcess(t, { DATABASE_PATH: path, MEDIA_WORKERS: "1" });
    const refused = await run(t, "rotateKey", [], { DATABASE_PATH: path });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /linecard\.db is in use by another Linecard: stop that one/);
    assert.ok(readKey(keyPath(path)).equals(next));
    gateway.program.signal("SIGKILL");
  });

  it("takes the next key from the environment, which then has to be changed", async (t) => {
    const { path, key } = sealed(t, { isInFile: false });
    const next = newKey();
    const env = { DATABASE_PATH: path, LINECARD_ENCRYPTION_KEY: asText(key) };
    const { status, stdout, stderr } = await run(t, "rotateKey", [], {
      ...env,
      LINECARD_ENCRYPTION_KEY_NEW: asText(next),
    });
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /Set LINECARD_ENCRYPTION_KEY to what LINECARD_ENCRYPTION_KEY_NEW is/);
    assert.ok(!stdout.includes(asText(next)));
    assert.deepEqual(secretsIn(path, next), SECRETS);
    assert.ok(!existsSync(keyPath(path)), "and is written nowhere");
    const again = await run(t, "rotateKey", [], { ...env, LINECARD_ENCRYPTION_KEY_NEW: asText(newKey()) });
    assert.equal(again.status, 1, "with the old key nothing more can be done");
    assert.match(again.stderr, /encrypted with another key/);
  });

  it("puts a made key into the file where the environment had the old one, and a given one into the file's place", async (t) => {
    const one = sealed(t, { isInFile: false });
    const env = { DATABASE_PATH: one.path, LINECARD_ENCRYPTION_KEY: asText(one.key) };
    const moved = await run(t, "rotateKey", [], env);
    assert.equal(moved.status, 0, moved.stderr);
    assert.match(moved.stdout, /Remove LINECARD_ENCRYPTION_KEY from the gateway's environment/);
    assert.deepEqual(secretsIn(one.path, readKey(keyPath(one.path))), SECRETS);

    const two = sealed(t);
    const next = newKey();
    const given = { DATABASE_PATH: two.path, LINECARD_ENCRYPTION_KEY_NEW: asText(next) };
    assert.equal((await run(t, "rotateKey", [], given)).status, 0);
    assert.ok(readKey(keyPath(two.path)).equals(next));
    assert.deepEqual(secretsIn(two.path, next), SECRETS);

    const three = sealed(t, { isInFile: false });
    writeKey(keyPath(three.path), newKey().export());
    const text = readFileSync(keyPath(three.path), "utf8");
    const refused = await run(t, "rotateKey", [], {
      DATABASE_PATH: three.path,
      LINECARD_ENCRYPTION_KEY: asText(three.key),
    });
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /linecard\.key is there, with a key that is not the database's: move it away/,
    );
    assert.equal(readFileSync(keyPath(three.path), "utf8"), text);
  });

  it("refuses a next key that is none, or the present one, and changes nothing", async (t) => {
    const { path, key } = sealed(t);
    const bad = await run(t, "rotateKey", [], { DATABASE_PATH: path, LINECARD_ENCRYPTION_KEY_NEW: "canary" });
    assert.equal(bad.status, 1);
    assert.match(bad.stderr, /LINECARD_ENCRYPTION_KEY_NEW must be 32 bytes in base64/);
    assert.doesNotMatch(bad.stderr, /canary/);
    const env = { DATABASE_PATH: path, LINECARD_ENCRYPTION_KEY: asText(key) };
    const same = await run(t, "rotateKey", [], { ...env, LINECARD_ENCRYPTION_KEY_NEW: asText(key) });
    assert.equal(same.status, 1);
    assert.match(same.stderr, /is the present key: nothing was done/);
    assert.deepEqual(secretsIn(path, key), SECRETS);
  });

  it("that was cut short before its transaction is as if it had not begun", async (t) => {
    const { path, key } = sealed(t);
    writeKey(newKeyPath(path), newKey().export());
    finishRotation(path);
    assert.ok(databaseKey(path, undefined).key.equals(key));
    assert.equal(
      (await run(t, "rotateKey", [], { DATABASE_PATH: path })).status,
      0,
      "and can be begun again",
    );
    assert.deepEqual(secretsIn(path, readKey(keyPath(path))), SECRETS);
    assert.ok(!existsSync(newKeyPath(path)));
  });

  it("that was cut short after its transaction is finished by the next start", async (t) => {
    const { path, key } = sealed(t);
    assert.equal((await run(t, "rotateKey", [], { DATABASE_PATH: path })).status, 0);
    // What a crash just before the last step leaves: the new key beside, the old one in its place.
    renameSync(keyPath(path), newKeyPath(path));
    writeKey(keyPath(path), key.export());
    const gateway = await startGatewayProcess(t, { DATABASE_PATH: path, MEDIA_WORKERS: "1" });
    gateway.program.signal("SIGTERM");
    assert.equal((await gateway.program.exited).status, 0);
    assert.ok(!existsSync(newKeyPath(path)));
    assert.deepEqual(secretsIn(path, readKey(keyPath(path))), SECRETS);
  });

  it("opens with a key on disk whenever it is killed", async (t) => {
    const ROUNDS = 12;
    const { path } = sealed(t);
    const backups = join(folder(t), "keys");
    mkdirSync(backups);
    const cut = { before: 0, between: 0, after: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const old = readFileSync(keyPath(path), "utf8");
      const rotation = start(t, "rotateKey", [], { DATABASE_PATH: path });
      const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
      const watcher = watch(dirname(path), (_, name) => {
        if (name === "linecard.key.new") begin();
      });
      await Promise.race([begun, rotation.exited]);
      await delay((round / ROUNDS) * 12); // later and later, up to its end
      rotation.signal("SIGKILL");
      watcher.close();
      await rotation.exited;
      const isBeside = existsSync(newKeyPath(path));
      finishRotation(path);
      const now = readFileSync(keyPath(path), "utf8");
      if (!isBeside) cut.after++;
      else if (now === old) cut.before++;
      else cut.between++;
      assert.deepEqual(secretsIn(path, databaseKey(path, undefined).key), SECRETS, `round ${round}`);
    }
    t.diagnostic(
      `killed before the transaction ${cut.before} times, between ${cut.between}, after it all ${cut.after}`,
    );
  });
});
