import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { MessageChannel, Worker } from "node:worker_threads";
import fc from "fast-check";
import { systemClock } from "../../../src/domain/clock.ts";
import { LANE_BOUND_MS, LaneEnd, RecordKind } from "../../../src/lane/lane.ts";
import { ManualClock } from "../../support/manualClock.ts";
import { until } from "../../support/until.ts";

/** What a batch holds; the longest records need a buffer of their own. */
const BATCH_BYTES = 32 * 1_024;

interface Kept {
  readonly kind: RecordKind;
  readonly slot: number;
  readonly epoch: number;
  readonly bytes: readonly number[] | Uint8Array;
}

/** A lane in one thread, and all that each of its ends has received. */
function lane(t: TestContext, clock = new ManualClock()) {
  const { port1, port2 } = new MessageChannel();
  const received: { here: Kept[]; there: Kept[] } = { here: [], there: [] };
  const keep = (where: Kept[]) => (kind: RecordKind, slot: number, epoch: number, bytes: Uint8Array) =>
    where.push({ kind, slot, epoch, bytes: bytes.slice() });
  const here = new LaneEnd(port1, clock, keep(received.here));
  const there = new LaneEnd(port2, clock, keep(received.there));
  t.after(() => {
    here.close();
    there.close();
  });
  return { here, there, received, clock };
}

const kinds = fc.constantFrom(...Object.values(RecordKind));
const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 400 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 8_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: BATCH_BYTES - 40, max: BATCH_BYTES + 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 2 * BATCH_BYTES, max: 3 * BATCH_BYTES }) },
);
const records = fc.array(
  fc.record({
    kind: kinds,
    slot: fc.nat(4_294_967_295),
    epoch: fc.nat(4_294_967_294),
    size: sizes,
    flush: fc.boolean(),
  }),
  { maxLength: 60 },
);

/** Bytes that tell records apart. */
function payload(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, n) => (n * 31 + seed * 17) & 0xff);
}

describe("a lane", () => {
  it("keeps its order when a receiver flushes while it is behind", (t) => {
    const clock = new ManualClock();
    const { port1, port2 } = new MessageChannel();
    const order: number[] = [];
    const there = new LaneEnd(port2, clock, () => {});
    const here = new LaneEnd(port1, clock, (_kind, slot) => {
      order.push(slot);
      here.flush(); // as at the end of a call; its own batch has been out for too long
    });
    t.after(() => {
      here.close();
      there.close();
    });
    here.write(RecordKind.control, 0, 1, payload(1, 0));
    here.flush();
    clock.advance(LANE_BOUND_MS + 1);
    for (const slots of [[1, 2], [3]]) {
      for (const slot of slots) there.write(RecordKind.control, slot, 1, payload(8, slot));
      there.flush();
    }
    here.poll();
    assert.deepEqual(order, [1, 2, 3]);
  });

  it("keeps records whole and in order, whatever their sizes, both ways", (t) => {
    const { here, there, received } = lane(t);
    fc.assert(
      fc.property(records, (sent) => {
        received.here.length = 0;
        received.there.length = 0;
        for (const [index, { kind, slot, epoch, size, flush }] of sent.entries()) {
          const [from, to] = index % 3 === 0 ? [there, here] : [here, there];
          assert.equal(from.write(kind, slot, epoch, payload(size, index)), true);
          if (!flush) continue;
          from.flush();
          to.poll();
        }
        for (const end of [here, there, here]) {
          end.flush();
          here.poll();
          there.poll();
        }
        const expected = sent.map(({ kind, slot, epoch, size }, index) => ({
          kind,
          slot,
          epoch,
          bytes: payload(size, index),
        }));
        assert.deepEqual(
          received.there,
          expected.filter((_, index) => index % 3 !== 0),
        );
        assert.deepEqual(
          received.here,
          expected.filter((_, index) => index % 3 === 0),
        );
        assert.equal(here.dropped + there.dropped, 0);
      }),
      { numRuns: 60 },
    );
  });

  it("does so between threads", async (t) => {
    const { port1, port2 } = new MessageChannel();
    const received: Kept[] = [];
    const end = new LaneEnd(port1, systemClock, (kind, slot, epoch, bytes) =>
      received.push({ kind, slot, epoch, bytes: bytes.slice() }),
    );
    const file = new URL("./echoWorker.ts", import.meta.url);
    const worker = new Worker(file, { workerData: port2, transferList: [port2] });
    const stop = systemClock.every(1, () => end.flush());
    t.after(async () => {
      stop();
      end.close();
      await worker.terminate();
    });
    await once(worker, "message");
    await fc.assert(
      fc.asyncProperty(records, async (sent) => {
        received.length = 0;
        for (const [index, { kind, slot, epoch, size, flush }] of sent.entries()) {
          assert.equal(end.write(kind, slot, epoch, payload(size, index)), true);
          if (flush) await new Promise((turn) => setImmediate(turn));
        }
        await until("all of it to come back", () => received.length >= sent.length);
        assert.deepEqual(
          received,
          sent.map(({ kind, slot, epoch, size }, index) => ({
            kind,
            slot,
            epoch: epoch + 1,
            bytes: payload(size, index),
          })),
        );
      }),
      { numRuns: 40 },
    );
    assert.equal(end.dropped, 0);
  });

  it("lets a record be written in place", (t) => {
    const { here, there, received } = lane(t);
    for (const text of ["one", "and another"]) {
      const bytes = new TextEncoder().encode(text);
      const at = here.reserve(RecordKind.media, 3, 9, bytes.length);
      here.batchBytes.set(bytes, at);
    }
    here.flush();
    there.poll();
    assert.deepEqual(
      received.there.map(({ bytes }) => Buffer.from(bytes).toString()),
      ["one", "and another"],
    );
  });

  it("copies what it is given", (t) => {
    const { here, there, received } = lane(t);
    const bytes = Uint8Array.of(1, 2, 3);
    here.write(RecordKind.control, 0, 1, bytes);
    bytes.fill(9);
    here.flush();
    there.poll();
    assert.deepEqual([...received.there[0]!.bytes], [1, 2, 3]);
  });

  it("keeps its order when it is polled from inside a receiver", (t) => {
    const { port1, port2 } = new MessageChannel();
    const clock = new ManualClock();
    const order: number[] = [];
    const here = new LaneEnd(port1, clock, () => {});
    const there: LaneEnd = new LaneEnd(port2, clock, (_kind, slot) => {
      order.push(slot);
      there.poll();
    });
    t.after(() => {
      here.close();
      there.close();
    });
    for (let slot = 0; slot < 9; slot++) {
      here.write(RecordKind.control, slot, 1, payload(10, slot));
      if (slot % 3 === 2) here.flush();
    }
    there.poll();
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("hands over once per flush, and nothing when nothing was written", async (t) => {
    const { here, there, received } = lane(t);
    const batches: unknown[] = [];
    const { port1, port2 } = new MessageChannel();
    const counted = new LaneEnd(port1, new ManualClock(), () => {});
    port2.on("message", (batch) => batches.push(batch));
    t.after(() => {
      counted.close();
      port2.close();
    });
    counted.flush();
    for (let n = 0; n < 5; n++) counted.write(RecordKind.media, n, 1, payload(200, n));
    counted.flush();
    counted.flush();
    here.write(RecordKind.media, 0, 1, payload(4, 0)); // delivered after the others' batches
    here.flush();
    await until("the batch to come", () => batches.length > 0);
    there.poll();
    assert.equal(received.there.length, 1);
    assert.equal(batches.length, 1);
  });
});

describe("a lane whose other side is behind", () => {
  const media = payload(300, 1);

  /** One tick of the writing side. */
  function tick(end: LaneEnd, clock: ManualClock, ms = 1): void {
    clock.advance(ms);
    end.flush();
  }

  it("drops and counts media once it is more than half a second behind, and never anything else", (t) => {
    const { here, there, received, clock } = lane(t);
    here.write(RecordKind.media, 0, 1, media);
    here.flush();
    tick(here, clock, LANE_BOUND_MS);
    assert.equal(here.depthMs, LANE_BOUND_MS);
    assert.equal(here.write(RecordKind.media, 0, 1, media), true);
    tick(here, clock);
    for (let n = 0; n < 3; n++) assert.equal(here.write(RecordKind.media, 0, 1, media), false);
    for (const kind of [RecordKind.control, RecordKind.closed, RecordKind.end, RecordKind.ready])
      assert.equal(here.write(kind, 0, 1, media), true);
    assert.equal(here.dropped, 3);
    here.flush();
    there.poll();
    assert.deepEqual(
      received.there.map(({ kind }) => kind),
      [
        RecordKind.media,
        RecordKind.media,
        RecordKind.control,
        RecordKind.closed,
        RecordKind.end,
        RecordKind.ready,
      ],
    );
  });

  it("takes media again as soon as the other side has caught up", (t) => {
    const { here, there, clock } = lane(t);
    here.write(RecordKind.media, 0, 1, media);
    here.flush();
    tick(here, clock, LANE_BOUND_MS + 1);
    assert.equal(here.write(RecordKind.media, 0, 1, media), false);
    there.poll();
    there.flush(); // the buffer goes home
    tick(here, clock); // and is looked for, though no event has delivered it
    assert.equal(here.depthMs, 0);
    assert.equal(here.write(RecordKind.media, 0, 1, media), true);
    assert.equal(here.dropped, 1);
  });

  it("does not take its own standstill for the other side's", (t) => {
    const { here, there, clock } = lane(t);
    here.write(RecordKind.media, 0, 1, media);
    here.flush();
    there.poll();
    there.flush();
    clock.advance(10 * LANE_BOUND_MS); // this thread was held up; the buffer has been here for long
    here.flush();
    assert.equal(here.write(RecordKind.media, 0, 1, media), true);
    assert.equal(here.dropped, 0);
  });

  it("knows how far behind it is by the oldest batch that is out", (t) => {
    const { here, there, clock } = lane(t);
    assert.equal(here.depthMs, 0);
    for (let n = 0; n < 3; n++) {
      here.write(RecordKind.media, 0, 1, media);
      tick(here, clock, 10);
    }
    assert.equal(here.depthMs, 20);
    there.poll();
    assert.equal(here.depthMs, 20);
    there.flush();
    here.poll();
    assert.equal(here.depthMs, 0);
  });
});

describe("a lane's buffers", () => {
  it("come home and are used again", (t) => {
    const { here, there, clock } = lane(t);
    const original = globalThis.ArrayBuffer;
    let made = 0;
    globalThis.ArrayBuffer = new Proxy(original, {
      construct(target, args, self) {
        made++;
        return Reflect.construct(target, args, self);
      },
    });
    t.after(() => {
      globalThis.ArrayBuffer = original;
    });
    for (let tick = 0; tick < 1_000; tick++) {
      here.write(RecordKind.media, 0, 1, payload(250, tick));
      there.write(RecordKind.media, 0, 1, payload(250, tick));
      clock.advance(1);
      here.flush();
      there.flush();
      here.poll();
      there.poll();
    }
    assert.ok(made <= 8, `${made} buffers were made for a thousand ticks`);
  });

  it("are at rest when both sides are", (t) => {
    const { here, there, clock } = lane(t);
    for (let n = 0; n < 50; n++) here.write(RecordKind.media, 0, 1, payload(4_000, n));
    here.flush();
    there.poll();
    there.flush();
    here.poll();
    clock.advance(60_000);
    assert.equal(here.depthMs, 0);
    assert.equal(there.depthMs, 0);
  });
});

describe("a closed lane", () => {
  it("neither delivers nor sends, and closing it twice is harmless", (t) => {
    const { here, there, received } = lane(t);
    here.write(RecordKind.control, 0, 1, payload(8, 0));
    here.flush();
    there.close();
    there.poll();
    assert.deepEqual(received.there, []);
    there.write(RecordKind.control, 0, 1, payload(8, 0));
    there.flush();
    here.poll();
    assert.deepEqual(received.here, []);
    there.close();
  });
});
