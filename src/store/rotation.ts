// Seals every secret anew with another key. Whenever it is cut short, the database opens with a key that is on disk or
// in the environment:
//
//   1  the new key is written beside the old one, as `<file>.new`      database: old key   file: old, .new: new
//   2  one transaction seals all secrets anew                          database: new key   file: old, .new: new
//   3  `.new` takes the file's place                                   database: new key   file: new
//
// After a crash between 2 and 3 the next start, or the next rotation, finds that only `.new` opens the database and
// does 3 first.
import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { GatewayError } from "../domain/errors.ts";
import { SEALED as CONFIGURATIONS } from "../numbers/configurations/configurations.store.ts";
import { SEALED as DEFINITIONS } from "../workflows/workflows.store.ts";
import { flushFolder, KEY_BYTES, keyPath, newKeyPath, readKey, writeKey } from "./key.ts";
import { type Db, lockDatabase, openLocked, opensWith, writeKeyCheck } from "./open.ts";
import { type SealedColumns, Vault } from "./vault.ts";

/** Everywhere that secrets are sealed. */
const SEALED: readonly SealedColumns[] = [CONFIGURATIONS, DEFINITIONS];

export interface Rotation {
  /** Secrets that were sealed anew. */
  readonly secrets: number;
  /** Where the new key stands; undefined when it is in the environment alone. */
  readonly file: string | undefined;
}

/** The keys of a database as they are given: `present` and `next` by the environment, or undefined. */
export interface GivenKeys {
  readonly present: KeyObject | undefined;
  readonly next: KeyObject | undefined;
}

/**
 * Rotates the key of a database that no gateway has open. A key file is replaced; a key that the environment gives is
 * replaced by the next one there, or else by a file. Throws GatewayError as openDatabase does.
 */
export function rotateKey(databasePath: string, { present, next }: GivenKeys): Rotation {
  const lock = lockDatabase(databasePath);
  try {
    const file = keyPath(databasePath);
    finish(databasePath);
    // What was interrupted may have left the environment's key behind already.
    if (!existsSync(databasePath)) {
      const words = "is not there: DATABASE_PATH must be what the gateway has";
      throw new GatewayError("DATABASE_UNUSABLE", `${databasePath} ${words}`);
    }
    const isInFile = present === undefined || isOpenedByFile(databasePath, file, present);
    const old = isInFile ? readKey(file) : present;
    const key = next ?? createSecretKey(randomBytes(KEY_BYTES));
    const goesToFile = isInFile || next === undefined;
    if (!isInFile && goesToFile && existsSync(file)) {
      const remedy = "move it away, or set LINECARD_ENCRYPTION_KEY_NEW";
      throw new GatewayError(
        "CONFLICT",
        `${file} is there, with a key that is not the database's: ${remedy}`,
      );
    }
    if (goesToFile) {
      rmSync(newKeyPath(databasePath), { force: true }); // of a rotation that was cut short before it began
      writeKey(newKeyPath(databasePath), key.export());
    }
    const db = openLocked(databasePath, new Vault(old));
    let secrets: number;
    try {
      secrets = sealAnew(db, new Vault(old), new Vault(key));
    } finally {
      db.close();
    }
    if (goesToFile) putInPlace(databasePath);
    return { secrets, file: goesToFile ? file : undefined };
  } finally {
    lock.close();
  }
}

/**
 * Ends a rotation that was cut short after its transaction. To be asked before the key's file is read; throws
 * GatewayError DATABASE_IN_USE while one is under way.
 */
export function finishRotation(databasePath: string): void {
  if (!existsSync(newKeyPath(databasePath))) return;
  const lock = lockDatabase(databasePath);
  try {
    finish(databasePath);
  } finally {
    lock.close();
  }
}

function finish(databasePath: string): void {
  const beside = newKeyPath(databasePath);
  if (!existsSync(beside) || !existsSync(databasePath)) return;
  if (opensWith(databasePath, new Vault(readKey(beside)))) putInPlace(databasePath);
}

function isOpenedByFile(databasePath: string, file: string, present: KeyObject): boolean {
  if (opensWith(databasePath, new Vault(present))) return false;
  return existsSync(file) && opensWith(databasePath, new Vault(readKey(file)));
}

function putInPlace(databasePath: string): void {
  renameSync(newKeyPath(databasePath), keyPath(databasePath));
  flushFolder(dirname(databasePath));
}

/** One transaction; how many secrets there were. */
function sealAnew(db: Db, old: Vault, next: Vault): number {
  db.pragma("secure_delete = ON"); // what the old key opens is not left on free pages
  let secrets = 0;
  db.transaction(() => {
    for (const sealed of SEALED) {
      for (const column of sealed.columns) secrets += sealColumnAnew(db, sealed, column, old, next);
    }
    writeKeyCheck(db, next);
  }).exclusive();
  db.pragma("wal_checkpoint(TRUNCATE)");
  return secrets;
}

function sealColumnAnew(db: Db, sealed: SealedColumns, column: string, old: Vault, next: Vault): number {
  const { table } = sealed;
  const rows = db
    .prepare<[], { readonly id: number; readonly secret: Uint8Array }>(
      `SELECT id, ${column} AS secret FROM ${table} WHERE ${column} IS NOT NULL`,
    )
    .all();
  const write = db.prepare(`UPDATE ${table} SET ${column} = ? WHERE id = ?`);
  for (const { id, secret } of rows) {
    const place = sealed.placeOf(id, column);
    write.run(next.seal(old.open(secret, place), place), id);
  }
  return rows.length;
}
