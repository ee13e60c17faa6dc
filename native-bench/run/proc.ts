// What Linux counts: a process's processor time and memory, and the machine's.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { gunzipSync } from "node:zlib";

/** The unit of most of these counts, which every Linux that Node runs on shows to programs as a hundredth of a second. */
const TICKS_PER_S = 100;
const NS_PER_S = 1e9;

export interface CpuTime {
  readonly userS: number;
  readonly systemS: number;
}

/** What a process has used since its start. */
export interface CpuReading {
  /** To the nanosecond, of the threads that it has now. */
  readonly totalS: number;
  /** To the hundredth of a second. */
  readonly coarse: CpuTime;
}

export function readCpu(pid: number): CpuReading {
  const threads = readdirSync(`/proc/${pid}/task`);
  const ns = threads.map((id) =>
    Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8").split(" ")[0]),
  );
  const totalS = ns.reduce((sum, each) => sum + each, 0) / NS_PER_S;
  return { totalS, coarse: cpuTimeIn(readFileSync(`/proc/${pid}/stat`, "utf8")) };
}

/** What was used between two readings: the exact total, shared out as the coarse counts are. */
export function spent(before: CpuReading, after: CpuReading): CpuTime {
  const totalS = after.totalS - before.totalS;
  const userS = after.coarse.userS - before.coarse.userS;
  const systemS = after.coarse.systemS - before.coarse.systemS;
  const userShare = userS + systemS > 0 ? userS / (userS + systemS) : 0;
  return { userS: totalS * userShare, systemS: totalS * (1 - userShare) };
}

/** @param stat the text of `/proc/<pid>/stat`, whose second field is a name that may hold anything */
export function cpuTimeIn(stat: string): CpuTime {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { userS: Number(fields[11]) / TICKS_PER_S, systemS: Number(fields[12]) / TICKS_PER_S };
}

/** Resident memory. */
export function readResidentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/**
 * Whether this kernel counts what interrupts do, the network's work among it, for itself and not as the process's whose
 * time they take. Figures of such a machine are lower, for every server.
 */
export const INTERRUPTS_APART = /^CONFIG_IRQ_TIME_ACCOUNTING=y$/m.test(kernelConfiguration());

/** Seconds that all processors together were busy with programs, since the machine's start; what a host took from it as well. */
export function readBusyS(): number {
  return busyIn(readFileSync("/proc/stat", "utf8"), INTERRUPTS_APART);
}

/** @param stat the text of `/proc/stat` */
export function busyIn(stat: string, areInterruptsApart: boolean): number {
  const [user, nice, system, , , irq, softIrq, steal] = /^cpu +(.*)$/m.exec(stat)![1]!.split(" ").map(Number);
  const interrupts = areInterruptsApart ? 0 : irq! + softIrq!;
  return (user! + nice! + system! + interrupts + steal!) / TICKS_PER_S;
}

/** What the kernel was built with; empty where that isn't told. */
function kernelConfiguration(): string {
  try {
    if (existsSync("/proc/config.gz")) return gunzipSync(readFileSync("/proc/config.gz")).toString();
    return readFileSync(`/boot/config-${release()}`, "utf8");
  } catch {
    return "";
  }
}
