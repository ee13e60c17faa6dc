// The programs in C, compiled when they are needed and kept under a name that holds what they were made of.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const HERE = fileURLToPath(new URL("..", import.meta.url));
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/linecard-bench", import.meta.url));
const COMPILER = "gcc";
const FLAGS = ["-O3", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];
/** What all programs are made of beside their own folder. */
const SHARED = ["wire", "sound"];
/** What the checks check. */
const CHECKED = ["clocks.h", "codes.c", "codes.h", "histogram.c", "histogram.h"];

export type ProgramName = "generator" | "limit" | "kernels" | "checks";

/** There is no compiler here. */
export class NoCompiler extends Error {
  constructor(cause: unknown) {
    super("gcc could not be run: install it (on Debian: apt-get install gcc libc6-dev)", { cause });
    this.name = "NoCompiler";
  }
}

/** The compiler's first line about itself. */
export async function compilerVersion(): Promise<string> {
  const { stdout } = await run(COMPILER, ["--version"]).catch((cause) => {
    throw new NoCompiler(cause);
  });
  return stdout.split("\n")[0]!;
}

/** Compiles a program unless that was done before; its path. Rejects with what the compiler said. */
export async function compile(name: ProgramName): Promise<string> {
  const version = await compilerVersion();
  const own = (await Promise.all([name, ...SHARED].map(filesIn))).flat();
  const sources = [
    ...own,
    ...(name === "checks" ? CHECKED.map((name) => join("generator", name)) : []),
  ].sort();
  const hash = createHash("sha256").update([version, ...FLAGS].join("\n"));
  for (const path of sources) hash.update(`\n${path}\n`).update(await readFile(join(HERE, path)));
  const target = join(CACHE, `${name}-${hash.digest("hex").slice(0, 16)}`);
  if (await stat(target).catch(() => undefined)) return target;
  await mkdir(CACHE, { recursive: true });
  // Whoever compiles the same at the same time puts the same there.
  const unfinished = `${target}.${process.pid}`;
  const code = sources.filter((path) => path.endsWith(".c"));
  await run(COMPILER, [...FLAGS, "-o", unfinished, ...code, "-lm"], { cwd: HERE });
  await rename(unfinished, target);
  return target;
}

async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(join(HERE, folder));
  return names.filter((name) => /\.[ch]$/.test(name)).map((name) => join(folder, name));
}
