// A message's way from one thread to another, both ends in this one: written, handed over with those of the same tick,
// read. Against a message of its own for each. What waking the other thread costs is not in it; bench.ts shows that.
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { systemClock } from "../../src/domain/clock.ts";
import { createLaneMemory, LaneEnd, RecordKind } from "../../src/lane/lane.ts";
import { type Kernel, MESSAGES } from "./kernel.ts";

/** What a thousand calls send in a millisecond. */
const RECORDS_A_TICK = 50;

const memory = createLaneMemory();
const here = new LaneEnd(memory, "front", systemClock, () => {});
const desk = new Uint8Array(2_048);
const there = new LaneEnd(
  memory,
  "worker",
  systemClock,
  () => {},
  () => {},
  [desk],
);
let records = 0;

const plainPorts = new MessageChannel();

export const lane: readonly Kernel[] = [
  {
    name: "lane hop",
    ours(n) {
      here.write(RecordKind.media, n, 1, MESSAGES[n]!);
      if (++records % RECORDS_A_TICK !== 0) return;
      here.flush();
      there.poll();
    },
    library: "postMessage",
    theirs(n) {
      const bytes = Uint8Array.from(MESSAGES[n]!);
      plainPorts.port1.postMessage({ slot: n, bytes }, [bytes.buffer]);
      receiveMessageOnPort(plainPorts.port2);
    },
  },
];

/** Or this process would not end. */
export function closePort(): void {
  plainPorts.port1.close();
}
