// A frame from mu-law to an agent's rate and back, in one step each way, against the same in TypeScript, as a worker
// has it whose WASM knows no SIMD.
import { AGENT_RATES_HZ, type AgentRateHz, CARRIER_RATE_HZ, frameSamples } from "../../src/domain/audio.ts";
import { codecOf, type Decoder, type Encoder } from "../../src/media/audio/codec.ts";
import { filled, loadKernels } from "../../src/media/kernels/kernels.ts";
import { plainKernels } from "../../src/media/kernels/plain.ts";
import { CODES, type Kernel, WIDE } from "./kernel.ts";

const ours = codecOf(await loadKernels());
const plain = codecOf(filled(plainKernels()));

/** The carrier's own rate is mu-law alone. */
const OTHER_RATES_HZ = AGENT_RATES_HZ.filter((rateHz) => rateHz !== CARRIER_RATE_HZ);

export const codec: readonly Kernel[] = OTHER_RATES_HZ.flatMap((rateHz) => [
  {
    name: `mu-law to ${rateHz / 1_000} kHz`,
    ours: decoding(ours.createDecoder(rateHz)),
    library: "TypeScript",
    theirs: decoding(plain.createDecoder(rateHz)),
  },
  {
    name: `${rateHz / 1_000} kHz to mu-law`,
    ours: encoding(ours.createEncoder(rateHz), rateHz),
    library: "TypeScript",
    theirs: encoding(plain.createEncoder(rateHz), rateHz),
  },
]);

function decoding(decoder: Decoder): Kernel["ours"] {
  return (n) => decoder.decode(CODES[n]!);
}

function encoding(encoder: Encoder, rateHz: AgentRateHz): Kernel["ours"] {
  const frames = WIDE.map((samples) => samples.slice(0, frameSamples(rateHz)));
  return (n) => encoder.encode(frames[n]!);
}
