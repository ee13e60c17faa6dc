// The other thread of a lane, which can be held up: it sends back what comes, unless that is torn, and stands still for
// as long as a record of kind `end` says.
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../../src/domain/clock.ts";
import { LaneEnd, type LaneReceiver, RecordKind } from "../../../src/lane/lane.ts";
import { DROPPED, isWhole, TORN } from "./numbered.ts";
import { DESK_BYTES } from "./rig.ts";

const { memory, counts } = workerData as { memory: SharedArrayBuffer; counts: Int32Array };
const still = new Int32Array(new SharedArrayBuffer(4));

const receive: LaneReceiver = (kind, slot, epoch, bytes) => {
  if (!isWhole(slot, bytes)) Atomics.add(counts, TORN, 1);
  lane.write(kind, slot, epoch, bytes);
  Atomics.store(counts, DROPPED, lane.dropped);
  if (kind === RecordKind.end) Atomics.wait(still, 0, 0, epoch);
};
const lane = new LaneEnd(memory, "worker", systemClock, receive, () => {}, [new Uint8Array(DESK_BYTES)]);
systemClock.every(1, () => {
  lane.poll();
  lane.flush();
});
parentPort?.postMessage("up");
