// What the gateway itself says: our own recordings, an operator's files, and files that can't be said.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { CARRIER_FRAME_SAMPLES } from "../../../../src/domain/audio.ts";
import { PROMPTS } from "../../../../src/lane/news.ts";
import { decodeMulaw, encodeMulaw, MULAW_SILENCE } from "../../../../src/media/kernels/g711.ts";
import { PromptFilesError, readPrompts } from "../../../../src/media/recordings/recordings.ts";
import { mulawOf, WavFault } from "../../../../src/media/recordings/wav.ts";
import { writeWav } from "../../../../src/twin/wav.ts";
import { levelDb, RATE_HZ, tone } from "../../../support/sound.ts";

const folder = mkdtempSync(join(tmpdir(), "linecard-prompts-"));
after(() => rmSync(folder, { recursive: true }));
const fileOf = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

interface Header {
  readonly tag?: number;
  readonly bits?: number;
  readonly rateHz?: number;
  readonly channels?: number;
  /** In front of the audio, as editors leave them. */
  readonly chunksBefore?: readonly Buffer[];
}

const chunk = (name: string, body: Uint8Array): Buffer => {
  const head = Buffer.alloc(8);
  head.write(name, "latin1");
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
};

/** A WAV file with any header before any audio. */
function wav(
  audio: Uint8Array,
  { tag = 1, bits = 16, rateHz = RATE_HZ, channels = 1, chunksBefore = [] }: Header = {},
) {
  const format = Buffer.alloc(tag === 0xfffe ? 40 : 16);
  format.writeUInt16LE(tag, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(rateHz, 4);
  format.writeUInt16LE(bits, 14);
  if (tag === 0xfffe) format.writeUInt16LE(1, 24);
  const body = Buffer.concat([chunk("fmt ", format), ...chunksBefore, chunk("data", audio)]);
  return Buffer.concat([chunk("RIFF", Buffer.concat([Buffer.from("WAVE"), body]))]);
}

const bytesOf = (samples: Int16Array): Uint8Array =>
  new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);

/** What is wrong with the one file that is. */
function fault(path: string): string {
  try {
    readPrompts({ apology: path });
  } catch (error) {
    assert.ok(error instanceof PromptFilesError);
    assert.deepEqual(error.faults, [{ prompt: "apology", message: error.message }]);
    const [, what] = error.message.split(`the file ${path} `);
    return what ?? assert.fail(error.message);
  }
  assert.fail(`nothing is wrong with ${path}`);
}

describe("the gateway's own recordings", () => {
  const prompts = readPrompts();

  it("are speech in whole frames, in memory that threads share", () => {
    assert.deepEqual(Object.keys(prompts), [...PROMPTS]);
    assert.ok(Object.isFrozen(prompts));
    for (const prompt of PROMPTS) {
      const said = prompts[prompt];
      assert.ok(said.buffer instanceof SharedArrayBuffer, prompt);
      assert.equal(said.length % CARRIER_FRAME_SAMPLES, 0, prompt);
      assert.ok(said.length > RATE_HZ && said.length < 6 * RATE_HZ, `${prompt}: ${said.length} bytes`);
      const samples = new Int16Array(said.length);
      decodeMulaw(said, samples);
      const level = levelDb(samples);
      assert.ok(level > -25 && level < -15, `${prompt}: ${level} dBFS`);
    }
  });

  it("are the same memory after a clone, as a worker gets them", () => {
    assert.equal(structuredClone(prompts.comfort).buffer.byteLength, prompts.comfort.byteLength);
    const clone = structuredClone(prompts);
    clone.comfort[0] = 7;
    assert.equal(prompts.comfort[0], 7);
    clone.comfort[0] = MULAW_SILENCE;
  });
});

describe("an operator's file", () => {
  const samples = tone(440, 110);

  it("is said in place of ours, 16-bit PCM as mu-law, its last frame filled up with silence", () => {
    const expected = new Uint8Array(6 * CARRIER_FRAME_SAMPLES).fill(MULAW_SILENCE);
    encodeMulaw(samples, expected.subarray(0, samples.length));
    const path = fileOf("pcm.wav", writeWav({ rateHz: RATE_HZ, channels: [samples] }));
    const prompts = readPrompts({ comfort: path, apology: undefined });
    assert.deepEqual(prompts.comfort, new Uint8Array(expected));
    assert.deepEqual(prompts.apology, readPrompts().apology);
  });

  it("may be mu-law, and is then said byte for byte", () => {
    const codes = Uint8Array.from({ length: 2 * CARRIER_FRAME_SAMPLES }, (_, i) => i & 0xff);
    const path = fileOf("mulaw.wav", wav(codes, { tag: 7, bits: 8 }));
    assert.deepEqual(new Uint8Array(readPrompts({ announcement: path }).announcement), codes);
  });

  it("may have other chunks, an extensible format, and a length that runs past its end", () => {
    const plain = mulawOf(wav(bytesOf(samples)));
    assert.deepEqual(mulawOf(wav(bytesOf(samples), { tag: 0xfffe })), plain);
    assert.deepEqual(
      mulawOf(wav(bytesOf(samples), { chunksBefore: [chunk("LIST", Buffer.alloc(27))] })),
      plain,
    );
    const streamed = wav(bytesOf(samples));
    streamed.writeUInt32LE(0xffff_ffff, streamed.indexOf("data") + 4);
    assert.deepEqual(mulawOf(streamed), plain);
  });

  it("may last 30 s and no longer", () => {
    const longest = Buffer.alloc(30 * RATE_HZ, MULAW_SILENCE);
    const path = fileOf("long.wav", wav(longest, { tag: 7, bits: 8 }));
    assert.equal(readPrompts({ comfort: path }).comfort.length, longest.length);
    const tooLong = fileOf(
      "too-long.wav",
      wav(Buffer.concat([longest, Buffer.alloc(2)]), { tag: 7, bits: 8 }),
    );
    assert.match(fault(tooLong), /^is longer than 30 s; .* trim 0 30$/);
  });

  for (const [what, bytes] of [
    ["is not a WAV file", Buffer.from("ID3\u0003")],
    ["is not a WAV file", Buffer.alloc(0)],
    ["has no format", Buffer.from("RIFF\0\0\0\0WAVE")],
    ["has no audio", wav(Buffer.alloc(0))],
    ["has no audio", wav(Buffer.alloc(1))],
    ["has 2 channels, not 1", wav(Buffer.alloc(8), { channels: 2 })],
    ["is at 44100 Hz, not 8000", wav(Buffer.alloc(8), { rateHz: 44_100 })],
    ["is 24-bit audio of format 1, neither 16-bit PCM nor mu-law", wav(Buffer.alloc(6), { bits: 24 })],
    ["is 8-bit audio of format 6, neither 16-bit PCM nor mu-law", wav(Buffer.alloc(6), { tag: 6, bits: 8 })],
  ] as const) {
    it(`that ${what} is refused with the command that mends it`, () => {
      const path = fileOf("caller's.wav", bytes);
      const quoted = path.replace("'", "'\\''");
      const mended = quoted.replace(/\.wav$/, ".8k.wav");
      assert.equal(
        fault(path),
        `${what}; make one that fits: sox '${quoted}' -r 8000 -c 1 -b 16 -e signed-integer '${mended}' trim 0 30`,
      );
    });
  }

  it("that can't be read is refused without one", () => {
    assert.equal(fault(join(folder, "none.wav")), "can't be read (ENOENT)");
    assert.equal(fault(folder), "can't be read (EISDIR)");
  });

  it("is refused together with the others that are", () => {
    const missing = { comfort: join(folder, "a.wav"), announcement: join(folder, "b.wav") };
    assert.throws(() => readPrompts(missing), {
      name: "PromptFilesError",
      faults: [
        { prompt: "comfort", message: `the file ${missing.comfort} can't be read (ENOENT)` },
        { prompt: "announcement", message: `the file ${missing.announcement} can't be read (ENOENT)` },
      ],
    });
  });

  it("may be anything: it is taken whole or refused in words", () => {
    const file = wav(bytesOf(samples), { chunksBefore: [chunk("LIST", Buffer.alloc(5))] });
    const changes = fc.array(fc.tuple(fc.nat({ max: 80 }), fc.nat({ max: 255 })), { maxLength: 6 });
    fc.assert(
      fc.property(changes, fc.nat({ max: file.length }), (bytes, length) => {
        const changed = Buffer.from(file.subarray(0, length));
        for (const [at, byte] of bytes) if (at < length) changed[at] = byte;
        try {
          const { length: said } = mulawOf(changed);
          assert.ok(said > 0 && said <= length);
        } catch (error) {
          assert.ok(error instanceof WavFault, String(error));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
