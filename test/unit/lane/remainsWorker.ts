// A worker that waits at a gate and then leaves one record in every slot.
import { parentPort, workerData } from "node:worker_threads";
import { CallRemains } from "../../../src/lane/remains.ts";

const { memory, slots, gate } = workerData as { memory: SharedArrayBuffer; slots: number; gate: Int32Array };
const remains = new CallRemains(memory);
parentPort!.postMessage("ready");
Atomics.wait(gate, 0, 0);
for (let slot = 0; slot < slots; slot++)
  remains.write(slot, slot + 1, slot * 3, slot + 0.5, `resume-${slot}-${"x".repeat(30)}`);
