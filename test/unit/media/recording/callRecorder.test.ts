// A call's recorder against a disk in memory and a clock that is moved by hand: what is in the file is held against
// what an ear at the telephone has heard.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import type { News } from "../../../../src/lane/news.ts";
import { OutboundTrack } from "../../../../src/media/audio/outboundTrack.ts";
import { CallRecorder, type RecordingFile } from "../../../../src/media/recording/callRecorder.ts";
import { decode, SILENCE_CODE } from "../../../../src/twin/mulaw.ts";
import { ManualClock } from "../../../support/manualClock.ts";

const SEED = 20_261_126;
const PER_MS = 8;
const FRAME = 160;
const frameOf = (code: number) => new Uint8Array(FRAME).fill(code);

/** A disk that is as slow as it is told to be, and fails when it is told to. */
class Disk implements RecordingFile {
  readonly name = "run-00000001.wav";
  readonly isNew: boolean;
  pcm = new Int16Array(0);
  moments: number | undefined;
  writes = 0;
  isClosed = false;
  failure: Error | undefined;
  /** Nothing is written until it resolves. */
  stuck: Promise<void> | undefined;

  constructor(isNew = true) {
    this.isNew = isNew;
  }

  async open(): Promise<boolean> {
    await this.#work();
    return this.isNew;
  }

  async writeAt(moment: number, bytes: Uint8Array): Promise<void> {
    const pcm = new Int16Array(bytes.slice().buffer);
    await this.#work();
    this.writes++;
    const longer = new Int16Array(Math.max(this.pcm.length, moment * 2 + pcm.length));
    longer.set(this.pcm);
    longer.set(pcm, moment * 2);
    this.pcm = longer;
  }

  async finish(moments: number): Promise<void> {
    await this.#work();
    this.moments = moments;
    this.isClosed = true;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  side(channel: 0 | 1): Int16Array {
    const length = this.moments ?? this.pcm.length / 2;
    return Int16Array.from({ length }, (_, i) => this.pcm[2 * i + channel] ?? 0);
  }

  async #work(): Promise<void> {
    await this.stuck;
    if (this.failure !== undefined) throw this.failure;
  }
}

function record(disk = new Disk(), startedAgoMs = 0) {
  const clock = new ManualClock();
  const startedMs = clock.nowMs() - startedAgoMs;
  const told: Extract<News, { kind: "recording" }>[] = [];
  let closed = 0;
  const recorder = new CallRecorder({
    file: disk,
    inTurn: (work) => work(),
    clock,
    startedMs,
    tell: (news) => news.kind === "recording" && told.push(news),
    closed: () => closed++,
  });
  return {
    disk,
    clock,
    recorder,
    told,
    startedMs,
    closed: () => closed,
    /** Lets time pass, and the disk do what it can. `each` happens every millisecond. */
    async pass(ms: number, each: (nowMs: number) => void = () => {}) {
      for (let passed = 1; passed <= ms; passed++) {
        clock.advance(1);
        each(clock.nowMs());
        if (clock.nowMs() % 20 !== 0) continue;
        recorder.tick(clock.nowMs());
        await turn();
      }
    },
    async finish() {
      recorder.finish(clock.nowMs());
      for (let turns = 0; turns < 20 && closed === 0; turns++) await turn();
    },
  };
}

/** What the person on the phone hears, one code to a sample, as a telephone network plays what it is sent. */
class Ear {
  readonly heard: Uint8Array;
  #end = 0;

  constructor(ms: number) {
    this.heard = new Uint8Array(ms * PER_MS).fill(SILENCE_CODE);
  }

  play(frame: Uint8Array, nowMs: number): void {
    const at = Math.max(this.#end, nowMs * PER_MS);
    this.#end = at + frame.length;
    this.heard.set(frame.subarray(0, Math.max(0, this.heard.length - at)), Math.min(at, this.heard.length));
  }

  clear(nowMs: number): void {
    this.heard.fill(SILENCE_CODE, nowMs * PER_MS, this.#end);
    this.#end = nowMs * PER_MS;
  }
}

/** Things happen at whole milliseconds, so that there is one right answer to the sample. */
const anyCall = fc.record({
  utterances: fc.array(
    fc.record({
      atMs: fc.nat(7_000),
      frames: fc.integer({ min: 1, max: 60 }),
      clearAfterMs: fc.option(fc.integer({ min: 1, max: 900 })),
    }),
    { maxLength: 8 },
  ),
  /** By caller's frame: on its way for so long. */
  jitterMs: fc.array(fc.nat(30), { minLength: 1, maxLength: 20 }),
  stallAtMs: fc.nat(6_000),
  stallMs: fc.constantFrom(0, 0, 300, 1_400),
  lastsMs: fc.integer({ min: 0, max: 8_000 }),
});

describe("a recording", () => {
  it("has both sides where they were heard, and nothing that was unsaid before it was", async (t) => {
    t.diagnostic(`seed ${SEED}`);
    await fc.assert(
      fc.asyncProperty(anyCall, async ({ utterances, jitterMs, stallAtMs, stallMs, lastsMs }) => {
        const { recorder, clock, disk, startedMs, pass, finish, told } = record();
        const ear = new Ear(lastsMs);
        const track = new OutboundTrack(
          { leadMs: 200, markEveryMs: 200, queueMs: 30_000, messageMs: 100, markPrefix: "" },
          {
            sendMedia(source, start, end) {
              ear.play(source.slice(start, end), clock.nowMs() - startedMs);
              recorder.agent(source, start, end, track.playheadMs - (end - start) / 8);
            },
            sendMark() {},
            sendClear: () => ear.clear(clock.nowMs() - startedMs),
          },
        );
        let said = 0;
        let spoken = 0;
        let freeMs = 0;
        await pass(lastsMs, (nowMs) => {
          const ms = nowMs - startedMs;
          for (const { atMs, frames, clearAfterMs } of utterances) {
            if (atMs === ms) {
              for (let n = 0; n < frames; n++) track.push(frameOf(1 + (said++ % 120)), nowMs);
              track.endUtterance(nowMs);
            }
            if (clearAfterMs === null || atMs + clearAfterMs !== ms) continue;
            track.clear(nowMs);
            recorder.cleared(nowMs);
          }
          track.pump(nowMs);
          for (;;) {
            const late = jitterMs[spoken % jitterMs.length]!;
            const inStall = ms >= stallAtMs && ms < stallAtMs + stallMs;
            freeMs = Math.max(freeMs, 20 * (spoken + 1) + late);
            if (freeMs > ms || inStall) break;
            recorder.caller(frameOf((spoken++ % 100) + 128));
          }
        });
        await finish();
        assert.equal(disk.moments, lastsMs * PER_MS);
        assert.deepEqual(disk.side(1), decode(ear.heard), "the agent's side");
        const caller = new Uint8Array(lastsMs * PER_MS).fill(SILENCE_CODE);
        for (let n = 0; n < spoken; n++) {
          const at = n * FRAME;
          if (at < caller.length) caller.set(frameOf((n % 100) + 128).subarray(0, caller.length - at), at);
        }
        assert.deepEqual(disk.side(0), decode(caller), "the caller's side");
        assert.deepEqual(
          told.map(({ state, lastedMs, droppedMs }) => [state, lastedMs, droppedMs]),
          lastsMs < 20
            ? [["finished", lastsMs, 0]]
            : [
                ["started", 0, 0],
                ["finished", lastsMs, 0],
              ],
        );
        assert.ok(disk.writes <= 2 + (2 * lastsMs) / 1_000, `${disk.writes} writes in ${lastsMs} ms`);
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it("finds its time again when a piece of the caller's is missing, and when its clock is fast", async () => {
    const { recorder, disk, pass, finish, startedMs, told } = record();
    await pass(8_000, (nowMs) => {
      const ms = nowMs - startedMs;
      // Three seconds never come, as with a stream that is taken up again.
      if (ms % 20 === 0 && (ms <= 1_000 || ms > 4_000)) recorder.caller(frameOf(ms <= 6_000 ? 1 : 2));
    });
    await finish();
    const side = disk.side(0);
    const [one, two] = decode(Uint8Array.of(1, 2));
    const lastOfOne = side.lastIndexOf(one!) / PER_MS;
    const firstOfTwo = side.indexOf(two!) / PER_MS;
    assert.ok(Math.abs(firstOfTwo - 6_000) <= 100 && Math.abs(lastOfOne - 6_000) <= 100, `${firstOfTwo}`);
    assert.ok(side.subarray(1_000 * PER_MS, 3_900 * PER_MS).every((sample) => sample === 0));
    assert.ok(told.at(-1)!.droppedMs <= 600, `${told.at(-1)!.droppedMs} ms of it is gone`);

    // A hundredth fast: between words time is taken back.
    const fast = record();
    let spoken = 0;
    await fast.pass(20_000, (nowMs) => {
      while ((spoken + 1) * 19.8 <= nowMs - fast.startedMs) {
        spoken++;
        fast.recorder.caller(frameOf(spoken % 50 < 10 ? SILENCE_CODE : 1 + Math.floor(spoken / 100)));
      }
    });
    await fast.finish();
    const heard = fast.disk.side(0);
    for (let hundred = 1; hundred <= 9; hundred++) {
      const code = decode(Uint8Array.of(1 + hundred))[0]!;
      const at = heard.indexOf(code) / PER_MS;
      assert.ok(Math.abs(at - (hundred * 100 + 10) * 19.8) <= 60, `${hundred}: ${at}`);
      assert.equal(heard.filter((sample) => sample === code).length, 80 * FRAME, "no word is cut");
    }

    // Frames of a second before there was one: whoever sends them.
    const flood = record();
    await flood.pass(1_000, () => flood.recorder.caller(frameOf(1)));
    await flood.finish();
    assert.equal(flood.disk.moments, 1_000 * PER_MS);
  });

  it("is silent for what a slow disk had no time for, keeps its time, and says how much that is", async () => {
    const { recorder, disk, pass, finish, startedMs, told } = record();
    const talk = (nowMs: number) => {
      const ms = nowMs - startedMs;
      if (ms % 20 === 0) recorder.caller(frameOf(1 + Math.floor(ms / 1_000)));
    };
    await pass(2_000, talk);
    let release: () => void = () => {};
    disk.stuck = new Promise((resolve) => {
      release = resolve;
    });
    await pass(10_000, talk);
    release();
    await pass(3_000, talk);
    await finish();
    assert.equal(disk.moments, 15_000 * PER_MS);
    const side = disk.side(0);
    const samples = decode(Uint8Array.from({ length: 16 }, (_, n) => 1 + n));
    for (const second of [0, 1, 8, 9, 10, 11, 12, 13]) {
      const at = (second * 1_000 + 500) * PER_MS;
      assert.equal(side[at], samples[second], `second ${second}`);
    }
    assert.equal(side[5_500 * PER_MS], 0);
    const { droppedMs } = told.at(-1)!;
    const silentMs = side.filter((sample) => sample === 0).length / PER_MS;
    assert.ok(droppedMs >= 3_500 && droppedMs <= 5_500, `${droppedMs} ms dropped`);
    assert.ok(Math.abs(silentMs - droppedMs) <= 40, `${silentMs} ms are silent`);
  });

  it("waits for the caller's audio, and leaves out what came when it had been written without it", async () => {
    const { recorder, disk, pass, finish, startedMs, told } = record();
    await pass(6_000, (nowMs) => {
      const ms = nowMs - startedMs;
      if (ms % 20 !== 0) return;
      if (ms === 4_500) for (let n = 0; n < 175; n++) recorder.caller(frameOf(2));
      else if (ms <= 1_000 || ms > 4_500) recorder.caller(frameOf(1));
    });
    await finish();
    const { droppedMs } = told.at(-1)!;
    const [two] = decode(Uint8Array.of(2));
    const lateMs = disk.side(0).filter((sample) => sample === two).length / PER_MS;
    assert.ok(droppedMs > 0 && droppedMs <= 2_100, `${droppedMs} ms dropped`);
    assert.equal(lateMs + droppedMs, 3_500);
    assert.ok(Math.abs(disk.side(0).lastIndexOf(two!) / PER_MS - 4_500) <= 40, "in its place");
  });

  it("goes on where the clock is when another worker has taken over, and doesn't begin anew", async () => {
    const { recorder, disk, pass, finish, startedMs, told } = record(new Disk(false), 7_000);
    await pass(2_000, (nowMs) => {
      if ((nowMs - startedMs) % 20 === 0) recorder.caller(frameOf(1));
    });
    await finish();
    assert.equal(disk.moments, 9_000 * PER_MS);
    const at = disk.side(0).indexOf(decode(Uint8Array.of(1))[0]!) / PER_MS;
    assert.ok(Math.abs(at - 7_000) <= 20, `${at}`);
    assert.deepEqual(
      told.map(({ state, lastedMs }) => [state, lastedMs]),
      [["finished", 9_000]],
    );
  });

  it("that fails is told once and harms nobody, whenever that is", async () => {
    for (const failsAtMs of [0, 3_000, 4_010]) {
      const { recorder, disk, pass, finish, startedMs, told, closed } = record();
      const failure = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      if (failsAtMs === 0) disk.failure = failure;
      await pass(4_000, (nowMs) => {
        if (nowMs - startedMs === failsAtMs) disk.failure = failure;
        recorder.caller(frameOf(1));
        recorder.agent(frameOf(2), 0, FRAME, nowMs + 100);
        recorder.cleared(nowMs);
      });
      disk.failure = failure;
      await finish();
      assert.equal(closed(), 1, `failing at ${failsAtMs}`);
      assert.ok(disk.isClosed);
      const states = told.map(({ state, why = "" }) => `${state} ${why}`.trim());
      if (failsAtMs === 0) assert.deepEqual(states, ["failed ENOSPC"]);
      else if (failsAtMs === 3_000) assert.deepEqual(states, ["started", "failed ENOSPC"]);
      else assert.deepEqual(states, ["started", "finished"]);
    }
  });
});
