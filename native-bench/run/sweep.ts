// The sweep: more and more calls, each contender in turn, again and again, until it can't carry them.
import { type Cell, cellOf } from "./cells.ts";
import { type Contender, Missing, type Setting } from "./contenders.ts";
import { measure, type Plan, type Run } from "./measure.ts";

export interface Sweep extends Plan {
  readonly contenders: readonly Contender[];
  /** Rising. */
  readonly ladder: readonly number[];
  readonly repetitions: number;
  /** How often a run is tried again that something else has spoiled. */
  readonly retries: number;
  readonly setting: Omit<Setting, "calls">;
  readonly generator: string;
}

export interface Listener {
  /** A run begins, the so-and-so-many-th. */
  running(run: { contender: Contender; calls: number; repetition: number; attempt: number }): void;
  measured(cell: Cell): void;
  missing(contender: Contender, why: string): void;
}

export interface Swept {
  readonly cells: readonly Cell[];
  readonly runs: readonly Run[];
}

/** A contender that failed so many steps one after the other climbs no further. */
const FAILURES_MAX = 2;

/** Contenders alternate within a step, so that a noisy minute is everyone's. */
export async function sweep(plan: Sweep, listener: Listener): Promise<Swept> {
  const cells: Cell[] = [];
  const runs: Run[] = [];
  const failures = new Map(plan.contenders.map((contender) => [contender, 0]));
  for (const calls of plan.ladder) {
    const here = new Map<Contender, Run[]>([...failures.keys()].map((contender) => [contender, []]));
    for (let repetition = 1; repetition <= plan.repetitions; repetition++)
      for (const [contender, of] of here) {
        try {
          of.push(...(await untilClean(plan, contender, calls, repetition, listener)));
        } catch (error) {
          if (!(error instanceof Missing)) throw error;
          listener.missing(contender, error.message);
          failures.delete(contender);
          here.delete(contender);
        }
      }
    for (const [contender, of] of here) {
      const cell = cellOf(of);
      cells.push(cell);
      runs.push(...of);
      listener.measured(cell);
      const inARow = cell.refusal === null ? 0 : failures.get(contender)! + 1;
      if (inARow < FAILURES_MAX) failures.set(contender, inARow);
      else failures.delete(contender);
    }
  }
  return { cells, runs };
}

/** The attempts at one run: the last one is clean, failed, or the last that is allowed. */
async function untilClean(
  plan: Sweep,
  contender: Contender,
  calls: number,
  repetition: number,
  listener: Listener,
): Promise<Run[]> {
  const runs: Run[] = [];
  for (let attempt = 1; attempt <= 1 + plan.retries; attempt++) {
    listener.running({ contender, calls, repetition, attempt });
    const run = await measure(contender, calls, plan, { ...plan.setting, calls }, plan.generator);
    runs.push(run);
    if (!("spoiledBy" in run) || run.spoiledBy === null) break;
  }
  return runs;
}
