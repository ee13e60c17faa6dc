// The line at an account, and what one API key may ask for.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { once, Pace } from "../../../../src/calls/outbound/pace.ts";
import { KeyRates } from "../../../../src/calls/outbound/rate.ts";
import { GatewayError } from "../../../../src/domain/errors.ts";
import { ManualClock } from "../../../support/manualClock.ts";

describe("the line at an account", () => {
  it("gives one turn a second, the first at once, in the order of coming", () => {
    const clock = new ManualClock();
    const pace = new Pace(clock, 1_000);
    const turns: string[] = [];
    const beganMs = clock.nowMs();
    for (const name of ["a", "b", "c"]) pace.join(() => turns.push(`${name} ${clock.nowMs() - beganMs}`));
    assert.deepEqual([turns, pace.waiting], [["a 0"], 2]);
    clock.advance(2_500);
    assert.deepEqual(turns, ["a 0", "b 1000", "c 2000"]);
    assert.equal(pace.isIdle, false);
    clock.advance(500);
    assert.deepEqual([pace.isIdle, clock.running], [true, 0]);
  });

  it("lets whoever waits leave it", () => {
    const clock = new ManualClock();
    const pace = new Pace(clock, 1_000);
    const turns: string[] = [];
    pace.join(() => turns.push("a"));
    const leave = pace.join(() => turns.push("b"));
    pace.join(() => turns.push("c"));
    leave();
    clock.advance(1_000);
    assert.deepEqual(turns, ["a", "c"]);
    pace.join(() => turns.push("d"));
    pace.close();
    clock.advance(5_000);
    assert.deepEqual([turns, clock.running], [["a", "c"], 0]);
  });

  it("does a thing once", () => {
    const clock = new ManualClock();
    let done = 0;
    once(clock, 10, () => done++);
    once(clock, 10, () => done++)();
    clock.advance(100);
    assert.deepEqual([done, clock.running], [1, 0]);
  });
});

describe("an API key", () => {
  const isRefused = (rates: KeyRates, key: number): number | undefined => {
    try {
      rates.take(key);
      return undefined;
    } catch (error) {
      assert(error instanceof GatewayError && error.code === "TOO_MANY");
      return error.retryAfterS;
    }
  };

  it("may ask for a burst of calls and then for as many as come back with time, apart from other keys", () => {
    const clock = new ManualClock();
    const rates = new KeyRates({ burst: 3, perS: 0.5 }, clock);
    for (let taken = 0; taken < 3; taken++) assert.equal(isRefused(rates, 1), undefined);
    assert.equal(isRefused(rates, 1), 2);
    assert.equal(isRefused(rates, 2), undefined);
    clock.advance(1_000);
    assert.equal(isRefused(rates, 1), 1);
    clock.advance(1_000);
    assert.equal(isRefused(rates, 1), undefined);
    clock.advance(60_000);
    for (let taken = 0; taken < 3; taken++) assert.equal(isRefused(rates, 1), undefined);
    assert.equal(isRefused(rates, 1), 2);
  });
});
