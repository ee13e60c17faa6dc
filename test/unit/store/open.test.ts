// What a database file may be when it is opened: missing, ours, older, newer, somebody else's, damaged, or sealed
// with another key. What is refused is refused in words, and stays as it was to the byte.
import assert from "node:assert/strict";
import { createHash, createSecretKey, randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import Database from "better-sqlite3";
import { GatewayError, type GatewayErrorCode } from "../../../src/domain/errors.ts";
import { type Db, openDatabase } from "../../../src/store/open.ts";
import { MIGRATIONS } from "../../../src/store/schema.ts";
import { Vault } from "../../../src/store/vault.ts";

const root = mkdtempSync(join(tmpdir(), "linecard-open-"));
after(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const newPath = () => join(root, `${made++}`, "linecard.db");
const newVault = () => new Vault(createSecretKey(randomBytes(32)));
const vault = newVault();
const PAGE = 4_096;

/** An empty log is none: a look makes one, and the next writer takes it away. */
const hashOf = (path: string) =>
  existsSync(path) && statSync(path).isFile() && statSync(path).size > 0
    ? createHash("sha256").update(readFileSync(path)).digest("hex")
    : "none";

/** A database with something on every page, cleanly closed. */
function filled(path = newPath()): string {
  const { db, close } = openDatabase(path, vault);
  const insert = db.prepare("INSERT INTO meta VALUES (?, ?)");
  db.transaction(() => {
    for (let n = 0; n < 2_000; n++) insert.run(`key ${n}`, "value ".repeat(20));
  })();
  close();
  return path;
}

/** One whose newest rows are in the log only, as after a kill. */
function killed(): string {
  const path = filled();
  const { db, close } = openDatabase(path, vault);
  db.prepare("INSERT INTO meta VALUES ('in the log', 'only')").run();
  const copy = newPath();
  mkdirSync(dirname(copy), { recursive: true });
  for (const end of ["", "-wal"]) copyFileSync(path + end, copy + end);
  close();
  assert.ok(statSync(`${copy}-wal`).size > 0);
  return copy;
}

function isRefused(
  path: string,
  code: GatewayErrorCode,
  words: RegExp,
  by = vault,
  migrations = MIGRATIONS,
): void {
  const before = ["", "-wal"].map((end) => hashOf(path + end));
  assert.throws(
    () => openDatabase(path, by, migrations),
    (error) => {
      assert.ok(error instanceof GatewayError, String(error));
      assert.match(error.message, words);
      assert.ok(error.message.startsWith(path), error.message);
      assert.equal(error.code, code);
      return true;
    },
  );
  const now = ["", "-wal"].map((end) => hashOf(path + end));
  assert.equal(now[0], before[0], "the file is as it was");
  if (before[1] !== "none") assert.equal(now[1], before[1], "and so is its log");
}

/** What a database holds, schema and rows. */
function contents(path: string): unknown {
  const db = new Database(path, { readonly: true });
  try {
    const schema = db.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY name").all();
    const names = (schema as { type: string; name: string }[]).filter(({ type }) => type === "table");
    const rows = names.map(({ name }) => db.prepare(`SELECT * FROM "${name}"`).all());
    return { schema, rows, version: db.pragma("user_version", { simple: true }) };
  } finally {
    db.close();
  }
}

describe("a database that is not there", () => {
  it("is made, with its folder, for its owner alone", () => {
    const path = newPath();
    const { db, close } = openDatabase(path, vault);
    assert.equal(db.pragma("user_version", { simple: true }), MIGRATIONS.length);
    assert.deepEqual(
      [db.pragma("journal_mode", { simple: true }), db.pragma("synchronous", { simple: true })],
      ["wal", 2],
    );
    assert.equal(db.pragma("foreign_keys", { simple: true }), 1);
    for (const end of ["", "-wal", "-shm", ".lock"]) assert.equal(statSync(path + end).mode & 0o077, 0, end);
    close();
    openDatabase(path, vault).close();
  });

  it("is made where a start that was killed left an empty file", () => {
    const path = newPath();
    mkdirSync(dirname(path));
    writeFileSync(path, "");
    openDatabase(path, vault).close();
    openDatabase(path, vault).close();
  });

  it("is refused where it can't be made", () => {
    const file = join(root, "a-file");
    writeFileSync(file, "");
    isRefused(join(file, "linecard.db"), "DATABASE_UNUSABLE", /can't be made or written: set DATABASE_PATH/);
    const folder = newPath();
    mkdirSync(folder, { recursive: true });
    isRefused(folder, "DATABASE_UNUSABLE", /can't be made or written: set DATABASE_PATH/);
  });
});

describe("a database that can't be used", () => {
  for (const [state, make] of [
    ["closed", filled],
    ["killed", killed],
  ] as const) {
    it(`was written by a newer program (${state})`, () => {
      const path = make();
      const db = new Database(path);
      db.pragma(`user_version = ${MIGRATIONS.length + 1}`);
      const wal = `${path}-wal`;
      if (state === "closed") db.close();
      else {
        const copy = newPath();
        mkdirSync(dirname(copy));
        copyFileSync(path, copy);
        copyFileSync(wal, `${copy}-wal`);
        db.close();
        isRefused(copy, "DATABASE_UNUSABLE", /newer Linecard \(its version is \d+, this one knows \d+\)/);
        return;
      }
      isRefused(path, "DATABASE_UNUSABLE", /newer Linecard \(its version is \d+, this one knows \d+\)/);
    });

    it(`is sealed with another key (${state})`, () => {
      const path = make();
      isRefused(path, "DATABASE_UNUSABLE", /another key: set LINECARD_ENCRYPTION_KEY/, newVault());
      const { db, close } = openDatabase(path, vault);
      const row = db.prepare("SELECT value FROM meta WHERE key = 'in the log'").pluck().get();
      assert.equal(row, state === "killed" ? "only" : undefined, "with its own key it opens, log and all");
      close();
    });
  }

  it("has lost what tells its key", () => {
    const path = filled();
    const db = new Database(path);
    db.exec("DELETE FROM meta WHERE key = 'key_check'");
    db.close();
    isRefused(path, "DATABASE_UNUSABLE", /another key/);
  });

  it("is another program's", () => {
    const path = newPath();
    mkdirSync(dirname(path));
    const db = new Database(path);
    db.exec("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
    db.close();
    isRefused(path, "DATABASE_UNUSABLE", /is not a database of Linecard's; it was left as it is/);
  });

  it("is no database at all", () => {
    const path = newPath();
    mkdirSync(dirname(path));
    writeFileSync(path, "Dear diary, ".repeat(1_000));
    isRefused(path, "DATABASE_UNUSABLE", /is damaged, or no database at all: put a backup in its place/);
  });

  const damages: Record<string, (path: string, size: number) => void> = {
    "its header is gone": (path) => overwrite(path, 0, 100),
    "its first page is gone": (path) => overwrite(path, 100, PAGE - 100),
    "a page in its middle is gone": (path, size) => overwrite(path, Math.floor(size / PAGE / 2) * PAGE, PAGE),
    "its last page is gone": (path, size) => overwrite(path, size - PAGE, PAGE),
    "half of it is cut off": (path, size) => truncateSync(path, Math.floor(size / PAGE / 2) * PAGE),
    "it ends within a page": (path, size) => truncateSync(path, size - PAGE - 1_000),
    "only its header is left": (path) => truncateSync(path, 100),
  };
  function overwrite(path: string, at: number, count: number): void {
    const bytes = readFileSync(path);
    bytes.fill(0x5a, at, at + count);
    writeFileSync(path, bytes);
  }
  for (const [what, damage] of Object.entries(damages)) {
    it(`is damaged: ${what}`, () => {
      const path = filled();
      damage(path, statSync(path).size);
      isRefused(path, "DATABASE_UNUSABLE", /damaged.*: put a backup in its place, or set DATABASE_PATH/);
    });
  }
});

describe("a database that is in use", () => {
  it("is refused, by its own name and by another, and is free once it is closed", () => {
    const path = filled();
    const link = join(root, "link.db");
    symlinkSync(path, link);
    const { close } = openDatabase(path, vault);
    isRefused(path, "DATABASE_IN_USE", /in use by another Linecard: stop that one, or set DATABASE_PATH/);
    isRefused(link, "DATABASE_IN_USE", /in use by another Linecard/);
    close();
    openDatabase(link, vault).close();
  });

  it("is free again after a start that failed", () => {
    const path = filled();
    assert.throws(() => openDatabase(path, newVault()));
    openDatabase(path, vault).close();
  });

  it("has a lock that can't be made where nothing can be written", () => {
    const path = filled();
    if (process.getuid?.() === 0) {
      // Root may write anywhere; a folder in the lock's place stands in for what it may not.
      rmSync(`${path}.lock`);
      mkdirSync(`${path}.lock`);
    } else chmodSync(dirname(path), 0o500);
    isRefused(path, "DATABASE_UNUSABLE", /can't be made or written/);
    if (process.getuid?.() !== 0) chmodSync(dirname(path), 0o700);
  });
});

describe("migrations", () => {
  /** Two of a later release, for whatever versions there are then. */
  const LATER = [
    ...MIGRATIONS,
    "ALTER TABLE meta ADD COLUMN later TEXT; UPDATE meta SET later = 'filled';",
    "CREATE TABLE later (a TEXT) STRICT; INSERT INTO later SELECT later FROM meta;",
  ];
  const versionOf = (db: Db) => db.pragma("user_version", { simple: true });

  for (let from = 1; from < LATER.length; from++) {
    it(`bring a database of version ${from} to the newest, once`, () => {
      const path = newPath();
      const old = openDatabase(path, vault, LATER.slice(0, from));
      old.db.prepare("INSERT INTO meta (key, value) VALUES ('kept', 'yes')").run();
      old.close();
      for (let start = 0; start < 3; start++) {
        const { db, close } = openDatabase(path, vault, LATER);
        assert.equal(versionOf(db), LATER.length);
        assert.equal(db.prepare("SELECT value FROM meta WHERE key = 'kept'").pluck().get(), "yes");
        assert.equal(db.prepare("SELECT count(*) FROM later").pluck().get(), 2, "key check and row");
        close();
      }
      const anew = openDatabase(newPath(), vault, LATER);
      const schemaOf = (db: Db) => db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").all();
      const upgraded = openDatabase(path, vault, LATER);
      assert.deepEqual(schemaOf(upgraded.db), schemaOf(anew.db), "as if it had been made so");
      anew.close();
      upgraded.close();
    });
  }

  it("that fail leave the database as it was", () => {
    const path = filled();
    const before = contents(path);
    const broken = [...LATER, "CREATE TABLE half (a); INSERT INTO nowhere VALUES (1);"];
    isRefused(path, "DATABASE_UNUSABLE", /can't be opened/, vault, broken);
    assert.deepEqual(contents(path), before);
    openDatabase(path, vault, LATER).close();
  });
});

it("a log that grew while somebody read gives its disk back once they have done", () => {
  const path = newPath();
  const { db, close } = openDatabase(path, vault);
  const reader = new Database(path, { readonly: true });
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM meta").get();
  const write = db.prepare("INSERT OR REPLACE INTO meta VALUES ('much', ?)");
  const LOG_BYTES_KEPT = 16 * 1_024 * 1_024;
  const log = () => statSync(`${path}-wal`).size;
  while (log() < 2 * LOG_BYTES_KEPT) write.run("much ".repeat(500_000));
  reader.close();
  for (let n = 0; n < 20; n++) write.run("little");
  assert.ok(log() <= LOG_BYTES_KEPT, `${log()} bytes`);
  close();
});
