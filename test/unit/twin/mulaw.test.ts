import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compress, decode, encode, expand, SILENCE_CODE } from "../../../src/twin/mulaw.ts";

const CODES = Array.from({ length: 256 }, (_, code) => code);
const MINUS_ZERO = 0x7f;

describe("the twin's mu-law", () => {
  it("knows the corners of G.711's table", () => {
    // Codes with their inverted bits: 0x80 is the largest positive value, 0xff and 0x7f are the two zeros.
    const table: [code: number, sample: number][] = [
      [0x80, 32_124],
      [0x00, -32_124],
      [0x8f, 16_764],
      [0x90, 15_996],
      [0xef, 132],
      [0xf0, 120],
      [0xfe, 8],
      [0x7e, -8],
      [0xff, 0],
      [0x7f, 0],
    ];
    for (const [code, sample] of table) assert.equal(expand(code) + 0, sample, `code ${code}`);
  });

  it("is symmetric, and steps monotonically from silence to full scale", () => {
    for (let code = 0x80; code < 0xff; code++) {
      assert.ok(expand(code) > expand(code + 1));
      assert.equal(expand(code & 0x7f), -expand(code));
    }
  });

  it("gives every code back, but for minus zero, which becomes zero", () => {
    for (const code of CODES) {
      assert.equal(compress(expand(code)), code === MINUS_ZERO ? SILENCE_CODE : code);
    }
  });

  it("is off by half a step of the code's segment at most", () => {
    for (let sample = -32_635; sample <= 32_635; sample++) {
      const code = compress(sample);
      const halfStep = 4 << ((~code >> 4) & 7);
      assert.ok(Math.abs(expand(code) - sample) <= halfStep, `sample ${sample} became ${expand(code)}`);
    }
  });

  it("clips what is louder than the loudest code", () => {
    assert.equal(compress(32_767), 0x80);
    assert.equal(compress(-32_768), 0x00);
  });

  it("takes whole arrays, one for one", () => {
    const samples = Int16Array.of(0, 8, -8, 32_767, -32_768);
    assert.deepEqual([...encode(samples)], [0xff, 0xfe, 0x7e, 0x80, 0x00]);
    assert.deepEqual([...decode(encode(samples))], [0, 8, -8, 32_124, -32_124]);
  });
});
