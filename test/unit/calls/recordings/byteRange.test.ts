import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readByteRange } from "../../../../src/calls/recordings/byteRange.ts";

describe("a range of bytes", () => {
  for (const [header, start, end] of [
    ["bytes=0-0", 0, 1],
    ["bytes=0-", 0, 100],
    ["bytes=10-19", 10, 20],
    ["bytes=99-", 99, 100],
    ["bytes=90-1000", 90, 100],
    ["bytes=-1", 99, 100],
    ["bytes=-1000", 0, 100],
    ["bytes= 10 - 19", 10, 20],
    ["Bytes=10-19", 10, 20],
  ] as const) {
    it(`${header} of a hundred`, () => assert.deepEqual(readByteRange(header, 100), { start, end }));
  }

  it("that begins behind the end can't be given; one that can't be understood is as if it weren't there", () => {
    for (const header of ["bytes=100-", "bytes=100-200", "bytes=-0"])
      assert.equal(readByteRange(header, 100), "unsatisfiable", header);
    for (const header of [
      undefined,
      "",
      "bytes",
      "bytes=",
      "bytes=-",
      "bytes=5-4",
      "bytes=0-1,5-6",
      "bytes=a-b",
      "lines=0-1",
      "bytes=0x1-2",
      "bytes=9999999999999999-",
    ])
      assert.equal(readByteRange(header, 100), "none", header);
  });
});
