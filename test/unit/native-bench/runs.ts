// Runs as the bench measures them, for tests of what is made of them.
import type { Report } from "../../../native-bench/run/generator.ts";
import type { Measured } from "../../../native-bench/run/measure.ts";

const durations = (p99: number) => ({ p50: p99 / 2, p99, p999: p99 * 2, max: p99 * 3, mean: p99 / 2 });

/** A report without fault, of a hundred streams for two seconds. */
export function report(changes: Partial<Report> = {}): Report {
  return {
    ...{ streams: 100, seconds: 2, sent: 10_000, returned: 10_000, lost: 0, late: 0 },
    ...{ wrong: 0, foreign: 0, repeated: 0, overtaken: 0, blocked: 0 },
    ...{ marks: 0, marksUnkept: 0, clears: 0, unknown: 0, reset: 0, closed: 0, broken: 0 },
    roundTripMs: durations(4),
    latenessMs: durations(0.3),
    cpu: { userS: 0.1, systemS: 0.1 },
    arrivals: "kernel",
    wallStepMs: 0,
    ...changes,
  };
}

/** A run of it: 0.3 s of processor time, 4 KB for each call. */
export function run(changes: Partial<Measured> = {}): Measured {
  return {
    ...{ contender: "linecard", calls: 100, report: report() },
    ...{ cpu: { userS: 0.2, systemS: 0.1 }, helperCpu: null },
    ...{ restKb: 1_000, residentKb: 1_400, foreignCores: 0, spoiledBy: null },
    ...changes,
  };
}

export function withP99(p99: number): Report {
  return report({ roundTripMs: durations(p99) });
}
