// A frame from one rate to another, against the same package's plain build, which is what its name alone imports.
import plainSpeex from "@echogarden/speex-resampler-wasm";
import { CARRIER_RATE_HZ, frameSamples } from "../../src/domain/audio.ts";
import { loadResamplers, type MakeResampler, resamplersOf } from "../../src/media/audio/resampler.ts";
import { type Kernel, WIDE } from "./kernel.ts";

const ours = await loadResamplers();
const plain = resamplersOf(await plainSpeex());

export const resample: readonly Kernel[] = [16_000, 24_000].flatMap((rateHz) => [
  kernel(CARRIER_RATE_HZ, rateHz),
  kernel(rateHz, CARRIER_RATE_HZ),
]);

function kernel(fromHz: number, toHz: number): Kernel {
  return {
    name: `${fromHz / 1_000} to ${toHz / 1_000} kHz`,
    ours: converter(ours, fromHz, toHz),
    library: "speex, no SIMD",
    theirs: converter(plain, fromHz, toHz),
  };
}

function converter(createResampler: MakeResampler, fromHz: number, toHz: number): (n: number) => void {
  const resampler = createResampler(fromHz, toHz);
  const sources = WIDE.map((samples) => samples.subarray(0, frameSamples(fromHz)));
  const target = new Int16Array(frameSamples(toHz));
  return (n) => resampler.process(sources[n]!, target);
}
