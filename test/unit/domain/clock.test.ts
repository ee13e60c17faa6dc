import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../../src/domain/clock.ts";

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
