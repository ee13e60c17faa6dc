// Which seats of a worker are due, held against the plainest list of them.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Seats } from "../../../../src/media/pipeline/seats.ts";

const SLOTS = 12;

function dueAt(seats: Seats<string>, nowMs: number): number[] {
  const due: number[] = [];
  for (let slot = seats.nextDue(0, nowMs); slot >= 0; slot = seats.nextDue(slot + 1, nowMs)) due.push(slot);
  return due;
}

describe("a worker's seats", () => {
  it("are due at once when taken, then when they said, and never when they are free", () => {
    const seats = new Seats<string>(SLOTS);
    seats.take(3, "one");
    seats.take(5, "another");
    assert.deepEqual(dueAt(seats, 0), [3, 5]);
    seats.rest(3);
    seats.wakeBy(3, 20);
    seats.wakeBy(3, 30);
    seats.leave(5);
    seats.wakeBy(5, 0); // said by a call that is over
    assert.deepEqual([dueAt(seats, 19), dueAt(seats, 20)], [[], [3]]);
    assert.deepEqual([seats.at(3), seats.at(5), seats.isEmpty], ["one", undefined, false]);
  });

  it("are found whoever came and went before", () => {
    const slot = fc.nat(SLOTS - 1);
    const step = fc.tuple(fc.constantFrom("come", "rest", "wake"), slot, fc.nat(100));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const seats = new Seats<string>(SLOTS);
        const expected = new Map<number, number>();
        for (const [what, at, ms] of steps) {
          if (what === "come") {
            if (expected.delete(at)) seats.leave(at);
            else {
              seats.take(at, "someone");
              expected.set(at, Number.NEGATIVE_INFINITY);
            }
          } else if (what === "wake") {
            seats.wakeBy(at, ms);
            if (expected.has(at)) expected.set(at, Math.min(expected.get(at)!, ms));
          } else if (expected.has(at)) {
            seats.rest(at);
            expected.set(at, Number.POSITIVE_INFINITY);
          }
          const due = [...expected].filter(([, dueMs]) => dueMs <= 50).map(([one]) => one);
          assert.deepEqual(
            dueAt(seats, 50),
            due.sort((one, other) => one - other),
          );
          assert.equal(seats.isEmpty, expected.size === 0);
        }
      }),
    );
  });
});
