import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  base64Length,
  decodeBase64,
  encodeBase64,
  skipBase64,
} from "../../../../src/media/kernels/base64.ts";
import { bytesOf } from "../protocol/wire.ts";

const LENGTH_MAX = 700;
const WHOLE_GROUPS = /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decoded(text: string): Buffer | undefined {
  const characters = bytesOf(text);
  const target = new Uint8Array(characters.length);
  const length = decodeBase64(characters, 0, characters.length, target);
  return length < 0 ? undefined : Buffer.from(target.subarray(0, length));
}

describe("base64", () => {
  it("is what Node's Buffer says, both ways, at every length to 700", () => {
    for (let length = 0; length <= LENGTH_MAX; length++)
      fc.assert(
        fc.property(fc.uint8Array({ minLength: length, maxLength: length }), (bytes) => {
          const expected = Buffer.from(bytes).toString("base64");
          const target = new Uint8Array(base64Length(length));
          assert.equal(encodeBase64(bytes, 0, length, target, 0), expected.length);
          assert.equal(Buffer.from(target).toString("latin1"), expected);
          assert.deepEqual(decoded(expected), Buffer.from(bytes));
        }),
        { numRuns: 3 },
      );
  });

  it("reads and writes in the middle of larger buffers, and nowhere else", () => {
    const source = bytesOf("..hello...");
    const target = new Uint8Array(12).fill(1);
    assert.equal(encodeBase64(source, 2, 7, target, 2), 8);
    assert.equal(Buffer.from(target).toString("latin1"), "\x01\x01aGVsbG8=\x01\x01");
    const back = new Uint8Array(8).fill(1);
    assert.equal(decodeBase64(target, 2, 10, back), 5);
    assert.equal(Buffer.from(back).toString("latin1"), "hello\x01\x01\x01");
  });

  it("takes whole padded groups of the standard alphabet and nothing else", () => {
    const characters = fc.constantFrom(..."AZaz09+/=-_ \n\u0000é\u0141");
    const texts = fc.oneof(
      fc.string({ unit: characters, maxLength: 24 }),
      fc
        .tuple(fc.uint8Array({ maxLength: LENGTH_MAX }), fc.nat(), characters)
        .map(([bytes, at, character]) => {
          const text = [...Buffer.from(bytes).toString("base64")];
          text[at % (text.length + 1)] = character;
          return text.join("");
        }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        assert.deepEqual(decoded(text), WHOLE_GROUPS.test(text) ? Buffer.from(text, "base64") : undefined);
      }),
      { numRuns: 5_000 },
    );
  });

  it("takes each of the 256 bytes for what it is, in each place of a group", () => {
    for (let byte = 0; byte < 256; byte++)
      for (let place = 0; place < 4; place++) {
        const group = Buffer.from("AAAA");
        group[place] = byte;
        const text = group.toString("latin1");
        const expected = WHOLE_GROUPS.test(text) ? Buffer.from(text, "base64").length : -1;
        assert.equal(decodeBase64(group, 0, 4, new Uint8Array(3)), expected, text);
        assert.equal(skipBase64(group, 0), expected === -1 ? 0 : 4, text);
      }
  });

  it("does not write past its target", () => {
    const characters = bytesOf("aGVsbG8=");
    assert.equal(decodeBase64(characters, 0, 8, new Uint8Array(4)), -1);
    assert.equal(decodeBase64(characters, 0, 8, new Uint8Array(5)), 5);
    assert.equal(decodeBase64(characters, 0, 12, new Uint8Array(9)), -1);
    assert.equal(decodeBase64(characters, 4, 0, new Uint8Array(9)), -1);
  });

  it("ends where it ends", () => {
    for (const [text, end] of [
      ["", 0],
      ['AAAA"', 4],
      ['AAAAAA"', 4],
      ['AAAAAA=="', 8],
      ['AAAAAAA="', 8],
      ['AA=A"', 0],
      ['AAAA===="', 4],
      ["AAA", 0],
    ] as const)
      assert.equal(skipBase64(bytesOf(text), 0), end, text);
  });
});
