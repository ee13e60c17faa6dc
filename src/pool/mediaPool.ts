// The media workers and who has which call: placement, heartbeat, death, the end. A call is one Piscina task;
// this folder is the only one that knows Piscina. It knows nothing of sockets, routing or records.
import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import type { Clock, Stop } from "../domain/clock.ts";
import { WorkerCounts } from "../lane/counts.ts";
import type { Prompts } from "../lane/news.ts";
import { CallRemains } from "../lane/remains.ts";
import type { CallTicket, TaskReport, WorkerBirth, WorkerHello, WorkerStray } from "../lane/ticket.ts";
import { HEARTBEAT_MS, LOOK_LATE_MS, MediaWorker } from "./mediaWorker.ts";
import { type CallOrder, Placement, type PlacementListener } from "./placement.ts";

const TICK_MS = 1;
/** Ticks without a call before ticking stops: a call that follows soon finds it running. */
const LINGER_TICKS = 100;
/** A call that has outlived this many workers that had begun it is suspected of killing them: it is not placed again. */
const DEATHS_MAX = 2;
/** Workers that may die, or turn out to be dead, before they begin a call; it is not to blame for these. */
const FALSE_STARTS_MAX = 20;
/** A worker younger than this gets at most every second new call, lest one bad newcomer take them all. */
const NEWCOMER_MS = 10_000;
/** Looks with too few threads before the pool is rebuilt: Piscina gives up after one failed boot. */
const SHORT_LOOKS_MAX = 10;
/** The first workers have this long to say hello, or the start fails. */
const BOOT_MS = 30_000;
/** Piscina would load the worker by `require`, and Node 22 aborts the process when a thread is ended in that. */
const WORKER_FLAGS = ["--no-experimental-require-module"];
/** A worker that needs more than this is leaking; it dies and its calls move on. */
const WORKER_HEAP_MB = 1_024;
/** What Node says of a worker that did. */
const OUT_OF_MEMORY = "ERR_WORKER_OUT_OF_MEMORY";

export interface MediaPoolOptions {
  readonly workers: number;
  /** Most calls at once; every worker can take them all after the others' death. */
  readonly callsMax: number;
  readonly clock: Clock;
  /** URLs of modules with agent types beside the built-in ones. */
  readonly agentModules: readonly string[];
  /** Hosts that agents' servers may have although they are not public. */
  readonly agentPrivateHosts?: readonly string[];
  /** What the gateway itself says. */
  readonly prompts: Prompts;
  /** The folder that calls are recorded into. */
  readonly recordingsPath: string;
  readonly observer: MediaPoolObserver;
}

/** Stood still and was killed, died by itself, or needed more memory than it may have. */
export type WorkerDeath = "stuck" | "exit" | "memory";

/** What the pool tells whoever counts and logs. */
export interface MediaPoolObserver {
  workerDied(threadId: number, calls: number, why: WorkerDeath): void;
  /** Time a call spent without a worker before one was chosen. */
  waited(ms: number): void;
  /** An error no call could be blamed for. */
  stray(error: string): void;
}

const WORKER_FILE = fileURLToPath(new URL("../media/worker.ts", import.meta.url));

export class MediaPool {
  readonly #options: MediaPoolOptions;
  readonly #remains: CallRemains;
  readonly #epochs: Uint32Array;
  readonly #freeSlots: number[];
  readonly #workers = new Map<number, MediaWorker>();
  readonly #placements = new Set<Placement>();
  readonly #retired = new Set<Piscina>();
  readonly #deadCounts = new WorkerCounts();
  readonly #allUp = Promise.withResolvers<void>();
  #pool: Piscina;
  /** Being built, to take over from a pool that starts no more workers. */
  #successor: Piscina | undefined;
  #stopTicking: Stop | undefined;
  #idleTicks = 0;
  #stopWatching: Stop;
  #shortLooks = 0;
  #lookedMs = 0;
  #alternate = false;
  #laneDrops = 0;
  #isClosing = false;

  private constructor(options: MediaPoolOptions) {
    this.#options = options;
    this.#remains = new CallRemains({ slots: options.callsMax });
    this.#epochs = new Uint32Array(options.callsMax);
    this.#freeSlots = Array.from({ length: options.callsMax }, (_, slot) => options.callsMax - 1 - slot);
    this.#pool = this.#build();
    this.#stopWatching = options.clock.every(HEARTBEAT_MS, () => this.#watch());
  }

  /** Starts the workers; resolves once every one has said hello. */
  static async start(options: MediaPoolOptions): Promise<MediaPool> {
    const pool = new MediaPool(options);
    AbortSignal.timeout(BOOT_MS).addEventListener("abort", () =>
      pool.#allUp.reject(new Error(`the media workers did not start within ${BOOT_MS} ms`)),
    );
    try {
      await pool.#allUp.promise;
    } catch (error) {
      await pool.close();
      throw error;
    }
    return pool;
  }

  /** Whether a call placed now begins at once. */
  get isReady(): boolean {
    return !this.#isClosing && this.#workersOf(this.#pool).some((worker) => !worker.isDying);
  }

  /** Places a call on a worker. The caller has made sure that fewer than `callsMax` are placed. */
  place(order: CallOrder, listener: PlacementListener): Placement {
    const slot = this.#freeSlots.pop();
    if (slot === undefined) throw new Error("more calls were admitted than there are slots");
    const placement = new Placement(order, slot, listener, this.#options.clock.nowMs());
    this.#placements.add(placement);
    this.#run(placement, undefined);
    return placement;
  }

  /** Totals over all workers, the dead included. */
  counts(): WorkerCounts {
    const total = new WorkerCounts();
    total.absorb(this.#deadCounts);
    for (const worker of this.#workers.values()) total.absorb(worker.counts);
    return total;
  }

  /** What a scrape or a test may want to know of this moment. */
  state() {
    let laneDepthMs = 0;
    let laneDrops = this.#laneDrops;
    for (const { lane } of this.#workers.values()) {
      laneDepthMs = Math.max(laneDepthMs, lane.depthMs);
      laneDrops += lane.dropped;
    }
    for (const placement of this.#placements) laneDrops += placement.parkedDrops;
    return {
      workers: this.#workers.size,
      calls: this.#placements.size,
      callsWaiting: this.#pool.queueSize,
      callsByWorker: [...this.#workers.values()].map((worker) => worker.calls),
      freeSlots: this.#freeSlots.length,
      isTicking: this.#stopTicking !== undefined,
      laneDepthMs,
      laneDrops,
    };
  }

  /** Ends all workers at once, their calls with them. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#stopWatching();
    this.#stopTicking?.();
    this.#stopTicking = undefined;
    const pools = [this.#pool, ...this.#retired, ...(this.#successor === undefined ? [] : [this.#successor])];
    await Promise.all(pools.map((pool) => pool.destroy()));
    for (const worker of this.#workers.values()) worker.lane.close();
    this.#workers.clear();
  }

  // Workers: born, chosen, watched, dead.

  #build(): Piscina {
    const { agentModules, agentPrivateHosts = [], prompts, recordingsPath } = this.#options;
    const remains = this.#remains.memory;
    const birth: WorkerBirth = { remains, agentModules, agentPrivateHosts, prompts, recordingsPath };
    const pool: Piscina = new Piscina({
      filename: WORKER_FILE,
      minThreads: this.#options.workers,
      maxThreads: this.#options.workers,
      concurrentTasksPerWorker: this.#options.callsMax,
      atomics: "disabled", // with the default an idle worker's event loop stands still
      workerData: birth,
      env: {}, // agents' code runs in workers: the process's secrets stay out of them
      execArgv: WORKER_FLAGS,
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
      loadBalancer: (task, workers) => {
        const placement = (task as unknown as Record<symbol, Placement>)[Piscina.queueOptionsSymbol]!;
        const chosen = this.#choose(workers.map((worker) => worker.id));
        if (chosen === undefined) return null;
        this.#options.observer.waited(this.#options.clock.nowMs() - placement.askedAtMs);
        placement.assign(chosen);
        return workers.find((worker) => worker.id === chosen.threadId) ?? null;
      },
    });
    pool.on("message", (message: WorkerHello | WorkerStray) => {
      if ("stray" in message) this.#options.observer.stray(message.stray);
      else this.#welcome(pool, message);
    });
    pool.on("error", (error: Error) => {
      this.#options.observer.stray(error.stack ?? error.message);
      this.#allUp.reject(error); // the first start fails by it
    });
    return pool;
  }

  #welcome(pool: Piscina, hello: WorkerHello): void {
    const thread = pool.threads.find(({ threadId }) => threadId === hello.threadId);
    if (thread === undefined) return; // it died between its hello and now
    const worker = new MediaWorker(hello, thread, this.#options.clock);
    this.#workers.set(hello.threadId, worker);
    thread.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === OUT_OF_MEMORY) this.#mourn(worker, "memory");
    });
    thread.once("exit", () => this.#bury(worker));
    if (this.#workers.size === this.#options.workers) this.#allUp.resolve();
    if (pool === this.#successor && this.#workersOf(pool).length === this.#options.workers)
      this.#succeed(pool);
  }

  /** The workers of a pool that are up. */
  #workersOf(pool: Piscina): MediaWorker[] {
    return pool.threads.flatMap(({ threadId }) => this.#workers.get(threadId) ?? []);
  }

  #bury(worker: MediaWorker): void {
    if (this.#isClosing) return;
    worker.lane.poll(); // its last frames
    this.#mourn(worker, "exit");
    this.#workers.delete(worker.threadId);
    this.#deadCounts.absorb(worker.counts);
    this.#laneDrops += worker.lane.dropped;
    worker.lane.close();
  }

  /** Tells of a death once, however it is noticed first, and sees to it: a worker that loses a call is no use. */
  #mourn(worker: MediaWorker, why: WorkerDeath): void {
    if (worker.isDying || this.#isClosing) return;
    worker.isDying = true;
    this.#options.observer.workerDied(worker.threadId, worker.calls, why);
    void worker.thread.terminate();
  }

  /** Fewest calls; a newcomer only every second time, so that a bad one doesn't collect all new calls. */
  #choose(threadIds: readonly number[]): MediaWorker | undefined {
    const ready: MediaWorker[] = [];
    for (const threadId of threadIds) {
      const worker = this.#workers.get(threadId);
      if (worker !== undefined && !worker.isDying) ready.push(worker);
    }
    ready.sort((a, b) => a.calls - b.calls || a.threadId - b.threadId);
    const [first] = ready;
    if (first === undefined) return undefined;
    const isNewcomer = this.#options.clock.nowMs() - first.bornMs < NEWCOMER_MS;
    const elder = ready.find((worker) => worker.bornMs < first.bornMs - NEWCOMER_MS);
    if (!isNewcomer || elder === undefined) return first;
    this.#alternate = !this.#alternate;
    return this.#alternate ? first : elder;
  }

  #watch(): void {
    const nowMs = this.#options.clock.nowMs();
    const isLate = nowMs - this.#lookedMs > LOOK_LATE_MS;
    this.#lookedMs = nowMs;
    if (isLate) return;
    for (const worker of this.#workers.values()) if (worker.isStuck()) this.#mourn(worker, "stuck");
    for (const pool of this.#retired) this.#dismissIfIdle(pool);
    const newest = this.#successor ?? this.#pool;
    this.#shortLooks = newest.threads.length < this.#options.workers ? this.#shortLooks + 1 : 0;
    if (this.#shortLooks < SHORT_LOOKS_MAX) return;
    this.#shortLooks = 0;
    void this.#successor?.destroy();
    this.#successor = this.#build();
  }

  /**
   * A new pool takes over once all of its workers are up, and not before: a task that came earlier would wait in
   * Piscina's queue, which is looked at again only when a task ends or a worker is replaced.
   */
  #succeed(pool: Piscina): void {
    this.#retired.add(this.#pool);
    this.#pool = pool;
    this.#successor = undefined;
    for (const retired of this.#retired) this.#dismissIfIdle(retired);
  }

  /** Ends a retired pool once the calls that were left to it are over. Those still in its queue are placed anew. */
  #dismissIfIdle(pool: Piscina): void {
    const workers = this.#workersOf(pool);
    if (workers.some(({ calls }) => calls > 0)) return;
    this.#retired.delete(pool);
    for (const worker of workers) worker.isDying = true;
    void pool.destroy();
  }

  // Calls: run, lost, ended.

  #run(placement: Placement, resumed: CallTicket["resumed"]): void {
    const { slot, order, placedAtMs } = placement;
    placement.epoch = this.#epochs[slot]! += 1;
    placement.askedAtMs = this.#options.clock.nowMs();
    const ticket: CallTicket = { ...order, slot, epoch: placement.epoch, placedAtMs, resumed };
    this.#startTicking();
    this.#pool.run(Object.assign(ticket, { [Piscina.queueOptionsSymbol]: placement })).then(
      (report: TaskReport) => {
        placement.worker?.lane.poll();
        this.#end(placement, report);
      },
      (error: unknown) => this.#lost(placement, error),
    );
  }

  #lost(placement: Placement, error: unknown): void {
    const { worker, stream } = placement;
    const ending = placement.ending ?? (this.#isClosing ? "drained" : undefined);
    if (worker !== undefined) {
      worker.lane.poll(); // its last frames
      this.#mourn(worker, "exit");
    }
    placement.detach();
    const left = this.#remains.read(placement.slot, placement.epoch);
    if (left === undefined) placement.falseStarts++;
    else placement.deaths++;
    const remains = left ?? placement.remains;
    placement.remains = remains;
    const heardMs = remains?.heardMs ?? 0;
    if (ending !== undefined) return this.#end(placement, { reason: ending, heardMs, digits: 0 });
    if (placement.deaths >= DEATHS_MAX || placement.falseStarts >= FALSE_STARTS_MAX) {
      const text = error instanceof Error ? error.message : String(error);
      return this.#end(placement, { reason: "worker_lost", error: text, heardMs, digits: 0 });
    }
    const nowMs = this.#options.clock.nowMs();
    const resumed = stream && {
      streamSid: stream.streamSid,
      talkedMs: Math.round(nowMs - stream.startedMs),
      remains,
    };
    this.#run(placement, resumed);
    if (worker !== undefined) placement.listener.replaced();
  }

  #end(placement: Placement, report: TaskReport): void {
    placement.detach();
    this.#laneDrops += placement.parkedDrops;
    this.#placements.delete(placement);
    this.#freeSlots.push(placement.slot);
    placement.listener.ended(report);
  }

  // The front's end of the media tick.

  #startTicking(): void {
    this.#idleTicks = 0;
    this.#stopTicking ??= this.#options.clock.every(TICK_MS, () => this.#tick());
  }

  #tick(): void {
    for (const worker of this.#workers.values()) {
      worker.lane.flush();
      worker.lane.poll();
    }
    this.#idleTicks = this.#placements.size === 0 ? this.#idleTicks + 1 : 0;
    if (this.#idleTicks > LINGER_TICKS) {
      this.#stopTicking?.();
      this.#stopTicking = undefined;
      for (const { lane } of this.#workers.values()) lane.rest();
    }
  }
}
