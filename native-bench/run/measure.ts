// One run: a contender is started, given its calls, watched while it is measured, and stopped.
import type { Contender, Setting } from "./contenders.ts";
import { generate, type Report } from "./generator.ts";
import { type CpuReading, type CpuTime, machineBusyS, readCpu, residentKb, spent } from "./proc.ts";

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
    const cpu = spent(before.server, after.server);
    const helperCpu = helperPid === undefined ? null : spent(before.helper!, after.helper!);
    const known = [cpu, helperCpu ?? NOTHING, report.cpu, spent(before.own, after.own)];
    const knownS = known.reduce((sum, { userS, systemS }) => sum + userS + systemS, 0);
    const foreignCores = Math.max(0, after.machineS - before.machineS - knownS) / report.seconds;
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

const NOTHING: CpuTime = { userS: 0, systemS: 0 };

interface Reading {
  readonly server: CpuReading;
  readonly helper: CpuReading | undefined;
  readonly own: CpuReading;
  readonly machineS: number;
  readonly residentKb: number;
}

function reading(pid: number, helperPid: number | undefined): Reading {
  return {
    server: readCpu(pid),
    helper: helperPid === undefined ? undefined : readCpu(helperPid),
    own: readCpu(process.pid),
    machineS: machineBusyS(),
    residentKb: residentKb(pid),
  };
}
