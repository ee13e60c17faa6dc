import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { CallRemains } from "../../../src/lane/remains.ts";

const ascii = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 48,
});

describe("what remains of a call", () => {
  it("is read as it was written, on another view of the same memory, slot by slot", () => {
    const slots = 5;
    const record = fc.record({
      epoch: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      heardMs: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      playheadMs: fc.oneof(fc.double({ noNaN: true }), fc.constant(Number.NEGATIVE_INFINITY)),
      resumeId: ascii,
    });
    fc.assert(
      fc.property(fc.array(record, { minLength: slots, maxLength: slots }), (written) => {
        const writing = new CallRemains({ slots });
        const reading = new CallRemains(writing.memory);
        for (const [slot, { epoch, heardMs, playheadMs, resumeId }] of written.entries())
          writing.write(slot, epoch, heardMs, playheadMs, resumeId);
        for (const [slot, { epoch, ...remains }] of written.entries())
          assert.deepEqual(reading.read(slot, epoch), remains);
      }),
    );
  });

  it("takes 64 bytes", () => {
    assert.equal(new CallRemains({ slots: 1_000 }).memory.byteLength, 64_000);
  });

  it("is nothing to a placement other than its own, nor before anything was written", () => {
    const remains = new CallRemains({ slots: 2 });
    assert.equal(remains.read(0, 1), undefined);
    remains.write(0, 7, 100, 200, "id");
    assert.equal(remains.read(0, 6), undefined);
    assert.equal(remains.read(0, 8), undefined);
    assert.equal(remains.read(1, 7), undefined);
    assert.equal(remains.read(0, 7)?.heardMs, 100);
  });

  it("holds no trace of a longer id that stood there before, and cuts one that is too long", () => {
    const remains = new CallRemains({ slots: 1 });
    remains.write(0, 1, 0, 0, "a".repeat(48));
    remains.write(0, 1, 0, 0, "b");
    assert.equal(remains.read(0, 1)?.resumeId, "b");
    remains.write(0, 1, 0, 0, "c".repeat(60));
    assert.equal(remains.read(0, 1)?.resumeId, "c".repeat(48));
    remains.write(0, 1, 0, 0, "");
    assert.equal(remains.read(0, 1)?.resumeId, "");
  });

  it("has no epoch 0, which is what fresh memory holds", () => {
    assert.throws(() => new CallRemains({ slots: 1 }).write(0, 0, 1, 1, ""), /epochs begin at 1/);
  });

  /** Asserts that a slot's first record, once it is there, is all there. */
  function isWhole(remains: CallRemains, slot: number): boolean {
    const found = remains.read(slot, slot + 1);
    if (found === undefined) return false;
    const resumeId = `resume-${slot}-${"x".repeat(30)}`;
    assert.deepEqual(found, { heardMs: slot * 3, playheadMs: slot + 0.5, resumeId });
    return true;
  }

  for (const [when, kills] of [
    ["as soon as another thread sees it", false],
    ["when its worker is killed while it writes", true],
  ] as const) {
    it(`is whole ${when}`, async (t) => {
      const slots = kills ? 200_000 : 50_000;
      const remains = new CallRemains({ slots });
      const gate = new Int32Array(new SharedArrayBuffer(4));
      const worker = new Worker(new URL("./remainsWorker.ts", import.meta.url), {
        workerData: { memory: remains.memory, slots, gate },
      });
      t.after(() => worker.terminate());
      await once(worker, "message");
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      // The thread is spun, not the event loop: looking must go on while the worker writes.
      let slot = 0;
      const enough = kills ? 1_000 : slots;
      while (slot < enough) if (isWhole(remains, slot)) slot++;
      await worker.terminate();
      while (slot < slots && isWhole(remains, slot)) slot++;
      for (let later = slot; later < slots; later++) assert.equal(isWhole(remains, later), false);
      t.diagnostic(`${slot} of ${slots} were written`);
    });
  }
});
