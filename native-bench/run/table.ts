// Results as text for a terminal. Pure.
import { type Cell, cpuMs, type Figures, highest, tidy } from "./cells.ts";

/** Rows of cells as lines, in columns as wide as they must be. The first column is text, the others are numbers. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
}

const HEADINGS = ["", "calls", "p50 ms", "p99 ms", "p99.9 ms", "CPU ms/s", "user", "system", "KB/call", ""];

/** All cells, contender by contender. */
export function cellTable(cells: readonly Cell[], titles: ReadonlyMap<string, string>): string[] {
  const rows = [...titles].flatMap(([name, title]) =>
    cells.filter(({ contender }) => contender === name).map((cell) => rowOf(cell, title)),
  );
  const [heading, ...lines] = columns([HEADINGS.slice(0, -1), ...rows.map((row) => row.slice(0, -1))]);
  return [heading!, ...lines.map((line, index) => `${line}  ${rows[index]!.at(-1)}`.trimEnd())];
}

function rowOf({ calls, figures, refusal, clean, spoiled }: Cell, title: string): string[] {
  const told = (figure: (figures: Figures) => number) => (figures === null ? "–" : inWords(figure(figures)));
  const remarks = [refusal ?? "", spoiled > 0 ? `${spoiled} of ${clean + spoiled} runs spoiled` : ""];
  return [
    title,
    String(calls),
    told(({ p50Ms }) => p50Ms),
    told(({ p99Ms }) => p99Ms),
    told(({ p999Ms }) => p999Ms),
    told(cpuMs),
    told(({ userMs }) => userMs),
    told(({ systemMs }) => systemMs),
    told(({ kbPerCall }) => kbPerCall),
    remarks.filter((remark) => remark !== "").join("; "),
  ];
}

function inWords(value: number): string {
  return Number.isFinite(value) ? String(tidy(value)) : "never";
}

/** A line for each contender: the most calls it carries, and how many would fill a core at that price. */
export function highestLines(cells: readonly Cell[], titles: ReadonlyMap<string, string>): string[] {
  const rows = [...titles]
    .filter(([name]) => cells.some(({ contender }) => contender === name))
    .map(([name, title]) => {
      const best = highest(cells, name);
      const agents = best?.figures?.helperMs ?? null;
      return [
        title,
        best === undefined ? "none of these" : String(best.calls),
        best?.figures == null ? "" : `${tidy(cpuMs(best.figures))} ms`,
        best?.figures == null ? "" : String(Math.floor(1_000 / cpuMs(best.figures))),
        agents === null ? "" : `${tidy(agents)} ms`,
      ];
    });
  const headings = [
    "most calls in time",
    "calls",
    "CPU per call and second",
    "calls a core",
    "its agents' server",
  ];
  return columns([headings, ...rows]);
}

/**
 * One line: what Linecard's calls cost in the others' terms, at the highest number of calls that all of them were
 * measured with. Undefined where there is nothing to compare.
 */
export function ratioLine(cells: readonly Cell[], titles: ReadonlyMap<string, string>): string | undefined {
  const others = [...titles.keys()].filter(
    (name) => name !== "linecard" && cells.some(({ contender }) => contender === name),
  );
  const at = (name: string, calls: number) =>
    cells.find((cell) => cell.contender === name && cell.calls === calls)?.figures ?? undefined;
  const calls = Math.max(
    ...cells.map((cell) => cell.calls).filter((n) => ["linecard", ...others].every((name) => at(name, n))),
  );
  if (others.length === 0 || !Number.isFinite(calls)) return undefined;
  const own = at("linecard", calls)!;
  const isSpoiled = cells.some((cell) => cell.calls === calls && cell.clean === 0);
  const ratios = others.map((name) => `${tidy(cpuMs(own) / cpuMs(at(name, calls)!))} × ${name}`);
  const p99s = ["linecard", ...others].map((name) => `${name} ${inWords(at(name, calls)!.p99Ms)}`);
  return `${calls} calls${isSpoiled ? ", in spoiled runs" : ""}: Linecard's CPU is ${ratios.join(", ")}; p99 in ms: ${p99s.join(", ")}`;
}
