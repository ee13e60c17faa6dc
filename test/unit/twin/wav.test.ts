import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { levelDbfs } from "../../../src/twin/level.ts";
import { RateError, toTelephone } from "../../../src/twin/resample.ts";
import { RATE_HZ } from "../../../src/twin/track.ts";
import { readWav, WavError, writeWav } from "../../../src/twin/wav.ts";

const samplesArbitrary = fc.array(fc.integer({ min: -32_768, max: 32_767 }), { maxLength: 50 });

describe("WAV files", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(
        samplesArbitrary,
        fc.boolean(),
        fc.constantFrom(8_000, 44_100, 48_000),
        (samples, stereo, rateHz) => {
          const left = Int16Array.from(samples);
          const channels = stereo ? [left, left.toReversed()] : [left];
          assert.deepEqual(readWav(writeWav({ rateHz, channels })), { rateHz, channels });
        },
      ),
    );
  });

  it("fill up the shorter channel with silence", () => {
    const file = writeWav({ rateHz: 8_000, channels: [Int16Array.of(1, 2), Int16Array.of(3)] });
    assert.deepEqual(readWav(file).channels, [Int16Array.of(1, 2), Int16Array.of(3, 0)]);
  });

  it("may hold mu-law, be extensible, and have other chunks before the audio", () => {
    const mulaw = riff(
      ["fmt ", format(7, 1, 8_000, 8)],
      ["fact", [1, 0, 0, 0]],
      ["data", [0x80, 0xff, 0x00]],
    );
    assert.deepEqual(readWav(mulaw).channels, [Int16Array.of(32_124, 0, -32_124)]);
    const extension = [22, 0, 16, 0, 4, 0, 0, 0, 1, 0, ...new Array(14).fill(0)];
    const extensible = riff(
      ["LIST", [1, 2, 3]],
      ["fmt ", [...format(0xfffe, 1, 16_000, 16), ...extension]],
      ["data", [1, 1]],
    );
    assert.deepEqual(readWav(extensible), { rateHz: 16_000, channels: [Int16Array.of(257)] });
  });

  it("may claim to be longer than they are, as streamed ones do", () => {
    const file = writeWav({ rateHz: 8_000, channels: [Int16Array.of(1, 2, 3)] });
    file.writeUInt32LE(0xffff_ffff, 40);
    assert.deepEqual(readWav(file).channels, [Int16Array.of(1, 2, 3)]);
  });

  const refused: [what: string, file: Buffer, words: RegExp][] = [
    ["text", Buffer.from("Hello, this is not audio at all."), /is not a WAV file/],
    ["24 bits", riff(["fmt ", format(1, 1, 8_000, 24)], ["data", []]), /is 24-bit audio of format 1/],
    ["float", riff(["fmt ", format(3, 1, 8_000, 32)], ["data", []]), /is 32-bit audio of format 3/],
    ["six channels", riff(["fmt ", format(1, 6, 8_000, 16)], ["data", []]), /has 6 channels/],
    ["no format", riff(["data", []]), /has no format/],
    ["no audio", riff(["fmt ", format(1, 1, 8_000, 16)]), /has no audio/],
  ];
  for (const [what, file, words] of refused) {
    it(`are refused with ${what}`, () => assert.throws(() => readWav(file), words));
  }

  it("never fail but in words, wherever they are cut", () => {
    const file = writeWav({ rateHz: 8_000, channels: [Int16Array.of(1, 2, 3), Int16Array.of(4, 5, 6)] });
    for (let length = 0; length < file.length; length++) {
      try {
        readWav(file.subarray(0, length));
      } catch (error) {
        assert.ok(error instanceof WavError, `cut at ${length}: ${error}`);
      }
    }
  });
});

describe("bringing speech to the telephone's rate", () => {
  for (const rateHz of [11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]) {
    it(`keeps a tone's pitch and level from ${rateHz} Hz`, () => {
      const samples = toTelephone({ rateHz, channels: [tone(1_000, rateHz, 0.5)] });
      const expected = tone(1_000, RATE_HZ, 0.5);
      assert.equal(samples.length, expected.length);
      // The edges lack the neighbours that the filter wants.
      for (let i = 100; i < samples.length - 100; i++) {
        assert.ok(Math.abs(samples[i]! - expected[i]!) < 50, `sample ${i}: ${samples[i]} for ${expected[i]}`);
      }
    });

    it(`removes from ${rateHz} Hz what the telephone cannot carry`, () => {
      const samples = toTelephone({ rateHz, channels: [tone(4_600, rateHz, 0.5)] });
      assert.ok(levelDbfs(samples.subarray(100, -100)) < -60);
    });
  }

  it("averages two channels", () => {
    const channels = [Int16Array.of(100, -100), Int16Array.of(300, 100)];
    assert.deepEqual(toTelephone({ rateHz: RATE_HZ, channels }), Int16Array.of(200, 0));
  });

  it("refuses rates that are no speech recording's", () => {
    for (const rateHz of [4_000, 96_000]) {
      assert.throws(() => toTelephone({ rateHz, channels: [new Int16Array(10)] }), RateError);
    }
  });
});

describe("the recordings", () => {
  const folder = new URL("../../../src/twin/recordings/", import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith(".wav"));
  assert.ok(files.length > 0);
  for (const name of files) {
    it(`${name} is speech at the telephone's rate, at about −6 dBFS`, () => {
      const { rateHz, channels } = readWav(readFileSync(new URL(name, folder)));
      assert.equal(rateHz, RATE_HZ);
      assert.equal(channels.length, 1);
      const peak = channels[0]!.reduce((loudest, sample) => Math.max(loudest, Math.abs(sample)), 0);
      assert.ok(Math.abs(20 * Math.log10(peak / 32_768) + 6) < 0.2);
    });
  }
});

describe("levels", () => {
  it("are below full scale, and endlessly low for silence", () => {
    assert.equal(levelDbfs(Int16Array.of(-32_768, -32_768)), 0);
    assert.ok(Math.abs(levelDbfs(tone(1_000, 8_000, 1)) + 3.01) < 0.01);
    assert.equal(levelDbfs(new Int16Array(160)), Number.NEGATIVE_INFINITY);
    assert.equal(levelDbfs(new Int16Array(0)), Number.NEGATIVE_INFINITY);
  });
});

/** A quarter of a second. */
function tone(hz: number, rateHz: number, amplitude: number): Int16Array {
  const length = Math.floor(rateHz / 4);
  return Int16Array.from({ length }, (_, i) =>
    Math.round(32_767 * amplitude * Math.sin((2 * Math.PI * hz * i) / rateHz)),
  );
}

function format(tag: number, channels: number, rateHz: number, bits: number): number[] {
  const fields = Buffer.alloc(16);
  fields.writeUInt16LE(tag, 0);
  fields.writeUInt16LE(channels, 2);
  fields.writeUInt32LE(rateHz, 4);
  fields.writeUInt32LE((rateHz * channels * bits) / 8, 8);
  fields.writeUInt16LE((channels * bits) / 8, 12);
  fields.writeUInt16LE(bits, 14);
  return [...fields];
}

function riff(...chunks: [name: string, bytes: number[]][]): Buffer {
  const body = chunks.map(([name, bytes]) => {
    const header = Buffer.from(`${name}....`, "latin1");
    header.writeUInt32LE(bytes.length, 4);
    return Buffer.concat([header, Buffer.from(bytes), Buffer.alloc(bytes.length % 2)]);
  });
  return Buffer.concat([Buffer.from("RIFF....WAVE", "latin1"), ...body]);
}
