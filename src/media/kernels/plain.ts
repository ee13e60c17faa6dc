// The kernels once more, in plain TypeScript and the same bit for bit: for machines whose WASM knows no SIMD, and for
// tests to hold the others against. Slower by a factor of ten.

import { decodeBase64, encodeBase64, skipBase64 } from "./base64.ts";
import { MULAW_TO_PCM, PCM_TO_MULAW } from "./g711.ts";
import type { Kernels } from "./kernels.ts";
import {
  CARRIER_BYTES,
  CARRIER_IN,
  CARRIER_OUT,
  CODES_BYTES,
  CODES_IN,
  CODES_OUT,
  FILTER_2,
  FILTER_3,
  FILTER_6,
  FOUND,
  HISTORY_BYTES,
  LINE,
  MESSAGE,
  PAGE_BYTES,
  PAGES,
  PAYLOAD,
  PAYLOAD_BYTES,
  PHASES,
  PLANE_BYTES,
  PLANES,
  PREFIX_LENGTH_AT,
  ROW_BYTES,
  ROWS_AT,
  SAMPLES_IN,
  SAMPLES_OUT,
  SID_END_AT,
  SID_START_AT,
  TEXT,
} from "./layout.ts";
import { createMediaFrame, scanMedia } from "./scan.ts";

const FRAME = CARRIER_BYTES / 2;
const HISTORY = HISTORY_BYTES / 2;
const TAPS = ROW_BYTES / 2;
const FRACTION_BITS = 14;
const MEDIA_END = new TextEncoder().encode('"}}');

export function plainKernels(): Kernels {
  const memory = { buffer: new ArrayBuffer(PAGES * PAGE_BYTES) };
  const bytes = new Uint8Array(memory.buffer);
  const samples = new Int16Array(memory.buffer);
  const words = new Int32Array(memory.buffer);
  const numbers = new DataView(memory.buffer);
  const payload = bytes.subarray(PAYLOAD, PAYLOAD + PAYLOAD_BYTES);
  const media = createMediaFrame();

  /** See assembly/resampling.ts. Addresses are of samples here, of whom each has two bytes. */
  function convolve(
    firstPlane: number,
    planes: number,
    rows: number,
    shift: number,
    gain: number,
    pure: number,
    target: number,
  ): void {
    for (let n = 0; n < FRAME; n++) {
      let total = 1 << (FRACTION_BITS - 1);
      if (gain !== 0) total += (samples[pure + n]! * gain) >> shift;
      for (let plane = 0; plane < planes; plane++) {
        const from = firstPlane + (plane * PLANE_BYTES) / 2 + 1 + n;
        const taps = rows + plane * TAPS;
        for (const half of [0, TAPS / 2]) {
          let sum = 0;
          for (let tap = half; tap < half + TAPS / 2; tap++)
            sum += samples[from + tap]! * samples[taps + tap]!;
          total += sum >> shift;
        }
      }
      samples[target + n] = Math.max(-32_768, Math.min(32_767, total >> FRACTION_BITS));
    }
  }

  function upsample(state: number, ratio: number): void {
    const line = LINE / 2;
    const phases = PHASES / 2;
    const rows = (filterOf(ratio) + ROWS_AT) / 2;
    samples.copyWithin(line, state / 2, state / 2 + HISTORY);
    for (let phase = 0; phase < ratio - 1; phase++)
      convolve(line, 1, rows + phase * TAPS, 1, 0, 0, phases + phase * FRAME);
    for (let n = 0; n < FRAME; n++) {
      const at = SAMPLES_OUT / 2 + n * ratio;
      for (let phase = 0; phase < ratio - 1; phase++)
        samples[at + phase] = samples[phases + phase * FRAME + n]!;
      samples[at + ratio - 1] = samples[line + 17 + n]!;
    }
    samples.copyWithin(state / 2, line + FRAME, line + FRAME + HISTORY);
  }

  function downsample(state: number, ratio: number): void {
    const filter = filterOf(ratio);
    for (let plane = 0; plane < ratio; plane++) {
      const line = (PLANES + plane * PLANE_BYTES) / 2;
      const history = (state + plane * HISTORY_BYTES) / 2;
      for (let n = 0; n < FRAME; n++)
        samples[line + HISTORY + n] = samples[SAMPLES_IN / 2 + n * ratio + plane]!;
      samples.copyWithin(line, history, history + HISTORY);
      samples.copyWithin(history, line + FRAME, line + FRAME + HISTORY);
    }
    const [shift, gain] = [words[filter / 4]!, words[filter / 4 + 1]!];
    const rows = (filter + ROWS_AT + (ratio - 1) * ROW_BYTES) / 2;
    const pure = (PLANES + (ratio - 1) * PLANE_BYTES) / 2 + 16;
    convolve(PLANES / 2, ratio - 1, rows, shift, gain, pure, CARRIER_OUT / 2);
  }

  return {
    memory,
    upsample,
    downsample,
    decode(state, ratio) {
      const target = (ratio === 1 ? SAMPLES_OUT : CARRIER_IN) / 2;
      for (let n = 0; n < CODES_BYTES; n++) samples[target + n] = MULAW_TO_PCM[bytes[CODES_IN + n]!]!;
      if (ratio !== 1) upsample(state, ratio);
    },
    encode(state, ratio) {
      if (ratio !== 1) downsample(state, ratio);
      const source = (ratio === 1 ? SAMPLES_IN : CARRIER_OUT) / 2;
      for (let n = 0; n < CODES_BYTES; n++)
        bytes[CODES_OUT + n] = PCM_TO_MULAW[samples[source + n]! & 0xffff]!;
    },
    readMedia(length) {
      const message = bytes.subarray(MESSAGE, MESSAGE + length);
      if (!scanMedia(message, media)) return -1;
      numbers.setFloat64(FOUND, media.timestampMs, true);
      numbers.setInt32(FOUND + SID_START_AT, media.streamSidStart, true);
      numbers.setInt32(FOUND + SID_END_AT, media.streamSidEnd, true);
      return decodeBase64(message, media.payloadStart, media.payloadEnd, payload);
    },
    readBase64(start) {
      const end = skipBase64(bytes, start);
      decodeBase64(bytes, start, end, payload);
      return end;
    },
    writeBase64: (source, length, target) => encodeBase64(bytes, source, source + length, bytes, target),
    writeMedia(prefix, source, length) {
      const audioAt = bytes[prefix + PREFIX_LENGTH_AT]!;
      bytes.copyWithin(TEXT, prefix, prefix + audioAt);
      const endAt = audioAt + encodeBase64(bytes, source, source + length, bytes, TEXT + audioAt);
      bytes.set(MEDIA_END, TEXT + endAt);
      return endAt + MEDIA_END.length;
    },
  };
}

function filterOf(ratio: number): number {
  return ratio === 2 ? FILTER_2 : ratio === 3 ? FILTER_3 : FILTER_6;
}
