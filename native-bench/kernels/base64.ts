// A frame's base64, both ways, where the kernels' memory has it, against Node's own.
import { CARRIER_FRAME_SAMPLES } from "../../src/domain/audio.ts";
import { loadKernels } from "../../src/media/kernels/kernels.ts";
import { MESSAGE, MESSAGE_BYTES, TEXT } from "../../src/media/kernels/layout.ts";
import { CODES, type Kernel, MESSAGES, PAYLOAD_AT, PAYLOAD_CHARACTERS } from "./kernel.ts";

const [reading, writing] = [await loadKernels(), await loadKernels()];
const [texts, codes] = [reading, writing].map(
  ({ memory }) => new Uint8Array(memory.buffer, MESSAGE, MESSAGE_BYTES),
);
/** A payload and the quote behind it. */
const TEXT_STEP = PAYLOAD_CHARACTERS + 1;
for (const [n, message] of MESSAGES.entries())
  texts!.set(message.subarray(PAYLOAD_AT[n]!, PAYLOAD_AT[n]! + TEXT_STEP), n * TEXT_STEP);
for (const [n, frame] of CODES.entries()) codes!.set(frame, n * CARRIER_FRAME_SAMPLES);

export const base64: readonly Kernel[] = [
  {
    name: "base64 in",
    ours: (n) => reading.readBase64(MESSAGE + n * TEXT_STEP),
    library: "Buffer.from",
    theirs: (n) =>
      Buffer.from(
        MESSAGES[n]!.toString("latin1", PAYLOAD_AT[n]!, PAYLOAD_AT[n]! + PAYLOAD_CHARACTERS),
        "base64",
      ),
  },
  {
    name: "base64 out",
    ours: (n) => writing.writeBase64(MESSAGE + n * CARRIER_FRAME_SAMPLES, CARRIER_FRAME_SAMPLES, TEXT),
    library: "Buffer.toString",
    theirs: (n) => Buffer.from(CODES[n]!.buffer).toString("base64"),
  },
];
