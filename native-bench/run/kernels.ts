// The functions that every frame goes through, ours beside gcc's and a library's.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { KernelTimings } from "../kernels/measure.ts";
import { compile } from "./build.ts";
import { tidy } from "./cells.ts";
import { runProgram } from "./processes.ts";
import { columns } from "./table.ts";

const MEASURE = fileURLToPath(new URL("../kernels/measure.ts", import.meta.url));
/** A nursery that holds a whole count's garbage. */
const NODE_FLAGS = ["--expose-gc", "--min-semi-space-size=64", "--max-semi-space-size=64"];

/** By a kernel's name, in nanoseconds. */
export type NativeTimings = Readonly<Record<string, number>>;

/** One after the other, so that neither disturbs the other. */
export async function measureKernels(): Promise<{ timings: KernelTimings[]; native: NativeTimings }> {
  const native = JSON.parse(await runProgram(await compile("kernels"), [])) as NativeTimings;
  const timings = JSON.parse(await runProgram(process.execPath, [...NODE_FLAGS, MEASURE])) as KernelTimings[];
  for (const { name } of timings) assert(native[name] !== undefined, `kernels/main.c has no ${name}`);
  return { timings, native };
}

export function kernelTable(timings: readonly KernelTimings[], native: NativeTimings): string[] {
  const rows = timings.map(({ name, library, ours, theirs }) => [
    name,
    String(tidy(ours.ns)),
    String(tidy(native[name]!)),
    `${tidy(ours.ns / native[name]!)} ×`,
    library,
    String(tidy(theirs.ns)),
    `${tidy(ours.ns / theirs.ns)} ×`,
    String(ours.bytes),
    String(theirs.bytes),
  ]);
  const headings = [
    ...["20 ms of one call", "ns", "gcc -O3", "of gcc's"],
    ...["library", "ns", "of its", "bytes", "library's"],
  ];
  return columns([headings, ...rows]);
}
