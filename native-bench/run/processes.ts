// The processes that a bench starts: watched for what they say, and gone when the bench is, however it ends.
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

/** Anything we start says that it is ready within this time. */
const READY_MS = 30_000;
const WORDS_KEPT = 4_000;

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A process that serves until it is stopped. */
export class Server {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #said = "";
  #listener: () => void = () => {};

  private constructor(command: string, args: readonly string[], options: SpawnOptions) {
    this.#child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.#child);
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#said = (this.#said + text).slice(-WORDS_KEPT);
        this.#listener();
      });
    this.#closed = once(this.#child, "close").catch((error: Error) => {
      this.#said += error.message;
    });
    void this.#closed.then(() => {
      running.delete(this.#child);
      this.#listener();
    });
  }

  /** Resolves once it has said what matches; rejects with what it said when it ends, or takes too long, without. */
  static async start(
    command: string,
    args: readonly string[],
    ready: RegExp,
    env: NodeJS.ProcessEnv = process.env,
  ): Promise<{ server: Server; found: RegExpExecArray }> {
    const server = new Server(command, args, { env });
    try {
      return { server, found: await server.#says(ready) };
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Ended without ceremony: nothing that it holds is worth keeping. */
  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  #says(ready: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`it is not ready: ${this.#said}`)), READY_MS);
      this.#listener = () => {
        const found = ready.exec(this.#said);
        if (found === null && running.has(this.#child)) return;
        clearTimeout(late);
        this.#listener = () => {};
        if (found === null) reject(new Error(`it ended: ${this.#said.trim()}`));
        else resolve(found);
      };
    });
  }
}

/** What a program wrote; it is given `input`, and each line of its standard error is told as it comes. */
export async function runProgram(
  command: string,
  args: readonly string[],
  { input = "", onLine = () => {} }: { input?: string; onLine?: (line: string) => void } = {},
): Promise<string> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  running.add(child);
  let output = "";
  let said = "";
  let line = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-WORDS_KEPT);
    const lines = (line + text).split("\n");
    line = lines.pop()!;
    for (const whole of lines) onLine(whole);
  });
  child.stdin.on("error", () => {}); // one that ends early says why
  child.stdin.end(input);
  const [code] = await once(child, "close").finally(() => running.delete(child));
  if (code !== 0) throw new Error(said.trim() || `${command} ended with ${code}`);
  return output;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a listening socket has a port");
  return address.port;
}
