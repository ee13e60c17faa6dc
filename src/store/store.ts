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
/** For whoever asked: a lock is let go, or a disk emptied, in no known time. */
const RETRY_AFTER_S = 5;

/**
 * Opens the database; rejects with GatewayError DATABASE_IN_USE or DATABASE_UNUSABLE.
 * `key` has 32 bytes and opens the secrets in it.
 */
export async function openStore(path: string, key: KeyObject): Promise<Store> {
  const thread = new StoreThread({ path, key });
  const ask = (order: StoreOrder) => thread.ask(order);

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
      if (name === "pending") return thread.pending;
      if (name === "close") return () => thread.close();
      if (!features.has(name)) features.set(name, feature(name));
      return features.get(name);
    },
  });

  try {
    await store.meta.get("opened"); // opens it
  } catch (error) {
    await thread.destroy();
    throw thread.died ?? error; // a thread that dies at its start has a bug
  }
  return store;
}

/** The thread and its queue. One that dies is replaced; the order that was under way is told that it is gone. */
class StoreThread {
  readonly #birth: StoreBirth;
  #pool: Piscina | undefined;
  #isClosing = false;
  #pending = 0;
  /** Settles with the order that was asked for last. */
  #last: Promise<unknown> = Promise.resolve();
  /** What ended the thread last, where that was an error. */
  died: Error | undefined;

  constructor(birth: StoreBirth) {
    this.#birth = birth;
  }

  get pending(): number {
    return this.#pending;
  }

  async ask(order: StoreOrder): Promise<unknown> {
    if (this.#isClosing || this.#pending >= ORDERS_MAX) return readAnswer(lost());
    return readAnswer(await this.#queued(order));
  }

  /** One is given to the pool after the other: those in its own queue may overtake. */
  #queued(order: StoreOrder): Promise<StoreAnswer> {
    this.#pending++;
    const answer = this.#last.then(() => this.#run(order));
    this.#last = answer;
    return answer;
  }

  /** Never rejects. */
  async #run(order: StoreOrder): Promise<StoreAnswer> {
    try {
      this.#pool ??= this.#build();
      return (await this.#pool.run(order).catch(lost)) as StoreAnswer;
    } finally {
      this.#pending--;
    }
  }

  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      await this.#queued("close"); // a thread that dies over it has closed as well
    }
    await this.destroy();
  }

  async destroy(): Promise<void> {
    this.#isClosing = true;
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.destroy();
  }

  #build(): Piscina {
    const pool = new Piscina({
      filename: WORKER_FILE,
      minThreads: 1,
      maxThreads: 1,
      concurrentTasksPerWorker: 1,
      atomics: "disabled",
      workerData: this.#birth,
      env: {},
      // As for the media workers: Node 22 must not load them by `require`.
      execArgv: ["--no-experimental-require-module"],
    });
    pool.on("error", (error: Error) => {
      this.died = error;
    });
    // A replacement that dies while it starts is not replaced: then orders that wait are told, and the next one has
    // a new pool made.
    pool.on("workerDestroy", () => {
      process.nextTick(() => {
        if (pool.threads.length > 0 || this.#pool !== pool) return;
        this.#pool = undefined;
        void pool.destroy();
      });
    });
    return pool;
  }
}

function lost(): StoreAnswer {
  return {
    failed: { code: "STORE_UNAVAILABLE", message: "the database's thread is gone or has too much to do" },
  };
}

function readAnswer(answer: StoreAnswer): unknown {
  if ("value" in answer) return answer.value;
  if ("failed" in answer) {
    const { code, message } = answer.failed;
    throw new GatewayError(code, message, code === "STORE_UNAVAILABLE" ? { retryAfterS: RETRY_AFTER_S } : {});
  }
  throw new Error(`in the store's thread: ${answer.broken}`);
}
