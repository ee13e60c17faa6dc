import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createLaneMemory, LANE_BOUND_MS, LaneEnd, RecordKind } from "../../../src/lane/lane.ts";
import { ManualClock } from "../../support/manualClock.ts";
import { payload } from "./numbered.ts";
import { lane, PAGE_BYTES } from "./rig.ts";

const kinds = fc.constantFrom(...Object.values(RecordKind));
const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 400 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 8_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: PAGE_BYTES - 40, max: PAGE_BYTES + 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 2 * PAGE_BYTES, max: 3 * PAGE_BYTES }) },
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

describe("a lane", () => {
  it("keeps its order when a receiver flushes while it is behind", (t) => {
    const clock = new ManualClock();
    const memory = createLaneMemory();
    const order: number[] = [];
    const there = new LaneEnd(memory, "worker", clock, () => {});
    const here = new LaneEnd(memory, "front", clock, (_kind, slot) => {
      order.push(slot);
      here.flush(); // as at the end of a call; its own record has waited for too long
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
    const memory = createLaneMemory();
    const clock = new ManualClock();
    const order: number[] = [];
    const here = new LaneEnd(memory, "front", clock, () => {});
    const there: LaneEnd = new LaneEnd(memory, "worker", clock, (_kind, slot) => {
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

  it("shows a record as soon as it is written", (t) => {
    const { here, there, received } = lane(t);
    for (let slot = 1; slot <= 3; slot++) {
      here.write(RecordKind.media, slot, 1, payload(200, 0));
      there.poll();
      assert.equal(received.there.at(-1)?.slot, slot);
    }
    there.poll();
    assert.equal(received.there.length, 3);
  });

  it("leaves a record alone while it is being read", (t) => {
    const memory = createLaneMemory();
    const here = new LaneEnd(memory, "front", new ManualClock(), () => {});
    let whole = 0;
    const there = new LaneEnd(memory, "worker", new ManualClock(), (_kind, slot, _epoch, bytes) => {
      for (let n = 0; n < 3 && slot === 0; n++)
        here.write(RecordKind.media, 1, 1, payload(PAGE_BYTES / 2, n));
      if (slot === 0 && Buffer.from(bytes).equals(payload(1_000, 5))) whole++;
    });
    t.after(() => there.close());
    for (let n = 0; n < 100; n++) here.write(RecordKind.media, 0, 1, payload(1_000, 5));
    there.poll();
    there.poll();
    assert.equal(whole, 100);
  });

  it("copies what it reads to a desk, if it has one and that is long enough", (t) => {
    const memory = createLaneMemory();
    const clock = new ManualClock();
    const around = new Uint8Array(16 + 100 + 16).fill(0xee);
    const desk = around.subarray(16, 116);
    const here = new LaneEnd(memory, "front", clock, () => {});
    const read: { size: number; isOnDesk: boolean; isWhole: boolean }[] = [];
    const receive = (_kind: RecordKind, slot: number, _epoch: number, bytes: Uint8Array) =>
      read.push({
        size: bytes.length,
        isOnDesk: bytes.buffer === around.buffer && (bytes.length === 0 || bytes.byteOffset === 16),
        isWhole: Buffer.from(bytes).equals(payload(bytes.length, slot)),
      });
    const there = new LaneEnd(memory, "worker", clock, receive, () => {}, [desk]);
    t.after(() => there.close());
    const sizes = [0, 1, 97, 98, 99, 100, 101, 97, 5_000, 100];
    for (const [slot, size] of sizes.entries()) here.write(RecordKind.media, slot, 1, payload(size, slot));
    there.poll();
    assert.deepEqual(
      read,
      sizes.map((size) => ({ size, isOnDesk: size <= 100, isWhole: true })),
    );
    for (const beside of [around.subarray(0, 16), around.subarray(116)])
      assert.ok(beside.every((byte) => byte === 0xee));
  });

  it("leaves what it read last on one desk while it reads the next to the other", (t) => {
    const memory = createLaneMemory();
    const clock = new ManualClock();
    const here = new LaneEnd(memory, "front", clock, () => {});
    let last: { slot: number; bytes: Uint8Array } | undefined;
    let whole = 0;
    const receive = (_kind: RecordKind, slot: number, _epoch: number, bytes: Uint8Array) => {
      if (last !== undefined && Buffer.from(last.bytes).equals(payload(last.bytes.length, last.slot)))
        whole++;
      last = { slot, bytes };
    };
    const desks = [new Uint8Array(100), new Uint8Array(100)];
    const there = new LaneEnd(memory, "worker", clock, receive, () => {}, desks);
    t.after(() => there.close());
    const sizes = [90, 90, 40, 90, 3_000, 90, 90, 100];
    for (const [slot, size] of sizes.entries()) here.write(RecordKind.media, slot, 1, payload(size, slot));
    there.poll();
    assert.equal(whole, sizes.length - 1);
  });

  it("goes on behind a record that its receiver could not stand", (t) => {
    const memory = createLaneMemory();
    const order: number[] = [];
    const here = new LaneEnd(memory, "front", new ManualClock(), () => {});
    const there = new LaneEnd(memory, "worker", new ManualClock(), (_kind, slot) => {
      order.push(slot);
      if (slot === 1) throw new Error("not this one");
    });
    t.after(() => there.close());
    for (let slot = 0; slot < 4; slot++) here.write(RecordKind.control, slot, 1, payload(10, slot));
    assert.throws(() => there.poll(), /not this one/);
    there.poll();
    assert.deepEqual(order, [0, 1, 2, 3]);
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
