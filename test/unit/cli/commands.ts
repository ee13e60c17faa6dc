// Runs a command of src/cli as its own process.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment's own settings would change what a command calls. */
const { PORT: _port, PUBLIC_BASE_URL: _base, DATABASE_PATH: _path, ...environment } = process.env;

export function run(
  command: "call" | "load" | "agentCheck",
  args: readonly string[],
  {
    env = {},
    onOutput = () => {},
  }: { env?: NodeJS.ProcessEnv; onOutput?: (text: string, end: () => void) => void } = {},
): Promise<Outcome> {
  const script = fileURLToPath(new URL(`../../../src/cli/${command}.ts`, import.meta.url));
  const child = spawn(process.execPath, [script, ...args], { env: { ...environment, ...env } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
    onOutput(stdout, () => child.kill("SIGINT"));
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => child.on("close", (status) => resolve({ status, stdout, stderr })));
}

/** The JSON in the last line. */
export function lastLine({ stdout }: Outcome) {
  return JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
}
