// A message and all that becomes of it: read, and its audio at an agent's rate, and the whole way back. Against what a
// tutorial does, which changes the rate without a filter.
import alawmulaw from "alawmulaw";
import { frameSamples } from "../../src/domain/audio.ts";
import { StreamSid } from "../../src/domain/ids.ts";
import { codecOf } from "../../src/media/audio/codec.ts";
import { loadKernels } from "../../src/media/kernels/kernels.ts";
import { MediaMessages } from "../../src/media/protocol/mediaMessages.ts";
import { doubled, halved } from "../peers/linear.ts";
import { type Kernel, MESSAGES, STREAM_SID, WIDE } from "./kernel.ts";

const RATE_HZ = 16_000;
const { mulaw } = alawmulaw;
const kernels = await loadKernels();
const messages = new MediaMessages(kernels);
const codec = codecOf(kernels);
const decoder = codec.createDecoder(RATE_HZ);
const encoder = codec.createEncoder(RATE_HZ);
const prefix = messages.take(StreamSid(STREAM_SID));
const spoken = WIDE.map((samples) => samples.slice(0, frameSamples(RATE_HZ)));

export const message: readonly Kernel[] = [
  {
    name: "message scan",
    ours: (n) => messages.read(MESSAGES[n]!),
    library: "JSON.parse",
    theirs: (n) => Buffer.from(JSON.parse(MESSAGES[n]!.toString()).media.payload, "base64"),
  },
  {
    name: "message to 16 kHz",
    ours(n) {
      messages.read(MESSAGES[n]!);
      decoder.decode(messages.codes);
    },
    library: "tutorial",
    theirs(n) {
      const { payload } = JSON.parse(MESSAGES[n]!.toString()).media;
      doubled(mulaw.decode(Buffer.from(payload, "base64")));
    },
  },
  {
    name: "16 kHz to message",
    ours(n) {
      const codes = encoder.encode(spoken[n]!);
      messages.write(prefix, codes, 0, codes.length);
    },
    library: "tutorial",
    theirs(n) {
      const payload = Buffer.from(mulaw.encode(halved(spoken[n]!))).toString("base64");
      JSON.stringify({ event: "media", streamSid: STREAM_SID, media: { payload } });
    },
  },
];
