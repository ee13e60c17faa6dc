// The folder of recordings on a real disk: what a kill has left, what is past its date, and what is none of ours.
import assert from "node:assert/strict";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import { AudioBody, audioBytes, SIDES } from "../../../../src/calls/recordings/audioBody.ts";
import { RecordingsFolder } from "../../../../src/calls/recordings/folder.ts";
import { RunId } from "../../../../src/domain/ids.ts";
import { PART, recordingName } from "../../../../src/domain/recordingFile.ts";
import { PartFile } from "../../../../src/media/recording/partFile.ts";
import { readWav } from "../../../../src/twin/wav.ts";
import { MovableClock } from "../../../support/movableClock.ts";

const SEED = 20_261_128;
const DAY_MS = 86_400_000;

/** Samples that tell their place and their side. */
const left = (moment: number) => (moment * 7 + 1) % 30_000;
const right = (moment: number) => -left(moment) - 1;

function pcm(moments: number): Uint8Array {
  return new Uint8Array(
    Int16Array.from({ length: 2 * moments }, (_, i) => (i % 2 === 0 ? left(i / 2) : right((i - 1) / 2)))
      .buffer,
  );
}

async function folder(t: TestContext) {
  const path = mkdtempSync(join(tmpdir(), "linecard-recordings-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  const clock = new MovableClock();
  const tended: [number, number][] = [];
  const untended: unknown[] = [];
  const observer = {
    recordingsTended: (deleted: number, repaired: number) => tended.push([deleted, repaired]),
    recordingsUntended: (error: unknown) => untended.push(error),
  };
  const name = (run: number, startedDaysAgo = 0, retentionDays = 30) =>
    recordingName(RunId(run), clock.wallMs() - startedDaysAgo * DAY_MS, retentionDays);
  return {
    path,
    clock,
    tended,
    untended,
    name,
    list: () => readdirSync(path).sort(),
    /** As a start does, before any call can come. */
    find: () => RecordingsFolder.find(path, clock, observer),
    /** A recording as a recorder that is killed leaves it. */
    async unfinished(file: string, moments: number) {
      const part = new PartFile(path, [file], false);
      await part.open();
      await part.writeAt(0, pcm(moments));
      await part.close();
    },
  };
}

describe("the folder of recordings at a start", () => {
  it("makes whole what a kill has left, wherever in a write that was", async (t) => {
    t.diagnostic(`seed ${SEED}`);
    const { path, name, unfinished, find, list, tended } = await folder(t);
    const [cuts] = fc.sample(fc.array(fc.nat(44 + 4_000), { minLength: 12, maxLength: 12 }), {
      seed: SEED,
      numRuns: 1,
    });
    const lengths = [0, 1, 43, 44, 45, 47, 48, ...cuts!];
    for (const [run, bytes] of lengths.entries()) {
      await unfinished(name(run), 1_000);
      truncateSync(join(path, name(run) + PART), bytes);
    }
    await (await find()).tend();
    assert.deepEqual(list(), lengths.map((_, run) => name(run)).sort());
    assert.deepEqual(tended, [[0, lengths.length]]);
    for (const [run, bytes] of lengths.entries()) {
      const moments = Math.max(0, Math.floor((bytes - 44) / 4));
      const file = readFileSync(join(path, name(run)));
      assert.equal(file.length, 44 + 4 * moments);
      assert.equal(file.readUInt32LE(4), file.length - 8);
      const { rateHz, channels } = readWav(file);
      assert.equal(rateHz, 8_000);
      assert.deepEqual(
        channels[0],
        Int16Array.from({ length: moments }, (_, at) => left(at)),
      );
      assert.deepEqual(
        channels[1],
        Int16Array.from({ length: moments }, (_, at) => right(at)),
      );
    }
  });

  it("leaves alone what calls have begun since, until nobody has written to it for an hour", async (t) => {
    const { path, name, unfinished, find, list, tended } = await folder(t);
    const found = await find();
    await unfinished(name(1), 100);
    await unfinished(name(2), 100);
    const longAgoS = Date.now() / 1_000 - 3_700;
    utimesSync(join(path, name(2) + PART), longAgoS, longAgoS);
    await found.tend();
    assert.deepEqual(list(), [name(1) + PART, name(2)].sort());
    assert.deepEqual(tended, [[0, 1]]);
  });

  it("deletes what is past its date, finished or not, and nothing that is not a recording", async (t) => {
    const { path, name, unfinished, find, list, tended, clock, untended } = await folder(t);
    const foreign = ["notes.txt", "run-1.wav", "run-00000001-2026-01-01-until-2026-99-99.wav", "x.part"];
    for (const file of foreign) writeFileSync(join(path, file), "");
    writeFileSync(join(path, name(1, 31, 30)), "");
    await unfinished(name(2, 40, 30), 10);
    writeFileSync(join(path, name(3, 29, 30)), "");
    const found = await find();
    await found.tend();
    assert.deepEqual(list(), [...foreign, name(3, 29, 30)].sort());
    assert.deepEqual(tended, [[2, 0]]);
    const kept = name(3, 29, 30);
    clock.jump(2 * DAY_MS);
    await found.tend();
    assert.ok(!list().includes(kept));
    assert.deepEqual(untended, []);
  });

  it("may not be there at all, or be no folder, which is said and breaks nothing", async (t) => {
    const { path, clock, untended } = await folder(t);
    const observer = {
      recordingsTended: () => {},
      recordingsUntended: (error: unknown) => untended.push(error),
    };
    const missing = await RecordingsFolder.find(join(path, "none"), clock, observer);
    await missing.tend();
    assert.deepEqual(untended, []);
    assert.equal(await missing.open(recordingName(RunId(1), 0, 1)), undefined);
    writeFileSync(join(path, "file"), "");
    await (await RecordingsFolder.find(join(path, "file"), clock, observer)).tend();
    assert.deepEqual(
      untended.map((error) => (error as NodeJS.ErrnoException).code),
      ["ENOTDIR", "ENOTDIR"],
    );
  });
});

describe("a recording that is read", () => {
  it("has on every side, from any byte to any other, what the whole file of that side has", async (t) => {
    t.diagnostic(`seed ${SEED}`);
    const { path, name, unfinished, find } = await folder(t);
    const moments = 40_000; // more than two pieces
    await unfinished(name(1), moments);
    const found = await find();
    async function bytes(side: (typeof SIDES)[number], start: number, end: number): Promise<Buffer> {
      let closed = 0;
      const body = new AudioBody((await found.open(name(1)))!, side, { start, end }, () => closed++);
      assert.equal(body.bytes, end - start);
      const pieces: Buffer[] = [];
      for (let read = 0; read < body.bytes; read += pieces.at(-1)!.length) {
        pieces.push(Buffer.from(await body.read()));
        assert.ok(pieces.at(-1)!.length > 0 && pieces.at(-1)!.length <= 65_536);
      }
      await body.close();
      assert.equal(closed, 1);
      return Buffer.concat(pieces);
    }
    for (const side of SIDES) {
      const length = audioBytes(side, moments);
      const whole = await bytes(side, 0, length);
      const { channels } = readWav(whole);
      const sides = { both: [left, right], caller: [left], agent: [right] }[side];
      assert.equal(whole.readUInt32LE(40), length - 44, "the header tells the length so far");
      for (const [index, sampleAt] of sides.entries())
        assert.deepEqual(
          channels[index],
          Int16Array.from({ length: moments }, (_, at) => sampleAt(at)),
        );
      const anyRange = fc
        .tuple(fc.nat(length - 1), fc.nat(length - 1))
        .map(([a, b]) => [Math.min(a, b), Math.max(a, b) + 1]);
      const edges = [0, 43, 44, 45, 46, 47, 48, 65_535, 65_580, length - 1].map((at) => [
        at,
        Math.min(length, at + 3),
      ]);
      for (const [start, end] of [...edges, ...fc.sample(anyRange, { seed: SEED, numRuns: 20 })])
        assert.ok(
          (await bytes(side, start!, end!)).equals(whole.subarray(start, end)),
          `${side} ${start}-${end}`,
        );
    }
    truncateSync(join(path, name(1) + PART), 1_000);
    const body = new AudioBody(
      { ...(await found.open(name(1)))!, moments },
      "both",
      { start: 44, end: 9_000 },
      () => {},
    );
    await assert.rejects(body.read(), /shorter/);
    await body.close();
  });
});
