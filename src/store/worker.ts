// The store's thread: opens the database it was born with and runs one operation after the other.
import { workerData } from "node:worker_threads";
import { failureOf } from "./failure.ts";
import { openDatabase } from "./open.ts";
import { type Operations, prepareOperations } from "./operations.ts";
import type { StoreAnswer, StoreBirth, StoreOrder } from "./store.ts";
import { Vault } from "./vault.ts";

const { path, key } = workerData as StoreBirth;

let open: { readonly operations: Operations; close(): void } | undefined;

/** At the first order, and again in the thread that takes a dead one's place. */
function opened(): Operations {
  if (open === undefined) {
    const vault = new Vault(key);
    const { db, close } = openDatabase(path, vault);
    open = { operations: prepareOperations(db, vault), close };
  }
  return open.operations;
}

/** Never rejects (failure.ts). */
export default function run(order: StoreOrder): StoreAnswer {
  try {
    if (order === "close") {
      open?.close();
      open = undefined;
      return { value: undefined };
    }
    const operations = opened() as unknown as Record<string, Record<string, (...args: unknown[]) => unknown>>;
    return { value: operations[order.of]![order.act]!(...order.with) };
  } catch (error) {
    return failureOf(error, path);
  }
}
