// What the figures were taken on, and of which versions.
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { compilerVersion } from "./build.ts";
import { PYTHON } from "./contenders.ts";
import { INTERRUPTS_APART } from "./proc.ts";
import { runProgram } from "./processes.ts";

const GIGABYTE = 1 << 30;
/** Packages whose versions make a difference here. */
const PACKAGES = ["uWebSockets.js", "ws", "piscina", "alawmulaw"];

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly interruptsApart: boolean;
}

export function machine(): Machine {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGb: Math.round((10 * totalmem()) / GIGABYTE) / 10,
    system: `${type()} ${release()}`,
    interruptsApart: INTERRUPTS_APART,
  };
}

/** Prints the versions of Python and of the modules that it has, as JSON. */
const PYTHON_VERSIONS = `
import json, platform
from importlib import metadata
found = {"python": platform.python_version()}
for name in ("aiohttp", "websockets"):
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
`;

export async function versions(): Promise<Readonly<Record<string, string>>> {
  const { version, dependencies } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  ) as { version: string; dependencies: Record<string, string> };
  return {
    linecard: version,
    node: process.version,
    gcc: await compilerVersion(),
    ...JSON.parse(await runProgram(PYTHON, ["-c", PYTHON_VERSIONS]).catch(() => "{}")),
    ...Object.fromEntries(PACKAGES.map((name) => [name, dependencies[name] ?? "unknown"])),
  };
}
