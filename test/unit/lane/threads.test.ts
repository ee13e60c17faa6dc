// A lane between two threads, either of which may be held up at any time.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { systemClock } from "../../../src/domain/clock.ts";
import { createLaneMemory, LANE_BOUND_MS, LaneEnd, RecordKind } from "../../../src/lane/lane.ts";
import { until } from "../../support/until.ts";
import { DROPPED, isWhole, payload, TORN } from "./numbered.ts";

const sizes = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 0, max: 600 }) },
  { weight: 4, arbitrary: fc.integer({ min: 600, max: 16_384 }) },
  { weight: 1, arbitrary: fc.integer({ min: 65_000, max: 300_000 }) }, // a page's end, and several pages
);
const stallMs = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 30 }) },
  { weight: 1, arbitrary: fc.integer({ min: LANE_BOUND_MS + 50, max: LANE_BOUND_MS + 150 }) },
);
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        step: fc.constant("burst" as const),
        sizes: fc.array(sizes, { maxLength: 40 }),
        controlEvery: fc.integer({ min: 1, max: 9 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ step: fc.constant("pause" as const), ms: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("stallThere" as const), ms: stallMs }) },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("stallHere" as const), ms: stallMs }) },
  ),
  { minLength: 1, maxLength: 60 },
);

describe("a lane between two threads that are held up now and then", () => {
  const memory = createLaneMemory();
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const still = new Int32Array(new SharedArrayBuffer(4));
  /** Since the last run began. */
  let sentAtMs: number[] = [];
  let controls: number[] = [];
  let back: { number: number; isControl: boolean }[] = [];
  let torn = 0;
  let first = 0;
  let next = 0;
  const end = new LaneEnd(memory, "front", systemClock, (kind, slot, _epoch, bytes) => {
    if (!isWhole(slot, bytes)) torn++;
    back.push({ number: slot, isControl: kind !== RecordKind.media });
  });
  let worker: Worker;
  let stop: () => void;

  before(async () => {
    const file = new URL("./stallingWorker.ts", import.meta.url);
    worker = new Worker(file, { workerData: { memory, counts } });
    await once(worker, "message");
    stop = systemClock.every(1, () => {
      end.flush();
      end.poll();
    });
  });
  after(async () => {
    stop();
    await worker.terminate();
  });

  function send(kind: RecordKind, size: number, epoch = 0): void {
    const number = next++;
    sentAtMs.push(systemClock.nowMs());
    const bytes = payload(size, number);
    const isTaken = end.write(kind, number, epoch, bytes);
    if (kind !== RecordKind.media) {
      assert.ok(isTaken, "only media may be dropped");
      controls.push(number);
    }
    if (!isTaken) assertBehind();
  }

  /** What is old enough to have media dropped has not come back. */
  function assertBehind(): void {
    const oldest = (back.at(-1)?.number ?? first - 1) + 1 - first;
    const waitedMs = systemClock.nowMs() - sentAtMs[oldest]!;
    assert.ok(waitedMs >= LANE_BOUND_MS, `media was dropped although all was read ${waitedMs} ms ago`);
  }

  it("loses no control record, tears none, keeps the order, and counts the media it drops", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (run) => {
        [sentAtMs, controls, back] = [[], [], []];
        first = next;
        const droppedBefore = end.dropped + counts[DROPPED]!;
        for (const step of run)
          switch (step.step) {
            case "burst":
              for (const [n, size] of step.sizes.entries())
                send(n % step.controlEvery === 0 ? RecordKind.control : RecordKind.media, size);
              break;
            case "stallThere":
              send(RecordKind.end, 0, step.ms);
              break;
            case "stallHere":
              Atomics.wait(still, 0, 0, step.ms);
              break;
            case "pause":
              await new Promise((turn) => setTimeout(turn, step.ms));
              break;
          }
        send(RecordKind.control, 0);
        await until("the last to come back", () => back.at(-1)?.number === next - 1, 30_000);
        const numbers = back.map(({ number }) => number);
        assert.deepEqual(
          numbers,
          [...numbers].sort((a, b) => a - b),
        );
        assert.equal(new Set(numbers).size, numbers.length);
        assert.deepEqual(
          back.filter(({ isControl }) => isControl).map(({ number }) => number),
          controls,
        );
        const dropped = end.dropped + Atomics.load(counts, DROPPED) - droppedBefore;
        assert.equal(numbers.length + dropped, next - first);
        assert.equal(torn + Atomics.load(counts, TORN), 0);
      }),
      { numRuns: 25 },
    );
  });
});
