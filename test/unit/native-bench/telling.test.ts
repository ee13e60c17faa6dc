import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Cell, cellOf } from "../../../native-bench/run/cells.ts";
import { chart } from "../../../native-bench/run/chart.ts";
import { busyIn, cpuTimeIn, spent } from "../../../native-bench/run/proc.ts";
import { cellTable, columns, highestLines, ratioLine } from "../../../native-bench/run/table.ts";
import { run, withP99 } from "./runs.ts";

const TITLES = new Map([
  ["linecard", "Linecard"],
  ["limit", "C & epoll"],
  ["aiohttp", "Python"],
]);

/** A cell whose calls each take so many milliseconds of processor time a second. */
function cell(contender: string, calls: number, cpu: number, p99 = 4): Cell {
  const spentS = (cpu * calls * 2) / 1_000;
  return cellOf([run({ contender, calls, report: withP99(p99), cpu: { userS: spentS, systemS: 0 } })]);
}
const CELLS = [
  ...[cell("linecard", 100, 3), cell("limit", 100, 1), cell("linecard", 300, 2), cell("limit", 300, 0.5)],
  ...[cell("linecard", 500, 2, 35), cell("limit", 1_000, 0.4)],
];

describe("columns", () => {
  it("are as wide as their widest cell, text to the left and numbers to the right", () => {
    assert.deepEqual(
      columns([
        ["name", "n"],
        ["a", "100"],
        ["longer", ""],
      ]),
      ["name      n", "a       100", "longer"],
    );
  });
});

describe("the table", () => {
  it("has a line for each cell, contender by contender, with what is wrong with it", () => {
    const lines = cellTable(CELLS, TITLES);
    assert.equal(lines.length, 1 + CELLS.length);
    assert.match(lines[1]!, /^Linecard +100 +2 +4 +8 +3 +3 +0 +4$/);
    assert.match(lines[3]!, /^Linecard +500 .* p99 35 ms$/);
    assert.match(lines[4]!, /^C & epoll +100/);
  });

  it("shows a contender that failed, without figures", () => {
    const lines = cellTable([cellOf([{ contender: "limit", calls: 9, failure: "it ended" }])], TITLES);
    assert.match(lines[1]!, /^C & epoll +9 +– .*it ended$/);
  });

  it("says how many calls each carries in time, and what one then costs", () => {
    const [, linecard, limit, more] = highestLines(CELLS, TITLES);
    assert.match(linecard!, /^Linecard +300 +2 ms +500$/);
    assert.match(limit!, /^C & epoll +1000 +0.4 ms +2500$/);
    assert.equal(more, undefined, "one that was not measured isn't told of");
  });
});

describe("the line of ratios", () => {
  it("compares at the most calls that all were measured with", () => {
    assert.equal(
      ratioLine(CELLS, TITLES),
      "300 calls: Linecard's CPU is 4 × limit; p99 in ms: linecard 4, limit 4",
    );
  });

  it("says so when it is of spoiled runs, or nothing came back", () => {
    const report = { ...withP99(0), sent: 10, returned: 0, lost: 10 };
    const spoiled = cellOf([run({ report, spoiledBy: "other programs took 0.90 cores" })]);
    const line = ratioLine([spoiled, cell("limit", 100, 1.5)], TITLES);
    assert.equal(
      line,
      "100 calls, in spoiled runs: Linecard's CPU is 1 × limit; p99 in ms: linecard never, limit 4",
    );
  });

  it("is none where nothing is comparable", () => {
    assert.equal(ratioLine([cell("limit", 100, 1)], TITLES), undefined);
    assert.equal(ratioLine([cell("linecard", 100, 1)], TITLES), undefined);
    assert.equal(ratioLine([cell("linecard", 100, 1), cell("limit", 200, 1)], TITLES), undefined);
  });
});

describe("the chart", () => {
  const picture = chart(CELLS, TITLES);

  it("draws each contender that was measured, in both panels, within the picture", () => {
    assert.equal(picture.match(/<polyline/g)?.length, 4);
    assert.equal(picture.match(/<circle/g)?.length, 2 + 2 * CELLS.length);
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(picture)!.map(Number);
    for (const [, x, y] of picture.matchAll(/<circle cx="([\d.-]+)" cy="([\d.-]+)"/g))
      assert.ok(
        Number(x) >= 0 && Number(x) <= width! && Number(y) >= 0 && Number(y) <= height!,
        `${x}, ${y}`,
      );
  });

  it("puts more calls to the right, and more delay further up", () => {
    const [points] = [...picture.matchAll(/<polyline[^>]*points="([^"]*)"/g)].map(([, list]) =>
      list!.split(" ").map((point) => point.split(",").map(Number)),
    );
    const [fewest, , most] = points!;
    assert.ok(most![0]! > fewest![0]! && most![1]! < fewest![1]!);
  });

  it("is XML whatever a title holds, and readable on a dark page", () => {
    assert.match(picture, /C &amp; epoll/);
    assert.match(picture, /prefers-color-scheme: dark/);
    assert.doesNotMatch(picture, /NaN|undefined|Infinity/);
  });

  it("is one even when nothing was measured", () => assert.doesNotMatch(chart([], TITLES), /NaN|<polyline/));
});

describe("what Linux counts", () => {
  it("is read whatever a program calls itself", () => {
    const stat = `7 (node) (x) S 1 7 7 0 -1 4194304 1 0 0 0 250 75 0 0 20 0 11 0`;
    assert.deepEqual(cpuTimeIn(stat), { userS: 2.5, systemS: 0.75 });
  });

  it("of a machine is all but idling, and but interrupts where no process is told of them", () => {
    const stat = "cpu  100 20 30 9999 50 6 7 8 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
    assert.equal(busyIn(stat, false), 1.71);
    assert.equal(busyIn(stat, true), 1.58);
  });

  it("shares the exact total out as the coarse counts are", () => {
    const before = { totalS: 1, coarse: { userS: 0.5, systemS: 0.5 } };
    const after = { totalS: 3, coarse: { userS: 1.25, systemS: 0.75 } };
    assert.deepEqual(spent(before, after), { userS: 1.5, systemS: 0.5 });
    assert.deepEqual(spent(before, { ...before, totalS: 1.004 }).userS, 0);
  });
});
