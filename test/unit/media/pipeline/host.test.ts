// All the calls of one worker, in this thread: the test stands in for the front thread at the other end of the lane.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { LONG_AGO_MS } from "../../../../src/domain/clock.ts";
import { WorkerCounts } from "../../../../src/lane/counts.ts";
import { createLaneMemory, LaneEnd, RecordKind } from "../../../../src/lane/lane.ts";
import { CallRemains } from "../../../../src/lane/remains.ts";
import type { CallTicket, TaskReport } from "../../../../src/lane/ticket.ts";
import { CallHost, loadEquipment } from "../../../../src/media/pipeline/host.ts";
import { readPrompts } from "../../../../src/media/recordings/recordings.ts";
import { ManualClock } from "../../../support/manualClock.ts";
import { until } from "../../../support/until.ts";
import { mediaMessage, message, STREAM_SID, startMessage, ticket } from "./surroundings.ts";

const loaded = await loadEquipment([new URL("./throwingAgent.ts", import.meta.url).href], readPrompts());
const createRecorder = () => assert.fail("no call is recorded here");
const equipment = { ...loaded, createRecorder };
/** Ticks after the last call. */
const LINGER = 100;
/** Of the caller. */
const LOUD = 0x00;
const QUIET = 0xff;
const ECHO = { type: "echo", rate_hz: 8_000, max_duration_ms: 0 };
const RESUMED = { streamSid: STREAM_SID, talkedMs: 0, remains: undefined };
const NOTHING = new Uint8Array(0);

function host(t: TestContext) {
  const clock = new ManualClock();
  const memory = createLaneMemory();
  const received: { kind: RecordKind; slot: number; epoch: number; text: string }[] = [];
  const front = new LaneEnd(memory, "front", clock, (kind, slot, epoch, bytes) =>
    received.push({ kind, slot, epoch, text: Buffer.from(bytes).toString() }),
  );
  t.after(() => front.close());
  const counts = new WorkerCounts();
  const heartbeat = new Int32Array(new SharedArrayBuffer(4));
  const remains = new CallRemains({ slots: 10 });
  const strays: string[] = [];
  const shared = { remains, counts, heartbeat };
  const calls = new CallHost(memory, equipment, shared, clock, (error) => strays.push(error));
  /** Hands over what was written, and lets the worker tick until it has answered. */
  const exchange = async (ticks = 3) => {
    front.flush();
    clock.advance(ticks);
    await new Promise((turn) => setImmediate(turn)); // for what waits for promises
    front.poll();
  };
  return {
    calls,
    clock,
    counts,
    strays,
    heartbeat,
    remains,
    received,
    front,
    exchange,
    /** Begins a call; resolves once its task has. */
    async run(changes: Partial<CallTicket> = {}) {
      const one = ticket(changes);
      const task: { report?: TaskReport } = {};
      const isReady = () =>
        received.some(({ kind, epoch }) => kind === RecordKind.ready && epoch === one.epoch);
      void calls.run(one).then((report) => {
        task.report = report;
      });
      await until("the task to begin, or to end", async () => {
        await exchange(1);
        return isReady() || task.report !== undefined;
      });
      return {
        task,
        send(kind: RecordKind, bytes: Uint8Array = NOTHING, epoch = one.epoch): void {
          front.write(kind, one.slot, epoch, bytes);
        },
      };
    },
  };
}

describe("a worker's host", () => {
  it("says when a task has begun, runs it, and reports how it ended, behind its last frame", async (t) => {
    const { run, received, exchange, counts } = host(t);
    const { task, send } = await run({ agent: ECHO, slot: 3, epoch: 11 });
    assert.deepEqual(received, [{ kind: RecordKind.ready, slot: 3, epoch: 11, text: "" }]);
    send(RecordKind.control, startMessage());
    send(RecordKind.media, mediaMessage(0, 0x20));
    send(RecordKind.control, message("stop"));
    await exchange();
    assert.equal(task.report?.reason, "caller_hung_up");
    assert.deepEqual(
      received.slice(1).map(({ kind, slot, epoch }) => [kind, slot, epoch]),
      [
        [RecordKind.media, 3, 11],
        [RecordKind.control, 3, 11], // its mark
        [RecordKind.news, 3, 11], // its first words
        [RecordKind.news, 3, 11], // and what of them was heard
      ],
    );
    assert.equal(counts.get("framesSent"), 1);
  });

  it("ends a call whose socket is gone, and one that it is told to end", async (t) => {
    const { run, exchange } = host(t);
    const lost = await run({ agent: ECHO, slot: 1 });
    const drained = await run({ agent: ECHO, slot: 2 });
    lost.send(RecordKind.closed);
    drained.send(RecordKind.end, new TextEncoder().encode("drained"));
    await exchange();
    assert.equal(lost.task.report?.reason, "media_lost");
    assert.equal(drained.task.report?.reason, "drained");
  });

  it("gives a call no record of another placement of its slot", async (t) => {
    const { run, exchange, counts } = host(t);
    const { task, send } = await run({ agent: ECHO, epoch: 11 });
    send(RecordKind.closed, NOTHING, 10);
    send(RecordKind.closed, NOTHING, 12);
    await exchange();
    assert.equal(task.report, undefined);
    send(RecordKind.control, startMessage());
    send(RecordKind.media, mediaMessage(0, 0x20), 10);
    await exchange();
    assert.equal(counts.get("framesHeard"), 0);
  });

  it("leaves word that it has begun a call, before the call's own code runs", async (t) => {
    const { run, remains } = host(t);
    await run({ agent: { ...ECHO, type: "throwing", at: "create" } as never, slot: 4, epoch: 5 });
    const nothing = { heardMs: 0, playheadMs: LONG_AGO_MS, resumeId: "" };
    assert.deepEqual(remains.read(4, 5), nothing);
    const left = { heardMs: 900, playheadMs: 77, resumeId: "session-1" };
    await run({ agent: ECHO, slot: 4, epoch: 6, resumed: { ...RESUMED, remains: left } });
    assert.deepEqual(remains.read(4, 6), left);
  });

  it("ticks while it has calls, and a little longer, and its heart beats as long", async (t) => {
    const { run, clock, exchange, heartbeat } = host(t);
    assert.equal(clock.running, 0);
    const { send } = await run({ agent: ECHO });
    assert.equal(clock.running, 1);
    const beats = Atomics.load(heartbeat, 0);
    clock.advance(50);
    assert.equal(Atomics.load(heartbeat, 0), beats + 50);
    send(RecordKind.closed);
    await exchange();
    clock.advance(LINGER - 10);
    assert.equal(clock.running, 1);
    clock.advance(10);
    assert.equal(clock.running, 0);
  });

  it("sends a buffer home that comes after its last call", async (t) => {
    const { run, clock, exchange, front } = host(t);
    const { send } = await run({ agent: ECHO });
    send(RecordKind.closed);
    await exchange(2 * LINGER);
    assert.equal(clock.running, 0);
    send(RecordKind.media, mediaMessage(0, 0x20)); // written before the front thread knew
    await exchange(2 * LINGER);
    clock.advance(10_000);
    assert.equal(front.depthMs, 0);
    assert.equal(clock.running, 0);
  });
});

describe("an exception in a call's code", () => {
  const throwing = (at: string) =>
    ({ agent: { type: "throwing", max_duration_ms: 0, interruption: "on", at } }) as const;

  for (const [at, changes] of [
    ["create", {}],
    ["started", {}],
    ["started", { resumed: RESUMED }],
    ["hear", {}],
    ["dtmf", {}],
    ["tick", {}],
    ["interrupted", {}],
    ["marked", {}],
  ] as const) {
    const where = "resumed" in changes ? `${at}, after another worker's death` : at;
    it(`thrown at ${where} ends that call and no other, and is counted`, async (t) => {
      const { run, exchange, counts, received } = host(t);
      const other = await run({ agent: ECHO, slot: 1, epoch: 100 });
      const { task, send } = await run({ ...throwing(at), ...changes, slot: 2, epoch: 200 });
      const voice = at === "interrupted" ? LOUD : QUIET;
      for (const [kind, bytes] of [
        [RecordKind.control, startMessage()],
        ...[0, 1, 2, 3, 4].map((frame) => [RecordKind.media, mediaMessage(frame, voice)] as const),
        [RecordKind.control, message("dtmf", { digit: "1" })],
      ] as const) {
        if (task.report === undefined) send(kind, bytes);
        await exchange(20);
      }
      for (let n = 0; at === "marked" && n < 60; n++) {
        for (const { kind, epoch, text } of received.splice(0)) {
          if (kind !== RecordKind.control || epoch !== 200 || task.report !== undefined) continue;
          const { event, mark } = JSON.parse(text);
          if (event === "mark") send(RecordKind.control, message("mark", mark));
        }
        await exchange(20);
      }
      assert.equal(task.report?.reason, "call_error");
      assert.match(task.report.error ?? "", new RegExp(`^Error: thrown at ${at}\n`));
      assert.equal(counts.get("callErrors"), 1);
      assert.equal(counts.get("strayErrors"), 0);
      other.send(RecordKind.control, startMessage());
      other.send(RecordKind.media, mediaMessage(0, 0x20));
      await exchange();
      assert.ok(received.some(({ kind, epoch }) => kind === RecordKind.media && epoch === 100));
      assert.equal(other.task.report, undefined);
    });
  }

  it("thrown at its very end changes nothing about how it ended, but is told", async (t) => {
    const { run, exchange, clock, counts, strays } = host(t);
    const { task, send } = await run(throwing("ended"));
    send(RecordKind.control, startMessage());
    send(RecordKind.control, message("stop"));
    await exchange();
    assert.equal(task.report?.reason, "caller_hung_up");
    assert.equal(counts.get("callErrors"), 0);
    assert.equal(counts.get("strayErrors"), 1);
    assert.match(strays[0]!, /^Error: thrown at ended\n/);
    clock.advance(2 * LINGER);
    assert.equal(clock.running, 0);
  });

  it("by an agent that this worker does not have ends the call", async (t) => {
    const { run } = host(t);
    const { task } = await run({ agent: { type: "unheard_of", max_duration_ms: 0 } });
    assert.equal(task.report?.reason, "call_error");
    assert.match(task.report.error ?? "", /no agent type unheard_of/);
  });

  it("that nobody can be blamed for is counted as such, and told", (t) => {
    const { calls, counts, strays } = host(t);
    calls.uncaught(new Error("whose?"));
    calls.uncaught("a reason that is no error");
    assert.equal(counts.get("strayErrors"), 2);
    assert.equal(counts.get("callErrors"), 0);
    assert.match(strays[0]!, /^Error: whose\?\n/);
    assert.equal(strays[1], "a reason that is no error");
  });
});
