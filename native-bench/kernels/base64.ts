// A frame's base64, both ways, against Node's own.
import { CARRIER_FRAME_SAMPLES } from "../../src/domain/audio.ts";
import { decodeBase64, encodeBase64 } from "../../src/media/protocol/base64.ts";
import { CODES, type Kernel, MESSAGES, PAYLOAD_AT, PAYLOAD_CHARACTERS } from "./kernel.ts";

const codes = new Uint8Array(CARRIER_FRAME_SAMPLES);
const text = new Uint8Array(PAYLOAD_CHARACTERS);

export const base64: readonly Kernel[] = [
  {
    name: "base64 in",
    ours: (n) => decodeBase64(MESSAGES[n]!, PAYLOAD_AT[n]!, PAYLOAD_AT[n]! + PAYLOAD_CHARACTERS, codes),
    library: "Buffer.from",
    theirs: (n) =>
      Buffer.from(
        MESSAGES[n]!.toString("latin1", PAYLOAD_AT[n]!, PAYLOAD_AT[n]! + PAYLOAD_CHARACTERS),
        "base64",
      ),
  },
  {
    name: "base64 out",
    ours: (n) => encodeBase64(CODES[n]!, 0, CARRIER_FRAME_SAMPLES, text, 0),
    library: "Buffer.toString",
    theirs: (n) => Buffer.from(CODES[n]!.buffer).toString("base64"),
  },
];
