// The front thread's side of the store: every operation as a promise, in the order they were asked for. Whatever
// waits on SQLite waits here, and never on the thread that has the sockets.
import type { KeyObject } from "node:crypto";
import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import { GatewayError, type GatewayErrorCode } from "../domain/errors.ts";
import type { Operations } from "./operations.ts";

/** What the store's thread is born with. */
export interface StoreBirth {
  readonly path: string;
  readonly key: KeyObject;
}

/** One operation, named by feature and act. */
export type StoreOrder =
  | "close"
  | { readonly of: string; readonly act: string; readonly with: readonly unknown[] };

export type StoreAnswer =
  | { readonly value: unknown }
  | { readonly failed: { readonly code: GatewayErrorCode; readonly message: string } }
  | { readonly broken: string };

/** Each operation, a thread away. Rejects with GatewayError STORE_UNAVAILABLE when the database can't be used. */
type Distant<Feature> = {
  readonly [Act in keyof Feature]: Feature[Act] extends (...args: infer Args) => infer Value
    ? (...args: Args) => Promise<Value>
    : never;
};

export type Store = { readonly [Feature in keyof Operations]: Distant<Operations[Feature]> } & {
  /** Operations that were asked for and have not been answered. */
  readonly pending: number;
  /** After all that was asked for before it. */
  close(): Promise<void>;
};

const WORKER_FILE = fileURLToPath(new URL("./worker.ts", import.meta.url));
/** Orders that may wait; past it they fail at once. Records are batched, so a healthy store has one or two. */
const ORDERS_MAX = 10_000;

/**
 * Opens the database; rejects with GatewayError DATABASE_IN_USE or DATABASE_UNUSABLE.
 * `key` has 32 bytes and opens the secrets in it.
 */
export async function openStore(path: string, key: KeyObject): Promise<Store> {
  const birth: StoreBirth = { path, key };
  const pool = new Piscina({
    filename: WORKER_FILE,
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: 1,
    maxQueue: ORDERS_MAX,
    atomics: "disabled",
    workerData: birth,
    env: {},
    // As for the media workers: Node 22 must not load them by `require`.
    execArgv: ["--no-experimental-require-module"],
  });
  /** What ended the store's thread last; the order that was under way is told that it is gone. */
  let died: Error | undefined;
  pool.on("error", (error: Error) => {
    died = error;
  });
  let pending = 0;

  async function ask(order: StoreOrder): Promise<unknown> {
    pending++;
    try {
      return readAnswer((await pool.run(order).catch(lost)) as StoreAnswer);
    } finally {
      pending--;
    }
  }

  const feature = (of: string) =>
    new Proxy(
      {},
      {
        get:
          (_, act: string) =>
          (...args: unknown[]) =>
            ask({ of, act, with: args }),
      },
    );
  const features = new Map<string, object>();
  const store = new Proxy({} as Store, {
    get(_, name: string) {
      if (name === "then") return undefined; // awaited, it is no promise
      if (name === "pending") return pending;
      if (name === "close") return () => ask("close").then(() => pool.destroy());
      if (!features.has(name)) features.set(name, feature(name));
      return features.get(name);
    },
  });

  try {
    await store.meta.get("opened"); // opens it
  } catch (error) {
    await pool.destroy();
    throw died ?? error; // a thread that dies at its start has a bug
  }
  return store;
}

function lost(cause: unknown): StoreAnswer {
  void cause;
  return {
    failed: { code: "STORE_UNAVAILABLE", message: "the database's thread is gone or has too much to do" },
  };
}

function readAnswer(answer: StoreAnswer): unknown {
  if ("value" in answer) return answer.value;
  if ("failed" in answer) throw new GatewayError(answer.failed.code, answer.failed.message);
  throw new Error(`in the store's thread: ${answer.broken}`);
}
