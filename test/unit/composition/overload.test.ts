import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { latenessOf, Overload } from "../../../src/composition/overload.ts";
import { LATENESS_BOUNDS_MS } from "../../../src/lane/counts.ts";
import { ManualClock } from "../../support/manualClock.ts";

const BUCKETS = LATENESS_BOUNDS_MS.length + 1;

/** A gateway of which only what is measured is left. */
class Process {
  readonly clock = new ManualClock();
  calls = 0;
  laneDepthMs = 0;
  residentBytes = 0;
  samples = 0;
  readonly lateness = Array<number>(BUCKETS).fill(0);
  readonly overload = new Overload({
    clock: this.clock,
    callsMax: 10,
    callsLive: () => this.calls,
    laneDepthMs: () => {
      this.samples++;
      return this.laneDepthMs;
    },
    lateness: () => [...this.lateness],
    residentBytes: () => this.residentBytes,
    isHeeded: true,
  });

  take(): void {
    this.calls++;
    this.overload.taken();
  }

  /** Frames sent in each tenth of a second, in this bucket. */
  run(ms: number, framesIn?: { readonly bucket: number; readonly each: number }): this {
    for (let passed = 0; passed < ms; passed += 100) {
      if (framesIn !== undefined) this.lateness[framesIn.bucket]! += framesIn.each;
      this.clock.advance(100);
    }
    return this;
  }

  get level(): number {
    return this.overload.read().level;
  }
}

describe("what strain is measured", () => {
  it("is nothing while there are no calls, and ten times a second while there are", () => {
    const gateway = new Process();
    gateway.run(5_000);
    assert.equal(gateway.samples, 0);
    gateway.take();
    gateway.take();
    gateway.run(5_000);
    assert.equal(gateway.samples, 50);
    gateway.calls = 0;
    gateway.run(5_000);
    assert.equal(gateway.samples, 51);
    gateway.take();
    gateway.run(1_000);
    gateway.overload.close();
    gateway.run(1_000);
    assert.equal(gateway.samples, 61);
  });

  it("goes on without calls for as long as someone is refused", () => {
    const gateway = new Process();
    gateway.take();
    gateway.laneDepthMs = 400;
    gateway.run(3_000);
    assert.equal(gateway.level, 2);
    assert.ok(gateway.overload.isBusy);
    gateway.calls = 0;
    gateway.laneDepthMs = 0;
    gateway.run(4_100);
    assert.equal(gateway.level, 1);
    assert.ok(gateway.overload.refuses("outbound"));
    gateway.run(12_000);
    const { samples } = gateway;
    gateway.run(5_000);
    assert.deepEqual([gateway.level, gateway.samples], [0, samples]);
    assert.ok(!gateway.overload.refuses("outbound"));
  });

  it("leaves out one pause, however long, and doesn't leave out two", () => {
    const gateway = new Process();
    gateway.take();
    gateway.laneDepthMs = 5_000;
    gateway.run(100);
    gateway.laneDepthMs = 0;
    gateway.run(2_000);
    assert.deepEqual([gateway.level, gateway.overload.read().pressure.lane], [0, 0]);
    gateway.laneDepthMs = 5_000;
    gateway.run(200);
    gateway.laneDepthMs = 0;
    gateway.run(700);
    assert.equal(gateway.level, 2);
  });

  it("is told in parts of where callers are turned away", () => {
    const gateway = new Process();
    gateway.take();
    gateway.laneDepthMs = 75;
    gateway.run(2_000, { bucket: LATENESS_BOUNDS_MS.indexOf(100), each: 50 });
    const { level, pressure } = gateway.overload.read();
    assert.deepEqual(
      [level, pressure.calls, pressure.lane, pressure.playout, pressure.loop],
      [2, 0.1, 0.5, 1, 0],
    );
    gateway.calls = 9;
    gateway.run(30_000, { bucket: 0, each: 50 });
    assert.equal(gateway.level, 1, "nine of ten calls");
  });

  it("of memory is looked at once a second", () => {
    const gateway = new Process();
    gateway.take();
    gateway.residentBytes = Number.MAX_SAFE_INTEGER;
    gateway.run(1_000);
    assert.equal(gateway.level, 2);
    assert.ok(gateway.overload.read().pressure.memory > 1);
  });
});

describe("how late frames were", () => {
  it("is the bound that nineteen of twenty didn't pass", () => {
    const before = Array<number>(BUCKETS).fill(1_000);
    const sent = (counts: Readonly<Record<number, number>>) =>
      latenessOf(
        before,
        before.map((count, bucket) => count + (counts[bucket] ?? 0)),
      );
    assert.equal(sent({}), 0);
    assert.equal(sent({ 0: 20 }), 1);
    assert.equal(sent({ 0: 19, 5: 1 }), 1);
    assert.equal(sent({ 0: 18, 5: 2 }), 40);
    assert.equal(sent({ [BUCKETS - 1]: 1 }), 400);
  });

  it("never grows when a frame comes sooner", () => {
    const none = Array<number>(BUCKETS).fill(0);
    fc.assert(
      fc.property(
        fc.array(fc.nat(50), { minLength: BUCKETS, maxLength: BUCKETS }),
        fc.nat(BUCKETS - 2),
        (frames, at) => {
          const sooner = [...frames];
          sooner[at]! += sooner[at + 1]!;
          sooner[at + 1] = 0;
          assert.ok(latenessOf(none, sooner) <= latenessOf(none, frames));
        },
      ),
    );
  });
});
