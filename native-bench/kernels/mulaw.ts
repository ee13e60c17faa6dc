// A frame's mu-law, both ways, against the package that our tables are made from.
import alawmulaw from "alawmulaw";
import { CARRIER_FRAME_SAMPLES } from "../../src/domain/audio.ts";
import { decodeMulaw, encodeMulaw } from "../../src/media/audio/g711.ts";
import { CODES, type Kernel, SAMPLES } from "./kernel.ts";

const codes = new Uint8Array(CARRIER_FRAME_SAMPLES);
const samples = new Int16Array(CARRIER_FRAME_SAMPLES);

export const mulaw: readonly Kernel[] = [
  {
    name: "mu-law in",
    ours: (n) => decodeMulaw(CODES[n]!, samples),
    library: "alawmulaw",
    theirs: (n) => alawmulaw.mulaw.decode(CODES[n]!),
  },
  {
    name: "mu-law out",
    ours: (n) => encodeMulaw(SAMPLES[n]!, codes),
    library: "alawmulaw",
    theirs: (n) => alawmulaw.mulaw.encode(SAMPLES[n]!),
  },
];
