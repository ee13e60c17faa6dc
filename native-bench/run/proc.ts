// What Linux counts: a process's processor time and memory, and the machine's.
import { readFileSync } from "node:fs";

/** The unit of these counts, which every Linux that Node runs on shows to programs as a hundredth of a second. */
const TICKS_PER_S = 100;

export interface CpuTime {
  readonly userS: number;
  readonly systemS: number;
}

/** All threads of a process, since its start. */
export function cpuTime(pid: number): CpuTime {
  return cpuTimeIn(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

/** @param stat the text of `/proc/<pid>/stat`, whose second field is a name that may hold anything */
export function cpuTimeIn(stat: string): CpuTime {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { userS: Number(fields[11]) / TICKS_PER_S, systemS: Number(fields[12]) / TICKS_PER_S };
}

/** Resident memory. */
export function residentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** Seconds that all processors together were busy, since the machine's start; what a host took from it as well. */
export function machineBusyS(): number {
  return busyIn(readFileSync("/proc/stat", "utf8"));
}

/** @param stat the text of `/proc/stat` */
export function busyIn(stat: string): number {
  const [user, nice, system, , , irq, softIrq, steal] = /^cpu +(.*)$/m.exec(stat)![1]!.split(" ").map(Number);
  return (user! + nice! + system! + irq! + softIrq! + steal!) / TICKS_PER_S;
}
