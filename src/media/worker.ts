// The Piscina entry: says hello with its end of the lane, and runs one task per call. Nothing else.
import assert from "node:assert/strict";
import { MessageChannel, parentPort, threadId, workerData } from "node:worker_threads";
import { systemClock } from "../domain/clock.ts";
import { WorkerCounts } from "../lane/counts.ts";
import type { CallTicket, TaskReport, WorkerBirth, WorkerHello, WorkerStray } from "../lane/ticket.ts";
import { CallHost } from "./pipeline/host.ts";

assert(parentPort !== null, "this module runs in a worker thread");
const front = parentPort;
const { port1: ours, port2: theirs } = new MessageChannel();
const counts = new WorkerCounts();
const heartbeat = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
const tellStray = (stray: string) => front.postMessage({ stray } satisfies WorkerStray);
const host = new CallHost(ours, workerData as WorkerBirth, { counts, heartbeat }, systemClock, tellStray);
for (const event of ["uncaughtException", "unhandledRejection"] as const)
  process.on(event, (error: unknown) => host.uncaught(error));

const hello: WorkerHello = {
  hello: "media-worker",
  threadId,
  port: theirs,
  counts: counts.memory,
  heartbeat: heartbeat.buffer,
};
front.postMessage(hello, [theirs]);

export default (ticket: CallTicket): Promise<TaskReport> => host.run(ticket);
