import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { LoopLag } from "../../../src/metrics/loopLag.ts";

const read = (samplesMax: number, samples: readonly number[]) => {
  const lag = new LoopLag(samplesMax);
  for (const lateMs of samples) lag.add(lateMs);
  return lag.read();
};

describe("how late the loop was lately", () => {
  it("is nothing before the first sample", () => {
    assert.deepEqual(read(4, []), { p95Ms: 0, maxMs: 0 });
  });

  it("is told by the worst sample, and the one that 95 of 100 don't exceed", () => {
    const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);
    assert.deepEqual(read(100, hundred), { p95Ms: 95, maxMs: 100 });
    assert.deepEqual(read(100, [7]), { p95Ms: 7, maxMs: 7 });
  });

  it("forgets what is older than its newest samples", () => {
    assert.deepEqual(read(3, [900, 800, 1, 2, 3]), { p95Ms: 3, maxMs: 3 });
  });

  it("is never more than the worst of the newest, nor less than what one in twenty exceeds", () => {
    const lateness = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(lateness, fc.integer({ min: 1, max: 50 }), (samples, samplesMax) => {
        const newest = samples.slice(-samplesMax);
        const { p95Ms, maxMs } = read(samplesMax, samples);
        assert.equal(maxMs, Math.max(...newest));
        assert.ok(newest.includes(p95Ms));
        const beyond = newest.filter((lateMs) => lateMs > p95Ms).length;
        assert.ok(beyond <= newest.length / 20);
      }),
    );
  });
});
