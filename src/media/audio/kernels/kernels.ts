// The codec's inner loops as a worker has them: in WASM with SIMD, or in TypeScript where that is missing. Loads them
// and fills in their tables.
import { readFileSync } from "node:fs";
import { MULAW_TO_PCM, PCM_TO_MULAW } from "../g711.ts";
import { FILTERS } from "./filters.ts";
import { FILTER_2, FILTER_3, FILTER_6, ROW_BYTES, ROWS_AT, TO_MULAW, TO_PCM } from "./layout.ts";

/** They work on their own memory alone; layout.ts says where everything stands in it. */
export interface Kernels {
  /** Growing leaves the buffer before it empty. */
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  /** CODES_IN → SAMPLES_OUT, which is at `ratio` (1, 2, 3 or 6) times the telephone's rate. */
  decode(state: number, ratio: number): void;
  /** SAMPLES_IN → CODES_OUT. */
  encode(state: number, ratio: number): void;
  /** Of `decode` that without mu-law: CARRIER_IN → SAMPLES_OUT, for a ratio above 1. */
  upsample(state: number, ratio: number): void;
  /** Of `encode` the same: SAMPLES_IN → CARRIER_OUT. */
  downsample(state: number, ratio: number): void;
}

export const KERNELS_URL = new URL("./kernels.wasm", import.meta.url);
const FILTERS_AT = [
  [2, FILTER_2],
  [3, FILTER_3],
  [6, FILTER_6],
] as const;

/** A set of its own, once per worker. */
export async function loadKernels(code: Uint8Array = readFileSync(KERNELS_URL)): Promise<Kernels> {
  if (!WebAssembly.validate(code)) return filled((await import("./plain.ts")).plainKernels());
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
  return filled(exports as unknown as Kernels);
}

/** With tables and filters. */
export function filled(kernels: Kernels): Kernels {
  const { buffer } = kernels.memory;
  new Uint8Array(buffer).set(PCM_TO_MULAW, TO_MULAW);
  const samples = new Int16Array(buffer);
  samples.set(MULAW_TO_PCM, TO_PCM / 2);
  for (const [ratio, at] of FILTERS_AT) {
    const { up, down, downShift, downGain } = FILTERS[ratio];
    new Int32Array(buffer).set([downShift, downGain], at / 4);
    for (const [row, taps] of [...up, ...down].entries())
      samples.set(taps, (at + ROWS_AT + row * ROW_BYTES) / 2);
  }
  return kernels;
}
