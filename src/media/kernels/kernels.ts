// What every frame goes through, as a worker has it: in WASM with SIMD, or in TypeScript where that is missing. Loads it
// and fills in the filters.
import { readFileSync } from "node:fs";
import { FILTERS } from "./filters.ts";
import { FILTER_2, FILTER_3, FILTER_6, ROW_BYTES, ROWS_AT } from "./layout.ts";

/** They work on their own memory alone; layout.ts says where everything stands in it. */
export interface Kernels {
  readonly memory: { readonly buffer: ArrayBuffer };
  /**
   * `length` bytes of MESSAGE → FOUND and PAYLOAD. Returns the payload's bytes; -1 for all but an inbound-track media
   * message in plain words: it may decline one, but where it accepts, it says what decodeMessage says.
   */
  readMedia(length: number): number;
  /**
   * Base64 in whole groups, padding included, from the address `start` on → PAYLOAD. Returns the address behind it, of
   * the first character that is none of it. There must be such a one.
   */
  readBase64(start: number): number;
  /** `length` bytes from the address `source` on → base64 from `target` on. Returns its characters. */
  writeBase64(source: number, length: number, target: number): number;
  /**
   * What begins at the address `prefix`, then `length` bytes from the address `source` on as base64, then the end of a
   * media message → TEXT. Returns its characters.
   */
  writeMedia(prefix: number, source: number, length: number): number;
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

/** With their filters. */
export function filled(kernels: Kernels): Kernels {
  const { buffer } = kernels.memory;
  const samples = new Int16Array(buffer);
  for (const [ratio, at] of FILTERS_AT) {
    const { up, down, downShift, downGain } = FILTERS[ratio];
    new Int32Array(buffer).set([downShift, downGain], at / 4);
    for (const [row, taps] of [...up, ...down].entries())
      samples.set(taps, (at + ROWS_AT + row * ROW_BYTES) / 2);
  }
  return kernels;
}
