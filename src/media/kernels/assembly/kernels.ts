// What every frame goes through, in AssemblyScript, for WASM with SIMD. plain.ts says the same in TypeScript, byte for
// byte, and layout.ts where everything stands. `npm run kernels` compiles this.
import { CARRIER_IN, CARRIER_OUT, CODES_IN, CODES_OUT, SAMPLES_IN, SAMPLES_OUT } from "../layout";
import { compress, expand } from "./mulaw";
import { downsample, upsample } from "./resampling";

export { readBase64, writeBase64 } from "./base64";
export { readMedia, writeMedia } from "./messages";
export { downsample, upsample } from "./resampling";

/** CODES_IN → SAMPLES_OUT, at `ratio` times the carrier's rate. */
export function decode(state: i32, ratio: i32): void {
  expand(CODES_IN, ratio === 1 ? SAMPLES_OUT : CARRIER_IN);
  if (ratio !== 1) upsample(state, ratio);
}

/** SAMPLES_IN, at `ratio` times the carrier's rate, → CODES_OUT. */
export function encode(state: i32, ratio: i32): void {
  if (ratio !== 1) downsample(state, ratio);
  compress(ratio === 1 ? SAMPLES_IN : CARRIER_OUT, CODES_OUT);
}
