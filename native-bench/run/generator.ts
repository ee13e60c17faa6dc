// Runs the load generator and reads its report. Its meaning is generator/report.c's.
import { runProgram } from "./processes.ts";

/** Milliseconds. */
export interface Durations {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly mean: number;
}

export interface Report {
  readonly streams: number;
  /** The measured time. */
  readonly seconds: number;
  /** Frames sent in it, how many of them came back, did not, or came back after 40 ms. */
  readonly sent: number;
  readonly returned: number;
  readonly lost: number;
  readonly late: number;
  /** Over the whole run: audio that is no frame of ours, none of this stream's, one that came before, or too late. */
  readonly wrong: number;
  readonly foreign: number;
  readonly repeated: number;
  readonly overtaken: number;
  /** Turns at which a stream's socket took nothing. */
  readonly blocked: number;
  readonly marks: number;
  readonly marksUnkept: number;
  readonly clears: number;
  readonly unknown: number;
  /** Streams cut on purpose, closed by the server, broken by what it sent. */
  readonly reset: number;
  readonly closed: number;
  readonly broken: number;
  readonly roundTripMs: Durations;
  readonly latenessMs: Durations;
  /** The generator's own. */
  readonly cpu: { readonly userS: number; readonly systemS: number };
  /** Whose clock says when something came back. */
  readonly arrivals: "kernel" | "read" | "mixed";
  readonly wallStepMs: number;
}

export interface Load {
  /** Lines as the generator takes them. */
  readonly streams: readonly string[];
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly niceness?: number;
  /** Further options of the generator's, for tests. */
  readonly args?: readonly string[];
}

/** Called at the measured time's beginning and end. */
export interface Watcher {
  began(): void;
  ended(): void;
}

const NOBODY: Watcher = { began() {}, ended() {} };

/** One run. Rejects when a stream could not be opened. */
export async function generate(program: string, load: Load, watcher = NOBODY): Promise<Report> {
  const { streams, seconds, warmUpSeconds, niceness = 0, args = [] } = load;
  const output = await runProgram(
    program,
    [
      ...["--seconds", String(seconds), "--warm-up", String(warmUpSeconds)],
      ...(niceness === 0 ? [] : ["--niceness", String(niceness)]),
      ...args,
    ],
    {
      input: `${streams.join("\n")}\n`,
      onLine(line) {
        if (line === "measuring") watcher.began();
        if (line === "measured") watcher.ended();
      },
    },
  );
  return JSON.parse(output) as Report;
}
