// What the detector makes of calls: speech on good lines and bad ones, noise, clicks and hum, the agent's own echo,
// and a caller who speaks over the agent.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { mulawLevelDb } from "../../../../src/media/audio/level.ts";
import { type Decision, TurnDetector } from "../../../../src/media/audio/turnDetector.ts";
import { encodeMulaw, MULAW_SILENCE } from "../../../../src/media/kernels/g711.ts";
import { FRAME, levelDb, RATE_HZ, recording, tone } from "../../../support/sound.ts";

const FRAME_MS = 20;
const HANGOVER_MS = 400;
const samplesIn = (ms: number): number => (ms * RATE_HZ) / 1_000;
const NAMES = ["hello", "question", "stop"] as const;
type Name = (typeof NAMES)[number];

interface Voice {
  readonly samples: Int16Array;
  /** While they speak; the recording has pauses. */
  readonly activeDb: number;
  /** Of the first and last frame that is no more than 15 dB below it: what is quieter is breath. */
  readonly onsetMs: number;
  readonly endMs: number;
}

const VOICES = Object.fromEntries(NAMES.map((name) => [name, voice(name)])) as Record<Name, Voice>;

function voice(name: Name): Voice {
  const samples = recording(name);
  const levels = Array.from({ length: Math.floor(samples.length / FRAME) }, (_, n) =>
    levelDb(samples.subarray(n * FRAME, (n + 1) * FRAME)),
  );
  const powers = levels
    .filter((level) => level > Math.max(...levels) - 20)
    .map((level) => 10 ** (level / 10));
  const activeDb = 10 * Math.log10(powers.reduce((sum, power) => sum + power) / powers.length);
  const isVoice = (level: number) => level > activeDb - 15;
  return {
    ...{ samples, activeDb },
    onsetMs: levels.findIndex(isVoice) * FRAME_MS,
    endMs: (levels.findLastIndex(isVoice) + 1) * FRAME_MS,
  };
}

/** What is on the line in one direction, put together and then told in frames. */
class Sound {
  readonly samples: Float64Array;
  #seed = 1;

  constructor(ms: number) {
    this.samples = new Float64Array(samplesIn(ms));
  }

  add(samples: ArrayLike<number>, atMs: number, gainDb = 0): this {
    const gain = 10 ** (gainDb / 20);
    const at = samplesIn(atMs);
    const end = Math.min(samples.length, this.samples.length - at);
    for (let n = Math.max(0, -at); n < end; n++) this.samples[at + n]! += samples[n]! * gain;
    return this;
  }

  /** `atMs` is where its first sound is, not the breath before it. */
  speech(name: Name, activeDb: number, atMs: number): this {
    const { samples, activeDb: recordedDb, onsetMs } = VOICES[name];
    return this.add(samples, atMs - onsetMs, activeDb - recordedDb);
  }

  noise(db: number, fromMs = 0): this {
    const peak = 32_768 * 10 ** (db / 20) * Math.sqrt(3);
    for (let n = samplesIn(fromMs); n < this.samples.length; n++) {
      this.#seed = (this.#seed * 1_664_525 + 1_013_904_223) >>> 0;
      this.samples[n]! += peak * (2 * (this.#seed / 2 ** 32) - 1);
    }
    return this;
  }

  frames(): Uint8Array[] {
    const clipped = Int16Array.from(this.samples, (x) => Math.min(Math.max(Math.round(x), -32_768), 32_767));
    const mulaw = new Uint8Array(clipped.length);
    encodeMulaw(clipped, mulaw);
    return Array.from({ length: mulaw.length / FRAME }, (_, n) => mulaw.subarray(n * FRAME, (n + 1) * FRAME));
  }

  levels(): number[] {
    return this.frames().map((frame) => mulawLevelDb(frame));
  }
}

interface Heard {
  readonly decision: Decision;
  readonly atMs: number;
  readonly onsetAgoMs: number;
  readonly endedAgoMs: number;
  readonly lastedMs: number;
}

/** Every decision over these frames, with the agent's levels in the caller's ear at the same time. */
function hear(caller: readonly Uint8Array[], agent: readonly number[] = []): Heard[] {
  const detector = new TurnDetector();
  const heard: Heard[] = [];
  for (const [n, frame] of caller.entries()) {
    const decision = detector.hear(frame, agent[n] ?? Number.NEGATIVE_INFINITY);
    if (decision === "none") continue;
    const { onsetAgoMs, endedAgoMs, lastedMs } = detector;
    heard.push({ decision, atMs: (n + 1) * FRAME_MS, onsetAgoMs, endedAgoMs, lastedMs });
  }
  return heard;
}

const startsOf = (heard: readonly Heard[]): number[] =>
  heard.filter(({ decision }) => decision === "started").map(({ atMs }) => atMs);

/** How long false speech went on, all of it. */
function falseMs(heard: readonly Heard[], untilMs: number): number {
  const at = heard.map(({ atMs }) => atMs);
  if (at.length % 2 === 1) at.push(untilMs);
  return at.reduce((sum, ms, n) => sum + (n % 2 === 0 ? -ms : ms), 0);
}

const loud = new Sound(FRAME_MS).add(tone(400, FRAME_MS), 0).frames()[0]!;
const silent = new Uint8Array(FRAME).fill(MULAW_SILENCE);
const framesOf = (pattern: string): Uint8Array[] =>
  [...pattern].map((letter) => (letter === "x" ? loud : silent));

describe("a caller who speaks while the agent is silent", () => {
  for (const floorDb of [-70, -60, -50, -45]) {
    it(`is heard at once, and to the end, over noise of ${floorDb} dBFS`, () => {
      for (const name of NAMES)
        for (const activeDb of [-25, -18, -12]) {
          const { onsetMs, endMs } = VOICES[name];
          const heard = hear(new Sound(7_000).noise(floorDb).speech(name, activeDb, 2_000).frames());
          const what = `${name} at ${activeDb} dBFS: ${JSON.stringify(heard)}`;
          assert.deepEqual(
            heard.map(({ decision }) => decision),
            ["started", "stopped"],
            what,
          );
          const [started, stopped] = heard as [Heard, Heard];
          assert.ok(started.atMs <= 2_080, what);
          assert.ok(started.onsetAgoMs >= 60 && started.onsetAgoMs <= 80, what);
          assert.equal(stopped.endedAgoMs, HANGOVER_MS, what);
          // The breath after the last word belongs to it as far as the noise lets it be heard.
          const endedAt = stopped.atMs - stopped.endedAgoMs;
          assert.ok(Math.abs(endedAt - (2_000 + endMs - onsetMs)) <= 120, what);
          assert.equal(stopped.lastedMs, endedAt - (started.atMs - started.onsetAgoMs), what);
        }
    });
  }

  it("has begun with the third loud frame of four, and ended with the last", () => {
    const facts = (pattern: string) =>
      hear(framesOf(pattern)).map(({ decision, atMs, onsetAgoMs, endedAgoMs, lastedMs }) =>
        decision === "started" ? [atMs, onsetAgoMs] : [atMs, endedAgoMs, lastedMs],
      );
    const quiet = ".".repeat(20);
    assert.deepEqual(facts(`.....xxxxxxxx${quiet}`), [
      [160, 60],
      [660, 400, 160],
    ]);
    assert.deepEqual(facts(`.....x.xx${quiet}`), [
      [180, 80],
      [580, 400, 80],
    ]);
    assert.deepEqual(facts(`.....xx.x.....x${quiet}`), [
      [180, 80],
      [700, 400, 200],
    ]);
  });

  it("pauses for less than 400 ms without having ended", () => {
    assert.equal(hear(framesOf(`xxx${".".repeat(19)}x${".".repeat(19)}`)).length, 1);
    assert.equal(hear(framesOf(`xxx${".".repeat(20)}xxx${".".repeat(20)}`)).length, 4);
  });
});

describe("a line on which nobody speaks", () => {
  it("starts nothing by clicks of up to two frames, however many", () => {
    assert.deepEqual(hear(framesOf("..xx...x...xx.......xx..x.......xx".repeat(50))), []);
    const clicks = new Sound(10_000).noise(-60);
    for (let ms = 500; ms < 10_000; ms += 330) clicks.add([30_000, -30_000, 20_000, -8_000], ms);
    assert.deepEqual(hear(clicks.frames()), []);
  });

  it("starts nothing by steady noise or hum", () => {
    for (const db of [-70, -60, -50, -45]) {
      assert.deepEqual(hear(new Sound(5_000).noise(db).frames()), [], `noise ${db}`);
      // A sine's level is its peak less 3 dB.
      assert.deepEqual(hear(new Sound(5_000).add(tone(50, 5_000, db + 3), 0).frames()), [], `hum ${db}`);
    }
  });

  it("starts nothing by noise of -50 dBFS after digital silence, nor by frames lost in noise", () => {
    assert.deepEqual(hear(new Sound(5_000).noise(-50, 2_000).frames()), []);
    const lossy = new Sound(10_000).noise(-45).frames();
    assert.deepEqual(hear(lossy.map((frame, n) => (n % 37 < 2 ? silent : frame))), []);
  });

  it("ends what sudden loud noise had started, within a second and the hangover", (t) => {
    for (const db of [-40, -35, -30]) {
      const lasted = falseMs(hear(new Sound(8_000).noise(db, 1_000).frames()), 8_000);
      t.diagnostic(`noise of ${db} dBFS: false speech for ${lasted} ms`);
      assert.ok(lasted <= 1_000 + HANGOVER_MS, `${db}: ${lasted} ms`);
    }
  });

  it("starts nothing by digital silence, whatever the agent says", () => {
    const levels = fc.array(fc.oneof(fc.double(), fc.double({ min: -90, max: 0 })), { maxLength: 200 });
    fc.assert(
      fc.property(levels, (agentDb) => {
        const detector = new TurnDetector();
        for (const db of agentDb) assert.equal(detector.hear(silent, db), "none");
      }),
    );
  });
});

/** Three utterances of the agent with pauses between: 12 s. */
const TALK_MS = 12_000;
const talk = (activeDb: number): Sound =>
  new Sound(TALK_MS)
    .speech("hello", activeDb, 500)
    .speech("hello", activeDb, 4_500)
    .speech("question", activeDb, 8_500);

/** Early reflections up to 190 ms, with the energy of what is reflected. */
function reverberant(sound: Sound): Sound {
  const heard = new Sound(TALK_MS);
  for (const [ms, gain] of [
    [0, 0.7],
    [11, 0.3],
    [30, -0.35],
    [78, 0.3],
    [125, 0.2],
    [190, 0.15],
  ] as const)
    heard.add(
      sound.samples.map((x) => x * gain),
      ms,
    );
  return heard;
}

describe("the agent's own echo", () => {
  for (const [line, room] of [
    ["plain", (said: Sound) => said],
    ["reverberant", reverberant],
  ] as const) {
    it(`of a ${line} line never starts a turn, from the call's first word on`, () => {
      for (const activeDb of [-20, -14]) {
        const said = talk(activeDb);
        const agent = said.levels();
        const echo = room(said).samples;
        for (const returnDb of [-15, -20, -30, -40])
          for (const delayMs of [0, 50, 130, 300]) {
            const caller = new Sound(TALK_MS).noise(-60).add(echo, delayMs, returnDb).frames();
            assert.deepEqual(
              hear(caller, agent),
              [],
              `agent ${activeDb}, echo ${returnDb} dB after ${delayMs} ms`,
            );
          }
      }
    });
  }

  it("that becomes loud in mid-call is learned after two false starts at most", () => {
    const said = talk(-17);
    const change = samplesIn(6_000);
    const soft = said.samples.map((x, n) => (n < change ? x : 0));
    const hard = said.samples.map((x, n) => (n < change ? 0 : x));
    const caller = new Sound(2 * TALK_MS).noise(-60).add(soft, 130, -40).add(hard, 130, -15);
    caller.add(said.samples, TALK_MS + 130, -15);
    const heard = hear(caller.frames(), [...said.levels(), ...said.levels()]);
    const starts = startsOf(heard);
    assert.ok(starts.length <= 2 && starts.every((ms) => ms < TALK_MS), JSON.stringify(heard));
  });
});

describe("a caller who speaks over the agent", () => {
  const ECHOES_DB = [-15, -20, -25, -30, -40];
  /** As the agent begins, in its first words, and twice in its next utterance. */
  const MOMENTS_MS = [700, 1_000, 4_900, 5_400];
  const said = talk(-17);
  const agent = said.levels();

  /** From the first sound to the decision, longest and median, over recordings, delays and moments. */
  function delays(activeDb: number, returnDb: number): { readonly median: number; readonly longest: number } {
    const all: number[] = [];
    for (const delayMs of [0, 130, 300]) {
      const line = new Sound(7_000).noise(-60).add(said.samples, delayMs, returnDb).samples;
      for (const name of NAMES)
        for (const atMs of MOMENTS_MS) {
          const caller = new Sound(atMs + 1_500).add(line, 0).speech(name, activeDb, atMs);
          const [start = Number.POSITIVE_INFINITY] = startsOf(hear(caller.frames(), agent));
          assert.ok(start > atMs - 200, `a false start at ${start}, before ${atMs}`); // breath can be heard before
          all.push(start - atMs);
        }
    }
    all.sort((a, b) => a - b);
    return { median: all[all.length >> 1]!, longest: all.at(-1)! };
  }

  it("is heard within 100 ms of the first sound unless the echo is about as loud", (t) => {
    t.diagnostic(`echo (dB)      ${ECHOES_DB.map((db) => String(db).padStart(10)).join("")}`);
    for (const activeDb of [-25, -22, -18, -12]) {
      const row = ECHOES_DB.map((returnDb) => delays(activeDb, returnDb));
      const cells = row.map(({ median, longest }) => `${median}/${longest}`.padStart(10));
      t.diagnostic(`caller ${activeDb} dBFS${cells.join("")}  ms, median/longest`);
      for (const [n, { median, longest }] of row.entries()) {
        const echoDb = -17 + ECHOES_DB[n]!;
        // Nearer than 15 dB to the caller, the echo's loudest sounds cover the first of a word.
        const isClear = activeDb - echoDb >= 15;
        assert.ok(longest <= 100 || !isClear, `caller ${activeDb}, echo ${ECHOES_DB[n]}: ${longest} ms`);
        assert.ok(median <= 100, `caller ${activeDb}, echo ${ECHOES_DB[n]}: median ${median} ms`);
      }
    }
  });
});

describe("whatever is heard", () => {
  it("is decided by turns and within bounds", () => {
    const piece = fc.record({
      frames: fc.integer({ min: 1, max: 40 }),
      codes: fc.uint8Array({ minLength: FRAME, maxLength: FRAME }),
      /** Codes near 0x7f and 0xff are quiet. */
      quietness: fc.constantFrom(0x00, 0x0f, 0x4f, 0x7f),
      agentDb: fc.oneof(fc.double({ min: -60, max: 3 }), fc.double()),
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const detector = new TurnDetector();
        let isSpeaking = false;
        for (const { frames, codes, quietness, agentDb } of pieces) {
          const frame = codes.map((code) => code | quietness);
          for (let n = 0; n < frames; n++) {
            const decision = detector.hear(frame, agentDb);
            if (decision !== "none") {
              assert.equal(decision, isSpeaking ? "stopped" : "started");
              isSpeaking = !isSpeaking;
            }
            const { levelDb: level, floorDb, thresholdDb, onsetAgoMs, endedAgoMs, lastedMs } = detector;
            assert.equal(detector.isSpeaking, isSpeaking);
            assert.ok(level >= -90 && level <= 0 && floorDb >= -65 && floorDb <= -35);
            assert.ok(thresholdDb >= -45 && thresholdDb <= -16);
            assert.equal(lastedMs, onsetAgoMs - endedAgoMs);
            if (decision === "started") assert.ok(onsetAgoMs === 60 || onsetAgoMs === 80);
            if (decision === "stopped") assert.equal(endedAgoMs, HANGOVER_MS);
            if (isSpeaking)
              assert.ok(endedAgoMs < HANGOVER_MS && lastedMs >= 60, `${endedAgoMs} ${lastedMs}`);
          }
        }
      }),
    );
  });
});
