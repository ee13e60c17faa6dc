import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import { AGENT_RATES_HZ, type AgentRateHz, frameSamples } from "../../../../src/domain/audio.ts";
import { LONG_AGO_MS } from "../../../../src/domain/clock.ts";
import type { CallTicket } from "../../../../src/lane/ticket.ts";
import type { Utterance } from "../../../../src/media/pipeline/ledger.ts";
import { Speech, type SpeechListener } from "../../../../src/media/pipeline/speech.ts";
import { StreamMessages } from "../../../../src/media/protocol/streamMessages.ts";
import { EPOCH, SLOT, STREAM_SID, surroundings, ticket } from "./surroundings.ts";

const QUEUE_MS = 30_000;
const LEAD_MS = 200;
const MESSAGE_MS = 100;

/** Of what the ear has, as audio that waits is sent. */
function isAhead(ms: number): void {
  assert.ok(ms <= LEAD_MS && ms > LEAD_MS - MESSAGE_MS - 1, `${ms} ms ahead`);
}

function speech(t: TestContext, rateHz: AgentRateHz = 8_000, changes: Partial<CallTicket> = {}) {
  const made = surroundings({ rateHz });
  const over: Utterance[] = [];
  const heardMarks: string[] = [];
  const listener: SpeechListener = {
    over: (utterance) => over.push(utterance),
    marked: (name, heardMs) => heardMarks.push(`${name} at ${heardMs}`),
  };
  const said = new Speech(ticket(changes), made.around, listener, true);
  said.speaks({ encoding: "pcm16", rateHz });
  said.begin(new StreamMessages(STREAM_SID, made.around.messages), undefined);
  t.after(() => {
    said.close(made.clock.nowMs());
    made.close();
  });
  return {
    ...made,
    speech: said,
    over,
    heardMarks,
    now: () => made.clock.nowMs(),
    /** Lets time pass, with a tick every millisecond, and the front thread reading. */
    passes(ms: number) {
      for (let n = 0; n < ms; n++) {
        made.clock.advance(1);
        said.tick(made.clock.nowMs());
        made.records();
      }
    },
    /** The names of all marks sent so far. */
    marks: () => made.sent().flatMap(({ mark }) => (mark === undefined ? [] : [mark.name])),
  };
}

/** Something like speech: it never repeats within the test. */
function voice(samples: number): Int16Array {
  return Int16Array.from({ length: samples }, (_, n) => 6_000 * Math.sin(n / 7) + 4_000 * Math.sin(n / 19.3));
}

/** `samples` cut into pieces of these sizes, the last of them taking the rest. */
function pieces(samples: Int16Array, sizes: readonly number[]): Int16Array[] {
  const cut: Int16Array[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= samples.length) break;
    cut.push(samples.subarray(at, at + size));
    at += size;
  }
  if (at < samples.length) cut.push(samples.subarray(at));
  return cut;
}

describe("an agent's samples", () => {
  for (const rateHz of AGENT_RATES_HZ) {
    it(`at ${rateHz} Hz make the same frames however they are cut`, (t) => {
      const whole = frameSamples(rateHz);
      const sizes = fc.array(
        fc.oneof(fc.integer({ min: 0, max: 3 * whole }), fc.constantFrom(1, whole - 1, whole, whole + 1)),
        { maxLength: 60 },
      );
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 20 * whole }), sizes, (length, cuts) => {
          const samples = voice(length);
          const framesOf = (said: readonly Int16Array[]) => {
            const { speech: one, now, passes, audio } = speech(t, rateHz);
            for (const piece of said) assert.equal(one.say(piece, now()), piece.length);
            one.endUtterance(now());
            passes(20 * 20);
            return audio();
          };
          const frames = framesOf([samples]);
          assert.equal(frames.length, 160 * Math.ceil(length / whole));
          assert.deepEqual(framesOf(pieces(samples, cuts)), frames);
        }),
        { numRuns: 15 },
      );
    });
  }

  it("that do not fill a frame wait for more, or for the utterance's end", (t) => {
    const { speech: one, now, audio, marks } = speech(t);
    one.say(voice(159), now());
    assert.equal(audio().length, 0);
    one.say(voice(1), now());
    assert.equal(audio().length, 160);
    one.say(voice(10), now());
    assert.equal(audio().length, 160);
    one.endUtterance(now());
    assert.equal(audio().length, 320);
    assert.deepEqual(marks().at(-1), `${EPOCH}-0-40`);
  });

  it("are sent as soon as they may be: so far ahead of the ear, and no further", (t) => {
    const { speech: one, now, passes, audio, clock } = speech(t);
    const startedMs = clock.nowMs();
    one.say(voice(8_000 * 3), now());
    assert.equal(audio().length / 8, LEAD_MS);
    for (let n = 0; n < 2_500; n++) {
      passes(1);
      isAhead(audio().length / 8 - (clock.nowMs() - startedMs));
    }
  });

  it("beyond half a minute are not taken, and counted", (t) => {
    const { speech: one, now, passes, audio, counts } = speech(t, 16_000);
    const samples = voice(16_000 * 40);
    const taken = one.say(samples, now());
    assert.equal(taken, (16_000 * (LEAD_MS + QUEUE_MS)) / 1_000, "what is due goes out at once");
    assert.equal(counts.get("framesDroppedQueue"), (10_000 - LEAD_MS) / 20);
    assert.equal(one.say(voice(320), now()), 0);
    assert.equal(one.say(voice(100), now()), 100, "less than a frame fits beside the queue");
    assert.equal(one.say(voice(500), now()), 0);
    passes(1_000);
    assert.equal(one.say(voice(220), now()), 220, "and is not lost");
    isAhead(audio().length / 8 - 1_000);
  });
});

describe("the ledger of what was heard", () => {
  it("follows the marks, carries on by the clock, and never falls", (t) => {
    const { speech: one, now, passes, marks, clock } = speech(t);
    const startedMs = clock.nowMs();
    one.say(voice(8_000), now());
    one.endUtterance(now());
    let returned = 0;
    let heardMs = 0;
    for (let n = 0; n < 1_200; n++) {
      passes(1);
      const playedMs = Math.min(1_000, clock.nowMs() - startedMs);
      // As Twilio does: a mark comes back when the audio before it has been played.
      for (const name of marks().slice(returned)) {
        if (Number(name.split("-").at(-1)) > playedMs) break;
        assert.equal(one.markEchoed(name), true);
        returned++;
      }
      const now = one.totalHeardMs(clock.nowMs());
      assert.ok(now >= heardMs && now <= playedMs, `heard ${now} of ${playedMs} ms`);
      heardMs = now;
    }
    assert.equal(heardMs, 1_000);
    assert.equal(one.isHeard, true);
  });

  it("adds up over what was unsaid, and marks of the unsaid count for nothing", (t) => {
    const { speech: one, now, passes, marks, counts, sent, audio } = speech(t);
    one.say(voice(8_000), now());
    passes(220);
    const before = marks();
    assert.equal(one.markEchoed(before[0]!), true);
    passes(80);
    const { heardMs } = one.clear(now());
    assert.equal(heardMs, 100, "the mark at 20 ms, and 80 by the clock");
    assert.equal(sent().at(-1)!.event, "clear");
    assert.equal(counts.get("framesDroppedClear"), (8_000 - audio().length) / 160, "of a second");
    for (const name of before) assert.equal(one.markEchoed(name), false);
    assert.equal(one.totalHeardMs(now()), heardMs);
    assert.equal(one.confirmedMs, 0);
    one.say(voice(1_600), now());
    one.endUtterance(now());
    passes(200);
    for (const name of marks().slice(before.length)) one.markEchoed(name);
    assert.equal(one.totalHeardMs(now()), heardMs + 200);
    assert.equal(counts.get("marksEchoed"), 3);
  });

  it("does not know marks of anyone else", (t) => {
    const { speech: one, now, passes, marks, counts } = speech(t);
    one.say(voice(1_600), now());
    passes(100);
    const [name] = marks();
    for (const other of ["", "20", `${EPOCH - 1}-0-20`, `${EPOCH}-1-20`, `${name}0`, `x${name}`])
      assert.equal(one.markEchoed(other), false);
    assert.equal(one.markEchoed(name!), true);
    assert.equal(one.markEchoed(name!), false, "not twice");
    assert.equal(counts.get("marksEchoed"), 1);
  });
});

describe("speech whose way to the socket is held up", () => {
  it("waits, and is said whole once the way is free: nothing counts as heard that was not sent", (t) => {
    const { speech: one, around, clock, now, passes, audio, counts } = speech(t);
    const { lane } = around;
    one.say(voice(24_000), now());
    for (let n = 0; n < 1_500; n++) {
      clock.advance(1);
      lane.flush(); // as the worker's tick does; nobody reads
      one.tick(now());
    }
    assert.ok(lane.isBehind);
    assert.ok(one.sentMs < 1_000, `${one.sentMs} ms were handed over`);
    passes(4_000);
    assert.equal(audio().length, 24_000);
    assert.equal(counts.get("framesDroppedLane"), 0);
  });
});

describe("what speech leaves behind", () => {
  it("is what was heard, how far was sent, and the agent's own id, and heard never falls", (t) => {
    const { speech: one, now, passes, marks, remains, clock } = speech(t);
    assert.equal(remains.read(SLOT, EPOCH), undefined);
    one.leaveBehind("session-1");
    assert.deepEqual(remains.read(SLOT, EPOCH), {
      heardMs: 0,
      playheadMs: LONG_AGO_MS,
      resumeId: "session-1",
    });
    const startedMs = clock.nowMs();
    one.say(voice(16_000), now());
    let heardMs = 0;
    for (let round = 0; round < 8; round++) {
      passes(100);
      if (round === 4) one.clear(now());
      if (round === 4) one.say(voice(16_000), now());
      for (const name of marks()) one.markEchoed(name);
      const left = remains.read(SLOT, EPOCH)!;
      assert.ok(left.heardMs >= heardMs, `${left.heardMs} after ${heardMs}`);
      heardMs = left.heardMs;
      assert.equal(left.resumeId, "session-1");
      if (round === 2) isAhead(left.playheadMs - startedMs - 300); // as the last mark came back
    }
    assert.ok(heardMs > 400);
  });

  it("is where the next worker's speech goes on: no louder than one voice, no less heard", (t) => {
    const playheadMs = 1_000 + 150; // the clock begins at 1,000
    const resumed = {
      streamSid: STREAM_SID,
      talkedMs: 5_000,
      remains: { heardMs: 3_400, playheadMs, resumeId: "" },
    };
    const { speech: one, now, audio, passes, marks } = speech(t, 8_000, { resumed, epoch: EPOCH + 1 });
    assert.equal(one.totalHeardMs(now()), 3_400);
    one.say(voice(8_000), now());
    assert.equal(audio().length / 8, 40, "150 ms of the dead worker's are still to be played");
    passes(150);
    isAhead(audio().length / 8);
    assert.equal(one.markEchoed(`${EPOCH}-0-3400`), false, "a mark of the dead worker's");
    assert.equal(one.markEchoed(marks()[0]!), true);
    assert.equal(one.totalHeardMs(now()), 3_420);
  });
});

describe("how loud the agent is", () => {
  it("is known of what Twilio plays now, and of nothing else", (t) => {
    const { speech: one, now, passes } = speech(t);
    assert.equal(one.levelNowDb(now()), -90);
    one.say(new Int16Array(800), now()); // 100 ms of silence, then as much of a square wave
    one.say(new Int16Array(800).fill(16_000), now());
    one.endUtterance(now());
    const levels: number[] = [];
    for (let frame = 0; frame < 12; frame++) {
      levels.push(Math.round(one.levelNowDb(now())));
      passes(20);
    }
    assert.deepEqual(levels, [...Array(5).fill(-90), ...Array(5).fill(-6), -90, -90]);
  });

  it("is silence once it was unsaid", (t) => {
    const { speech: one, now, passes } = speech(t);
    one.say(new Int16Array(8_000).fill(16_000), now());
    passes(500);
    assert.equal(Math.round(one.levelNowDb(now())), -6);
    one.clear(now());
    for (let ms = 0; ms < 500; ms++) {
      assert.equal(one.levelNowDb(now()), -90);
      passes(1);
    }
  });
});

describe("a mark of the agent's", () => {
  it("waits for a frame that is not full yet, and for what was said in it", (t) => {
    const { speech: one, now, passes, marks, heardMarks } = speech(t);
    one.say(voice(240), now());
    one.mark("middle");
    passes(10);
    assert.equal(one.markEchoed(marks()[0]!), true);
    assert.deepEqual(heardMarks, []);
    one.say(voice(400), now());
    assert.deepEqual(marks(), [`${EPOCH}-0-20`, `${EPOCH}-0-40`]);
    passes(30);
    one.markEchoed(marks()[1]!);
    assert.deepEqual(heardMarks, ["middle at 40"]);
  });

  it("comes though the rest of its frame never does", (t) => {
    const { speech: one, now, passes, marks, heardMarks, audio } = speech(t);
    one.beginUtterance("odd", "", now());
    one.say(voice(170), now());
    one.mark("end");
    passes(119);
    assert.equal(audio().length, 160);
    passes(1 + 20);
    assert.equal(audio().length, 320, "100 ms after Twilio had played the rest");
    for (const name of marks()) one.markEchoed(name);
    assert.deepEqual(heardMarks, ["end at 21"]);
  });

  it("is told at once when all before it was heard, with what was heard of its utterance", (t) => {
    const { speech: one, now, passes, marks, heardMarks, over } = speech(t);
    one.mark("before anything");
    one.say(voice(1_600), now());
    passes(200);
    one.endUtterance(now());
    for (const name of marks()) one.markEchoed(name);
    assert.equal(over.length, 1);
    one.mark("after");
    assert.deepEqual(heardMarks, ["before anything at 0", "after at 200"]);
  });
});

describe("an utterance", () => {
  it("that is heard before it ends is over as it ends, be there no mark to wait for", (t) => {
    const { speech: one, now, passes, marks, over } = speech(t);
    one.beginUtterance("exact", "", now());
    one.say(voice(8 * 220), now());
    passes(300);
    for (const name of marks()) one.markEchoed(name);
    assert.deepEqual([one.isHeard, over.length, one.isGreeted], [true, 0, false]);
    one.endUtterance(now(), "All of it.");
    assert.deepEqual(
      over.map(({ id, heardMs, heardText, isInterrupted }) => [id, heardMs, heardText, isInterrupted]),
      [["exact", 220, "All of it.", false]],
    );
    assert.equal(one.isGreeted, true);
  });

  it("that has no name ends with half a second of nothing; one that has does not", (t) => {
    const { speech: one, now, passes, marks, over } = speech(t);
    const heard = () => {
      for (const name of marks()) one.markEchoed(name);
    };
    one.say(voice(8 * 100 + 33), now());
    passes(100 + 499);
    heard();
    assert.equal(over.length, 0);
    passes(200);
    heard();
    assert.deepEqual(
      over.map(({ id, generatedMs, isInterrupted }) => [id, generatedMs, isInterrupted]),
      [["unnamed-1", 104, false]],
    );
    one.beginUtterance("named", "", now());
    one.say(voice(800), now());
    passes(5_000);
    heard();
    assert.equal(over.length, 1);
    assert.equal(one.isSpeaking(now()), true);
  });
});
