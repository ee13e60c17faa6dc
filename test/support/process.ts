// The program as a user runs it: a process of its own, with nothing of this process's environment but the path, and
// the commands that call it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../../src/", import.meta.url));
/** A loaded machine may need this long for what takes a second at rest. */
const PATIENCE_MS = 30_000;

/** Whose end is the end of what was started for it: a test, or by node:test's own `after` a file. */
export interface Owner {
  after(end: () => unknown): void;
}

export type Environment = Readonly<Record<string, string>>;

export interface Exit {
  /** The exit status, or the signal that ended it. */
  readonly status: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running program of ours. */
export class Program {
  /** Resolves once it has exited and all it wrote was read. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #written = { stdout: "", stderr: "" };
  readonly #waiting = new Set<() => void>();
  #exit: Exit | undefined;

  /** Started at once, and killed when its owner is over if it still runs then. */
  constructor(owner: Owner, file: string, args: readonly string[], env: Environment) {
    const { PATH = "" } = process.env;
    const child = spawn(process.execPath, [join(SOURCE, file), ...args], { env: { PATH, ...env } });
    this.#child = child;
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        this.#written[name] += text;
        this.#wake();
      });
    }
    this.exited = once(child, "close").then(([code, signal]) => {
      this.#exit = { status: code ?? signal, ...this.#written };
      this.#wake();
      return this.#exit;
    });
    owner.after(() => {
      this.signal("SIGKILL");
      return this.exited;
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get stdout(): string {
    return this.#written.stdout;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#exit === undefined) this.#child.kill(signal);
  }

  /** The first match in what it wrote to stdout; rejects when it exits without. */
  async wrote(pattern: RegExp): Promise<RegExpExecArray> {
    const latest = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const found = pattern.exec(this.stdout);
      if (found !== null) return found;
      const { stdout, stderr } = this.#written;
      if (this.#exit !== undefined || latest.aborted)
        throw new Error(
          `${pattern} was not written (${this.#exit?.status ?? "it still runs"}): ${stdout}${stderr}`,
        );
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      latest.addEventListener("abort", () => resolve(), { once: true });
      await promise;
      this.#waiting.delete(resolve);
    }
  }

  #wake(): void {
    for (const look of this.#waiting) look();
  }
}

/** A folder of the owner's own, gone after it. */
export function folder(owner: Owner): string {
  const path = mkdtempSync(join(tmpdir(), "linecard-process-"));
  owner.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface RunningGateway {
  readonly program: Program;
  /** `http://127.0.0.1:port`. */
  readonly origin: string;
  readonly databasePath: string;
  /** Milliseconds from the spawn to the first line. */
  readonly readyMs: number;
}

/** Nobody listens there: an account that is only made up asks nobody. */
const NO_TWILIO = "http://127.0.0.1:9";

/** Starts the gateway on a port the system chooses, with a database of its own unless `env` says where. */
export async function startGatewayProcess(owner: Owner, env: Environment = {}): Promise<RunningGateway> {
  const startedMs = performance.now();
  const databasePath = env.DATABASE_PATH ?? join(folder(owner), "data", "linecard.db");
  const program = new Program(owner, "main.ts", [], {
    PORT: "0",
    DATABASE_PATH: databasePath,
    TWILIO_API_BASE_URL: NO_TWILIO,
    ...env,
  });
  const [, port] = await program.wrote(/^Linecard listens on [\d.]+:(\d+) .*\n/m);
  const readyMs = performance.now() - startedMs;
  return { program, origin: `http://127.0.0.1:${port}`, databasePath, readyMs };
}

/** Runs one of the commands to its end. */
export function command(owner: Owner, name: "call" | "load", args: readonly string[], env: Environment = {}) {
  return new Program(owner, `cli/${name}.ts`, args, env).exited;
}
