import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TICK_MS, Ticker, Waits } from "../../../src/twin/clock.ts";
import { FakeClock } from "./fakeClock.ts";

describe("the ticker", () => {
  it("runs one period for all, and none for nobody", () => {
    const clock = new FakeClock();
    const ticker = new Ticker(clock);
    assert.equal(clock.running, 0);
    const seen: string[] = [];
    const leave = [ticker.join(() => seen.push("a")), ticker.join(() => seen.push("b"))];
    assert.equal(clock.running, 1);
    clock.advance(TICK_MS);
    assert.deepEqual(seen, ["a", "b"]);
    for (const stop of leave) stop();
    assert.equal(clock.running, 0);
    leave[0]!();
    assert.equal(clock.running, 0);
  });
});

describe("waiting", () => {
  const start = () => {
    const clock = new FakeClock();
    return { clock, waits: new Waits(new Ticker(clock)) };
  };

  it("ends at once for what is there already, without a tick", async () => {
    const { clock, waits } = start();
    assert.equal(await waits.until("anything", () => "here"), "here");
    assert.equal(clock.running, 0);
  });

  it("ends when the condition holds at a check or a tick", async () => {
    const { clock, waits } = start();
    let found: number | undefined;
    const first = waits.until("a number", () => found);
    const second = waits.until("a time", () => (clock.nowMs() >= 1_050 ? clock.nowMs() : undefined));
    found = 7;
    waits.check();
    assert.equal(await first, 7);
    clock.advance(100);
    assert.equal(await second, 1_050);
    assert.equal(clock.running, 0);
  });

  it("says in a sentence what did not come in time", async () => {
    const { clock, waits } = start();
    const waiting = waits.until("a clear message", () => undefined, 200);
    const rejected = assert.rejects(waiting, {
      message: "waited for a clear message, but it did not come within 200 ms",
    });
    clock.advance(300);
    await rejected;
    assert.equal(clock.running, 0);
  });

  it("ends when nothing can come any more, after a last look", async () => {
    const { clock, waits } = start();
    let found: string | undefined;
    const lucky = waits.until("luck", () => found);
    const unlucky = assert.rejects(
      waits.until("more", () => undefined),
      /but the stream was over$/,
    );
    found = "luck";
    waits.end("the stream was over");
    assert.equal(await lucky, "luck");
    await unlucky;
    assert.equal(await waits.until("luck", () => found), "luck");
    await assert.rejects(
      waits.until("more", () => undefined),
      /waited for more, but the stream was over/,
    );
    assert.equal(clock.running, 0);
  });
});
