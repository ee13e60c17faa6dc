// One run: a contender is started, given its calls, watched while it is measured, and stopped.
import { type Contender, type Contestant, Missing, type Setting } from "./contenders.ts";
import { generate, type Report } from "./generator.ts";
import { type CpuReading, type CpuTime, readBusyS, readCpu, readResidentKb, spent } from "./proc.ts";

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
  /** The load generator's. */
  readonly niceness: number;
}

/** Rejects with Missing where the contender can't run on this machine; every other failure is a run's. */
export async function measure(
  contender: Contender,
  calls: number,
  plan: Plan,
  setting: Setting,
  generator: string,
): Promise<Run> {
  let contestant: Contestant | undefined;
  try {
    contestant = await contender.start(setting);
    return { contender: contender.name, calls, ...(await watched(contestant, calls, plan, generator)) };
  } catch (error) {
    if (error instanceof Missing) throw error;
    const failure = error instanceof Error ? error.message : String(error);
    return { contender: contender.name, calls, failure };
  } finally {
    await contestant?.stop();
  }
}

async function watched(
  contestant: Contestant,
  calls: number,
  plan: Plan,
  generator: string,
): Promise<Omit<Measured, "contender" | "calls">> {
  const { pid, helperPid } = contestant;
  const restKb = readResidentKb(pid);
  const readings: Reading[] = [];
  const read = () => {
    try {
      readings.push(reading(pid, helperPid));
    } catch {
      // It has ended, which is said below.
    }
  };
  const streams = await contestant.streams(calls);
  const report = await generate(generator, { ...plan, streams }, { began: read, ended: read });
  const [before, after] = readings;
  if (before === undefined || after === undefined) throw new Error("it ended in the middle of its calls");
  const cpu = spent(before.server, after.server);
  const helperCpu = helperPid === undefined ? null : spent(before.helper!, after.helper!);
  const known = [cpu, helperCpu ?? NOTHING, report.cpu, spent(before.own, after.own)];
  const knownS = known.reduce((sum, { userS, systemS }) => sum + userS + systemS, 0);
  const foreignCores = Math.max(0, after.machineS - before.machineS - knownS) / report.seconds;
  return {
    ...{ report, cpu, helperCpu, restKb, residentKb: after.residentKb },
    foreignCores: Math.round(foreignCores * 100) / 100,
    spoiledBy: spoiledBy(report, foreignCores),
  };
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
    machineS: readBusyS(),
    residentKb: readResidentKb(pid),
  };
}
