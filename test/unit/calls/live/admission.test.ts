// When callers are turned away and let in again, as a table and as properties of every history.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type Admission,
  type Level,
  levelOf,
  next,
  OPEN,
  refuses,
  STRAINS,
  type Strain,
} from "../../../../src/calls/live/admission.ts";

const NONE: Strain = { loop: 0, lane: 0, playout: 0, memory: 0 };
const STEP_MS = 100;

/** The machine and its clock, measured every 100 ms. */
class Watch {
  admission: Admission = OPEN;
  nowMs = 0;

  measure(strain: Partial<Strain>, forMs = STEP_MS): this {
    for (let ms = 0; ms < forMs; ms += STEP_MS) {
      this.nowMs += STEP_MS;
      this.admission = next(this.admission, { type: "measured", strain: { ...NONE, ...strain } }, this.nowMs);
    }
    return this;
  }

  /** As many callers as are let in now. */
  callers(most: number): number {
    for (let taken = 0; taken < most; taken++) {
      if (refuses(this.admission, "inbound", 0, this.nowMs)) return taken;
      this.admission = next(this.admission, { type: "taken" }, this.nowMs);
    }
    return most;
  }

  get level(): Level {
    return this.admission.level;
  }

  refused(arrival: "inbound" | "outbound" | "answered", callsShare = 0): boolean {
    return refuses(this.admission, arrival, callsShare, this.nowMs);
  }
}

describe("admission by quality", () => {
  it("minds no strain that is over within half a second, however great", () => {
    for (const name of STRAINS) assert.equal(new Watch().measure({ [name]: 50 }, 500).level, 0, name);
    const flickering = new Watch();
    for (let times = 0; times < 50; times++) flickering.measure({ loop: 9 }, 400).measure({}, 100);
    assert.equal(flickering.level, 0);
  });

  it("turns calls out away first, then callers, whatever the strain is of", () => {
    for (const name of STRAINS) {
      const soft = new Watch().measure({ [name]: 0.95 }, 600);
      assert.deepEqual(
        [soft.level, soft.refused("outbound"), soft.refused("inbound")],
        [1, true, false],
        name,
      );
      const hard = soft.measure({ [name]: 1 }, 600);
      assert.deepEqual(
        [hard.level, hard.refused("outbound"), hard.refused("inbound")],
        [2, true, true],
        name,
      );
      assert.equal(hard.refused("answered"), false, "whoever picked up was admitted before the phone rang");
    }
  });

  it("has a soft limit of its own for each: 25 ms of the loop's 60, 60 of the lane's 150, 40 of playout's 100", () => {
    const softs: Strain = { loop: 25 / 60, lane: 60 / 150, playout: 40 / 100, memory: 75 / 85 };
    for (const name of STRAINS) {
      assert.equal(new Watch().measure({ [name]: softs[name] - 0.001 }, 5_000).level, 0, name);
      assert.equal(new Watch().measure({ [name]: softs[name] + 0.001 }, 600).level, 1, name);
    }
  });

  it("counts calls as they are, without patience either way", () => {
    const watch = new Watch();
    assert.deepEqual([watch.refused("outbound", 0.89), watch.refused("outbound", 0.9)], [false, true]);
    assert.equal(watch.refused("inbound", 0.99), false);
    assert.deepEqual([levelOf(OPEN, 0.89), levelOf(OPEN, 0.9), levelOf(OPEN, 1)], [0, 1, 2]);
    assert.equal(watch.refused("outbound", 0.89), false);
  });

  it("lets callers in after three calm seconds, one after the other and ever faster", () => {
    const watch = new Watch().measure({ lane: 2 }, 1_000);
    assert.equal(watch.measure({ lane: 0.79 }, 3_000).level, 2);
    assert.equal(watch.measure({ lane: 0.79 }).level, 1, "80 % of the hard limit is still over the soft one");
    assert.equal(watch.callers(100), 1);
    const perSecond = Array.from({ length: 9 }, () => watch.measure({}, 1_000).callers(1_000));
    assert.deepEqual(perSecond, [7, 13, 17, 23, 27, 33, 37, 43, 47]);
    assert.equal(watch.level, 0);
    assert.ok(watch.refused("outbound"), "callers come before calls out");
    watch.measure({}, 1_000);
    assert.equal(watch.callers(1_000), 1_000);
    assert.equal(watch.refused("outbound"), false);
  });

  it("begins anew when strain comes back", () => {
    const watch = new Watch().measure({ loop: 2 }, 1_000).measure({}, 3_100);
    assert.equal(watch.callers(5), 1);
    assert.equal(watch.measure({ loop: 2 }, 600).level, 2);
    assert.equal(watch.callers(5), 0);
    watch.measure({ loop: 0.9 }, 60_000);
    assert.equal(watch.level, 2, "not calm enough to leave the level");
    assert.equal(watch.measure({}, 3_100).callers(5), 1);
  });

  /** A history: strain of some kind for some time, again and again. */
  const histories = fc.array(
    fc.record({
      name: fc.constantFrom(...STRAINS),
      amount: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 3, noNaN: true })),
      forMs: fc.integer({ min: 1, max: 60 }).map((steps) => steps * STEP_MS),
    }),
    { maxLength: 30 },
  );

  it("never changes its mind faster than its patience allows, and sheds in one order", () => {
    fc.assert(
      fc.property(histories, fc.double({ min: 0, max: 1, noNaN: true }), (history, callsShare) => {
        const watch = new Watch();
        let before: Level = 0;
        let changedMs = 0;
        for (const { name, amount, forMs } of history) {
          for (let ms = 0; ms < forMs; ms += STEP_MS) {
            const { level } = watch.measure({ [name]: amount });
            if (level < before) {
              assert.ok(watch.nowMs - changedMs >= 3_000, "a level is left after three seconds at the least");
              assert.equal(level, before - 1, "and no level is passed over on the way back");
            }
            if (level > before)
              assert.ok(amount >= 0.4, "there is strain when someone is turned away for it");
            if (level !== before) changedMs = watch.nowMs;
            before = level;
            if (watch.refused("inbound", callsShare)) assert.ok(watch.refused("outbound", callsShare));
            assert.equal(watch.refused("answered", callsShare), false);
          }
        }
      }),
    );
  });

  it("takes everyone again once strain is over for good, whatever was before", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const watch = new Watch();
        for (const { name, amount, forMs } of history) watch.measure({ [name]: amount }, forMs);
        watch.measure({}, 20_000);
        assert.deepEqual(watch.admission, OPEN);
      }),
    );
  });

  it("refuses no more when it is more strained than when it is less", () => {
    const strains = fc.record({
      loop: fc.double({ min: 0, max: 2, noNaN: true }),
      lane: fc.double({ min: 0, max: 2, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(strains, { maxLength: 100 }), (history) => {
        const more = new Watch();
        const less = new Watch();
        for (const strain of history) {
          more.measure(strain);
          less.measure({ loop: strain.loop / 2, lane: strain.lane / 2 });
          assert.ok(more.level >= less.level);
        }
      }),
    );
  });
});
