// The call log in memory, and that what it writes behind is what it holds, whatever happens to the store meanwhile.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BACKLOG_MAX } from "../../../../src/calls/log/callLog.ts";
import {
  CALL_STATES,
  type CallFacts,
  type CallProgress,
  newRecord,
} from "../../../../src/calls/log/records.ts";
import { GatewayError } from "../../../../src/domain/errors.ts";
import { CallSid, RunId } from "../../../../src/domain/ids.ts";
import { MemoryKeeper } from "../../../support/memoryKeeper.ts";
import { desk, event, facts } from "./desk.ts";

/** What is kept at most: the limits as they are promised, not as the code spells them. */
const RECORDS_MAX = 10_000;
const EVENTS_MAX = 2_200;
const NOTES_MS = 1_000;
const BATCH_MAX = 200;
const RETRY_MS = 500;

const isUnavailable = (error: unknown) => error instanceof GatewayError && error.code === "STORE_UNAVAILABLE";

describe("a call's record", () => {
  it("begins with what is known, and is found by its run and by its CallSid", () => {
    const { log } = desk();
    const run = log.open(facts(1), 17);
    assert.equal(run, 1);
    const record = log.get(run);
    assert.deepEqual(record, {
      ...facts(1),
      run,
      name: "WR-TEL-IN-00000001",
      mode: "twilio",
      state: "ringing",
      receivedAtMs: 17,
      submittedAtMs: undefined,
      ringingAtMs: undefined,
      answeredAtMs: undefined,
      startedAtMs: undefined,
      endedAtMs: undefined,
      outcome: undefined,
      endedBy: undefined,
      heardMs: 0,
      digits: 0,
      answeredBy: undefined,
      twilioCode: undefined,
      events: [],
    });
    assert.equal(log.find(CallSid("CA1")), record);
    assert.equal(log.find(CallSid("CA2")), undefined);
    assert.equal(log.get(RunId(2)), undefined);
    assert.equal(log.get(RunId(Number.NaN)), undefined);
  });

  it("is one per call, each with a run of its own", () => {
    const { log } = desk();
    const runs = [1, 2, 3].map((n) => log.open(facts(n), 0));
    assert.deepEqual(runs, [1, 2, 3]);
    assert.deepEqual(
      [1, 2, 3].map((n) => log.find(CallSid(`CA${n}`))?.run),
      runs,
    );
  });

  it("counts on from the last run there ever was", () => {
    const old = newRecord(RunId(40), facts(1), 5);
    const { log } = desk(new MemoryKeeper(), { lastRun: 41, records: [old] });
    assert.deepEqual(log.find(CallSid("CA1")), old);
    assert.equal(log.open(facts(2), 6), 42);
    assert.equal(log.backlog, 1, "what the store has is not written again");
  });

  it("is found by its CallSid once Twilio has given it one", () => {
    const { log } = desk();
    const dialled: CallFacts = { ...facts(1), callSid: undefined, direction: "outbound" };
    const run = log.open(dialled, 0, { state: "queued" });
    assert.deepEqual([log.get(run)?.state, log.get(run)?.name], ["queued", "WR-TEL-OUT-00000001"]);
    log.update(run, { callSid: CallSid("CA7"), state: "placed" });
    assert.equal(log.find(CallSid("CA7")), log.get(run));
  });

  it("is written as the call goes on; what is written of no call goes nowhere", () => {
    const { log } = desk();
    const run = log.open(facts(1), 0);
    log.update(run, { startedAtMs: 10, state: "answered" });
    assert.equal(log.get(run)?.state, "answered");
    log.update(run, { outcome: "caller_hung_up", endedAtMs: 30 });
    log.update(run, { heardMs: 12, digits: 2 });
    log.update(RunId(9), { outcome: "drained" });
    log.append(RunId(9), event("ended"));
    const { startedAtMs, endedAtMs, outcome, heardMs, digits, callSid, state } = log.get(run)!;
    assert.deepEqual(
      { startedAtMs, endedAtMs, outcome, heardMs, digits, callSid, state },
      {
        startedAtMs: 10,
        endedAtMs: 30,
        outcome: "caller_hung_up",
        heardMs: 12,
        digits: 2,
        callSid: "CA1",
        state: "ended",
      },
    );
    assert.equal(log.get(RunId(9)), undefined);
  });
});

describe("a call's timeline", () => {
  it("keeps the order, and what Twilio says twice once", () => {
    const { log } = desk();
    const run = log.open(facts(1), 0);
    const told = [
      event("stream_opened"),
      event("stream_status", "stream-started"),
      event("stream_started"),
      event("stream_status", "stream-started"),
      event("stream_status", "stream-error: 31921"),
      event("fallback", "11200"),
      event("stream_status", "stream-error: 31931"),
      event("fallback", "11200"),
      event("fallback", "11205"),
      { ...event("call_status", "ringing"), sequence: 0 },
      { ...event("call_status", "ringing"), sequence: 1 },
      { ...event("call_status", "ringing"), sequence: 0 },
      event("worker_replaced"),
      event("worker_replaced"),
    ];
    for (const each of told) log.append(run, each);
    assert.deepEqual(
      log.get(run)?.events.map(({ kind, detail }) => detail ?? kind),
      [
        "stream_opened",
        "stream-started",
        "stream_started",
        "stream-error: 31921",
        "11200",
        "stream-error: 31931",
        "11205",
        "ringing",
        "ringing",
        "worker_replaced",
        "worker_replaced",
      ],
    );
    const other = log.open(facts(2), 0);
    log.append(other, event("stream_status", "stream-started"));
    assert.equal(log.get(other)?.events.length, 1, "once for each call");
  });

  it("ends growing", () => {
    const { log } = desk();
    const run = log.open(facts(1), 0);
    for (let n = 0; n < 2 * EVENTS_MAX; n++) log.append(run, event("stream_status", `${n}`));
    const details = log.get(run)!.events.map(({ detail }) => detail);
    assert.deepEqual(
      details,
      Array.from({ length: EVENTS_MAX }, (_, n) => `${n}`),
    );
  });
});

describe("the call log's memory", () => {
  it("forgets the calls that ended longest ago, and never one that lives", async () => {
    const { log } = desk();
    const living = [log.open(facts(0), 0), log.open(facts(1), 0)];
    for (let n = 2; n < RECORDS_MAX; n++) log.update(log.open(facts(n), 0), { outcome: "caller_hung_up" });
    await log.committed();
    const isKept = (n: number) => log.find(CallSid(`CA${n}`)) !== undefined;
    assert.ok([0, 1, 2, RECORDS_MAX - 1].every(isKept));
    for (let n = RECORDS_MAX; n < RECORDS_MAX + 10; n++) {
      log.update(log.open(facts(n), 0), { outcome: "caller_hung_up" });
    }
    assert.ok(!Array.from({ length: 10 }, (_, n) => n + 2).some(isKept));
    assert.ok([0, 1, 12, RECORDS_MAX + 9].every(isKept));
    assert.ok(living.every((run) => log.get(run) !== undefined));
    assert.equal(log.get(RunId(3)), undefined, "by run as well");
  });

  it("asks the store for what it has forgotten, and can write on it", async () => {
    const { log, keeper } = desk();
    const run = log.open(facts(1), 0);
    log.append(run, event("received"));
    log.update(run, { outcome: "caller_hung_up" });
    await log.committed();
    for (let n = 2; n <= RECORDS_MAX + 1; n++) log.open(facts(n), 0);
    assert.equal(log.get(run), undefined);
    const [one, other] = await Promise.all([log.recall(run), log.recall(CallSid("CA1"))]);
    assert.deepEqual([one?.outcome, one?.events.length], ["caller_hung_up", 1]);
    assert.equal(other, one, "asked twice at once, it is one record");
    assert.equal(await log.recall(RunId(99_999)), undefined);
    log.append(run, event("call_status", "completed"));
    await log.committed();
    assert.deepEqual(
      (await keeper.get(run))?.events.map(({ kind }) => kind),
      ["received", "call_status"],
    );
  });
});

describe("writing behind", () => {
  it("is done at once, and a batch takes all that was told meanwhile", async () => {
    const { log, keeper } = desk();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    keeper.held = held;
    const runs = [1, 2, 3].map((n) => log.open(facts(n), 0));
    const first = log.committed();
    await new Promise(setImmediate);
    assert.equal(log.backlog, 3, "on their way, and not there yet");
    for (const run of runs) log.append(run, event("received"));
    const more = log.open(facts(4), 0);
    let isDone = false;
    const second = log.committed().then(() => {
      isDone = true;
    });
    release();
    keeper.held = undefined;
    await first;
    assert.equal(isDone, false, "what was told last is not on disk yet");
    await second;
    assert.deepEqual(
      keeper.batches.map((batch) => batch.map(({ record }) => record.run)),
      [runs, [...runs, more]],
    );
    assert.deepEqual(
      keeper.batches[1]!.map(({ firstOrdinal, events }) => [firstOrdinal, events.length]),
      [
        [0, 1],
        [0, 1],
        [0, 1],
        [0, 0],
      ],
    );
  });

  it("sends each event once", async () => {
    const { log, keeper } = desk();
    const run = log.open(facts(1), 0);
    for (let n = 0; n < 5; n++) {
      log.append(run, event("stream_status", `${n}`));
      await log.committed();
    }
    const sent = keeper.batches.flat().flatMap(({ events }) => events.map(({ detail }) => detail));
    assert.deepEqual(sent, ["0", "1", "2", "3", "4"]);
  });

  it("says so once when it fails, tries again, and says once when it works again", async () => {
    const { log, keeper, clock, told } = desk();
    keeper.broken = "the disk is full";
    const run = log.open(facts(1), 0);
    await assert.rejects(log.committed(), isUnavailable);
    for (let n = 0; n < 5; n++) {
      log.append(run, event("stream_status", `${n}`));
      clock.advance(RETRY_MS);
      await assert.rejects(log.committed(), isUnavailable);
    }
    assert.deepEqual(told, ["stalled: the disk is full, 1"]);
    keeper.broken = undefined;
    clock.advance(RETRY_MS);
    await new Promise(setImmediate);
    assert.deepEqual(told, ["stalled: the disk is full, 1", "resumed"]);
    assert.deepEqual([log.backlog, clock.running], [0, 0]);
    assert.deepEqual(await keeper.get(run), log.get(run));

    keeper.broken = "the disk is full again";
    log.append(run, event("ended"));
    await assert.rejects(log.committed(), isUnavailable);
    assert.equal(told.at(-1), "stalled: the disk is full again, 1");
  });

  it("hands thousands that wait over in small batches, and one batch only while nothing can be written", async () => {
    const { log, keeper, clock } = desk();
    const offered: number[] = [];
    const save = keeper.save.bind(keeper);
    keeper.save = (changes) => {
      offered.push(changes.length);
      return save(changes);
    };
    keeper.broken = "no disk";
    for (let n = 1; n <= BATCH_MAX * 3 + 1; n++) log.open(facts(n), 0);
    await assert.rejects(log.committed(), isUnavailable);
    clock.advance(RETRY_MS);
    await assert.rejects(log.committed(), isUnavailable);
    assert.ok(
      offered.every((records) => records <= BATCH_MAX),
      offered.join(),
    );
    assert.equal(log.backlog, BATCH_MAX * 3 + 1);
    keeper.broken = undefined;
    offered.length = 0;
    await log.committed();
    assert.deepEqual(offered, [BATCH_MAX, BATCH_MAX, BATCH_MAX, 1]);
    assert.deepEqual([log.backlog, clock.running], [0, 0]);
  });

  it("goes on where a batch failed, and has what was written before it", async () => {
    const { log, keeper, told } = desk();
    const save = keeper.save.bind(keeper);
    let tries = 0;
    keeper.save = (changes) => {
      keeper.broken = ++tries === 2 ? "the disk is full" : undefined;
      return save(changes);
    };
    for (let n = 1; n <= BATCH_MAX + 1; n++) log.append(log.open(facts(n), 0), event("received"));
    await assert.rejects(log.committed(), isUnavailable);
    assert.deepEqual([log.backlog, told], [1, ["stalled: the disk is full, 1"]]);
    log.append(RunId(1), event("ended"));
    await log.committed();
    for (const n of [1, BATCH_MAX, BATCH_MAX + 1])
      assert.deepEqual(await keeper.get(RunId(n)), log.get(RunId(n)), `run ${n}`);
    assert.equal(told.at(-1), "resumed");
  });

  it("lets records wait up to a bound, at which it is full until they are written", async () => {
    const { log, keeper, clock } = desk();
    keeper.broken = "no disk";
    for (let n = 1; n < BACKLOG_MAX; n++) log.open(facts(n), 0);
    await new Promise(setImmediate);
    assert.equal(log.isFull, false);
    log.open(facts(BACKLOG_MAX), 0);
    assert.equal(log.isFull, true);
    assert.equal(log.backlog, BACKLOG_MAX);
    keeper.broken = undefined;
    clock.advance(RETRY_MS);
    await log.committed();
    assert.deepEqual([log.isFull, log.backlog], [false, 0]);
    assert.deepEqual(await keeper.get(RunId(BACKLOG_MAX)), log.get(RunId(BACKLOG_MAX)));
  });

  it("is as full while its records are on the way to a store that does not answer", async () => {
    const { log, keeper } = desk();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    keeper.held = held;
    for (let n = 1; n <= BACKLOG_MAX; n++) log.open(facts(n), 0);
    await new Promise(setImmediate);
    assert.equal(log.isFull, true);
    release();
    await log.committed();
    assert.equal(log.isFull, false);
  });

  it("forgets no record that waits, however many there are", async () => {
    const { log, keeper, clock } = desk();
    keeper.broken = "no disk";
    for (let n = 1; n <= RECORDS_MAX + 5; n++) log.update(log.open(facts(n), 0), { outcome: "log_full" });
    await assert.rejects(log.committed(), isUnavailable);
    assert.ok(log.get(RunId(1)) !== undefined);
    keeper.broken = undefined;
    clock.advance(RETRY_MS);
    await log.committed();
    for (const n of [1, RECORDS_MAX, RECORDS_MAX + 5]) assert.ok(await keeper.get(RunId(n)), `run ${n}`);
  });

  it("forgets no record that is on its way to a store that then refuses it", async () => {
    const { log, keeper } = desk();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    for (let n = 1; n < RECORDS_MAX; n++) log.open(facts(n), 0); // all alive
    await log.committed();
    keeper.held = held;
    const run = log.open(facts(RECORDS_MAX), 0);
    log.update(run, { outcome: "caller_hung_up" });
    await new Promise(setImmediate);
    log.open(facts(RECORDS_MAX + 1), 0);
    keeper.broken = "no disk";
    release();
    await assert.rejects(log.committed(), isUnavailable);
    keeper.broken = undefined;
    await log.committed();
    assert.equal((await keeper.get(run))?.outcome, "caller_hung_up");
  });

  it("tells of a record that the database's rules refuse, and writes its fellows", async () => {
    const { log, keeper, told } = desk();
    log.open(facts(1), 0);
    await log.committed();
    const [again, other] = [log.open(facts(1), 0), log.open(facts(2), 0)];
    await log.committed();
    assert.deepEqual(told, [`refused: ${again}`]);
    assert.ok(await keeper.get(other));
  });

  it("stops trying once it is closed", async () => {
    const { log, keeper, clock } = desk();
    keeper.broken = "no disk";
    log.open(facts(1), 0);
    await assert.rejects(log.committed(), isUnavailable);
    log.close();
    assert.equal(clock.running, 0);
    log.append(RunId(1), event("ended"));
    await assert.rejects(log.committed(), isUnavailable);
    assert.equal(clock.running, 0, "nor begins again by what is told afterwards");
  });

  const steps = fc.oneof(
    fc.record({ do: fc.constant("open" as const) }),
    fc.record({
      do: fc.constant("update" as const),
      at: fc.nat(20),
      progress: fc.oneof(
        fc.record({ state: fc.constantFrom(...CALL_STATES) }),
        fc.record({ heardMs: fc.nat(1_000), digits: fc.nat(9) }),
        fc.record({
          outcome: fc.constantFrom("busy" as const, "agent_hung_up" as const),
          endedAtMs: fc.nat(99),
        }),
      ),
    }),
    fc.record({ do: fc.constant("append" as const), at: fc.nat(20), sequence: fc.nat(3) }),
    fc.record({ do: fc.constant("note" as const), at: fc.nat(20) }),
    fc.record({ do: fc.constantFrom("break", "mend", "hold", "release", "wait", "tick" as const) }),
  );

  it("leaves the store with what memory holds, whatever fails and however long it takes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 60 }), async (sequence) => {
        const { log, keeper, clock, told } = desk();
        let release = () => {};
        let opened = 0;
        const pick = (at: number) => RunId(opened === 0 ? 0 : 1 + (at % opened));
        for (const step of sequence) {
          if (step.do === "open") opened = log.open(facts(opened + 1), opened);
          else if (step.do === "update") log.update(pick(step.at), step.progress as CallProgress);
          else if (step.do === "append")
            log.append(pick(step.at), { ...event("call_status", "ringing"), sequence: step.sequence });
          else if (step.do === "note") log.note(pick(step.at), event("turn"));
          else if (step.do === "break") keeper.broken = "broken";
          else if (step.do === "mend") keeper.broken = undefined;
          else if (step.do === "tick") clock.advance(RETRY_MS);
          else if (step.do === "wait") await new Promise(setImmediate);
          else if (step.do === "hold") keeper.held ??= new Promise((resolve) => (release = resolve));
          else {
            release();
            keeper.held = undefined;
          }
        }
        release();
        keeper.held = undefined;
        keeper.broken = undefined;
        await log.committed().catch(() => log.committed()); // a batch that was on its way may have failed
        clock.advance(NOTES_MS); // a timer for notes that were written with something else
        for (let n = 1; n <= opened; n++) assert.deepEqual(await keeper.get(RunId(n)), log.get(RunId(n)));
        assert.deepEqual([log.backlog, clock.running], [0, 0]);
        const words = told.map((line) => line.replace(/:.*/, ""));
        assert.ok(
          words.every((word, index) => word === (index % 2 === 0 ? "stalled" : "resumed")),
          words.join(),
        );
        assert.equal(words.length % 2, 0, "whoever heard that it stalled hears that it goes on");
      }),
      { numRuns: 500 },
    );
  });
});
