import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { systemClock, threadOriginMs } from "../../../src/domain/clock.ts";

const CLOCK = new URL("../../../src/domain/clock.ts", import.meta.url).href;

describe("the system's clock", () => {
  it("shows all threads of the process the same time", async () => {
    const source = `
      import { parentPort } from "node:worker_threads";
      import { systemClock } from ${JSON.stringify(CLOCK)};
      parentPort.postMessage(systemClock.nowMs());`;
    const beforeMs = systemClock.nowMs();
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
    const there = await new Promise<number>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    const afterMs = systemClock.nowMs();
    // Half a millisecond is what two readings of one clock may differ by.
    assert.ok(there >= beforeMs - 0.5 && there <= afterMs + 0.5, `${beforeMs} ≤ ${there} ≤ ${afterMs}`);
    await worker.terminate();
  });

  it("takes its thread's place in it from the readings that lie closest together", () => {
    // Three steps of each pair: the thread reads its own clock, the shared one, its own. It is held up at some.
    const heldUpMs = [40, 30, 1, 20, 0.5, 60];
    let ownMs = 1_000;
    let shared = 0;
    const originMs = threadOriginMs(
      () => ownMs,
      () => {
        const sharedMs = ownMs + 7_000;
        ownMs += heldUpMs[shared++ % heldUpMs.length]!;
        return sharedMs;
      },
    );
    assert.equal(originMs, 7_000 - 0.25);
    assert.equal(shared, 16);
  });

  it("ticks until it is stopped, and can be stopped from a tick, twice", async () => {
    let ticks = 0;
    await new Promise<void>((done) => {
      const stop = systemClock.every(1, () => {
        ticks++;
        if (ticks < 3) return;
        stop();
        stop();
        const later = systemClock.every(10, () => {
          later();
          done();
        });
      });
    });
    assert.equal(ticks, 3);
  });

  it("tells the time of day as the epoch does", () => {
    const before = Date.now();
    const wallMs = systemClock.wallMs();
    assert.ok(before <= wallMs && wallMs <= Date.now());
  });
});
