import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AGENT_RATES_HZ, type AgentRateHz, frameSamples } from "../../../../src/domain/audio.ts";
import { WorkerCounts } from "../../../../src/lane/counts.ts";
import type { Audio, AudioFormat } from "../../../../src/media/agents/port.ts";
import { type Codec, codecOf } from "../../../../src/media/audio/codec.ts";
import { decodeMulaw } from "../../../../src/media/kernels/g711.ts";
import { loadKernels } from "../../../../src/media/kernels/kernels.ts";
import { type CallerListener, Hearing } from "../../../../src/media/pipeline/hearing.ts";

const FRAME = 160;
const BACKLOG_FRAMES = 100;
const MULAW: AudioFormat = { encoding: "mulaw", rateHz: 8_000 };
const pcm = (rateHz: AgentRateHz): AudioFormat => ({ encoding: "pcm16", rateHz });
const codec = codecOf(await loadKernels());

/** What a caller says in frame `n`, which it begins with. */
const frameOf = (n: number): Uint8Array =>
  Uint8Array.from({ length: FRAME }, (_, at) => (at < 2 ? n >> (8 * at) : n * 7 + at * 3));

function hearing() {
  const counts = new WorkerCounts();
  const made = { decoders: 0, freed: 0 };
  const tapped: Uint8Array[] = [];
  const heard: Audio[] = [];
  /** What the agent does as it hears. */
  const agent = { reacts: () => {} };
  const listener: CallerListener = {
    callerSaid: (mulaw) => tapped.push(mulaw.slice()),
    agentHears(frame) {
      heard.push(frame.slice());
      agent.reacts();
    },
  };
  const watched: Codec = {
    ...codec,
    createDecoder(rateHz) {
      made.decoders++;
      const decoder = codec.createDecoder(rateHz);
      const free = decoder.free.bind(decoder);
      decoder.free = () => {
        made.freed++;
        free();
      };
      return decoder;
    },
  };
  const one = new Hearing(listener, watched, counts);
  let said = 0;
  return {
    ...{ hearing: one, counts, made, tapped, heard, agent },
    says(frames: number): void {
      for (let n = 0; n < frames; n++, said++) one.accept(100 + 20 * said, frameOf(said));
    },
    /** By their content, which frames of mu-law the agent has heard. */
    frames: () =>
      heard.map((frame) => {
        const n = frame[0]! + 256 * frame[1]!;
        return Buffer.compare(frame as Uint8Array, frameOf(n)) === 0 ? n : -1;
      }),
  };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

describe("the caller's audio", () => {
  it("passes to an agent that hears mu-law bit for bit, and nothing is converted", () => {
    const { hearing: one, says, heard, made, frames } = hearing();
    one.ready(MULAW);
    says(200);
    assert.deepEqual(frames(), range(0, 200));
    assert.ok(heard.every((frame) => frame instanceof Uint8Array && frame.length === FRAME));
    assert.equal(made.decoders, 0);
  });

  it("is kept for two seconds while the agent can't take it; then the oldest is dropped, and counted", () => {
    const { hearing: one, says, frames, counts, tapped } = hearing();
    says(BACKLOG_FRAMES);
    assert.equal(counts.get("framesDroppedAgent"), 0);
    one.ready(MULAW);
    assert.deepEqual(frames(), range(0, 100), "all of two seconds");
    one.hold();
    says(BACKLOG_FRAMES + 37);
    assert.equal(counts.get("framesDroppedAgent"), 37);
    one.ready(MULAW);
    assert.deepEqual(frames().slice(100), range(137, 237));
    assert.equal(tapped.length, 237, "who else listens has heard it in time");
    assert.equal(counts.get("framesHeard"), 237);
  });

  it("is heard in the format of the moment, also what was kept before that was known", () => {
    const { hearing: one, says, heard, made } = hearing();
    one.ready(pcm(8_000));
    says(2);
    one.hold();
    says(3);
    one.ready(pcm(24_000));
    one.hold();
    says(3);
    one.ready(MULAW);
    says(1);
    one.ready(pcm(16_000));
    one.ready(pcm(16_000));
    says(1);
    const fill = (length: number, times: number): number[] => Array(times).fill(length);
    assert.deepEqual(
      heard.map(({ length }) => length),
      [...fill(160, 2), ...fill(480, 3), ...fill(160, 4), ...fill(320, 1)],
    );
    assert.ok(heard.slice(5, 9).every((frame) => frame instanceof Uint8Array));
    assert.deepEqual(made, { decoders: 3, freed: 2 }, "one for each format, and none for the same again");
    const decoded = new Int16Array(FRAME);
    decodeMulaw(frameOf(1), decoded);
    assert.deepEqual(heard[1], decoded);
  });

  for (const rateHz of AGENT_RATES_HZ)
    it(`sounds at ${rateHz} Hz the same whether it was kept or not`, () => {
      const at = hearing();
      const later = hearing();
      at.hearing.ready(pcm(rateHz));
      for (const one of [at, later]) one.says(50);
      later.hearing.ready(pcm(rateHz));
      for (const one of [at, later]) one.says(10);
      assert.equal(at.heard.length, 60);
      assert.ok(at.heard.every(({ length }) => length === frameSamples(rateHz)));
      assert.deepEqual(later.heard, at.heard);
    });

  it("is lost to nobody within two seconds, in order, whatever the agent holds, and while it hears", () => {
    const step = fc.record({
      does: fc.constantFrom("say", "say", "say", "ready", "hold", "holdsAfter"),
      frames: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30, size: "max" }), (steps) => {
        const on = hearing();
        let kept: number[] = [];
        const expected: number[] = [];
        let dropped = 0;
        let said = 0;
        let isReady = false;
        let left = Number.POSITIVE_INFINITY;
        const hears = (frame: number) => {
          expected.push(frame);
          if (--left > 0) return;
          isReady = false;
          left = Number.POSITIVE_INFINITY;
        };
        let leftForReal = Number.POSITIVE_INFINITY;
        on.agent.reacts = () => {
          if (--leftForReal > 0) return;
          leftForReal = Number.POSITIVE_INFINITY;
          on.hearing.hold();
        };
        for (const step of steps) {
          if (step.does === "hold") {
            isReady = false;
            on.hearing.hold();
          } else if (step.does === "ready") {
            isReady = true;
            while (isReady && kept.length > 0) hears(kept.shift()!);
            on.hearing.ready(MULAW);
          } else if (step.does === "holdsAfter") {
            left = step.frames;
            leftForReal = step.frames;
          } else {
            for (let n = 0; n < step.frames; n++) {
              if (isReady) hears(said++);
              else kept.push(said++);
            }
            dropped += Math.max(0, kept.length - BACKLOG_FRAMES);
            kept = kept.slice(-BACKLOG_FRAMES);
            on.says(step.frames);
          }
        }
        assert.deepEqual(on.frames(), expected);
        assert.equal(on.counts.get("framesDroppedAgent"), dropped);
      }),
      { numRuns: 100 },
    );
  });

  it("is heard by nobody once it is closed, though half of a message was", () => {
    const on = hearing();
    on.hearing.ready(pcm(16_000));
    on.agent.reacts = () => on.hearing.close();
    on.hearing.accept(100, new Uint8Array(5 * FRAME));
    for (let n = 0; n < 3; n++) on.hearing.accept(200 + 20 * n, frameOf(n));
    on.hearing.ready(MULAW);
    assert.deepEqual([on.heard.length, on.tapped.length], [1, 1]);
    assert.deepEqual(on.made, { decoders: 1, freed: 1 });
    assert.equal(on.counts.get("framesHeard"), 8, "they came in time all the same");
  });
});
