// Measures every kernel in this process, which bench.ts starts with a garbage collector that is only run by hand, and
// prints what it found as one JSON object.
import { median } from "../run/cells.ts";
import { base64 } from "./base64.ts";
import { codec } from "./codec.ts";
import { FRAMES, type Kernel } from "./kernel.ts";
import { closePort, lane } from "./lane.ts";
import { message } from "./message.ts";
import { mulaw } from "./mulaw.ts";
import { worker } from "./worker.ts";

export interface Timing {
  /** For 20 ms of one call. */
  readonly ns: number;
  /** Allocated for them, on the heap and beside it. */
  readonly bytes: number;
}

export interface KernelTimings {
  readonly name: string;
  readonly library: string;
  readonly ours: Timing;
  readonly theirs: Timing;
}

const WARM_UP_RUNS = 20_000;
/** The best of some rounds: what disturbs makes a round only longer. */
const ROUNDS = 9;
const ROUND_RUNS = 4_000;
/** Few enough for the nursery to hold what they allocate, or it would be collected while it is counted. */
const COUNTED_RUNS = 1_000;

type Run = (frame: number) => void;

function timing(run: Run): Timing {
  for (let i = 0; i < WARM_UP_RUNS; i++) run(i % FRAMES);
  const rounds = Array.from({ length: ROUNDS }, () => {
    const began = process.hrtime.bigint();
    for (let i = 0; i < ROUND_RUNS; i++) run(i % FRAMES);
    return Number(process.hrtime.bigint() - began) / ROUND_RUNS;
  });
  const ns = Math.round(10 * Math.min(...rounds)) / 10;
  const idle = allocated(() => {});
  return { ns, bytes: Math.max(0, Math.round((allocated(run) - idle) / COUNTED_RUNS)) };
}

/** What so many runs leave behind before it is collected; the middle one of some rounds. */
function allocated(run: Run): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    globalThis.gc!();
    globalThis.gc!(); // ends the sweeping that the first has left to another thread
    const before = inMemory();
    for (let i = 0; i < COUNTED_RUNS; i++) run(i % FRAMES);
    return inMemory() - before;
  });
  return median(rounds);
}

function inMemory(): number {
  const { heapUsed, external } = process.memoryUsage(); // external counts array buffers too
  return heapUsed + external;
}

const kernels: readonly Kernel[] = [...base64, ...mulaw, ...codec, ...message, ...lane, ...worker];
const timings: KernelTimings[] = kernels.map(({ name, library, ours, theirs }) => ({
  name,
  library,
  ours: timing(ours),
  theirs: timing(theirs),
}));
process.stdout.write(`${JSON.stringify(timings)}\n`);
closePort();
