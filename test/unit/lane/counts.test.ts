import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { LATENESS_BOUNDS_MS, WorkerCounts } from "../../../src/lane/counts.ts";

describe("what a worker counts", () => {
  it("begins at nothing, and every count is its own", () => {
    const counts = new WorkerCounts();
    counts.add("framesHeard");
    counts.add("framesHeard", 4);
    counts.add("marksEchoed", 2);
    assert.equal(counts.get("framesHeard"), 5);
    assert.equal(counts.get("marksEchoed"), 2);
    for (const name of ["framesConcealed", "framesSent", "callErrors", "latenessSumMs"] as const)
      assert.equal(counts.get(name), 0, name);
    assert.deepEqual(counts.lateness(), Array(LATENESS_BOUNDS_MS.length + 1).fill(0));
  });

  it("is read in the memory it is written in", () => {
    const written = new WorkerCounts();
    const read = new WorkerCounts(written.memory);
    written.add("underruns");
    written.sent(1, 3);
    assert.equal(read.get("underruns"), 1);
    assert.deepEqual(read.lateness(), written.lateness());
  });

  it("puts each frame's lateness into one bucket, whose bound is in it, and into the sum", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(fc.double({ min: 0, max: 400, noNaN: true }), fc.constantFrom(...LATENESS_BOUNDS_MS)),
        ),
        (lates) => {
          const counts = new WorkerCounts();
          for (const lateMs of lates) counts.sent(1, lateMs);
          let seen = 0;
          const upTo = LATENESS_BOUNDS_MS.map((bound) => lates.filter((lateMs) => lateMs <= bound).length);
          for (const [bucket, frames] of counts.lateness().entries()) {
            seen += frames;
            assert.equal(seen, upTo[bucket] ?? lates.length);
          }
          const sumMs = lates.reduce((sum, lateMs) => sum + lateMs, 0);
          assert.ok(Math.abs(counts.get("latenessSumMs") - sumMs) < 1e-6);
        },
      ),
    );
  });

  it("adds up with another worker's", () => {
    const [one, other] = [new WorkerCounts(), new WorkerCounts()];
    one.add("framesSent", 2 ** 40);
    one.sent(1, 0.5);
    other.add("framesSent", 3);
    other.add("strayErrors");
    other.sent(1, 1_000);
    one.absorb(other);
    assert.equal(one.get("framesSent"), 2 ** 40 + 5);
    assert.equal(one.get("strayErrors"), 1);
    assert.equal(one.get("latenessSumMs"), 1_000.5);
    assert.equal(one.lateness().at(0), 1);
    assert.equal(one.lateness().at(-1), 1);
    assert.equal(other.get("framesSent"), 4);
  });
});
