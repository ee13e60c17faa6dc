// The kernels in WASM, held bit for bit against those in TypeScript, both against their filters, and the filters
// against their design.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { RATIOS, type Ratio } from "../../../../src/media/kernels/design.ts";
import { FILTERS } from "../../../../src/media/kernels/filters.ts";
import { MULAW_TO_PCM, PCM_TO_MULAW } from "../../../../src/media/kernels/g711.ts";
import { filled, type Kernels, loadKernels } from "../../../../src/media/kernels/kernels.ts";
import {
  CARRIER_BYTES,
  CARRIER_IN,
  CARRIER_OUT,
  CODES_BYTES,
  CODES_IN,
  CODES_OUT,
  MESSAGE,
  PAYLOAD,
  PREFIX_BYTES,
  PREFIX_LENGTH_AT,
  PREFIXES,
  SAMPLES_BYTES,
  SAMPLES_IN,
  SAMPLES_OUT,
  SPEECH,
  SPEECH_BYTES,
  STATE_BYTES,
  STATES,
  TEXT,
} from "../../../../src/media/kernels/layout.ts";
import { plainKernels } from "../../../../src/media/kernels/plain.ts";
import { filters } from "../../../support/compiledKernels.ts";
import { down, up } from "../audio/tones.ts";

const simd = await loadKernels();
const plain = filled(plainKernels());
const STATES_TRIED = 3;

/** Samples of every kind, from one number: noise of any loudness, and steps from end to end. */
function noise(seed: number, samples: number): Int16Array {
  let state = seed | 1;
  const next = (): number => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return (state ^ (state >>> 13)) >>> 0;
  };
  return Int16Array.from({ length: samples }, () => {
    const drawn = next();
    if (drawn % 8 < 2) return drawn % 2 === 0 ? 32_767 : -32_768;
    return (drawn << 16) >> (16 + ((drawn >>> 20) % 16));
  });
}

/** What is in its memory where frames come out, and in its states. */
function made({ memory }: Kernels): readonly Uint8Array[] {
  const out = (at: number, bytes: number) => new Uint8Array(memory.buffer, at, bytes);
  return [
    out(SAMPLES_OUT, SAMPLES_BYTES),
    out(CARRIER_OUT, CARRIER_BYTES),
    out(CODES_OUT, CODES_BYTES),
    out(STATES, STATES_TRIED * STATE_BYTES),
  ];
}

describe("the kernels in WASM", () => {
  it("do the same as those in TypeScript, bit for bit, whatever they are given and remember", () => {
    const step = fc.record({
      does: fc.constantFrom("decode", "encode", "upsample", "downsample"),
      ratio: fc.constantFrom(1, 2, 3, 6),
      state: fc.nat(STATES_TRIED - 1),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        for (const { memory } of [simd, plain]) new Uint8Array(memory.buffer).fill(0, STATES);
        for (const { does, ratio, state, seed } of steps) {
          if (ratio === 1 && does.endsWith("sample")) continue;
          const samples = noise(seed, SAMPLES_BYTES / 2);
          for (const kernels of [simd, plain]) {
            const { buffer } = kernels.memory;
            new Int16Array(buffer, SAMPLES_IN, SAMPLES_BYTES / 2).set(samples);
            new Int16Array(buffer, CARRIER_IN, CARRIER_BYTES / 2).set(samples.subarray(0, CARRIER_BYTES / 2));
            new Uint8Array(buffer, CODES_IN, CODES_BYTES).set(samples.subarray(0, CODES_BYTES));
            kernels[does as "decode"](STATES + state * STATE_BYTES, ratio);
          }
          assert.deepEqual(made(simd), made(plain));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("know mu-law as the tables do: all 256 codes and all 65,536 samples", () => {
    const { buffer } = simd.memory;
    const codesIn = new Uint8Array(buffer, CODES_IN, CODES_BYTES);
    const samplesOut = new Int16Array(buffer, SAMPLES_OUT, CODES_BYTES);
    for (let first = 0; first < 256; first += CODES_BYTES) {
      for (const n of codesIn.keys()) codesIn[n] = first + n;
      simd.decode(STATES, 1);
      assert.deepEqual(
        [...samplesOut],
        Array.from(codesIn, (code) => MULAW_TO_PCM[code]),
      );
    }
    const samplesIn = new Int16Array(buffer, SAMPLES_IN, CODES_BYTES);
    const codesOut = new Uint8Array(buffer, CODES_OUT, CODES_BYTES);
    for (let first = 0; first < 65_536; first += CODES_BYTES) {
      for (const n of samplesIn.keys()) samplesIn[n] = first + n;
      simd.encode(STATES, 1);
      assert.deepEqual(
        [...codesOut],
        Array.from(samplesIn, (sample) => PCM_TO_MULAW[sample & 0xffff]),
      );
    }
  });

  for (const kernels of [simd, plain])
    it(`know base64 as Node does, at every length, ${kernels === simd ? "in WASM" : "in TypeScript"}`, () => {
      const bytes = new Uint8Array(kernels.memory.buffer);
      for (let length = 0; length <= SPEECH_BYTES; length++) {
        const binary = Uint8Array.from({ length }, (_, n) => 7 * n * length + n);
        const text = Buffer.from(binary).toString("base64");
        bytes.set(binary, SPEECH);
        assert.equal(kernels.writeBase64(SPEECH, length, TEXT), text.length);
        assert.equal(Buffer.from(bytes.subarray(TEXT, TEXT + text.length)).toString("latin1"), text);
        bytes.set(Buffer.from(`${text}"`), MESSAGE);
        assert.equal(kernels.readBase64(MESSAGE), MESSAGE + text.length);
        assert.deepEqual(bytes.slice(PAYLOAD, PAYLOAD + length), binary);
      }
    });

  it("write the same messages, at every length of prefix and audio, and nothing before them", () => {
    for (let length = 0; length <= SPEECH_BYTES; length++) {
      const audio = Uint8Array.from({ length }, (_, n) => 11 * n * length + n);
      const prefix = Uint8Array.from(
        { length: length % PREFIX_BYTES },
        (_, n) => 0x20 + ((n + length) % 0x5f),
      );
      for (const kernels of [simd, plain]) {
        const bytes = new Uint8Array(kernels.memory.buffer);
        const at = PREFIXES + 3 * PREFIX_BYTES;
        bytes.set(prefix, at);
        bytes[at + PREFIX_LENGTH_AT] = prefix.length;
        bytes.set(audio, SPEECH);
        const before = bytes.slice(SPEECH, TEXT);
        const text = bytes.slice(TEXT, TEXT + kernels.writeMedia(at, SPEECH, length));
        const expected = `${Buffer.from(prefix).toString("latin1")}${Buffer.from(audio).toString("base64")}"}}`;
        assert.equal(Buffer.from(text).toString("latin1"), expected);
        assert.deepEqual(bytes.slice(SPEECH, TEXT), before);
      }
    }
  });

  for (const ratio of RATIOS)
    it(`do what the filters say for a ratio of ${ratio}, to the nearest sample, without a seam, and clip`, () => {
      const frames = 6;
      for (const signal of [noise(ratio, 160 * ratio * frames), ...loudest(ratio, frames)]) {
        const carrier = signal.subarray(0, 160 * frames);
        assertNear(up(simd, ratio, carrier), upExactly(ratio, carrier));
        assertNear(down(simd, ratio, signal), downExactly(ratio, signal));
      }
    });
});

describe("the kernels' filters", () => {
  it("are those of the design, byte for byte (npm run kernels writes them)", () => {
    const { url, bytes } = filters();
    assert.equal(readFileSync(url, "utf8"), Buffer.from(bytes).toString());
  });

  it("leave a constant what it is", () => {
    for (const ratio of RATIOS) {
      const { up, down, downShift, downGain } = FILTERS[ratio];
      const sum = (rows: readonly (readonly number[])[]) =>
        rows.flat().reduce((total, tap) => total + tap, 0);
      for (const row of up) assert.equal(sum([row]), 2 ** 15);
      assert.equal(sum(down) + downGain, 2 ** (14 + downShift));
    }
  });
});

/** Every 16-bit signal stays within what sums can hold if these do: each drives one row as far as it goes. */
function loudest(ratio: Ratio, frames: number): Int16Array[] {
  const { up, down } = FILTERS[ratio];
  const length = 160 * ratio * frames;
  const atEnd = (tap: number, sign: number): number => (tap * sign > 0 ? 32_767 : -32_768);
  return [1, -1].flatMap((sign) => [
    ...up.map((row) => Int16Array.from({ length }, (_, n) => atEnd(row[n % 32]!, sign))),
    Int16Array.from({ length }, (_, n) => {
      const phase = n % ratio;
      return atEnd(phase === ratio - 1 ? 1 : down[phase]![Math.floor(n / ratio) % 32]!, sign);
    }),
  ]);
}

function upExactly(ratio: Ratio, samples: Int16Array): number[] {
  const { up } = FILTERS[ratio];
  return Array.from({ length: samples.length * ratio }, (_, n) => {
    const [now, phase] = [Math.floor(n / ratio), n % ratio];
    if (phase === ratio - 1) return samples[now - 15] ?? 0;
    return up[phase]!.reduce((sum, tap, at) => sum + tap * (samples[now - 31 + at] ?? 0), 0) / 2 ** 15;
  });
}

function downExactly(ratio: Ratio, samples: Int16Array): number[] {
  const { down, downShift, downGain } = FILTERS[ratio];
  return Array.from({ length: samples.length / ratio }, (_, now) => {
    let sum = downGain * (samples[(now - 16) * ratio + ratio - 1] ?? 0);
    for (const [phase, row] of down.entries())
      for (const [at, tap] of row.entries()) sum += tap * (samples[(now - 31 + at) * ratio + phase] ?? 0);
    return sum / 2 ** (14 + downShift);
  });
}

/** What is cut off sums on the way is less than a thousandth of a sample. */
function assertNear(got: Int16Array, exact: readonly number[]): void {
  assert.equal(got.length, exact.length);
  for (const [n, value] of exact.entries()) {
    const wanted = Math.max(-32_768, Math.min(32_767, value));
    assert.ok(Math.abs(got[n]! - wanted) <= 0.501, `sample ${n} is ${got[n]}, not ${wanted}`);
  }
}
