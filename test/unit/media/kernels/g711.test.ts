import assert from "node:assert/strict";
import { describe, it } from "node:test";
import alawmulaw from "alawmulaw";
import { decodeMulaw, encodeMulaw, MULAW_SILENCE } from "../../../../src/media/kernels/g711.ts";

const CODES = Uint8Array.from({ length: 256 }, (_, code) => code);
const SAMPLES = Int16Array.from({ length: 65_536 }, (_, index) => index - 32_768);

const decoded = (codes: Uint8Array): Int16Array => {
  const samples = new Int16Array(codes.length);
  decodeMulaw(codes, samples);
  return samples;
};
const encoded = (samples: Int16Array): Uint8Array => {
  const codes = new Uint8Array(samples.length);
  encodeMulaw(samples, codes);
  return codes;
};

describe("mu-law", () => {
  it("decodes each of the 256 codes as alawmulaw does", () => {
    assert.deepEqual(decoded(CODES), alawmulaw.mulaw.decode(CODES));
  });

  it("encodes each of the 65,536 samples as alawmulaw does", () => {
    assert.deepEqual(encoded(SAMPLES), alawmulaw.mulaw.encode(SAMPLES));
  });

  it("is G.711: its levels, their signs, and its two zeros", () => {
    // The positive end of each of the eight segments, from the standard's table of decoder outputs, at 16 bits.
    const ends = [0xff, 0xef, 0xdf, 0xcf, 0xbf, 0xaf, 0x9f, 0x8f];
    assert.deepEqual([...decoded(Uint8Array.from(ends))], [0, 132, 396, 924, 1_980, 4_092, 8_316, 16_764]);
    assert.deepEqual([...decoded(Uint8Array.of(0x80, 0x00, 0xff, 0x7f))], [32_124, -32_124, 0, 0]);
    assert.deepEqual([...encoded(Int16Array.of(0, 32_767, -32_768))], [MULAW_SILENCE, 0x80, 0x00]);
  });

  it("gives every code back but the second zero, which becomes the first", () => {
    assert.deepEqual(
      encoded(decoded(CODES)),
      CODES.map((code) => (code === 0x7f ? MULAW_SILENCE : code)),
    );
  });

  it("puts every sample on one of the two levels around it", () => {
    const levels = [...new Set(decoded(CODES))].sort((a, b) => a - b);
    const back = decoded(encoded(SAMPLES));
    let above = 0;
    for (const [index, sample] of SAMPLES.entries()) {
      while (above < levels.length - 1 && levels[above]! < sample) above++;
      const around = [levels[above], levels[Math.max(0, above - 1)]];
      assert.ok(around.includes(back[index]!), `${sample} between ${around} became ${back[index]}`);
    }
  });

  it("refuses a target of another length", () => {
    assert.throws(() => decodeMulaw(new Uint8Array(160), new Int16Array(161)), assert.AssertionError);
    assert.throws(() => encodeMulaw(new Int16Array(160), new Uint8Array(159)), assert.AssertionError);
  });
});
