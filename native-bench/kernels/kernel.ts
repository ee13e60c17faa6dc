// What a kernel is: one function that every frame goes through, in our way and in the way of whoever takes a library.
import { CARRIER_FRAME_SAMPLES } from "../../src/domain/audio.ts";
import { encodeMulaw } from "../../src/media/kernels/g711.ts";

export interface Kernel {
  /** As kernels/main.c has it. */
  readonly name: string;
  /** One frame's work; `frame` is less than FRAMES. */
  readonly ours: (frame: number) => void;
  readonly library: string;
  readonly theirs: (frame: number) => void;
}

/** Different frames, so that nothing is learned by heart. */
export const FRAMES = 64;
const WIDEST = 6;

/** Noise at a quarter of full scale: 120 ms of it, of which kernels take as much as their rate's frame has. */
const noise = (() => {
  let state = 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 18;
  };
})();

export const WIDE: readonly Int16Array[] = Array.from({ length: FRAMES }, () =>
  Int16Array.from({ length: WIDEST * CARRIER_FRAME_SAMPLES }, noise),
);
export const SAMPLES = WIDE.map((samples) => samples.slice(0, CARRIER_FRAME_SAMPLES));
export const CODES = SAMPLES.map((samples) => {
  const codes = new Uint8Array(CARRIER_FRAME_SAMPLES);
  encodeMulaw(samples, codes);
  return codes;
});
const PAYLOADS = CODES.map((codes) => Buffer.from(codes).toString("base64"));

export const STREAM_SID = `MZ${"0".repeat(32)}`;

/** Media messages as Twilio sends them. */
export const MESSAGES: readonly Buffer[] = PAYLOADS.map((payload, n) =>
  Buffer.from(
    `{"event":"media","sequenceNumber":"${1_000 + n}","media":{"track":"inbound","chunk":"${999 + n}","timestamp":"${100 + 20 * (999 + n)}","payload":"${payload}"},"streamSid":"${STREAM_SID}"}`,
  ),
);

/** Where a message's payload is. */
export const PAYLOAD_AT = MESSAGES.map((message, n) => message.indexOf(PAYLOADS[n]!));
export const PAYLOAD_CHARACTERS = PAYLOADS[0]!.length;
