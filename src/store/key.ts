// The key that secrets are sealed with: the environment's, or a file beside the database that is made at first start.
import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { GatewayError } from "../domain/errors.ts";

export const KEY_BYTES = 32;

export interface DatabaseKey {
  readonly key: KeyObject;
  /** Where the key stands when the environment gives none. */
  readonly file: string | undefined;
  /** It was made just now. */
  readonly isNew: boolean;
}

/** The path of the key's file, beside the database. */
export function keyPath(databasePath: string): string {
  return `${databasePath.replace(/\.db$/, "")}.key`;
}

/** Where the next key stands while a rotation is under way. */
export function newKeyPath(databasePath: string): string {
  return `${keyPath(databasePath)}.new`;
}

/** Throws GatewayError SETTINGS_INVALID when the file can't be read or made, or holds no key. */
export function databaseKey(databasePath: string, given: KeyObject | undefined): DatabaseKey {
  if (given !== undefined) return { key: given, file: undefined, isNew: false };
  const file = keyPath(databasePath);
  if (existsSync(file)) return { key: readKey(file), file, isNew: false };
  // Made for a database that is there already, it could not open it, and would hide what is missing.
  if (existsSync(databasePath)) {
    const remedy = "put it back, or set LINECARD_ENCRYPTION_KEY";
    throw new GatewayError("SETTINGS_INVALID", `${file}, the key of ${databasePath}, is missing: ${remedy}`);
  }
  return { key: writeKey(file, randomBytes(KEY_BYTES)), file, isNew: true };
}

/** Throws GatewayError SETTINGS_INVALID. */
export function readKey(file: string): KeyObject {
  try {
    chmodSync(file, 0o600);
    const bytes = Buffer.from(readFileSync(file, "utf8").trim(), "base64");
    if (bytes.length === KEY_BYTES) return createSecretKey(bytes);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new GatewayError("SETTINGS_INVALID", `${file}, the database's key, can't be read (${code})`, {
      cause,
    });
  }
  throw new GatewayError("SETTINGS_INVALID", `${file} does not hold a key of ${KEY_BYTES} bytes in base64`);
}

/**
 * Mode 0600, whole or not at all, and exclusively: a key that is there is never written over. It is on disk when this
 * returns, and so before anything that it seals.
 */
export function writeKey(file: string, bytes: Buffer): KeyObject {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const partial = `${file}.${process.pid}`;
    rmSync(partial, { force: true });
    writeFileSync(partial, `${bytes.toString("base64")}\n`, { mode: 0o600, flag: "wx", flush: true });
    try {
      linkSync(partial, file); // unlike a rename it fails where something is
    } finally {
      rmSync(partial, { force: true });
    }
    flushFolder(dirname(file));
    return createSecretKey(bytes);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const remedy = "set DATABASE_PATH to a file in a folder that can be written";
    throw new GatewayError("SETTINGS_INVALID", `${file} can't be made (${code}): ${remedy}`, { cause });
  }
}

/** A file's name outlives a power cut once its folder has been written. */
export function flushFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
