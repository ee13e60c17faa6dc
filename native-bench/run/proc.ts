// What Linux counts: a process's processor time and memory, and the machine's.
import { readdirSync, readFileSync } from "node:fs";

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

/** Seconds that all processors together were busy, since the machine's start; what a host took from it as well. */
export function readBusyS(): number {
  return busyIn(readFileSync("/proc/stat", "utf8"));
}

/** @param stat the text of `/proc/stat` */
export function busyIn(stat: string): number {
  const [user, nice, system, , , irq, softIrq, steal] = /^cpu +(.*)$/m.exec(stat)![1]!.split(" ").map(Number);
  return (user! + nice! + system! + irq! + softIrq! + steal!) / TICKS_PER_S;
}
