// The bench's command line.
import { numberOption, readOptions, UsageError } from "../../src/cli/arguments.ts";
import { AGENTS, type AgentName, CONTENDERS, type Contender } from "./contenders.ts";

export const HELP = `Measures Linecard beside what one would take instead of it, on this machine.

npm run bench -- [options]
  --quick                100 and 300 calls, once, four contenders; under a minute
  --only <names>         some of ${CONTENDERS.map(({ name }) => name).join(", ")}
  --calls <numbers>      calls at a time, such as 100,500,1000
  --reps <number>        repetitions of every run (3)
  --seconds <s>          measured time of every run (5)
  --agent <name>         what answers Linecard's calls: ${AGENTS.join(", ")} (echo)
  --workers <number>     Linecard's media workers (as many as it chooses for itself)
  --niceness=<n>         the load generator's, from 19 to -20, for which one must be root (0)
  --out <folder>         where results.json and results.svg go (native-bench, of a whole sweep only)
  --kernels              instead of calls, the functions that every frame goes through

Nothing else should run meanwhile. A whole sweep takes the better part of an hour.
`;

const LADDER = [
  100, 200, 300, 400, 500, 600, 800, 1_000, 1_250, 1_500, 1_750, 2_000, 2_250, 2_500, 2_750, 3_000,
];
const CALLS_MAX = 10_000;
const WORKERS_MAX = 64;
/** Those that a minute has room for. */
const QUICK = { contenders: ["linecard", "limit", "tutorial", "inline"], ladder: [100, 300] };

export interface SweepOptions {
  readonly task: "sweep";
  readonly contenders: readonly Contender[];
  readonly ladder: readonly number[];
  readonly repetitions: number;
  readonly retries: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly agent: AgentName;
  /** Undefined: as many as Linecard chooses for itself. */
  readonly workers: number | undefined;
  /** The load generator's. */
  readonly niceness: number;
  /** Undefined: results are only shown. */
  readonly out: string | undefined;
}

export type Options = { readonly task: "help" | "kernels" } | SweepOptions;

/** @param home the folder that a whole sweep's results belong to; throws UsageError */
export function readBenchOptions(args: string[], home: string): Options {
  const given = readOptions(args, {
    quick: { type: "boolean" },
    only: { type: "string" },
    calls: { type: "string" },
    reps: { type: "string" },
    seconds: { type: "string" },
    agent: { type: "string" },
    workers: { type: "string" },
    niceness: { type: "string" },
    out: { type: "string" },
    kernels: { type: "boolean" },
    help: { type: "boolean" },
  });
  if (given.help) return { task: "help" };
  if (given.kernels) {
    if (args.length > 1) throw new UsageError("--kernels goes with no other option");
    return { task: "kernels" };
  }
  const isQuick = given.quick ?? false;
  const narrowing = [given.only, given.calls, given.agent, given.workers];
  const isWhole = !isQuick && narrowing.every((option) => option === undefined);
  const contenders = contendersOf(given.only ?? (isQuick ? QUICK.contenders.join() : undefined));
  const agent = agentOf(given.agent ?? "echo");
  if (
    !contenders.some(({ name }) => name === "linecard") &&
    (agent !== "echo" || given.workers !== undefined)
  )
    throw new UsageError("--agent and --workers are Linecard's, which --only leaves out");
  return {
    task: "sweep",
    contenders,
    ladder: given.calls === undefined ? (isQuick ? QUICK.ladder : LADDER) : ladderOf(given.calls),
    repetitions: numberOption("reps", given.reps, {
      default: isQuick ? 1 : 3,
      min: 1,
      max: 100,
      whole: true,
    }),
    retries: isQuick ? 0 : 3,
    seconds: numberOption("seconds", given.seconds, { default: isQuick ? 2 : 5, min: 0.1, max: 3_600 }),
    warmUpSeconds: isQuick ? 1 : 8,
    agent,
    workers:
      given.workers === undefined
        ? undefined
        : numberOption("workers", given.workers, { default: 1, min: 1, max: WORKERS_MAX, whole: true }),
    niceness: numberOption("niceness", given.niceness, { default: 0, min: -20, max: 19, whole: true }),
    out: given.out ?? (isWhole ? home : undefined),
  };
}

function contendersOf(names: string | undefined): readonly Contender[] {
  if (names === undefined) return CONTENDERS;
  const wanted = names.split(",").map((name) => name.trim());
  for (const name of wanted)
    if (!CONTENDERS.some((contender) => contender.name === name))
      throw new UsageError(
        `--only knows no ${name || "empty name"}; there are ${CONTENDERS.map((each) => each.name).join(", ")}`,
      );
  return CONTENDERS.filter(({ name }) => wanted.includes(name));
}

function ladderOf(text: string): readonly number[] {
  const steps = text
    .split(",")
    .map((step) => numberOption("calls", step, { default: 0, min: 1, max: CALLS_MAX, whole: true }));
  return [...new Set(steps)].sort((a, b) => a - b);
}

function agentOf(name: string): AgentName {
  const agent = AGENTS.find((known) => known === name);
  if (agent === undefined) throw new UsageError(`--agent must be one of ${AGENTS.join(", ")}, not ${name}`);
  return agent;
}
