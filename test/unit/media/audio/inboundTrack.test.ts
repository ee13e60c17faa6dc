import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type FrameTaker, InboundTrack } from "../../../../src/media/audio/inboundTrack.ts";

const FRAME = 160;
const SILENCE = 0xff;
/** What timestamps and the track's own idea of them may differ by. */
const TOLERANCE_MS = 8;

/** Counts what happens, and hands on each frame. */
function counting(frame: FrameTaker["frame"]) {
  const counters = { frames: 0, concealed: 0, late: 0, resyncs: 0 };
  const track = new InboundTrack({
    frame(mulaw, isConcealed) {
      counters.frames++;
      if (isConcealed) counters.concealed++;
      frame(mulaw, isConcealed);
    },
    late: () => counters.late++,
    resynced: () => counters.resyncs++,
  });
  return { track, counters };
}

/** A track and everything it delivered. */
function listen() {
  const delivered: number[] = [];
  const concealed: boolean[] = [];
  const { track, counters } = counting((frame, isConcealed) => {
    assert.equal(frame.length, FRAME);
    delivered.push(...frame);
    concealed.push(isConcealed);
  });
  return {
    track,
    counters,
    delivered,
    concealed,
    /** A piece of one repeated byte. */
    hears(timestampMs: number, voice: number, length = FRAME): void {
      track.accept(timestampMs, new Uint8Array(length).fill(voice));
    },
    /** What was delivered, as runs of one byte: `[byte, samples]`. */
    runs(): [number, number][] {
      const runs: [number, number][] = [];
      for (const byte of delivered) {
        const last = runs.at(-1);
        if (last?.[0] === byte) last[1]++;
        else runs.push([byte, 1]);
      }
      return runs;
    },
  };
}

describe("the caller's track", () => {
  it("delivers frames as they come, from whenever the stream begins", () => {
    const { hears, runs, concealed, counters } = listen();
    for (let frame = 0; frame < 5; frame++) hears(155 + 20 * frame, frame);
    assert.deepEqual(
      runs(),
      [0, 1, 2, 3, 4].map((voice) => [voice, FRAME]),
    );
    assert.deepEqual(concealed, Array(5).fill(false));
    assert.deepEqual(counters, { frames: 5, concealed: 0, late: 0, resyncs: 0 });
  });

  it("delivers a whole frame without a copy, and what is put together from memory of its own", () => {
    const delivered: Uint8Array[] = [];
    const { track } = counting((frame) => delivered.push(frame));
    const bytes = new Uint8Array(FRAME).fill(7);
    track.accept(0, bytes);
    assert.equal(delivered[0], bytes);
    track.accept(20, bytes.subarray(0, 100));
    bytes.fill(8);
    track.accept(32, bytes.subarray(0, 60));
    assert.deepEqual([...delivered[1]!], [...Array(100).fill(7), ...Array(60).fill(8)]);
  });

  it("fills a gap with silence", () => {
    const { hears, runs, concealed, counters } = listen();
    hears(100, 1);
    hears(162, 2); // two frames are missing, and the clock wobbles
    hears(180, 3);
    assert.deepEqual(runs(), [
      [1, FRAME],
      [SILENCE, 2 * FRAME],
      [2, FRAME],
      [3, FRAME],
    ]);
    assert.deepEqual(concealed, [false, true, true, false, false]);
    assert.deepEqual(counters, { frames: 5, concealed: 2, late: 0, resyncs: 0 });
  });

  it("fills a gap that is not whole frames, too", () => {
    const { hears, runs, concealed } = listen();
    hears(100, 1);
    hears(130, 2); // 10 ms are missing
    hears(150, 3);
    hears(170, 4, FRAME / 2);
    assert.deepEqual(runs(), [
      [1, FRAME],
      [SILENCE, FRAME / 2],
      [2, FRAME],
      [3, FRAME],
      [4, FRAME / 2],
    ]);
    assert.deepEqual(concealed, [false, true, false, false]);
  });

  it("fills a gap of a second, and follows a longer one without a flood", () => {
    const { hears, runs, counters } = listen();
    hears(0, 1);
    hears(1_020, 2);
    assert.deepEqual(runs(), [
      [1, FRAME],
      [SILENCE, 50 * FRAME],
      [2, FRAME],
    ]);
    hears(2_060, 3);
    hears(86_400_000, 4);
    hears(86_400_020, 5);
    assert.deepEqual(runs().slice(3), [
      [3, FRAME],
      [4, FRAME],
      [5, FRAME],
    ]);
    assert.deepEqual(counters, { frames: 55, concealed: 50, late: 0, resyncs: 2 });
  });

  it("drops what comes twice or too late", () => {
    const { hears, runs, counters } = listen();
    hears(0, 1);
    hears(20, 2);
    hears(20, 99); // twice
    hears(58, 4); // overtook 3
    hears(40, 99); // 3, when its place is filled
    hears(0, 99);
    hears(80, 5);
    assert.deepEqual(runs(), [
      [1, FRAME],
      [2, FRAME],
      [SILENCE, FRAME],
      [4, FRAME],
      [5, FRAME],
    ]);
    assert.deepEqual(counters, { frames: 5, concealed: 1, late: 3, resyncs: 0 });
  });

  it("cuts off the beginning of a piece that was delivered before", () => {
    const { hears, runs, counters } = listen();
    hears(0, 1);
    hears(10, 2);
    hears(30, 3, FRAME / 2);
    assert.deepEqual(runs(), [
      [1, FRAME],
      [2, FRAME / 2],
      [3, FRAME / 2],
    ]);
    assert.equal(counters.late, 0);
  });

  it("follows a clock that was set back, with the tenth piece in a row", () => {
    const { hears, runs, counters } = listen();
    hears(600_000, 1);
    for (let frame = 0; frame < 12; frame++) hears(20 * frame, 10 + frame);
    assert.deepEqual(runs(), [
      [1, FRAME],
      [19, FRAME],
      [20, FRAME],
      [21, FRAME],
    ]);
    assert.deepEqual(counters, { frames: 4, concealed: 0, late: 9, resyncs: 1 });
  });

  it("does not take late pieces among others for a clock that was set back", () => {
    const { hears, counters } = listen();
    for (let frame = 0; frame < 50; frame++) {
      hears(20 * frame, 1);
      hears(20 * frame, 2);
    }
    assert.deepEqual(counters, { frames: 50, concealed: 0, late: 50, resyncs: 0 });
  });

  it("hears nothing but the caller in an hour of a clock that drifts", () => {
    for (const partsPerMillion of [-300, 300]) {
      const { track, counters } = counting(() => {});
      const frames = 180_000;
      const bytes = new Uint8Array(FRAME);
      for (let frame = 0; frame < frames; frame++) {
        const timestampMs = 1_000 + 20 * frame * (1 + partsPerMillion / 1e6) + (frame % 5) - 2;
        track.accept(Math.round(timestampMs), bytes);
      }
      assert.deepEqual(counters, { frames, concealed: 0, late: 0, resyncs: 0 });
    }
  });
});

/** One piece on its way: where it really begins, how long it is, and what its timestamp says. */
interface Piece {
  readonly id: number;
  readonly atMs: number;
  readonly lengthMs: number;
  readonly timestampMs: number;
}

/** A stream of pieces, some of them missing, twice, or overtaken by the next. */
function stream(lengthMs: fc.Arbitrary<number>, missing: fc.Arbitrary<number>): fc.Arbitrary<Piece[]> {
  const step = fc.record({
    lengthMs,
    lostMs: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: missing }),
    wobbleMs: fc.integer({ min: -2, max: 2 }),
    fate: fc.oneof(
      { weight: 8, arbitrary: fc.constant("once" as const) },
      { weight: 1, arbitrary: fc.constantFrom("twice", "overtaken") },
    ),
  });
  return fc.tuple(fc.nat(300), fc.array(step, { minLength: 1, maxLength: 120 })).map(([beginMs, steps]) => {
    const pieces: Piece[] = [];
    const overtaken: Piece[] = [];
    let atMs = beginMs + 2;
    for (const [index, { lengthMs, lostMs, wobbleMs, fate }] of steps.entries()) {
      if (index > 0) atMs += lostMs;
      const piece = { id: index % 250, atMs, lengthMs, timestampMs: atMs + wobbleMs };
      if (fate !== "overtaken" || index === 0) pieces.push(piece, ...overtaken.splice(0));
      else overtaken.push(piece);
      if (fate === "twice") pieces.push(piece);
      atMs += lengthMs;
    }
    return pieces;
  });
}

/** What ought to be delivered of pieces whose true times are known, as milliseconds: a piece's id or silence. */
function truth(pieces: readonly Piece[]) {
  const heard: number[] = [];
  const gapsMs: number[] = [];
  let nextMs = pieces[0]!.atMs;
  let [late, lateInARow, resyncs] = [0, 0, 0];
  for (const { id, atMs, lengthMs } of pieces) {
    const gapMs = atMs - nextMs;
    if (gapMs > 0) gapsMs.push(gapMs);
    const behind = gapMs + lengthMs <= 0;
    lateInARow = behind ? lateInARow + 1 : 0;
    if (behind && lateInARow < 10) {
      late++;
      continue;
    }
    const isJump = gapMs > 1_000 || behind;
    if (isJump) resyncs++;
    for (let ms = 0; ms < gapMs && !isJump; ms++) heard.push(SILENCE);
    for (let ms = isJump ? 0 : Math.max(0, -gapMs); ms < lengthMs; ms++) heard.push(id);
    nextMs = atMs + lengthMs;
    if (isJump) lateInARow = 0;
  }
  return { heard, late, resyncs, gapsMs };
}

describe("any stream of pieces", () => {
  it("of whole frames comes out exactly as if its timestamps did not wobble", () => {
    const frames = stream(
      fc.constant(20),
      fc.nat(40).map((lost) => 20 * lost),
    );
    fc.assert(
      fc.property(frames, (pieces) => {
        const { hears, delivered, counters, concealed } = listen();
        for (const { timestampMs, id } of pieces) hears(timestampMs, id);
        const { heard, late, resyncs } = truth(pieces);
        assert.deepEqual(
          delivered.filter((_, sample) => sample % 8 === 0),
          heard,
        );
        assert.deepEqual(
          concealed,
          Array.from(concealed, (_, frame) => heard[20 * frame] === SILENCE),
        );
        const silent = concealed.filter(Boolean).length;
        assert.deepEqual(counters, { frames: heard.length / 20, concealed: silent, late, resyncs });
      }),
      { numRuns: 500 },
    );
  });

  it("of any lengths keeps stream time, order, and every piece that is in time", () => {
    const odd = stream(fc.integer({ min: 15, max: 70 }), fc.integer({ min: 15, max: 900 }));
    fc.assert(
      fc.property(odd, (pieces) => {
        const { heard, late, resyncs, gapsMs } = truth(pieces);
        // A gap about as long as is filled may be taken either way.
        fc.pre(!gapsMs.some((gapMs) => Math.abs(gapMs - 1_000) <= 2 * TOLERANCE_MS));
        const { hears, delivered, counters, runs } = listen();
        for (const { timestampMs, id, lengthMs } of pieces) hears(timestampMs, id, 8 * lengthMs);
        assert.equal(delivered.length % FRAME, 0);
        // Time: what was delivered, and less than a frame that waits for more, is the time the stream took.
        const missingMs = heard.length - delivered.length / 8;
        assert.ok(missingMs > -TOLERANCE_MS && missingMs < 20 + TOLERANCE_MS, `${missingMs} ms`);
        assert.equal(counters.late, late);
        assert.equal(counters.resyncs, resyncs);
        assert.equal(counters.frames, delivered.length / FRAME);
        // Order: the same voices one after the other, each as long as it should be, give or take.
        const expected: [number, number][] = [];
        for (const id of heard) {
          const last = expected.at(-1);
          if (last?.[0] === id) last[1]++;
          else expected.push([id, 1]);
        }
        for (const [index, [id, samples]] of runs().entries()) {
          assert.equal(id, expected[index]?.[0]);
          const isLast = index === runs().length - 1;
          const difference = samples / 8 - expected[index]![1];
          assert.ok(
            Math.abs(difference) <= 2 * TOLERANCE_MS || (isLast && difference < 0),
            `${difference} ms`,
          );
        }
      }),
      { numRuns: 500 },
    );
  });

  it("is delivered in bounded time and memory, whatever the timestamps", () => {
    const wild = fc.array(fc.tuple(fc.nat(5_000), fc.nat(400)), { maxLength: 200 });
    fc.assert(
      fc.property(wild, (pieces) => {
        const { hears, delivered, counters } = listen();
        let samples = 0;
        for (const [timestampMs, length] of pieces) {
          const before = delivered.length;
          hears(timestampMs, 1, length);
          samples += length;
          assert.ok(delivered.length - before <= 8 * 1_000 + length + FRAME);
        }
        const voiced = delivered.filter((byte) => byte === 1).length;
        assert.ok(voiced <= samples);
        assert.ok(counters.late <= pieces.length && counters.concealed <= counters.frames);
        assert.equal(counters.frames, delivered.length / FRAME);
      }),
    );
  });
});
