// The Piscina entry: loads what calls need, says hello with its lane, and runs one task per call.
import assert from "node:assert/strict";
import { parentPort, threadId, workerData } from "node:worker_threads";
import { systemClock } from "../domain/clock.ts";
import { WorkerCounts } from "../lane/counts.ts";
import { createLaneMemory } from "../lane/lane.ts";
import { CallRemains } from "../lane/remains.ts";
import type { CallTicket, TaskReport, WorkerBirth, WorkerHello, WorkerStray } from "../lane/ticket.ts";
import { CallHost, loadEquipment } from "./pipeline/host.ts";
import { recordersIn } from "./recording/recorders.ts";

assert(parentPort !== null, "this module runs in a worker thread");
const front = parentPort;
const { remains, agentModules, agentPrivateHosts, prompts, recordingsPath } = workerData as WorkerBirth;
const rules = { privateHosts: agentPrivateHosts };
const loaded = await loadEquipment(agentModules, prompts, rules); // without it there is no hello, and no call comes here
const equipment = { ...loaded, createRecorder: recordersIn(recordingsPath, systemClock) };

const lane = createLaneMemory();
const shared = {
  remains: new CallRemains(remains),
  counts: new WorkerCounts(),
  heartbeat: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
};
const tellStray = (stray: string) => front.postMessage({ stray } satisfies WorkerStray);
const host = new CallHost(lane, equipment, shared, systemClock, tellStray);
for (const event of ["uncaughtException", "unhandledRejection"] as const)
  process.on(event, (error: unknown) => host.uncaught(error));

const hello: WorkerHello = {
  hello: "media-worker",
  threadId,
  lane,
  counts: shared.counts.memory,
  heartbeat: shared.heartbeat.buffer,
};
front.postMessage(hello);

export default (ticket: CallTicket): Promise<TaskReport> => host.run(ticket);
