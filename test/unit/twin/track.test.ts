import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { expand } from "../../../src/twin/mulaw.ts";
import { Track } from "../../../src/twin/track.ts";

const LOUD = 0x80;
const loud = (samples: number) => new Uint8Array(samples).fill(LOUD);

describe("a track", () => {
  it("is silent where nothing was written", () => {
    const track = new Track();
    track.write(16, loud(8));
    track.write(32, loud(8));
    const samples = track.samples(1, 6);
    assert.equal(samples.length, 40);
    for (const [i, sample] of samples.entries()) {
      const isLoud = (i >= 8 && i < 16) || (i >= 24 && i < 32);
      assert.equal(sample, isLoud ? expand(LOUD) : 0, `sample ${i}`);
    }
  });

  it("gives back a part that begins and ends inside segments", () => {
    const track = new Track();
    track.write(
      0,
      Uint8Array.from({ length: 32 }, (_, i) => i),
    );
    assert.deepEqual(
      [...track.samples(1, 2)],
      Array.from({ length: 8 }, (_, i) => expand(8 + i)),
    );
  });

  it("takes back what has not been reached", () => {
    const track = new Track();
    for (let at = 0; at < 64; at += 16) track.write(at, loud(16));
    track.cut(24);
    assert.equal(track.samples(0, 8).filter((sample) => sample !== 0).length, 24);
    track.cut(0);
    assert.ok(track.samples(0, 8).every((sample) => sample === 0));
  });

  it("is empty when the end lies before the beginning", () => {
    assert.equal(new Track().samples(10, 5).length, 0);
  });
});
