// What a worker tells of a call while it goes on, on its way to the store.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RunId } from "../../../../src/domain/ids.ts";
import type { MemoryKeeper } from "../../../support/memoryKeeper.ts";
import { desk, event, facts } from "./desk.ts";

/** What is kept at most, and how long it may wait: as it is promised, not as the code spells it. */
const RECORDS_MAX = 10_000;
const EVENTS_MAX = 2_200;
const NOTES_MAX = 2_000;
const NOTES_MS = 1_000;
const RETRY_MS = 500;

describe("what is noted", () => {
  const noted = async (keeper: MemoryKeeper, run: RunId) =>
    (await keeper.get(run))?.events.map(({ kind, detail }) => detail ?? kind);
  /** A run that is written. */
  async function talking() {
    const one = desk();
    const run = one.log.open(facts(1), 0);
    await one.log.committed();
    return { ...one, run, batches: one.keeper.batches.length };
  }

  it("is written within a second, and all that was noted meanwhile with it", async () => {
    const { log, keeper, clock, run, batches } = await talking();
    log.note(run, event("turn", "one"));
    clock.advance(NOTES_MS - 1);
    log.note(run, event("turn", "two"));
    await new Promise(setImmediate);
    assert.deepEqual([keeper.batches.length, log.backlog, clock.running], [batches, 1, 1]);
    clock.advance(1);
    await new Promise(setImmediate);
    assert.deepEqual(await noted(keeper, run), ["one", "two"]);
    assert.deepEqual([keeper.batches.length, log.backlog, clock.running], [batches + 1, 0, 0]);
    clock.advance(10 * NOTES_MS);
    await new Promise(setImmediate);
    assert.equal(keeper.batches.length, batches + 1, "and once");
  });

  it("is written with what is written next, of whatever call, in its place", async () => {
    const { log, keeper, run, batches } = await talking();
    log.note(run, event("turn", "noted"));
    log.append(run, event("ended"));
    const other = log.open(facts(2), 0);
    log.note(other, event("turn"));
    await log.committed();
    assert.deepEqual(await noted(keeper, run), ["noted", "ended"]);
    assert.deepEqual(await noted(keeper, other), ["turn"]);
    assert.equal(keeper.batches.length, batches + 1);
  });

  it("makes room in memory where there is too much of it, of calls that are over and written, oldest first", async () => {
    const { log, keeper } = desk();
    const ended: RunId[] = [];
    for (let n = 0; n < 110; n++) {
      const run = log.open(facts(n), 0);
      for (let note = 0; note < NOTES_MAX; note++) log.note(run, event("turn"));
      if (n > 0) log.update(run, { outcome: "caller_hung_up" });
      if (n > 0) ended.push(run);
      await log.committed();
    }
    assert.notEqual(log.get(RunId(1)), undefined, "the call that goes on");
    const held = ended.filter((run) => log.get(run) !== undefined);
    assert.deepEqual(held, ended.slice(-held.length), "the newest");
    assert.equal((held.length + 1) * NOTES_MAX, 200_000);
    assert.equal((await keeper.get(ended[0]!))?.events.length, NOTES_MAX, "nothing is lost");
  });

  it("while a batch is on its way comes with the next", async () => {
    const { log, keeper, clock, run } = await talking();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    keeper.held = held;
    log.append(run, event("stream_started"));
    await new Promise(setImmediate);
    log.note(run, event("turn", "late"));
    clock.advance(NOTES_MS);
    await new Promise(setImmediate);
    keeper.held = undefined;
    release();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    assert.deepEqual(await noted(keeper, run), ["stream_started", "late"]);
    assert.deepEqual([log.backlog, clock.running], [0, 0]);
  });

  it("outlasts a store that can't write, and asks it no oftener", async () => {
    const { log, keeper, clock, run, told } = await talking();
    keeper.broken = "no disk";
    log.note(run, event("turn", "one"));
    clock.advance(NOTES_MS);
    await new Promise(setImmediate);
    assert.deepEqual(told, ["stalled: no disk, 1"]);
    log.note(run, event("turn", "two"));
    clock.advance(NOTES_MS);
    await new Promise(setImmediate);
    assert.equal(clock.running, 1, "that of trying again");
    keeper.broken = undefined;
    clock.advance(RETRY_MS);
    await new Promise(setImmediate);
    assert.deepEqual(await noted(keeper, run), ["one", "two"]);
    assert.deepEqual(told.slice(1), ["resumed"]);
  });

  it("is not lost when the log is closed once all is written", async () => {
    const { log, keeper, clock, run } = await talking();
    log.note(run, event("turn", "last"));
    await log.committed();
    log.close();
    assert.equal(clock.running, 0);
    log.note(run, event("turn", "later"));
    assert.equal(clock.running, 0, "nothing is begun any more");
    await log.committed();
    assert.deepEqual(await noted(keeper, run), ["last", "later"]);
  });

  it("is bounded, and leaves room for what Twilio says and for the end", async () => {
    const { log, run } = await talking();
    for (let n = 0; n < NOTES_MAX + 10; n++) log.note(run, event("turn"));
    assert.equal(log.get(run)?.events.length, NOTES_MAX);
    for (let n = 0; n < EVENTS_MAX; n++) log.append(run, event("stream_status", `${n}`));
    assert.equal(log.get(run)?.events.length, EVENTS_MAX);
    log.note(RunId(99), event("turn"));
    assert.equal(log.get(RunId(99)), undefined, "of no call it goes nowhere");
  });

  it("keeps its call in memory until it is written", async () => {
    const { log, run } = await talking();
    log.update(run, { outcome: "caller_hung_up" });
    await log.committed();
    log.note(run, event("turn", "told late"));
    for (let n = 2; n <= RECORDS_MAX + 1; n++) log.open(facts(n), 0);
    assert.equal(log.get(run)?.events.length, 1);
  });
});
