// The demo account's Twilio: the offline one, as a process of its own that ends with this one, however it ends.
// Spawned and never imported, so that no bug of one can hide in the other.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../cli/twin.ts", import.meta.url));
const START_MS = 10_000;

export interface DemoTwin {
  /** Where it answers as Twilio's REST API: `http://127.0.0.1:port`. */
  readonly url: string;
  stop(): void;
}

export interface DemoTwinOptions {
  /** The file that holds the demo account. */
  readonly accountFile: string;
  /** Where the gateway listens, and what it is called at. */
  readonly gateway: string;
  readonly publicBase: string;
}

/** Rejects when it does not say where it listens. */
export async function startDemoTwin(options: DemoTwinOptions): Promise<DemoTwin> {
  const { accountFile, gateway, publicBase } = options;
  const args = ["--demo-account", accountFile, "--gateway", gateway, "--public-url", publicBase];
  // Its standard input is a pipe of ours that nothing is written to: it closes when this process is gone.
  const child = spawn(process.execPath, [PROGRAM, ...args, "--port", "0", "--json", "--with-parent"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {},
  });
  try {
    return { url: await addressOf(child), stop: () => child.kill() };
  } catch (error) {
    child.kill();
    throw error;
  }
}

async function addressOf(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const lines = createInterface({ input: child.stdout! });
  lines.once("line", (line) => {
    const { url } = JSON.parse(line) as { url: string };
    resolve(url);
  });
  child.once("error", reject);
  child.once("exit", (code) => reject(new Error(`the offline Twilio ended at its start (${code})`)));
  const timeout = AbortSignal.timeout(START_MS);
  timeout.addEventListener("abort", () => reject(new Error("the offline Twilio did not start")), {
    once: true,
  });
  return promise;
}
