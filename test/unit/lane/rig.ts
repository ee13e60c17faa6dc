// A lane in one thread, and what its tests write into it.
import type { TestContext } from "node:test";
import { createLaneMemory, LaneEnd, type RecordKind } from "../../../src/lane/lane.ts";
import { ManualClock } from "../../support/manualClock.ts";

/** Shorter than many records of the tests. */
export const DESK_BYTES = 2_048;

/** What a page of the ring holds; the longest records need several. */
export const PAGE_BYTES = 64 * 1_024;

export interface Kept {
  readonly kind: RecordKind;
  readonly slot: number;
  readonly epoch: number;
  readonly bytes: readonly number[] | Uint8Array;
}

/** A lane in one thread, and all that each of its ends has received; the worker's end has a desk. */
export function lane(t: TestContext, clock = new ManualClock()) {
  const memory = createLaneMemory();
  const received: { here: Kept[]; there: Kept[] } = { here: [], there: [] };
  const keep = (where: Kept[]) => (kind: RecordKind, slot: number, epoch: number, bytes: Uint8Array) =>
    where.push({ kind, slot, epoch, bytes: bytes.slice() });
  const here = new LaneEnd(memory, "front", clock, keep(received.here));
  const desk = new Uint8Array(DESK_BYTES);
  const there = new LaneEnd(memory, "worker", clock, keep(received.there), () => {}, [desk]);
  t.after(() => {
    here.close();
    there.close();
  });
  return { here, there, received, clock, memory };
}

/** The writing side ticks for so long. */
export function tick(end: LaneEnd, clock: ManualClock, ms = 1): void {
  for (let ticks = 0; ticks < ms; ticks++) {
    clock.advance(1);
    end.flush();
  }
}
