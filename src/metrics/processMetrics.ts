// The process: its memory, CPU and descriptors. prom-client has such metrics too, but some with a label per kind of
// handle, so that series come and go, and its watch of the event loop wakes an idle process fifty times a second.
import { existsSync, readdirSync } from "node:fs";
import type { Clock } from "../domain/clock.ts";
import type { Registrar } from "./registrar.ts";

/** One entry per open descriptor, where the system tells. */
const DESCRIPTORS = "/proc/self/fd";

/** `descriptorsMax`: how many it may have open; undefined where the system doesn't tell. */
export function viewProcess(make: Registrar, clock: Clock, descriptorsMax: number | undefined): void {
  const startedS = clock.wallMs() / 1_000 - process.uptime();
  make.gauge("process_start_time_seconds", "When the process started, since the epoch.", () => startedS);
  make.gauge("process_resident_memory_bytes", "Memory of the process, all threads.", process.memoryUsage.rss);
  make.gauge(
    "process_heap_used_bytes",
    "JavaScript heap in use on the front thread.",
    () => process.memoryUsage().heapUsed,
  );
  if (existsSync(DESCRIPTORS)) {
    const open = () => readdirSync(DESCRIPTORS).length - 1; // less the one that reads
    make.gauge("process_open_fds", "Open file descriptors.", open);
  }
  if (descriptorsMax !== undefined)
    make.gauge("process_max_fds", "File descriptors that may be open at once.", () => descriptorsMax);
  make.view("process_cpu_seconds_total", "CPU time of the process, all threads.", "counter", () => {
    const { user, system } = process.cpuUsage();
    return [{ value: (user + system) / 1e6, labels: {} }];
  });
}
