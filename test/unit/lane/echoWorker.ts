// The other thread of a lane: sends every record back with its epoch plus one, on a tick of its own.
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../../src/domain/clock.ts";
import { LaneEnd } from "../../../src/lane/lane.ts";

const lane = new LaneEnd(workerData, systemClock, (kind, slot, epoch, bytes) => {
  lane.write(kind, slot, epoch + 1, bytes);
});
systemClock.every(1, () => lane.flush());
parentPort?.postMessage("up");
