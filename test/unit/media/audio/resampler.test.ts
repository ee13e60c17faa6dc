import assert from "node:assert/strict";
import { describe, it } from "node:test";
import instantiateSpeex from "@echogarden/speex-resampler-wasm/simd";
import { AGENT_RATES_HZ, CARRIER_RATE_HZ, frameSamples } from "../../../../src/domain/audio.ts";
import { loadResamplers, type Resampler, resamplersOf } from "../../../../src/media/audio/resampler.ts";

const makeResampler = await loadResamplers();

/** Whole frames of a tone. */
function tone(toneHz: number, rateHz: number, frames: number, amplitude = 10_000): Int16Array {
  const samples = new Int16Array(frames * frameSamples(rateHz));
  return samples.map((_, n) => Math.round(amplitude * Math.sin((2 * Math.PI * toneHz * n) / rateHz)));
}

/** `source` frame by frame through the resampler. The target frame starts full of noise each time. */
function through(resampler: Resampler, source: Int16Array): Int16Array {
  const [from, to] = [frameSamples(resampler.fromHz), frameSamples(resampler.toHz)];
  const result = new Int16Array((source.length / from) * to);
  const target = new Int16Array(to);
  for (let frame = 0; frame * from < source.length; frame++) {
    target.fill(-12_345);
    resampler.process(source.slice(frame * from, (frame + 1) * from), target);
    result.set(target, frame * to);
  }
  return result;
}

/** The tone that fits best, and what is left without it: amplitude, phase and residue, by least squares. */
function fit(samples: Int16Array, toneHz: number, rateHz: number) {
  let [sinSum, cosSum] = [0, 0];
  const angle = (n: number) => (2 * Math.PI * toneHz * n) / rateHz;
  for (const [n, sample] of samples.entries()) {
    sinSum += sample * Math.sin(angle(n));
    cosSum += sample * Math.cos(angle(n));
  }
  const [a, b] = [(2 * sinSum) / samples.length, (2 * cosSum) / samples.length];
  let worst = 0;
  for (const [n, sample] of samples.entries())
    worst = Math.max(worst, Math.abs(sample - a * Math.sin(angle(n)) - b * Math.cos(angle(n))));
  return { amplitude: Math.hypot(a, b), worst };
}

const decibels = (ratio: number): number => 20 * Math.log10(ratio);
/** Half a second behind the filter's beginning, a whole number of periods of any whole frequency that is even. */
const settled = (samples: Int16Array, rateHz: number): Int16Array =>
  samples.subarray(rateHz / 10, rateHz / 10 + rateHz / 2);

const pairs = AGENT_RATES_HZ.flatMap((fromHz) => AGENT_RATES_HZ.map((toHz) => [fromHz, toHz] as const));

describe("a resampler", () => {
  for (const [fromHz, toHz] of pairs)
    it(`gives a whole frame for each, the first included, from ${fromHz} to ${toHz} Hz`, () => {
      const resampler = makeResampler(fromHz, toHz);
      assert.deepEqual([resampler.fromHz, resampler.toHz], [fromHz, toHz]);
      // Constant input ends up as the same constant: every sample of every frame after the filter's delay is set.
      const result = through(resampler, new Int16Array(50 * frameSamples(fromHz)).fill(1_000));
      assert.equal(result.length, 50 * frameSamples(toHz));
      assert.ok(result.subarray(0, frameSamples(toHz)).every((sample) => Math.abs(sample) < 1_300));
      assert.ok(result.subarray(frameSamples(toHz)).every((sample) => Math.abs(sample - 1_000) <= 2));
      resampler.free();
    });

  it("also serves rates no agent port names, if their frames are whole samples", () => {
    const resampler = makeResampler(22_050, CARRIER_RATE_HZ);
    assert.equal(through(resampler, new Int16Array(441 * 50)).length, 160 * 50);
    resampler.free();
    for (const rateHz of [11_025, 0, -8_000, 96_000, 8_000.5])
      assert.throws(() => makeResampler(rateHz, 8_000), assert.AssertionError);
  });

  it("keeps a 997 Hz tone whole over the seams between frames", () => {
    for (const [fromHz, toHz] of pairs) {
      const resampler = makeResampler(fromHz, toHz);
      const result = through(resampler, tone(997, fromHz, 60));
      resampler.free();
      const { amplitude, worst } = fit(result.subarray(toHz / 10, toHz / 10 + toHz), 997, toHz);
      assert.ok(Math.abs(amplitude - 10_000) < 10, `${fromHz} to ${toHz} Hz: amplitude ${amplitude}`);
      assert.ok(worst < 5, `${fromHz} to ${toHz} Hz: off by ${worst} of 10,000 somewhere`);
    }
  });

  it("gives a telephone's band back at its level, through any agent's rate", (t) => {
    for (const rateHz of [16_000, 24_000, 48_000]) {
      const [up, down] = [makeResampler(CARRIER_RATE_HZ, rateHz), makeResampler(rateHz, CARRIER_RATE_HZ)];
      for (const toneHz of [300, 1_000, 2_000, 3_400]) {
        up.reset();
        down.reset();
        const back = through(down, through(up, tone(toneHz, CARRIER_RATE_HZ, 60)));
        const level = decibels(
          fit(settled(back, CARRIER_RATE_HZ), toneHz, CARRIER_RATE_HZ).amplitude / 10_000,
        );
        t.diagnostic(`8 to ${rateHz / 1_000} to 8 kHz at ${toneHz} Hz: ${level.toFixed(3)} dB`);
        assert.ok(Math.abs(level) < 0.1, `${toneHz} Hz through ${rateHz} Hz comes back at ${level} dB`);
      }
      up.free();
      down.free();
    }
  });

  it("lets nothing above the telephone's band fold into it", () => {
    const down = makeResampler(16_000, CARRIER_RATE_HZ);
    const result = through(down, tone(6_000, 16_000, 60));
    down.free();
    const loudest = settled(result, CARRIER_RATE_HZ).reduce(
      (most, sample) => Math.max(most, Math.abs(sample)),
      0,
    );
    assert.ok(loudest <= 2, `6 kHz at 10,000 folded down to ${loudest}`);
  });

  it("delays by 5 ms each way, no more", (t) => {
    for (const rateHz of [16_000, 24_000, 48_000]) {
      const [up, down] = [makeResampler(CARRIER_RATE_HZ, rateHz), makeResampler(rateHz, CARRIER_RATE_HZ)];
      const click = new Int16Array(4 * frameSamples(CARRIER_RATE_HZ));
      click[10] = 20_000;
      const back = through(down, through(up, click));
      const peak = back.reduce((best, sample, n) => (Math.abs(sample) > Math.abs(back[best]!) ? n : best), 0);
      const delayMs = ((peak - 10) * 1_000) / CARRIER_RATE_HZ;
      t.diagnostic(`8 to ${rateHz / 1_000} to 8 kHz: ${delayMs} ms`);
      assert.ok(delayMs > 0 && delayMs <= 10.25, `${delayMs} ms there and back`);
      up.free();
      down.free();
    }
  });

  it("clips rather than wraps", () => {
    const up = makeResampler(CARRIER_RATE_HZ, 16_000);
    const square = new Int16Array(160 * 10).map((_, n) => (Math.floor(n / 20) % 2 ? 32_767 : -32_768));
    const result = through(up, square);
    up.free();
    // In the middle of each half period, the sign is the input's.
    for (let half = 10; half < 70; half++) {
      const sample = result[half * 40 + 20 + 80]!;
      assert.ok(half % 2 ? sample > 25_000 : sample < -25_000, `half period ${half}: ${sample}`);
    }
  });

  it("forgets what came before at a reset, and its neighbours at all times", () => {
    const [one, other, fresh] = [0, 1, 2].map(() => makeResampler(CARRIER_RATE_HZ, 24_000));
    const voice = tone(440, CARRIER_RATE_HZ, 5);
    const expected = through(fresh!, voice);
    through(one!, tone(1_234, CARRIER_RATE_HZ, 7));
    assert.notDeepEqual(through(one!, voice), expected);
    one!.reset();
    const target = new Int16Array(480);
    for (let frame = 0; frame < 5; frame++) {
      other!.process(tone(2_000, CARRIER_RATE_HZ, 1), target);
      one!.process(voice.slice(frame * 160, (frame + 1) * 160), target);
      assert.deepEqual(target, expected.slice(frame * 480, (frame + 1) * 480));
    }
    for (const resampler of [one!, other!, fresh!]) resampler.free();
  });

  it("refuses frames of another length, and work after it is freed", () => {
    const resampler = makeResampler(CARRIER_RATE_HZ, 16_000);
    const copy = makeResampler(CARRIER_RATE_HZ, CARRIER_RATE_HZ);
    for (const [source, target] of [
      [159, 320],
      [160, 319],
      [320, 640],
    ] as const) {
      const frames = [new Int16Array(source), new Int16Array(target)] as const;
      assert.throws(() => resampler.process(...frames), assert.AssertionError);
      assert.throws(() => copy.process(...frames), assert.AssertionError);
    }
    resampler.free();
    copy.free();
    assert.throws(() => resampler.process(new Int16Array(160), new Int16Array(320)), assert.AssertionError);
    assert.throws(() => resampler.reset(), assert.AssertionError);
    assert.throws(() => resampler.free(), assert.AssertionError);
  });
});

describe("resamplers by the thousand", () => {
  it("leave no memory behind: 10,000 made and freed", async () => {
    const speex = await instantiateSpeex();
    const make = resamplersOf(speex);
    const live = Array.from({ length: 100 }, () => make(CARRIER_RATE_HZ, 48_000));
    const bytes = speex.HEAP16.byteLength;
    for (let made = 0; made < 10_000; made++) {
      const [fromHz, toHz] = pairs[made % pairs.length]!;
      live[made % live.length]!.free();
      live[made % live.length] = make(fromHz, toHz);
    }
    assert.equal(speex.HEAP16.byteLength, bytes);
    // Freed memory is found again, not merely plentiful: what is new lies where the old did.
    for (const resampler of live) resampler.free();
    const low = speex._malloc(1_000);
    assert.ok(low < 1_000_000, `an empty heap hands out its beginning, not ${low}`);
  });

  it("go on as before when making others moves their memory", async () => {
    const speex = await instantiateSpeex();
    const make = resamplersOf(speex);
    const [moved, still] = [make(CARRIER_RATE_HZ, 16_000), makeResampler(CARRIER_RATE_HZ, 16_000)];
    const voice = tone(440, CARRIER_RATE_HZ, 5);
    assert.deepEqual(through(moved, voice), through(still, voice));
    const before = speex.HEAP16;
    speex._malloc(before.byteLength);
    assert.notEqual(speex.HEAP16, before, "the memory grew");
    assert.deepEqual(through(moved, voice), through(still, voice));
  });
});
