// A frame's mu-law, both ways, against the package that users take.
import alawmulaw from "alawmulaw";
import { CARRIER_RATE_HZ } from "../../src/domain/audio.ts";
import { codecOf } from "../../src/media/audio/codec.ts";
import { loadKernels } from "../../src/media/kernels/kernels.ts";
import { CODES, type Kernel, SAMPLES } from "./kernel.ts";

const codec = codecOf(await loadKernels());
const decoder = codec.createDecoder(CARRIER_RATE_HZ);
const encoder = codec.createEncoder(CARRIER_RATE_HZ);

export const mulaw: readonly Kernel[] = [
  {
    name: "mu-law in",
    ours: (n) => decoder.decode(CODES[n]!),
    library: "alawmulaw",
    theirs: (n) => alawmulaw.mulaw.decode(CODES[n]!),
  },
  {
    name: "mu-law out",
    ours: (n) => encoder.encode(SAMPLES[n]!),
    library: "alawmulaw",
    theirs: (n) => alawmulaw.mulaw.encode(SAMPLES[n]!),
  },
];
