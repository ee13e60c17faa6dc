// Audio as it is on an agent's socket: mu-law codes, or 16-bit samples with the low byte first, as nearly every
// machine has them in memory.
import { endianness } from "node:os";
import { CARRIER_FRAME_SAMPLES, frameSamples } from "../../../domain/audio.ts";
import type { Audio, AudioFormat } from "../port.ts";

const IS_LITTLE_ENDIAN = endianness() === "LE";

export function bytesPerFrame({ encoding, rateHz }: AudioFormat): number {
  return encoding === "mulaw" ? CARRIER_FRAME_SAMPLES : frameSamples(rateHz) * Int16Array.BYTES_PER_ELEMENT;
}

/** Bytes of a message as audio: a view where memory allows it. */
export function audioOf(bytes: Buffer, { encoding }: AudioFormat): Audio {
  if (encoding === "mulaw") return bytes;
  const isView = IS_LITTLE_ENDIAN && bytes.byteOffset % Int16Array.BYTES_PER_ELEMENT === 0;
  const whole = isView ? bytes : inHostOrder(new Uint8Array(bytes));
  return new Int16Array(whole.buffer, whole.byteOffset, whole.byteLength / Int16Array.BYTES_PER_ELEMENT);
}

/** Puts the caller's frames together to the messages that an agent asked for. */
export class Earpiece {
  readonly #message: Uint8Array<ArrayBuffer>;
  readonly #isWhole: boolean;
  #filled = 0;

  constructor(format: AudioFormat, framesPerMessage: number) {
    this.#message = new Uint8Array(bytesPerFrame(format) * framesPerMessage);
    this.#isWhole = framesPerMessage === 1 && IS_LITTLE_ENDIAN;
  }

  /** Takes a frame; a message that is complete with it, which is valid until the next call. */
  take(frame: Audio): Audio | undefined {
    if (this.#isWhole) return frame;
    const bytes = new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
    this.#message.set(bytes, this.#filled);
    this.#filled += bytes.length;
    if (this.#filled < this.#message.length) return undefined;
    this.#filled = 0;
    return frame instanceof Int16Array ? inHostOrder(this.#message) : this.#message;
  }
}

/** Swaps in place where it must be: the same both ways. */
function inHostOrder(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (!IS_LITTLE_ENDIAN) Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).swap16();
  return bytes;
}
