import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type CallFacts, type CallLogEvent, MemoryCallRecords } from "../../../src/calls/records.ts";
import { AccountSid, CallSid, NumberId, RunId, WorkflowId } from "../../../src/domain/ids.ts";

/** What is kept at most: the limits as they are promised, not as the code spells them. */
const RECORDS_MAX = 10_000;
const EVENTS_MAX = 200;

const facts = (n: number): CallFacts => ({
  callSid: CallSid(`CA${n}`),
  accountSid: AccountSid("AC1"),
  direction: "inbound",
  from: "anonymous",
  to: "+12025550100",
  numberId: NumberId(1),
  workflowId: WorkflowId(1),
  workflowVersion: 1,
  stirVerstat: undefined,
  forwardedFrom: undefined,
  callerName: undefined,
});
const event = (kind: CallLogEvent["kind"], detail?: string): CallLogEvent =>
  detail === undefined ? { atMs: 5, kind } : { atMs: 5, kind, detail };

describe("a call's record", () => {
  it("begins with what is known, and is found by its run and by its CallSid", () => {
    const records = new MemoryCallRecords();
    const run = records.open(facts(1), 17);
    assert.equal(run, 1);
    const record = records.get(run);
    assert.deepEqual(record, {
      ...facts(1),
      run,
      receivedAtMs: 17,
      startedAtMs: undefined,
      endedAtMs: undefined,
      outcome: undefined,
      heardMs: 0,
      digits: 0,
      events: [],
    });
    assert.equal(records.find(CallSid("CA1")), record);
    assert.equal(records.find(CallSid("CA2")), undefined);
    assert.equal(records.get(RunId(2)), undefined);
    assert.equal(records.get(RunId(Number.NaN)), undefined);
  });

  it("is one per call, each with a run of its own", () => {
    const records = new MemoryCallRecords();
    const runs = [1, 2, 3].map((n) => records.open(facts(n), 0));
    assert.deepEqual(runs, [1, 2, 3]);
    assert.deepEqual(
      [1, 2, 3].map((n) => records.find(CallSid(`CA${n}`))?.run),
      runs,
    );
  });

  it("is written as the call goes on; what is written of no call goes nowhere", () => {
    const records = new MemoryCallRecords();
    const run = records.open(facts(1), 0);
    records.update(run, { startedAtMs: 10 });
    records.update(run, { outcome: "caller_hung_up", endedAtMs: 30 });
    records.update(run, { heardMs: 12, digits: 2 });
    records.update(RunId(9), { outcome: "drained" });
    records.append(RunId(9), event("ended"));
    const { startedAtMs, endedAtMs, outcome, heardMs, digits, callSid } = records.get(run)!;
    assert.deepEqual(
      { startedAtMs, endedAtMs, outcome, heardMs, digits, callSid },
      { startedAtMs: 10, endedAtMs: 30, outcome: "caller_hung_up", heardMs: 12, digits: 2, callSid: "CA1" },
    );
  });
});

describe("a call's timeline", () => {
  it("keeps the order, and what Twilio says twice once", () => {
    const records = new MemoryCallRecords();
    const run = records.open(facts(1), 0);
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
      event("worker_replaced"),
      event("worker_replaced"),
    ];
    for (const each of told) records.append(run, each);
    assert.deepEqual(
      records.get(run)?.events.map(({ kind, detail }) => detail ?? kind),
      [
        "stream_opened",
        "stream-started",
        "stream_started",
        "stream-error: 31921",
        "11200",
        "stream-error: 31931",
        "11205",
        "worker_replaced",
        "worker_replaced",
      ],
    );
    const other = records.open(facts(2), 0);
    records.append(other, event("stream_status", "stream-started"));
    assert.equal(records.get(other)?.events.length, 1, "once for each call");
  });

  it("ends growing", () => {
    const records = new MemoryCallRecords();
    const run = records.open(facts(1), 0);
    for (let n = 0; n < 2 * EVENTS_MAX; n++) records.append(run, event("stream_status", `${n}`));
    const details = records.get(run)!.events.map(({ detail }) => detail);
    assert.deepEqual(
      details,
      Array.from({ length: EVENTS_MAX }, (_, n) => `${n}`),
    );
  });
});

describe("the call log", () => {
  it("forgets the calls that ended longest ago, and never one that lives", () => {
    const records = new MemoryCallRecords();
    const living = [records.open(facts(0), 0), records.open(facts(1), 0)];
    for (let n = 2; n < RECORDS_MAX; n++)
      records.update(records.open(facts(n), 0), { outcome: "caller_hung_up" });
    const isKept = (n: number) => records.find(CallSid(`CA${n}`)) !== undefined;
    assert.ok([0, 1, 2, RECORDS_MAX - 1].every(isKept));
    for (let n = RECORDS_MAX; n < RECORDS_MAX + 10; n++) {
      records.update(records.open(facts(n), 0), { outcome: "caller_hung_up" });
    }
    assert.ok(!Array.from({ length: 10 }, (_, n) => n + 2).some(isKept));
    assert.ok([0, 1, 12, RECORDS_MAX + 9].every(isKept));
    assert.ok(living.every((run) => records.get(run) !== undefined));
    assert.equal(records.get(RunId(3)), undefined, "by run as well");
  });
});
