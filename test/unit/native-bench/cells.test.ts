import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { cellOf, cpuMs, highest, median, tidy } from "../../../native-bench/run/cells.ts";
import { spoiledBy } from "../../../native-bench/run/measure.ts";
import { report, run, withP99 } from "./runs.ts";

describe("a median", () => {
  it("has as many values above it as below", () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const middle = median(values);
        const above = values.filter((value) => value > middle).length;
        const below = values.filter((value) => value < middle).length;
        assert.ok(Math.abs(above - below) <= values.filter((value) => value === middle).length);
        assert.ok(above <= values.length / 2 && below <= values.length / 2);
      }),
    );
  });

  it("leaves what it is given as it was", () => {
    const values = [3, 1, 2];
    assert.equal(median(values), 2);
    assert.deepEqual(values, [3, 1, 2]);
    assert.equal(median([1, 2]), 1.5);
  });
});

describe("a cell", () => {
  it("tells medians, by call and second, and the sum of what was lost", () => {
    const late = run({ report: withP99(12), cpu: { userS: 0.4, systemS: 0.2 }, residentKb: 1_800 });
    const { figures, refusal } = cellOf([run(), late, run()]);
    assert.equal(refusal, null);
    assert.equal(figures!.p99Ms, 4);
    assert.deepEqual([figures!.userMs, figures!.systemMs, figures!.kbPerCall], [1, 0.5, 4]);
    assert.equal(cpuMs(figures!), 1.5);
    assert.equal(figures!.helperMs, null);
  });

  const spoiled = run({ report: withP99(500), spoiledBy: "the generator was late (p99 60 ms)" });

  it("looks only at clean runs while they are not the fewer", () => {
    const cell = cellOf([spoiled, run()]);
    assert.deepEqual([cell.clean, cell.spoiled, cell.refusal, cell.figures!.p99Ms], [1, 1, null, 4]);
  });

  it("carries nothing on the word of spoiled runs, though it shows them", () => {
    const alone = cellOf([run({ spoiledBy: "other programs took 0.90 cores" })]);
    assert.equal(alone.refusal, "other programs took 0.90 cores");
    assert.equal(alone.figures!.p99Ms, 4);
    const mostly = cellOf([spoiled, run(), spoiled]);
    assert.equal(mostly.refusal, "the generator was late (p99 60 ms)");
    assert.equal(mostly.figures!.p99Ms, 500);
  });

  for (const [why, runs] of [
    ["p99 20 ms", [run({ report: withP99(20) })]],
    ["frames lost: 3", [run(), run({ report: report({ lost: 3, returned: 9_997 }) })]],
    ["frames of other streams or times: 1", [run({ report: report({ foreign: 1 }) })]],
    ["streams closed: 2", [run({ report: report({ closed: 2 }) })]],
    [
      "a call was not taken: 200 Reject",
      [run(), { contender: "linecard", calls: 100, failure: "a call was not taken: 200 Reject" }],
    ],
  ] as const) {
    it(`is refused for ${why}`, () => assert.equal(cellOf(runs).refusal, why));
  }

  it("has no figures where every run failed", () => {
    const cell = cellOf([{ contender: "limit", calls: 5, failure: "it ended" }]);
    assert.deepEqual([cell.figures, cell.refusal], [null, "it ended"]);
  });
});

describe("the highest number of calls", () => {
  const cell = (calls: number, p99: number, contender = "linecard") =>
    cellOf([run({ contender, calls, report: withP99(p99) })]);

  it("is the most that were in time, wherever they stand and whoever else there is", () => {
    const cells = [cell(300, 19), cell(100, 4), cell(400, 21), cell(900, 1, "limit")];
    assert.equal(highest(cells, "linecard")?.calls, 300);
    assert.equal(highest(cells, "limit")?.calls, 900);
  });

  it("is none where even the fewest were late", () =>
    assert.equal(highest([cell(100, 30)], "linecard"), undefined));
});

describe("a run", () => {
  const lateness = (p99: number) => ({ ...report().latenessMs, p99 });

  it("is spoiled by a late generator, other programs, or a clock that was set", () => {
    assert.equal(spoiledBy(report(), 0.1), null);
    assert.equal(spoiledBy(report({ latenessMs: lateness(6) }), 0), "the generator was late (p99 6 ms)");
    assert.equal(spoiledBy(report(), 0.5), "other programs took 0.50 cores");
    assert.equal(spoiledBy(report({ wallStepMs: 40 }), 0), "the clock was set by 40 ms");
  });
});

describe("a tidy number", () => {
  it("has three digits that mean something", () => {
    assert.deepEqual([1.23456, 1_234.5, 0.012345, 0].map(tidy), [1.23, 1_230, 0.0123, 0]);
  });
});
