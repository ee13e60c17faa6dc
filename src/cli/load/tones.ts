// Frames that can be recognised in an echo. Each call has a tone of its own, and each of its frames is 4 dB softer
// than the one before, eight steps long: the level counts frames modulo eight, the tone tells calls apart.
//
// An echo is no exact copy: resampling delays it by some milliseconds, so that an echoed frame begins with the end of
// its predecessor. Only the last quarter of a frame is looked at, which leaves room for a delay of 15 ms.
import assert from "node:assert/strict";
import { compress, expand } from "../../twin/mulaw.ts";
import { FRAME_SAMPLES, RATE_HZ } from "../../twin/track.ts";

/** How many frames a call's levels tell apart. */
export const STEPS = 8;
const STEP_DB = 4;
const LOUDEST = 16_384; // −6 dBFS
/** A level further than this from a step is no step. */
const TOLERANCE_DB = 1.6;

const WINDOW_SAMPLES = FRAME_SAMPLES / 4;
/** Every tone has whole periods in the window, so the tones don't disturb each other there. */
const TONES_HZ = Array.from({ length: 8 }, (_, i) => 400 + 200 * i);
for (const hz of TONES_HZ) assert(Number.isInteger((hz * WINDOW_SAMPLES) / RATE_HZ));

/** Base64 characters of a frame's payload, and where those of the window begin: four characters hold three bytes. */
export const PAYLOAD_CHARACTERS = 4 * Math.ceil(FRAME_SAMPLES / 3);
const WINDOW_AT = ((FRAME_SAMPLES - WINDOW_SAMPLES) / 3) * 4;
assert(Number.isInteger(WINDOW_AT));

const EXPANDED = Float64Array.from({ length: 256 }, (_, code) => expand(code));
const SIXBITS = new Uint8Array(256);
for (const [value, letter] of [
  ..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
].entries()) {
  SIXBITS[letter.charCodeAt(0)] = value;
}

/** One call's frames, and the recognition of their echoes. */
export class Tone {
  /** Base64 payloads; frame n is `payloads[n % STEPS]`. */
  readonly payloads: readonly string[];
  readonly #cosine: Float64Array;
  readonly #sine: Float64Array;
  readonly #firstStep: number;

  /** Calls whose numbers differ by less than 64 have different frames. */
  constructor(call: number) {
    const hz = TONES_HZ[call % TONES_HZ.length]!;
    this.#firstStep = Math.floor(call / TONES_HZ.length) % STEPS;
    this.payloads = payloadsOf(hz, this.#firstStep);
    const phase = (_: unknown, i: number) => (2 * Math.PI * hz * i) / RATE_HZ;
    const phases = Array.from({ length: WINDOW_SAMPLES }, phase);
    this.#cosine = Float64Array.from(phases, Math.cos);
    this.#sine = Float64Array.from(phases, Math.sin);
  }

  /** Which frame, modulo STEPS, a payload echoes; −1 when it is none of this call's. `at` is its first character. */
  recognise(message: Uint8Array, at: number): number {
    const level = this.#level(message, at + WINDOW_AT);
    if (level < 1) return -1;
    const steps = (-20 * Math.log10(level / LOUDEST)) / STEP_DB;
    const step = Math.round(steps);
    if (step < 0 || step >= STEPS || Math.abs(steps - step) * STEP_DB > TOLERANCE_DB) return -1;
    return (step - this.#firstStep + STEPS) % STEPS;
  }

  /** The tone's amplitude in the window. */
  #level(message: Uint8Array, at: number): number {
    let real = 0;
    let imaginary = 0;
    let bits = 0;
    let held = 0;
    let read = at;
    for (let i = 0; i < WINDOW_SAMPLES; i++) {
      while (held < 8) {
        bits = ((bits << 6) | SIXBITS[message[read++]!]!) & 0x3fff;
        held += 6;
      }
      held -= 8;
      const sample = EXPANDED[(bits >> held) & 0xff]!;
      real += sample * this.#cosine[i]!;
      imaginary += sample * this.#sine[i]!;
    }
    return (2 * Math.hypot(real, imaginary)) / WINDOW_SAMPLES;
  }
}

const known = new Map<string, readonly string[]>();

function payloadsOf(hz: number, firstStep: number): readonly string[] {
  const name = `${hz} ${firstStep}`;
  const payloads =
    known.get(name) ?? Array.from({ length: STEPS }, (_, n) => payloadOf(hz, (n + firstStep) % STEPS));
  known.set(name, payloads);
  return payloads;
}

function payloadOf(hz: number, step: number): string {
  const amplitude = LOUDEST * 10 ** ((-STEP_DB * step) / 20);
  const sample = (_: unknown, i: number) =>
    compress(Math.round(amplitude * Math.sin((2 * Math.PI * hz * i) / RATE_HZ)));
  return Buffer.from(Array.from({ length: FRAME_SAMPLES }, sample)).toString("base64");
}
