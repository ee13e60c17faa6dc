// The pool over real worker threads: where calls go, and what becomes of them when threads die or will not start.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import type { WorkerCounts } from "../../../src/lane/counts.ts";
import { readPrompts } from "../../../src/media/recordings/recordings.ts";
import { MediaPool } from "../../../src/pool/mediaPool.ts";
import type { Placement } from "../../../src/pool/placement.ts";
import { MovableClock } from "../../support/movableClock.ts";
import { until } from "../../support/until.ts";
import { order, RecordingListener, STREAM_SID, wire } from "./orders.ts";

const TEST_AGENT = new URL("../../support/testAgent.ts", import.meta.url).href;
const NEWCOMER_MS = 10_000;

const prompts = readPrompts();

/** Threads as they are born, of every pool of this process. */
const threads: Worker[] = [];
/** Set to have the next threads die in the middle of their birth. */
let stillborn = 0;
process.on("worker", (thread: Worker) => {
  threads.push(thread);
  if (stillborn === 0) return;
  stillborn--;
  void thread.terminate();
});

interface Run {
  readonly listener: RecordingListener;
  readonly placement: Placement;
}

async function startPool(t: TestContext, { workers = 2, callsMax = 50, agentModules = [TEST_AGENT] } = {}) {
  const clock = new MovableClock();
  const deaths: { calls: number; why: string }[] = [];
  const strays: string[] = [];
  const waits: number[] = [];
  const observer = {
    workerDied: (_threadId: number, calls: number, why: string) => deaths.push({ calls, why }),
    waited: (ms: number) => waits.push(ms),
    stray: (error: string) => strays.push(error),
  };
  const pool = await MediaPool.start({
    ...{ workers, callsMax, clock, agentModules, prompts, observer },
    recordingsPath: join(tmpdir(), "linecard-records-nothing"),
  });
  t.after(() => pool.close());
  return {
    pool,
    clock,
    deaths,
    strays,
    waits,
    place(type = "echo", settings = {}): Run {
      const listener = new RecordingListener();
      return { listener, placement: pool.place(order(type, settings), listener) };
    },
    /** Ends the thread that has this call. */
    kill: ({ placement }: Run) => placement.worker!.thread.terminate(),
    isUp: () => until("all workers to be up", () => pool.state().workers === workers),
    isFree: () => until("no call to be left", () => pool.state().calls === 0),
  };
}

function begin({ placement }: Run): void {
  placement.started({ streamSid: STREAM_SID, startedMs: 0 }, wire.start());
}

/** Sends frames and waits for their echo. */
async function isEchoed({ placement, listener }: Run, fromFrame: number): Promise<void> {
  const before = listener.audio.length;
  for (let frame = fromFrame; frame < fromFrame + 5; frame++) placement.deliver(wire.media(frame));
  await until("the echo", () => listener.audio.length >= before + 5 * 160);
}

describe("a media pool", { concurrency: true }, () => {
  it("gives a call to the worker with the fewest", async (t) => {
    const { pool, place, isFree, waits } = await startPool(t, { workers: 3 });
    const runs = Array.from({ length: 9 }, () => place());
    assert.deepEqual(pool.state().callsByWorker, [3, 3, 3]);
    const emptied = runs[4]!.placement.worker;
    for (const { placement } of runs) if (placement.worker === emptied) placement.end("caller_hung_up");
    await until("them to end", () => pool.state().calls === 6);
    for (let n = 0; n < 3; n++) assert.equal(place().placement.worker, emptied);
    assert.deepEqual(pool.state().callsByWorker, [3, 3, 3]);
    assert.equal(pool.state().callsWaiting, 0);
    assert.equal(waits.length, 12);
    assert.ok(
      waits.every((ms) => ms < 100),
      "nobody waits while a worker is up",
    );
    await pool.close();
    await isFree();
  });

  it("gives a worker that is new every second call only, until it has proved itself", async (t) => {
    const { pool, clock, place, kill } = await startPool(t, { callsMax: 1_000 });
    const old = [place(), place(), place(), place()];
    await clock.advance(NEWCOMER_MS + 1);
    const survivor = old[1]!.placement.worker;
    await kill(old[0]!);
    await until("its calls to move", () => old.every(({ placement }) => placement.worker === survivor));
    await until("the new one to get a call", () => place().placement.worker !== survivor);
    const onNew = () => pool.state().calls - survivor!.calls;
    const onOld = survivor!.calls;
    for (let n = 0; n < 6; n++) place();
    assert.deepEqual([survivor!.calls - onOld, onNew() - 1], [3, 3]);
    await clock.advance(NEWCOMER_MS + 1);
    while (onNew() < survivor!.calls) assert.notEqual(place().placement.worker, survivor);
  });

  it("ends every call when it is closed, once, and holds nothing", async (t) => {
    const { pool, place } = await startPool(t, { workers: 1 });
    const runs = [place(), place(), place()];
    begin(runs[0]!);
    await isEchoed(runs[0]!, 0);
    await Promise.all([pool.close(), pool.close()]);
    for (const { listener } of runs) assert.deepEqual(listener.reasons, ["drained"]);
    const { calls, workers, freeSlots, isTicking } = pool.state();
    assert.deepEqual([calls, workers, freeSlots, isTicking], [0, 0, 50, false]);
    assert.equal(pool.isReady, false);
  });

  it("ticks while there are calls, and not for long after", async (t) => {
    const { pool, place, isFree } = await startPool(t, { workers: 1 });
    assert.equal(pool.state().isTicking, false);
    const run = place();
    assert.equal(pool.state().isTicking, true);
    run.placement.end("caller_hung_up");
    await isFree();
    await until("the tick to stop", () => !pool.state().isTicking);
    assert.equal(pool.state().laneDepthMs, 0);
  });

  it("refuses more calls than it has slots for", async (t) => {
    const { place } = await startPool(t, { workers: 1 });
    for (let n = 0; n < 50; n++) place();
    assert.throws(() => place(), /more calls were admitted than there are slots/);
  });

  it("keeps the counts of the dead", async (t) => {
    const { pool, place, kill, isUp } = await startPool(t, { workers: 1 });
    const run = place();
    begin(run);
    await isEchoed(run, 0);
    const sent = (counts: WorkerCounts) => counts.get("framesSent");
    const before = sent(pool.counts());
    assert.ok(before >= 5);
    await kill(run);
    await isUp();
    assert.ok(sent(pool.counts()) >= before);
  });
});

describe("a call whose worker dies", { concurrency: true }, () => {
  it("goes on with its stream on another", async (t) => {
    const { deaths, place, kill, pool } = await startPool(t);
    const [run, other] = [place(), place()];
    begin(run);
    await isEchoed(run, 0);
    const survivor = other.placement.worker;
    await kill(run);
    await until("the call to move", () => run.listener.moves === 1);
    assert.equal(run.placement.worker, survivor);
    await isEchoed(run, 5);
    assert.deepEqual(deaths, [{ calls: 1, why: "exit" }]);
    assert.equal(other.listener.moves, 0);
    run.placement.deliver(wire.stop());
    await until("the call to end", () => run.listener.reports.length > 0);
    assert.equal(run.listener.reasons[0], "caller_hung_up");
    assert.equal(pool.state().calls, 1);
  });

  it("is given its start once, though no worker lived to hear of it before", async (t) => {
    const { place, kill } = await startPool(t, { workers: 1 });
    const stuck = place("test");
    begin(stuck);
    await until("the agent to be there", () => stuck.placement.stream !== undefined);
    stuck.placement.deliver(wire.dtmf("8"));
    const run = place(); // on a worker that will never begin it
    begin(run);
    for (let frame = 0; frame < 5; frame++) run.placement.deliver(wire.media(frame));
    assert.equal(run.placement.stream, undefined);
    await kill(run);
    await until("the echo", () => run.listener.audio.length >= 5 * 160);
    assert.deepEqual(run.listener.reports, []);
    run.placement.deliver(wire.stop());
    await until("the call to end", () => run.listener.reports.length > 0);
    assert.equal(run.listener.reasons[0], "caller_hung_up");
  });

  it("is not placed again after two that had begun it", async (t) => {
    const { place, kill, isFree } = await startPool(t);
    const run = place();
    begin(run);
    for (let death = 1; death <= 2; death++) {
      await isEchoed(run, 10 * death);
      await kill(run);
      if (death === 1) await until("the call to move", () => run.listener.moves === 1);
    }
    await isFree();
    assert.equal(run.listener.moves, 1);
    assert.deepEqual(run.listener.reasons, ["worker_lost"]);
  });

  it("that has been told to end is not placed again", async (t) => {
    const { place, kill, isFree } = await startPool(t);
    const runs = [place("test"), place("test")];
    for (const run of runs) {
      begin(run);
      await until("the agent to be there", () => run.placement.stream !== undefined);
      run.placement.deliver(wire.dtmf("8"));
    }
    runs[0]!.placement.closed();
    runs[1]!.placement.end("max_duration");
    await Promise.all(runs.map(kill));
    await isFree();
    assert.deepEqual(
      runs.map(({ listener }) => [listener.moves, ...listener.reasons]),
      [
        [0, "media_lost"],
        [0, "max_duration"],
      ],
    );
  });
});

describe("workers that will not start", () => {
  it("are asked for again: the pool is rebuilt, and the calls of the old one live on in it", async (t) => {
    const { pool, deaths, place, kill, isFree } = await startPool(t);
    const [run, other] = [place(), place()];
    begin(other);
    stillborn = 1; // one is enough: Piscina starts no worker again after that
    await kill(run);
    await until("both to be on the survivor", () => run.placement.worker === other.placement.worker);
    assert.equal(stillborn, 0);
    await isEchoed(other, 0);
    // The survivor, and two in the new pool.
    await until("the pool to be rebuilt", () => pool.state().workers === 3);
    await isEchoed(other, 5);
    const late = place();
    assert.notEqual(late.placement.worker, other.placement.worker);
    begin(late);
    await isEchoed(late, 0);
    assert.equal(other.listener.moves, 0);

    for (const { placement } of [run, other]) placement.end("caller_hung_up");
    await until("the old pool to be dismissed", () => pool.state().workers === 2);
    assert.deepEqual(deaths, [{ calls: 1, why: "exit" }], "the dismissed did not die");
    assert.equal(late.listener.moves, 0);
    late.placement.end("caller_hung_up");
    await isFree();
  });

  it("for want of an agent are asked for again and again, and calls wait for them", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "linecard-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const obstacle = join(folder, "obstacle");
    const module = new URL(`./moodyAgent.ts?obstacle=${encodeURIComponent(obstacle)}`, import.meta.url).href;
    const { pool, strays, place, kill } = await startPool(t, { workers: 1, agentModules: [module] });
    const run = place();
    begin(run);
    await isEchoed(run, 0);
    writeFileSync(obstacle, "");
    await kill(run);
    await until("a worker to fail, and one of the pool built anew", () => strays.length >= 2);
    assert.match(strays[0]!, /this agent is in a mood/);
    assert.equal(pool.isReady, false);
    rmSync(obstacle);
    await isEchoed(run, 5);
    assert.deepEqual(run.listener.reports, []);
    assert.equal(pool.isReady, true);
  });

  it("fail the start of the whole", async (t) => {
    const module = new URL("./nowhere.ts", import.meta.url).href;
    await assert.rejects(startPool(t, { agentModules: [module] }), { code: "ERR_MODULE_NOT_FOUND" });
  });

  it("do not hold up the end", async (t) => {
    const { pool, place } = await startPool(t, { workers: 3 });
    const runs = Array.from({ length: 3 }, () => place());
    const born = threads.length;
    await Promise.all(runs.map(({ placement }) => placement.worker!.thread.terminate()));
    const inTheirBirth = Math.random() * 300;
    t.diagnostic(`closed ${inTheirBirth.toFixed(0)} ms into the birth of ${threads.length - born} threads`);
    await delay(inTheirBirth); // any moment will do
    await pool.close();
    for (const { listener } of runs) assert.deepEqual(listener.reasons, ["drained"]);
  });

  it("keep no call from being answered once they do", async (t) => {
    const { pool, place, kill } = await startPool(t);
    const [run, other] = [place(), place()];
    for (const each of [run, other]) {
      begin(each);
      await isEchoed(each, 0);
    }
    stillborn = 2; // nobody is left
    await Promise.all([kill(run), kill(other)]);
    assert.equal(pool.isReady, false);
    await Promise.all([isEchoed(run, 5), isEchoed(other, 5)]);
    assert.equal(pool.isReady, true);
    assert.deepEqual([run.listener.reports, other.listener.reports], [[], []]);
  });
});

describe("after all of them", () => {
  it("no thread is left", async () => {
    await until("every thread to be gone", () => threads.every(({ threadId }) => threadId === -1));
    assert.ok(threads.length > 15);
  });
});
