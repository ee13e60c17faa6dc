// A lane whose one side doesn't read, or not in time.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { LANE_BOUND_MS, type LaneEnd, RecordKind } from "../../../src/lane/lane.ts";
import { PAYLOAD_BYTES_MAX } from "../../../src/lane/ring.ts";
import { payload } from "./numbered.ts";
import { lane, PAGE_BYTES, tick } from "./rig.ts";

describe("a lane whose other side is behind", () => {
  const media = payload(300, 1);

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
    assert.equal(here.depthMs, 0);
    assert.equal(here.write(RecordKind.media, 0, 1, media), true);
    assert.equal(here.dropped, 1);
  });

  it("does not take its own standstill for the other side's", (t) => {
    const { here, there, clock } = lane(t);
    here.write(RecordKind.media, 0, 1, media);
    here.flush();
    there.poll();
    clock.advance(10 * LANE_BOUND_MS); // this thread was held up; the other has long read it
    here.flush();
    assert.equal(here.write(RecordKind.media, 0, 1, media), true);
    clock.advance(10 * LANE_BOUND_MS); // again, between two records: the other has not looked since
    assert.equal(here.write(RecordKind.media, 0, 1, media), true);
    here.flush();
    assert.equal(here.write(RecordKind.media, 0, 1, media), true);
    tick(here, clock, LANE_BOUND_MS);
    assert.equal(here.write(RecordKind.media, 0, 1, media), true);
    tick(here, clock); // but from then on it is the other's fault
    assert.equal(here.write(RecordKind.media, 0, 1, media), false);
    assert.equal(here.dropped, 1);
  });

  it("knows how far behind it is by the oldest record that is unread", (t) => {
    const { here, there, clock } = lane(t);
    assert.equal(here.depthMs, 0);
    for (let n = 0; n < 3; n++) {
      here.write(RecordKind.media, 0, 1, media);
      tick(here, clock, 10);
    }
    assert.equal(here.depthMs, 30);
    there.poll();
    assert.equal(here.depthMs, 0);
    here.write(RecordKind.media, 0, 1, media);
    tick(here, clock, 10);
    assert.equal(here.depthMs, 10);
  });
});

describe("a lane's memory", () => {
  it("is touched only as far as the other side was ever behind", (t) => {
    const { here, there, clock, memory } = lane(t);
    for (let tick = 0; tick < 1_000; tick++) {
      for (let n = 0; n < 5; n++) {
        here.write(RecordKind.media, 0, 1, payload(250, tick));
        there.write(RecordKind.media, 0, 1, payload(250, tick));
      }
      clock.advance(1);
      here.flush();
      there.flush();
      here.poll();
      there.poll();
    }
    const bytes = Buffer.from(memory);
    const blank = Buffer.alloc(4_096);
    let touched = 0;
    for (let at = 0; at < bytes.length; at += 4_096)
      if (!blank.equals(bytes.subarray(at, at + 4_096))) touched += 4_096;
    assert.ok(touched <= 2 * 2 * PAGE_BYTES + 2 * 4_096, `${touched} bytes for 1.3 MB each way`);
  });

  it("is as good as empty when both sides are at rest", (t) => {
    const { here, there, clock } = lane(t);
    for (let n = 0; n < 50; n++) here.write(RecordKind.media, 0, 1, payload(4_000, n));
    there.poll();
    clock.advance(60_000);
    assert.equal(here.depthMs, 0);
    assert.equal(there.depthMs, 0);
  });
});

describe("a lane that is full of bytes", () => {
  const BIG = 1_000_000;
  const big = payload(BIG, 1);
  const NOTHING = new Uint8Array(0);

  /** Writes media until none goes in any more. */
  function fill(end: LaneEnd): number {
    let written = 0;
    while (end.write(RecordKind.media, written, 1, big)) written++;
    while (end.write(RecordKind.media, written, 1, NOTHING)) written++;
    return written;
  }

  it("drops and counts media, and keeps everything else in order for when there is room", (t) => {
    const { here, there, received } = lane(t);
    const written = fill(here);
    assert.ok(written * BIG > 10_000_000, "more than half a second of a thousand calls fits in");
    assert.equal(here.dropped, 2);
    const late = [RecordKind.control, RecordKind.news, RecordKind.end, RecordKind.control];
    for (const [n, kind] of late.entries())
      assert.equal(here.write(kind, n, 2, payload(n === 3 ? BIG : n, n)), true);
    assert.equal(here.isHolding, true);
    here.flush();
    assert.equal(here.isHolding, true);
    there.poll();
    assert.equal(received.there.length, written);
    // There is room again, but nothing may overtake what is held.
    assert.equal(here.write(RecordKind.media, 0, 3, big), false);
    assert.equal(here.write(RecordKind.control, 4, 2, payload(4, 4)), true);
    here.flush();
    assert.equal(here.isHolding, false);
    assert.equal(here.write(RecordKind.media, 0, 3, big), true);
    there.poll();
    assert.deepEqual(
      received.there.slice(written).map(({ kind, slot, epoch }) => [kind, slot, epoch]),
      [...late.map((kind, n) => [kind, n, 2]), [RecordKind.control, 4, 2], [RecordKind.media, 0, 3]],
    );
    for (const { slot, bytes } of received.there.slice(written, -1))
      assert.deepEqual(bytes, payload(slot === 3 ? BIG : slot, slot));
    assert.equal(here.dropped, 3);
  });

  it("has room again for the longest record, whatever was in it before", (t) => {
    const { here, there, received } = lane(t);
    const longest = new Uint8Array(PAYLOAD_BYTES_MAX);
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(100_000), fc.constant(PAYLOAD_BYTES_MAX))), (before) => {
        for (const [n, length] of before.entries()) {
          here.write(RecordKind.control, 0, 1, longest.subarray(0, length));
          if (n % 3 === 0) there.poll();
        }
        do {
          here.flush();
          there.poll();
        } while (here.isHolding);
        received.there.length = 0;
        here.write(RecordKind.control, 1, 1, longest);
        there.poll();
        assert.equal(received.there[0]!.bytes.length, PAYLOAD_BYTES_MAX);
      }),
      { numRuns: 30 },
    );
    assert.throws(() => here.write(RecordKind.control, 1, 1, new Uint8Array(PAYLOAD_BYTES_MAX + 1)), /fits/);
  });

  it("does what is to come afterwards once all before it can be read, and at once where nothing waits", (t) => {
    const { here, there, received } = lane(t);
    const seen: number[] = [];
    const afterwards = () =>
      here.afterwards(() => {
        there.poll();
        seen.push(received.there.length);
      });
    here.write(RecordKind.control, 0, 1, new Uint8Array(4));
    afterwards();
    assert.deepEqual(seen, [1]);
    const written = 1 + fill(here);
    here.write(RecordKind.control, 0, 1, big);
    afterwards();
    here.write(RecordKind.control, 0, 1, big);
    here.flush();
    assert.deepEqual(seen, [1]);
    there.poll();
    here.flush();
    assert.deepEqual(seen, [1, written + 1]);
    there.poll();
    assert.equal(received.there.length, written + 2);
  });
});

describe("a lane whose other side rests", () => {
  it("takes what waits there for no delay, until the other side looks again", (t) => {
    const { here, there, received, clock } = lane(t);
    there.rest();
    assert.equal(here.write(RecordKind.media, 0, 1, payload(10, 0)), true);
    tick(here, clock, 2 * LANE_BOUND_MS);
    assert.equal(here.depthMs, 0);
    assert.equal(here.write(RecordKind.media, 1, 1, payload(10, 0)), true);
    there.poll();
    assert.equal(received.there.length, 2);
    here.write(RecordKind.media, 2, 1, payload(10, 0));
    tick(here, clock, LANE_BOUND_MS + 1);
    assert.equal(here.write(RecordKind.media, 3, 1, payload(10, 0)), false);
  });
});
