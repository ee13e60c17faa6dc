// `npm run bench`: Linecard side by side with what one would take instead of it, and with what the machine allows. How
// it is done, and how far it can be believed: README.md beside this.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "../src/cli/arguments.ts";
import { compile, NoCompiler } from "./run/build.ts";
import { highest } from "./run/cells.ts";
import { chart } from "./run/chart.ts";
import type { Contender } from "./run/contenders.ts";
import { kernelTable, measureKernels } from "./run/kernels.ts";
import { machine, versions } from "./run/machine.ts";
import { HELP, readBenchOptions, type SweepOptions } from "./run/options.ts";
import { type Listener, type Swept, sweep } from "./run/sweep.ts";
import { cellTable, highestLines, ratioLine } from "./run/table.ts";

const HOME = fileURLToPath(new URL(".", import.meta.url));
const ERASE_LINE = "\r\u001b[K";

/** The command; its result is the exit status. */
async function bench(args: string[]): Promise<number> {
  const options = readBenchOptions(args, HOME);
  process.once("SIGINT", () => process.exit(130)); // what was started goes with us
  process.once("SIGTERM", () => process.exit(143));
  try {
    switch (options.task) {
      case "help":
        process.stdout.write(HELP);
        return 0;
      case "kernels":
        return await runKernels();
      case "sweep":
        return await runSweep(options);
    }
  } catch (error) {
    if (!(error instanceof NoCompiler)) throw error;
    process.stderr.write(`bench: ${error.message}\n`);
    return 1;
  }
}

async function runKernels(): Promise<number> {
  const { timings, native } = await measureKernels();
  say(kernelTable(timings, native));
  return 0;
}

async function runSweep(options: SweepOptions): Promise<number> {
  const [generator, limit] = await Promise.all([compile("generator"), compile("limit")]);
  const { agent, workers } = options;
  const setting = { programs: { limit }, agent, workers };
  const swept = await sweep({ ...options, setting, generator }, progress());
  const titles = titlesOf(options);
  say([...cellTable(swept.cells, titles), ""]);
  say([...highestLines(swept.cells, titles), ""]);
  if (options.out !== undefined) await write(options.out, options, swept);
  say([ratioLine(swept.cells, titles) ?? "There was nothing to compare."]);
  return swept.cells.some(({ refusal }) => refusal === null) ? 0 : 1;
}

function titlesOf({ contenders, agent }: SweepOptions): ReadonlyMap<string, string> {
  const titleOf = ({ name, title }: Contender) =>
    name === "linecard" && agent !== "echo" ? `${title}, ${agent}` : title;
  return new Map(contenders.map((contender) => [contender.name, titleOf(contender)]));
}

/** A line that is written over on a terminal; elsewhere only what is done is told. */
function progress(): Listener {
  const { stderr } = process;
  const now = (line: string) => stderr.isTTY && stderr.write(`${ERASE_LINE}${line}`);
  const done = (line: string) => stderr.write(`${stderr.isTTY ? ERASE_LINE : ""}${line}\n`);
  return {
    running: ({ contender, calls, repetition, attempt }) =>
      now(`${contender.name}, ${calls} calls, run ${repetition}${attempt > 1 ? `, attempt ${attempt}` : ""}`),
    measured: ({ contender, calls, refusal }) =>
      done(`${contender}, ${calls} calls: ${refusal ?? "in time"}`),
    missing: ({ name }, why) => done(`${name} is left out: ${why}`),
  };
}

async function write(folder: string, options: SweepOptions, { cells, runs }: Swept): Promise<void> {
  const titles = titlesOf(options);
  const { ladder, seconds, warmUpSeconds, repetitions, niceness, agent, workers } = options;
  const results = {
    takenAt: new Date().toISOString(),
    machine: machine(),
    versions: await versions(),
    plan: { ladder, seconds, warmUpSeconds, repetitions, niceness, agent, workers },
    mostCalls: Object.fromEntries(
      [...titles.keys()].map((name) => [name, highest(cells, name)?.calls ?? null]),
    ),
    cells,
    runs,
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "results.json"), `${JSON.stringify(results, undefined, 1)}\n`);
  writeFileSync(join(folder, "results.svg"), chart(cells, titles));
  say([`Written to ${join(folder, "results.json")} and results.svg.`, ""]);
}

function say(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}

await runCommand("bench", bench);
