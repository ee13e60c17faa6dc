// Finding out what a media message says, against parsing it.
import { createMediaFrame, scanMedia } from "../../src/media/protocol/messages.ts";
import { type Kernel, MESSAGES } from "./kernel.ts";

const frame = createMediaFrame();

export const scan: readonly Kernel[] = [
  {
    name: "message scan",
    ours: (n) => scanMedia(MESSAGES[n]!, frame),
    library: "JSON.parse",
    theirs: (n) => JSON.parse(MESSAGES[n]!.toString()),
  },
];
