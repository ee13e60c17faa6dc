// What the runs of one contender with so many calls come to. Pure.
import type { Report } from "./generator.ts";
import type { Measured, Run } from "./measure.ts";

/** Nobody hears so much delay; more of it is heard as an echo's distance. */
export const P99_MAX_MS = 20;

export interface Cell {
  readonly contender: string;
  readonly calls: number;
  /** Runs that count, and those that were spoiled. When most were, all are shown and nothing follows from them. */
  readonly clean: number;
  readonly spoiled: number;
  /** Medians over the runs. Null when every run failed. */
  readonly figures: Figures | null;
  /** Why this many calls are too many, or nothing is known of it; null: they are not. */
  readonly refusal: string | null;
}

export interface Figures {
  /** Infinite where nothing came back. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Milliseconds of processor time for each second of a call. */
  readonly userMs: number;
  readonly systemMs: number;
  /** The same for the agents' server, where there is one. */
  readonly helperMs: number | null;
  readonly kbPerCall: number;
  /** Frames, over all runs. */
  readonly lost: number;
  readonly late: number;
}

/** The middle one, or what is halfway between the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** At least one run, all of one contender with the same number of calls. */
export function cellOf(runs: readonly Run[]): Cell {
  const { contender, calls } = runs[0]!;
  const measured = runs.filter((run) => "report" in run);
  const clean = measured.filter(({ spoiledBy }) => spoiledBy === null);
  const failure = runs.find((run) => "failure" in run)?.failure;
  // The few clean ones among many are the luckiest: a server that leaves no time for the generator spoils its own runs.
  const isSpoiled = 2 * clean.length < measured.length;
  const telling = isSpoiled ? measured : clean;
  const figures = telling.length > 0 ? figuresOf(telling) : null;
  const refusal =
    failure ??
    (isSpoiled ? measured.findLast(({ spoiledBy }) => spoiledBy !== null)!.spoiledBy : null) ??
    telling.map(({ report }) => faultOf(report)).find((fault) => fault !== null) ??
    (figures!.p99Ms >= P99_MAX_MS ? `p99 ${tidy(figures!.p99Ms)} ms` : null);
  return { contender, calls, clean: clean.length, spoiled: measured.length - clean.length, figures, refusal };
}

/** The most calls that a contender carries: every echo back, and in time. Undefined: not even the fewest. */
export function highest(cells: readonly Cell[], contender: string): Cell | undefined {
  return cells
    .filter((cell) => cell.contender === contender && cell.refusal === null)
    .reduce<Cell | undefined>(
      (best, cell) => (best === undefined || cell.calls > best.calls ? cell : best),
      undefined,
    );
}

/** Processor time for each second of a call, whoever's in the server it is. */
export function cpuMs({ userMs, systemMs }: Figures): number {
  return userMs + systemMs;
}

/** Three digits are what these figures are good for. */
export function tidy(value: number): number {
  return Number(value.toPrecision(3));
}

function figuresOf(runs: readonly Measured[]): Figures {
  const of = (figure: (run: Measured) => number) => median(runs.map(figure));
  const delay = (percentile: "p50" | "p99" | "p999") =>
    of(({ report }) => (report.returned === 0 ? Number.POSITIVE_INFINITY : report.roundTripMs[percentile]));
  const perCall = (seconds: number, { calls, report }: Measured) =>
    (1_000 * seconds) / (calls * report.seconds);
  const total = (figure: (report: Report) => number) =>
    runs.reduce((sum, { report }) => sum + figure(report), 0);
  return {
    p50Ms: delay("p50"),
    p99Ms: delay("p99"),
    p999Ms: delay("p999"),
    userMs: of((run) => perCall(run.cpu.userS, run)),
    systemMs: of((run) => perCall(run.cpu.systemS, run)),
    helperMs: runs.some(({ helperCpu }) => helperCpu === null)
      ? null
      : of((run) => perCall(run.helperCpu!.userS + run.helperCpu!.systemS, run)),
    kbPerCall: of(({ residentKb, restKb, calls }) => (residentKb - restKb) / calls),
    lost: total(({ lost }) => lost),
    late: total(({ late }) => late),
  };
}

const FAULTS = [
  ["lost", "frames lost"],
  ["wrong", "frames not recognised"],
  ["foreign", "frames of other streams or times"],
  ["repeated", "frames repeated"],
  ["overtaken", "frames out of order"],
  ["blocked", "frames not taken"],
  ["closed", "streams closed"],
  ["broken", "streams broken"],
] as const satisfies readonly (readonly [keyof Report, string])[];

function faultOf(report: Report): string | null {
  const fault = FAULTS.find(([count]) => report[count] > 0);
  return fault === undefined ? null : `${fault[1]}: ${report[fault[0]]}`;
}
