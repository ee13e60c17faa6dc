// Opens the database file: alone, of the right version, whole, and under its own key; or says in a sentence why
// not, and leaves the file as it was. Knows no feature's tables.
import { closeSync, existsSync, mkdirSync, openSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { GatewayError } from "../domain/errors.ts";
import { MIGRATIONS } from "./schema.ts";
import { SealBroken, type Vault } from "./vault.ts";

/** What a feature's store prepares its statements on. */
export type Db = Database.Database;

/** So long a write waits for another process that holds the database: a backup, or a person with a shell. */
const BUSY_MS = 5_000;
/** A backup lets SQLite's log grow for as long as it reads; afterwards no more of it than this is kept on disk. */
const LOG_BYTES_KEPT = 16 * 1_024 * 1_024;
/** `LNCD`, so that another program's database is not taken for ours. */
export const APPLICATION_ID = 0x4c4e4344;
const KEY_CHECK = "key_check";
const KEY_CHECK_TEXT = "linecard";

/** A database that is ours alone until `close`. */
export interface OpenDatabase {
  readonly db: Db;
  close(): void;
}

/**
 * Opens or makes the database, brings it up to this program's version, and proves that `vault` opens it.
 * Throws GatewayError DATABASE_IN_USE or DATABASE_UNUSABLE.
 */
export function openDatabase(
  path: string,
  vault: Vault,
  migrations: readonly string[] = MIGRATIONS,
): OpenDatabase {
  const lock = lockDatabase(path);
  let db: Db;
  try {
    db = openLocked(path, vault, migrations);
  } catch (error) {
    lock.close();
    throw error;
  }
  return {
    db,
    close() {
      db.close();
      lock.close();
    },
  };
}

/** The same for whoever holds the lock already. */
export function openLocked(path: string, vault: Vault, migrations: readonly string[] = MIGRATIONS): Db {
  let db: Db | undefined;
  try {
    inspect(path, vault, migrations.length);
    db = openFile(path);
    db.pragma("journal_mode = WAL");
    db.pragma(`journal_size_limit = ${LOG_BYTES_KEPT}`);
    db.pragma("synchronous = FULL"); // a call record that was written outlives a power cut
    db.pragma("foreign_keys = ON");
    migrate(db, vault, migrations);
    return db;
  } catch (error) {
    db?.close();
    throw error instanceof GatewayError ? error : unusable(path, error);
  }
}

/** Whether this is the vault of a database that is ours and sound; throws GatewayError DATABASE_UNUSABLE when it is not. */
export function opensWith(path: string, vault: Vault): boolean {
  try {
    inspect(path, vault, MIGRATIONS.length);
    return true;
  } catch (error) {
    if (error instanceof GatewayError && error.cause instanceof SealBroken) return false;
    throw error instanceof GatewayError ? error : unusable(path, error);
  }
}

/**
 * Held by the operating system for as long as this process lives, however it dies. A file of its own, so that a
 * backup may read the database meanwhile.
 */
export function lockDatabase(path: string): { close(): void } {
  const real = existsSync(path) ? realpathSync(path) : path;
  let lock: Db | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    closeSync(openSync(`${real}.lock`, "a", 0o600));
    lock = new Database(`${real}.lock`, { timeout: 0 });
    lock.pragma("journal_mode = MEMORY");
    lock.pragma("locking_mode = EXCLUSIVE");
    lock.exec("BEGIN EXCLUSIVE; COMMIT"); // in that mode the lock stays after the transaction
    return lock;
  } catch (cause) {
    lock?.close();
    if ((cause as { code?: string }).code === "SQLITE_BUSY") {
      const remedy = "stop that one, or set DATABASE_PATH to another file";
      throw new GatewayError("DATABASE_IN_USE", `${path} is in use by another Linecard: ${remedy}`, {
        cause,
      });
    }
    throw unusable(path, cause);
  }
}

function openFile(path: string): Db {
  // Numbers and names of people are in it; SQLite gives its log the same mode.
  closeSync(openSync(path, "a", 0o600));
  return new Database(path, { timeout: BUSY_MS });
}

/** Looks before anything is written: what is refused stays as it is, to the byte. */
function inspect(path: string, vault: Vault, newest: number): void {
  if (!existsSync(path) || !statSync(path).isFile()) return;
  const look = (readonly: boolean) => {
    const db = new Database(path, { timeout: BUSY_MS, readonly });
    try {
      examine(db, path, newest);
      if (versionOf(db) > 0) checkKey(db, path, vault);
    } finally {
      db.close();
    }
  };
  try {
    look(true);
  } catch (error) {
    // What a crash left half done can't be undone without writing.
    if (!/^SQLITE_(READONLY|CANTOPEN)/.test((error as { code?: string }).code ?? "")) throw error;
    look(false);
  }
}

function examine(db: Db, path: string, newest: number): void {
  const version = versionOf(db);
  const owner = db.pragma("application_id", { simple: true }) as number;
  const tables = db.prepare("SELECT count(*) FROM sqlite_schema").pluck().get() as number;
  const refuse = (what: string): never => {
    throw new GatewayError("DATABASE_UNUSABLE", `${path} ${what}; it was left as it is`);
  };
  if (tables > 0 && owner !== APPLICATION_ID) refuse("is not a database of Linecard's");
  if (version > newest) {
    refuse(`was written by a newer Linecard (its version is ${version}, this one knows ${newest})`);
  }
  const health = db.pragma("quick_check(1)", { simple: true });
  if (health !== "ok") refuse("is damaged: put a backup in its place, or set DATABASE_PATH to another file");
}

function versionOf(db: Db): number {
  return db.pragma("user_version", { simple: true }) as number;
}

/** All or nothing. */
function migrate(db: Db, vault: Vault, migrations: readonly string[]): void {
  const version = versionOf(db);
  if (version === migrations.length) return;
  db.transaction(() => {
    for (const migration of migrations.slice(version)) db.exec(migration);
    if (version === 0) {
      db.pragma(`application_id = ${APPLICATION_ID}`);
      writeKeyCheck(db, vault);
    }
    db.pragma(`user_version = ${migrations.length}`);
  }).exclusive();
  db.pragma("wal_checkpoint(TRUNCATE)");
}

/** What tells this key from any other, before a secret is looked for. */
export function writeKeyCheck(db: Db, vault: Vault): void {
  const sealed = vault.seal(KEY_CHECK_TEXT, KEY_CHECK).toString("base64");
  db.prepare(
    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  ).run(KEY_CHECK, sealed);
}

function checkKey(db: Db, path: string, vault: Vault): void {
  const sealed = db.prepare("SELECT value FROM meta WHERE key = ?").pluck().get(KEY_CHECK) as
    | string
    | undefined;
  try {
    vault.open(Buffer.from(sealed ?? "", "base64"), KEY_CHECK);
  } catch (cause) {
    if (!(cause instanceof SealBroken)) throw cause;
    const remedy = "set LINECARD_ENCRYPTION_KEY to the key it was made with, or put its .key file back";
    throw new GatewayError("DATABASE_UNUSABLE", `${path} was encrypted with another key: ${remedy}`, {
      cause,
    });
  }
}

function unusable(path: string, cause: unknown): GatewayError {
  const { code = "", message } = cause as { code?: string; message: string };
  const remedies: readonly (readonly [pattern: RegExp, words: string])[] = [
    [
      /^SQLITE_CORRUPT/,
      "is damaged: put a backup in its place, or set DATABASE_PATH to another file; it was left as it is",
    ],
    [
      /^SQLITE_NOTADB/,
      "is damaged, or no database at all: put a backup in its place, or set DATABASE_PATH to another file; it was left as it is",
    ],
    [/^SQLITE_(BUSY|LOCKED)/, "is held by another program: end what reads or writes it, and start again"],
    [
      /^SQLITE_(CANTOPEN|READONLY|PERM)|^E(ACCES|NOTDIR|ISDIR|EXIST|ROFS|PERM)/,
      "can't be made or written: set DATABASE_PATH to a file in a folder that can be",
    ],
    [/^SQLITE_FULL|^ENOSPC/, "can't be written: the disk is full"],
  ];
  const words =
    remedies.find(([pattern]) => pattern.test(code))?.[1] ?? `can't be opened (${code || message})`;
  return new GatewayError("DATABASE_UNUSABLE", `${path} ${words}`, { cause });
}
