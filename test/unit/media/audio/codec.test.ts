import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AGENT_RATES_HZ, type AgentRateHz, frameSamples } from "../../../../src/domain/audio.ts";
import { codecOf, type Decoder, type Encoder } from "../../../../src/media/audio/codec.ts";
import { decodeMulaw, encodeMulaw, MULAW_SILENCE } from "../../../../src/media/kernels/g711.ts";
import { loadKernels } from "../../../../src/media/kernels/kernels.ts";
import { STATES_MAX } from "../../../../src/media/kernels/layout.ts";
import { plainKernels } from "../../../../src/media/kernels/plain.ts";
import { amplitude, decibels, tone } from "./tones.ts";

const FRAME = 160;
/** There and back, on the telephone's clock: 3.875 ms. At 8 kHz nothing is delayed. */
const ROUND_TRIP = 31;
const codec = codecOf(await loadKernels());
/** Nothing that a WASM compiler takes, as one that knows no SIMD sees it. */
const NO_CODE = Uint8Array.of(0);

const silence = new Uint8Array(FRAME).fill(MULAW_SILENCE);

/** A tone as the telephone has it. */
function mulawTone(toneHz: number, frames: number, loud = 10_000): Uint8Array {
  const codes = new Uint8Array(frames * FRAME);
  encodeMulaw(tone(toneHz, 8_000, frames, loud), codes);
  return codes;
}

function decoded(decoder: Decoder, codes: Uint8Array): Int16Array {
  const whole = frameSamples(decoder.rateHz);
  const samples = new Int16Array((codes.length / FRAME) * whole);
  for (let frame = 0; frame * FRAME < codes.length; frame++) {
    const heard = decoder.decode(codes.subarray(frame * FRAME, (frame + 1) * FRAME));
    assert.equal(heard.length, whole);
    samples.set(heard, frame * whole);
  }
  return samples;
}

function encoded(encoder: Encoder, samples: Int16Array): Uint8Array {
  const whole = frameSamples(encoder.rateHz);
  const codes = new Uint8Array((samples.length / whole) * FRAME);
  for (let frame = 0; frame * whole < samples.length; frame++) {
    const said = encoder.encode(samples.subarray(frame * whole, (frame + 1) * whole));
    assert.equal(said.length, FRAME);
    codes.set(said, frame * FRAME);
  }
  return codes;
}

const pcm = (codes: Uint8Array): Int16Array => {
  const samples = new Int16Array(codes.length);
  decodeMulaw(codes, samples);
  return samples;
};

describe("the codec", () => {
  it("at 8 kHz is mu-law alone, code for code", () => {
    const decoder = codec.createDecoder(8_000);
    const encoder = codec.createEncoder(8_000);
    const codes = Uint8Array.from({ length: 2 * FRAME }, (_, n) => n);
    assert.deepEqual(decoded(decoder, codes), pcm(codes));
    const samples = Int16Array.from({ length: 410 * FRAME }, (_, n) => n);
    const expected = new Uint8Array(samples.length);
    encodeMulaw(samples, expected);
    assert.deepEqual(encoded(encoder, samples), expected);
    decoder.free();
    encoder.free();
  });

  for (const rateHz of AGENT_RATES_HZ)
    it(`at ${rateHz} Hz gives a whole frame for each, and a caller's own voice back`, (t) => {
      const [decoder, encoder] = [codec.createDecoder(rateHz), codec.createEncoder(rateHz)];
      assert.deepEqual([decoder.rateHz, encoder.rateHz], [rateHz, rateHz]);
      for (const toneHz of [100, 300, 1_000, 2_000, 3_400]) {
        decoder.reset();
        encoder.reset();
        const codes = mulawTone(toneHz, 60);
        const back = pcm(encoded(encoder, decoded(decoder, codes)));
        const delay = rateHz === 8_000 ? 0 : ROUND_TRIP;
        const level = (samples: Int16Array) => amplitude(samples.subarray(800, 8_800), toneHz, 8_000);
        let [signal, noise] = [0, 0];
        for (const [n, sample] of pcm(codes)
          .subarray(0, -delay || undefined)
          .entries()) {
          signal += sample ** 2;
          noise += (back[n + delay]! - sample) ** 2;
        }
        const louderDb = decibels(level(back.subarray(delay)) / level(pcm(codes)));
        t.diagnostic(
          `${toneHz} Hz: louder by ${louderDb.toFixed(3)}, noise ${(10 * Math.log10(noise / signal)).toFixed(1)} dB`,
        );
        assert.ok(Math.abs(louderDb) < 0.1, `${toneHz} Hz is louder by ${louderDb} dB`);
        // Mu-law itself is 35 to 40 dB: coding once more at most doubles that.
        assert.ok(10 * Math.log10(signal / Math.max(noise, 1)) > 30);
      }
      decoder.free();
      encoder.free();
    });

  it("is the same without SIMD, in TypeScript", async () => {
    const kernels = await loadKernels(NO_CODE);
    assert.ok(!kernels.decode.toString().includes("native code"));
    const plain = codecOf(kernels);
    for (const rateHz of AGENT_RATES_HZ) {
      const codes = Uint8Array.from({ length: 5 * FRAME }, (_, n) => n * 7 + (n >> 3));
      const samples = decoded(codec.createDecoder(rateHz), codes);
      assert.deepEqual(decoded(plain.createDecoder(rateHz), codes), samples);
      assert.deepEqual(
        encoded(plain.createEncoder(rateHz), samples),
        encoded(codec.createEncoder(rateHz), samples),
      );
    }
  });

  it("leaves what it has given whole until it gives the next, whatever is said meanwhile", () => {
    const [decoder, encoder] = [codec.createDecoder(16_000), codec.createEncoder(16_000)];
    const heard = decoder.decode(mulawTone(440, 1));
    const kept = heard.slice();
    const said = encoder.encode(tone(800, 16_000, 1, 8_000)).slice();
    assert.deepEqual(heard, kept);
    encoder.reset();
    assert.deepEqual(encoder.encode(tone(800, 16_000, 1, 8_000)), said);
    // An echo gives back the very array it has been given.
    encoder.reset();
    const echoed = encoder.encode(heard).slice();
    encoder.reset();
    assert.deepEqual(encoder.encode(kept), echoed);
    for (const one of [decoder, encoder]) one.free();
  });

  it("refuses frames of another length, other rates, and work after it is freed", () => {
    const decoder = codec.createDecoder(16_000);
    const encoder = codec.createEncoder(16_000);
    for (const length of [0, 159, 161, 320])
      assert.throws(() => decoder.decode(new Uint8Array(length)), assert.AssertionError);
    for (const length of [0, 160, 319, 480])
      assert.throws(() => encoder.encode(new Int16Array(length)), assert.AssertionError);
    for (const otherHz of [0, 11_025, 22_050, 32_000, 96_000]) {
      const rateHz = otherHz as AgentRateHz;
      assert.throws(() => codec.createDecoder(rateHz), assert.AssertionError);
      assert.throws(() => codec.createEncoder(rateHz), assert.AssertionError);
    }
    for (const one of [decoder, encoder]) {
      one.free();
      assert.throws(() => one.free(), assert.AssertionError);
      assert.throws(() => one.reset(), assert.AssertionError);
    }
    assert.throws(() => decoder.decode(silence), assert.AssertionError);
    assert.throws(() => encoder.encode(new Int16Array(320)), assert.AssertionError);
  });
});

describe("what a direction remembers", () => {
  for (const rateHz of AGENT_RATES_HZ)
    it(`at ${rateHz} Hz is nothing after a reset, and nobody else's at any time`, () => {
      const [one, other, fresh] = [0, 1, 2].map(() => codec.createDecoder(rateHz));
      const voice = mulawTone(440, 5);
      const expected = decoded(fresh!, voice);
      decoded(one!, mulawTone(1_234, 7));
      one!.reset();
      for (let frame = 0; frame < 5; frame++) {
        other!.decode(mulawTone(2_000, 1));
        const heard = one!.decode(voice.subarray(frame * FRAME, (frame + 1) * FRAME));
        const whole = frameSamples(rateHz);
        assert.deepEqual(heard, expected.subarray(frame * whole, (frame + 1) * whole));
      }
      for (const decoder of [one!, other!, fresh!]) decoder.free();
    });

  it("begins without a click after a reset, and rings out into silence", () => {
    for (const rateHz of [16_000, 24_000, 48_000] as const) {
      const decoder = codec.createDecoder(rateHz);
      const encoder = codec.createEncoder(rateHz);
      decoded(decoder, mulawTone(1_000, 3, 30_000));
      decoder.reset();
      assert.ok(decoder.decode(silence).every((sample) => sample === 0));
      encoded(encoder, tone(1_000, rateHz, 3, 30_000));
      encoder.reset();
      const quiet = encoder.encode(new Int16Array(frameSamples(rateHz)));
      assert.ok(quiet.every((code) => code === MULAW_SILENCE));
      // A loud tone that begins: what comes first is the filter's foot, less than 1 % of it.
      const first = decoder.decode(mulawTone(1_000, 1, 30_000));
      assert.ok(Math.abs(first[0]!) < 300, `${first[0]}`);
      decoder.decode(silence);
      assert.ok(decoder.decode(silence).every((sample) => sample === 0));
      decoder.free();
      encoder.free();
    }
  });

  it("is never heard by who has the slot next", async () => {
    for (const kernels of [await loadKernels(), await loadKernels(NO_CODE)]) {
      const one = codecOf(kernels);
      for (let round = 0; round < 10; round++) {
        const before = one.createEncoder(48_000);
        before.encode(new Int16Array(960).fill(30_000));
        before.free();
        const decoder = one.createDecoder(16_000);
        assert.ok(decoder.decode(silence).every((sample) => sample === 0));
        decoder.free();
        const encoder = one.createEncoder(48_000);
        assert.ok(encoder.encode(new Int16Array(960)).every((code) => code === MULAW_SILENCE));
        encoder.free();
      }
      const live = Array.from({ length: STATES_MAX }, () => one.createDecoder(8_000)); // so none was lost
      assert.throws(() => one.createEncoder(8_000), /no more memory for calls' audio/);
      live.pop()!.free();
      live.push(one.createDecoder(16_000));
      assert.throws(() => one.createDecoder(8_000), /no more memory/);
    }
  });
});

describe("the TypeScript kernels", () => {
  it("have as much memory as those in WASM", async () => {
    const { memory } = await loadKernels();
    assert.equal(plainKernels().memory.buffer.byteLength, memory.buffer.byteLength);
  });
});
