// One run: a contender is started, given its calls, watched while it is measured, and stopped.
import type { Contender, Setting } from "./contenders.ts";
import { generate, type Report } from "./generator.ts";
import { type CpuTime, cpuTime, machineBusyS, residentKb } from "./proc.ts";

/** A generator that was later than this can't tell what was the server's fault. */
export const LATENESS_P99_MAX_MS = 5;
/** Cores that other programs may take meanwhile. */
const FOREIGN_MAX = 0.25;
/** The kernel's stamps are by the wall clock. */
const WALL_STEP_MAX_MS = 5;

export interface Measured {
  readonly contender: string;
  readonly calls: number;
  readonly report: Report;
  /** The server's, in the measured time; its agents' server's beside it. */
  readonly cpu: CpuTime;
  readonly helperCpu: CpuTime | null;
  /** Resident before the first call, and at the end of the measured time. */
  readonly restKb: number;
  readonly residentKb: number;
  /** What neither server nor generator nor this program took. */
  readonly foreignCores: number;
  /** What makes the run worthless; null: nothing. */
  readonly spoiledBy: string | null;
}

/** A run that came to nothing, which is the contender's fault: a refused call, a lost stream, a crash. */
export interface Failed {
  readonly contender: string;
  readonly calls: number;
  readonly failure: string;
}

export type Run = Measured | Failed;

export interface Plan {
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** Rejects only when the contender can't be started. */
export async function measure(
  contender: Contender,
  calls: number,
  { seconds, warmUpSeconds }: Plan,
  setting: Setting,
  generator: string,
): Promise<Run> {
  const { name } = contender;
  const contestant = await contender.start({ ...setting, calls });
  try {
    const { pid, helperPid } = contestant;
    const rest = residentKb(pid);
    const readings: Reading[] = [];
    const read = () => readings.push(reading(pid, helperPid));
    const streams = await contestant.streams(calls);
    const report = await generate(
      generator,
      { streams, seconds, warmUpSeconds },
      { began: read, ended: read },
    );
    const [before, after] = readings as [Reading, Reading];
    const cpu = less(after.server, before.server);
    const helperCpu =
      after.helper === undefined || before.helper === undefined ? null : less(after.helper, before.helper);
    const ownS = sum(less(after.own, before.own)) + sum(report.cpu) + sum(cpu) + sum(helperCpu ?? NOTHING);
    const foreignCores = Math.max(0, after.machineS - before.machineS - ownS) / report.seconds;
    return {
      ...{ contender: name, calls, report, cpu, helperCpu, restKb: rest, residentKb: after.residentKb },
      foreignCores: Math.round(foreignCores * 100) / 100,
      spoiledBy: spoiledBy(report, foreignCores),
    };
  } catch (error) {
    return { contender: name, calls, failure: error instanceof Error ? error.message : String(error) };
  } finally {
    await contestant.stop();
  }
}

export function spoiledBy(
  { latenessMs, wallStepMs }: Pick<Report, "latenessMs" | "wallStepMs">,
  foreignCores: number,
): string | null {
  if (latenessMs.p99 > LATENESS_P99_MAX_MS) return `the generator was late (p99 ${latenessMs.p99} ms)`;
  if (wallStepMs > WALL_STEP_MAX_MS) return `the clock was set by ${wallStepMs} ms`;
  if (foreignCores > FOREIGN_MAX) return `other programs took ${foreignCores.toFixed(2)} cores`;
  return null;
}

interface Reading {
  readonly server: CpuTime;
  readonly helper: CpuTime | undefined;
  readonly own: CpuTime;
  readonly machineS: number;
  readonly residentKb: number;
}

const NOTHING: CpuTime = { userS: 0, systemS: 0 };

function reading(pid: number, helperPid: number | undefined): Reading {
  const own = process.cpuUsage();
  return {
    server: cpuTime(pid),
    helper: helperPid === undefined ? undefined : cpuTime(helperPid),
    own: { userS: own.user / 1e6, systemS: own.system / 1e6 },
    machineS: machineBusyS(),
    residentKb: residentKb(pid),
  };
}

function less(after: CpuTime, before: CpuTime): CpuTime {
  return { userS: after.userS - before.userS, systemS: after.systemS - before.systemS };
}

function sum({ userS, systemS }: CpuTime): number {
  return userS + systemS;
}
