// What an operation that failed says to the front thread: an Error would lose its code on the way.
import { GatewayError } from "../domain/errors.ts";
import type { StoreAnswer } from "./store.ts";
import { SealBroken } from "./vault.ts";

/** What time, or an operator, may mend; SQLite's extended codes begin with these. */
const OUT_OF_ORDER = /^SQLITE_(FULL|BUSY|LOCKED|IOERR|READONLY|CORRUPT|NOMEM|CANTOPEN)/;

/** `path` is the database's. */
export function failureOf(error: unknown, path: string): Exclude<StoreAnswer, { readonly value: unknown }> {
  if (error instanceof GatewayError) return { failed: { code: error.code, message: error.message } };
  if (error instanceof SealBroken) {
    const remedy = "put a backup in the database's place";
    return {
      failed: { code: "DATABASE_UNUSABLE", message: `${path} is damaged, ${error.message}: ${remedy}` },
    };
  }
  const { code, message, stack } = error as { code?: string; message: string; stack?: string };
  if (code !== undefined && OUT_OF_ORDER.test(code)) {
    return { failed: { code: "STORE_UNAVAILABLE", message: `the database can't be used now (${code})` } };
  }
  return { broken: stack ?? message };
}
