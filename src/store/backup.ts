// A copy of the database while a gateway works on it, whole and of one moment.
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import Database from "better-sqlite3";
import { GatewayError } from "../domain/errors.ts";
import { flushFolder } from "./key.ts";
import { APPLICATION_ID } from "./open.ts";

/** So long it waits for a gateway that is just starting or stopping. */
const BUSY_MS = 5_000;
/** Pages copied at a time. The gateway's writes go on meanwhile: a reader stands in nobody's way. */
const PAGES = 1_000;

export interface Backup {
  readonly bytes: number;
}

/**
 * Copies the database at `path` to `to`, which comes into being whole, checked and readable by its owner alone, or not
 * at all. Throws GatewayError: DATABASE_UNUSABLE when the database is not there, not ours or damaged; CONFLICT when
 * `to` is there and `isForced` is false; NOT_POSSIBLE when it can't be written.
 */
export async function backUp(path: string, to: string, isForced: boolean): Promise<Backup> {
  refuseItself(path, to);
  const source = openSource(path);
  const partial = `${to}.partial`;
  let isReserved = false;
  try {
    if (!isForced) {
      reserve(to);
      isReserved = true;
    }
    rmSync(partial, { force: true });
    closeSync(openSync(partial, "wx", 0o600));
    // One moment of it: without this, every write of the gateway would have the copy begin anew.
    source.exec("BEGIN");
    source.prepare("SELECT count(*) FROM sqlite_schema").get();
    await source.backup(partial, { progress: () => PAGES });
    const bytes = check(partial, path);
    renameSync(partial, to);
    flushFolder(dirname(resolve(to)));
    isReserved = false;
    return { bytes };
  } catch (error) {
    throw error instanceof GatewayError ? error : unwritable(to, error);
  } finally {
    source.close();
    for (const left of [partial, `${partial}-journal`, ...(isReserved ? [to] : [])])
      rmSync(left, { force: true });
  }
}

function refuseItself(path: string, to: string): void {
  const real = (file: string) => (existsSync(file) ? realpathSync(file) : resolve(file));
  const own = ["", "-wal", "-shm", ".lock"].map((end) => `${real(path)}${end}`);
  if (own.includes(real(to))) {
    throw new GatewayError("CONFLICT", `${to} belongs to the database itself: choose another file`);
  }
}

function openSource(path: string): Database.Database {
  const refuse = (what: string, cause?: unknown): never => {
    throw new GatewayError("DATABASE_UNUSABLE", `${path} ${what}`, { cause });
  };
  if (!existsSync(path)) refuse("is not there: DATABASE_PATH must be what the gateway has");
  let source: Database.Database | undefined;
  try {
    source = new Database(path, { readonly: true, timeout: BUSY_MS });
    if (source.pragma("application_id", { simple: true }) === APPLICATION_ID) return source;
  } catch (cause) {
    source?.close();
    return refuse(`can't be read (${(cause as { code?: string }).code})`, cause);
  }
  source.close();
  return refuse("is not a database of Linecard's");
}

/** Exclusively, so that nothing that comes into being meanwhile is written over. */
function reserve(to: string): void {
  try {
    closeSync(openSync(to, "wx", 0o600));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    const remedy = "choose another file, or say --force to write over it";
    throw new GatewayError("CONFLICT", `${to} is there already: ${remedy}`, { cause });
  }
}

/** That the copy is whole, in one file and on disk. Its size in bytes. */
function check(copy: string, path: string): number {
  const db = new Database(copy);
  try {
    db.pragma("journal_mode = DELETE"); // or it would need its log beside it
    if (db.pragma("quick_check(1)", { simple: true }) !== "ok") throw new Error("quick_check");
    const size = db.prepare("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").pluck();
    return size.get() as number;
  } catch (cause) {
    const remedy = "put an earlier backup in its place";
    throw new GatewayError("DATABASE_UNUSABLE", `${path} is damaged, so no copy was made: ${remedy}`, {
      cause,
    });
  } finally {
    db.close();
    chmodSync(copy, 0o600);
    const handle = openSync(copy, "r+");
    fsyncSync(handle);
    closeSync(handle);
  }
}

function unwritable(to: string, cause: unknown): GatewayError {
  const { code, message } = cause as { code?: string; message: string };
  if (code !== undefined && /^SQLITE_(CORRUPT|NOTADB)/.test(code))
    return new GatewayError("DATABASE_UNUSABLE", "the database is damaged, so no copy was made", { cause });
  return new GatewayError(
    "NOT_POSSIBLE",
    `${to} can't be written (${code ?? message}): choose another file`,
    {
      cause,
    },
  );
}
