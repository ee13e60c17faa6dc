import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Worker } from "node:worker_threads";
import { WorkerCounts } from "../../../src/lane/counts.ts";
import { createLaneMemory, LANE_BOUND_MS, LaneEnd, RecordKind } from "../../../src/lane/lane.ts";
import { MediaWorker } from "../../../src/pool/mediaWorker.ts";
import { Placement } from "../../../src/pool/placement.ts";
import { ManualClock } from "../../support/manualClock.ts";
import { order, RecordingListener, STREAM_SID, wire } from "./orders.ts";

const SLOT = 4;
const EPOCH = 9;
const STARTED = { streamSid: STREAM_SID, startedMs: 5 };
const PARKED_FRAMES = LANE_BOUND_MS / 20;

/** A worker without a thread: the test stands in for it at the other end of its lane. */
function standIn(t: TestContext, clock = new ManualClock()) {
  const memory = createLaneMemory();
  const heartbeat = new Int32Array(new SharedArrayBuffer(4));
  const hello = {
    hello: "media-worker",
    threadId: 1,
    lane: memory,
    counts: new WorkerCounts().memory,
    heartbeat: heartbeat.buffer,
  } as const;
  const worker = new MediaWorker(hello, {} as Worker, clock);
  const received: { kind: RecordKind; slot: number; epoch: number; text: string }[] = [];
  const end = new LaneEnd(memory, "worker", clock, (kind, slot, epoch, bytes) =>
    received.push({ kind, slot, epoch, text: Buffer.from(bytes).toString() }),
  );
  t.after(() => {
    worker.lane.close();
    end.close();
  });
  return {
    worker,
    end,
    heartbeat,
    /** All that has come so far. */
    received() {
      worker.lane.flush();
      end.poll();
      return received;
    },
  };
}

function placement(): { call: Placement; listener: RecordingListener } {
  const listener = new RecordingListener();
  const call = new Placement(order(), SLOT, listener, 0);
  call.epoch = EPOCH;
  return { call, listener };
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

describe("a call without a worker", () => {
  it("keeps what comes, and the worker gets it in order, the start first", (t) => {
    const { call } = placement();
    const { worker, received } = standIn(t);
    call.started(STARTED, wire.start());
    const sent = [wire.media(0), wire.dtmf("1"), wire.media(1), wire.mark("m"), wire.media(2)];
    for (const bytes of sent) call.deliver(bytes);
    call.assign(worker);
    assert.deepEqual(received(), [], "its task has not begun");
    call.deliver(wire.media(3));
    call.ready();
    call.deliver(wire.media(4));
    assert.deepEqual(
      received().map((record) => record.text),
      [wire.start(), ...sent, wire.media(3), wire.media(4)].map(text),
    );
    for (const { slot, epoch } of received()) assert.deepEqual([slot, epoch], [SLOT, EPOCH]);
  });

  it("keeps the newest half second of audio, and all the rest", (t) => {
    const { call } = placement();
    const { worker, received } = standIn(t);
    call.started(STARTED, wire.start());
    const frames = PARKED_FRAMES + 20;
    for (let frame = 0; frame < frames; frame++) {
      call.deliver(wire.media(frame));
      if (frame % 5 === 0) call.deliver(wire.mark(`m${frame}`));
    }
    call.closed();
    call.assign(worker);
    call.ready();
    const kept = received();
    assert.deepEqual(
      kept.filter(({ kind }) => kind === RecordKind.media).map((record) => record.text),
      Array.from({ length: PARKED_FRAMES }, (_, n) => text(wire.media(20 + n))),
    );
    assert.equal(kept.filter(({ kind }) => kind === RecordKind.control).length, 1 + frames / 5);
    assert.equal(kept[0]!.text, text(wire.start()));
    assert.equal(kept.at(-1)!.kind, RecordKind.closed);
    assert.equal(call.parkedDrops, 20);
    // In order among each other, too: a mark stands where it was sent.
    const last = kept.findIndex((record) => record.text === text(wire.mark(`m${frames - 5}`)));
    assert.equal(kept[last - 1]!.text, text(wire.media(frames - 5)));
  });

  it("remembers that its caller hung up, when the worker that was told has died of something", (t) => {
    const { call } = placement();
    const { worker, received } = standIn(t);
    call.started(STARTED, wire.start());
    call.deliver(wire.stop());
    call.closed();
    assert.equal(call.ending, "caller_hung_up");
    call.assign(worker);
    call.ready();
    assert.deepEqual([received().at(-1)!.kind, received().at(-1)!.text], [RecordKind.end, "caller_hung_up"]);
  });

  it("keeps no more than a caller can do meanwhile, and never loses its start or its end", (t) => {
    const { call } = placement();
    const { worker, received } = standIn(t);
    call.started(STARTED, wire.start());
    for (let n = 0; n < 200; n++) call.deliver(wire.dtmf("5"));
    call.end("max_duration");
    call.assign(worker);
    call.ready();
    assert.equal(received().length, 1 + 64);
    assert.equal(received()[0]!.text, text(wire.start()));
    assert.deepEqual([received().at(-1)!.kind, received().at(-1)!.text], [RecordKind.end, "max_duration"]);
    assert.equal(call.parkedDrops, 200 + 1 - 64);
  });

  it("copies what it keeps", (t) => {
    const { call } = placement();
    const { worker, received } = standIn(t);
    const start = wire.start();
    const media = wire.media(0);
    call.started(STARTED, start);
    call.deliver(media);
    start.fill(0);
    media.fill(0);
    call.assign(worker);
    call.ready();
    assert.deepEqual(
      received().map((record) => record.text),
      [text(wire.start()), text(wire.media(0))],
    );
  });

  it("after its worker's death keeps what comes for the next one", (t) => {
    const { call } = placement();
    const first = standIn(t);
    const second = standIn(t);
    call.assign(first.worker);
    call.ready();
    call.started(STARTED, wire.start());
    call.deliver(wire.media(0));
    assert.equal(first.received().length, 2);
    call.detach();
    call.deliver(wire.media(1));
    call.epoch = EPOCH + 1;
    call.assign(second.worker);
    call.deliver(wire.media(2));
    call.ready();
    assert.deepEqual(
      second.received().map(({ epoch, text: sent }) => [epoch, sent]),
      [wire.media(1), wire.media(2)].map((bytes) => [EPOCH + 1, text(bytes)]),
    );
    assert.equal(first.received().length, 2);
    assert.deepEqual([first.worker.calls, second.worker.calls], [0, 1]);
  });
});

describe("a call's stream", () => {
  it("is known to the next worker only once a worker has been told of it", (t) => {
    const { call } = placement();
    const [first, second] = [standIn(t), standIn(t)];
    call.assign(first.worker);
    assert.equal(call.stream, undefined);
    call.started(STARTED, wire.start());
    assert.equal(call.stream, undefined, "the start waits with the call");
    call.detach(); // this worker died without having begun it
    call.assign(second.worker);
    call.ready();
    assert.equal(call.stream, STARTED);
    assert.deepEqual(
      second.received().map((record) => record.text),
      [text(wire.start())],
    );
  });

  it("is told apart from its audio: what is not written as Twilio does is not dropped", () => {
    const { call } = placement();
    assert.equal(call.deliver(wire.media(0)), true);
    for (const bytes of [wire.mark("media"), wire.dtmf("1"), wire.stop()])
      assert.equal(call.deliver(bytes), false);
    const spaced = new TextEncoder().encode('{ "event":"media"}');
    for (const bytes of [spaced, new Uint8Array(0), wire.media(0).subarray(0, 10)])
      assert.equal(call.deliver(bytes), false);
  });
});

describe("a call's ending", () => {
  it("is the first that it was told of", (t) => {
    const { call } = placement();
    const { worker, received } = standIn(t);
    call.assign(worker);
    call.ready();
    assert.equal(call.ending, undefined);
    call.closed();
    call.end("drained");
    assert.equal(call.ending, "media_lost");
    assert.deepEqual(
      received().map((record) => [record.kind, record.text]),
      [
        [RecordKind.closed, ""],
        [RecordKind.end, "drained"],
      ],
    );
  });
});

describe("a worker as the front thread sees it", () => {
  it("gives each record to the call and placement it is of, and to no other", (t) => {
    const { worker, end } = standIn(t);
    const { call, listener } = placement();
    call.assign(worker);
    const send = (kind: RecordKind, slot: number, epoch: number) => {
      end.write(kind, slot, epoch, new TextEncoder().encode(`${slot}/${epoch}`));
      end.flush();
      worker.lane.poll();
    };
    send(RecordKind.media, SLOT, EPOCH);
    send(RecordKind.control, SLOT, EPOCH);
    send(RecordKind.media, SLOT, EPOCH - 1); // of a placement before
    send(RecordKind.media, SLOT + 1, EPOCH); // of a call that is over
    call.detach();
    send(RecordKind.media, SLOT, EPOCH);
    assert.deepEqual(listener.frames, [`${SLOT}/${EPOCH}`, `${SLOT}/${EPOCH}`]);
  });

  it("is stuck when its heart stands still for five looks, but only while it has calls", (t) => {
    const { worker, heartbeat } = standIn(t);
    const { call } = placement();
    const look = () => worker.isStuck();
    for (let n = 0; n < 10; n++) assert.equal(look(), false);
    call.assign(worker);
    for (let n = 0; n < 4; n++) assert.equal(look(), false);
    Atomics.add(heartbeat, 0, 1);
    for (let n = 0; n < 5; n++) assert.equal(look(), false);
    assert.equal(look(), true);
    call.detach();
    assert.equal(look(), false);
  });
});

describe("what a worker has for a call's socket", () => {
  it("comes in order, and a mark together with the audio that it stands behind", (t) => {
    const { call, listener } = placement();
    const other = new Placement(order(), SLOT + 1, new RecordingListener(), 0);
    other.epoch = EPOCH;
    const { worker, end } = standIn(t);
    for (const one of [call, other]) one.assign(worker);
    const write = (kind: RecordKind, said: string, slot = SLOT, epoch = EPOCH) =>
      end.write(kind, slot, epoch, new TextEncoder().encode(said));
    const { media, control } = RecordKind;
    write(control, "a mark alone");
    write(media, "one");
    write(media, "two");
    write(control, "its mark");
    write(control, "another");
    write(media, "three");
    write(media, "of someone else", SLOT + 1);
    write(control, "three's, too late to go with it");
    write(media, "four");
    write(control, "of a dead worker's speech", SLOT, EPOCH - 1);
    write(
      RecordKind.news,
      JSON.stringify({ atMs: 0, news: { kind: "transcript", role: "agent", text: "" } }),
    );
    write(control, "four's, behind the news");
    write(media, "five");
    write(RecordKind.ready, "");
    write(media, "six");
    worker.lane.poll();
    assert.deepEqual(listener.frames, [
      "a mark alone",
      ...["one", "two", "its mark", "another", "three", "three's, too late to go with it"],
      ...["four", "four's, behind the news", "five", "six"],
    ]);
    assert.deepEqual(listener.marks, ["its mark"]);
    assert.equal(listener.news.length, 1);
    worker.lane.poll();
    assert.equal(listener.frames.length, 11, "nothing is sent twice");
  });

  it("is still there when it is sent, whatever was read after it", (t) => {
    const { worker, end } = standIn(t);
    const filler = new Uint8Array(30_000).fill(0x58);
    let sent = "";
    class Slow extends RecordingListener {
      override frame(bytes: Uint8Array): void {
        for (let n = 0; n < 8; n++) end.write(RecordKind.control, SLOT + 1, EPOCH, filler); // the worker writes on
        sent = text(bytes);
      }
    }
    const call = new Placement(order(), SLOT, new Slow(), 0);
    call.epoch = EPOCH;
    call.assign(worker);
    end.write(RecordKind.media, SLOT, EPOCH, new TextEncoder().encode("the caller's own"));
    for (let n = 0; n < 4; n++) end.write(RecordKind.control, SLOT, EPOCH - 1, filler); // of a dead worker
    worker.lane.poll();
    assert.equal(sent, "the caller's own");
  });

  it("comes although what another call was sent just before it failed", (t) => {
    const { worker, end } = standIn(t);
    class Failing extends RecordingListener {
      override frame(): void {
        throw new Error("this call's socket is broken");
      }
    }
    const failing = new Placement(order(), SLOT + 1, new Failing(), 0);
    const { call, listener } = placement();
    failing.epoch = EPOCH;
    for (const one of [failing, call]) one.assign(worker);
    const write = (kind: RecordKind, slot: number, said: string) =>
      end.write(kind, slot, EPOCH, new TextEncoder().encode(said));
    write(RecordKind.media, SLOT + 1, "its audio");
    write(RecordKind.control, SLOT, "a clear");
    write(RecordKind.media, SLOT, "audio");
    assert.throws(() => worker.lane.poll(), /socket is broken/);
    assert.deepEqual(listener.frames, ["a clear"]);
    worker.lane.poll();
    assert.deepEqual(listener.frames, ["a clear", "audio"]);
  });

  it("is of one call at a time in each of its worker's slots", (t) => {
    const { worker } = standIn(t);
    const { call } = placement();
    call.assign(worker);
    assert.throws(() => worker.give(placement().call), /a slot's calls follow one another/);
    assert.equal(worker.calls, 1);
  });
});
