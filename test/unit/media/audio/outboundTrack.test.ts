import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OutboundTrack } from "../../../../src/media/audio/outboundTrack.ts";

const FRAME = 160;
const FRAME_MS = 20;
const SILENCE = 0xff;
const OPTIONS = { leadMs: 200, markEveryMs: 200, queueMs: 30_000, messageMs: FRAME_MS, markPrefix: "m" };

/** So many milliseconds of speech. */
const speech = (ms: number, voice = 1): Uint8Array => new Uint8Array(8 * ms).fill(voice);

/** A track, and what it sent since one last looked: the voice of each frame, mark names, and clears. */
function speak(options: Partial<typeof OPTIONS> & { playheadMs?: number } = {}) {
  const sent: (number | string)[] = [];
  const track = new OutboundTrack(
    { ...OPTIONS, ...options },
    {
      sendMedia(frame, start, end) {
        assert.equal(end - start, FRAME);
        const [voice, ...rest] = frame.subarray(start, end);
        sent.push(rest.every((byte) => byte === voice) ? voice! : -1);
      },
      sendMark: (name) => sent.push(name),
      sendClear: () => sent.push("clear"),
    },
  );
  return {
    track,
    sends: () => sent.splice(0),
    frames: () => sent.splice(0).filter((what) => typeof what === "number"),
  };
}

describe("the agent's speech", () => {
  it("is sent 200 ms ahead and then in real time", () => {
    const { track, frames } = speak();
    assert.equal(track.nextDueMs(), Number.POSITIVE_INFINITY);
    assert.equal(track.push(speech(1_000), 5_000), 8_000);
    assert.equal(track.nextDueMs(), 5_000);
    track.pump(5_000);
    assert.equal(frames().length, 10);
    assert.equal(track.nextDueMs(), 5_020);
    for (let ms = 1; ms < 800; ms++) {
      track.pump(5_000 + ms);
      assert.equal(frames().length, ms % FRAME_MS === 0 ? 1 : 0, `at ${ms} ms`);
    }
    assert.equal(track.queuedMs, 20);
    track.pump(5_800);
    assert.equal(frames().length, 1);
    assert.deepEqual([track.sentMs, track.queuedMs, track.underruns], [1_000, 0, 0]);
    assert.equal(track.nextDueMs(), Number.POSITIVE_INFINITY);
  });

  it("goes out in long messages where it waits, the first frame alone, and none longer than to the next mark", () => {
    const messages: string[] = [];
    const track = new OutboundTrack(
      { ...OPTIONS, messageMs: 100 },
      {
        sendMedia: (_, start, end) => messages.push(`${(end - start) / 8} ms`),
        sendMark: (name) => messages.push(name),
        sendClear: () => {},
      },
    );
    track.push(speech(700), 0);
    track.endUtterance(0);
    const sent = (nowMs: number) => {
      track.pump(nowMs);
      return messages.splice(0);
    };
    assert.deepEqual(sent(0), ["20 ms", "m0-20", "100 ms"]);
    assert.equal(track.nextDueMs(), 20, "when a whole message may be sent ahead");
    assert.deepEqual(sent(19), []);
    assert.deepEqual(sent(20), ["100 ms", "m0-220"]);
    assert.deepEqual([sent(120), sent(220)], [["100 ms"], ["100 ms", "m0-420"]]);
    track.clear(230);
    track.push(speech(100), 230);
    assert.deepEqual(sent(230), ["20 ms", "m1-20", "80 ms"], "after a silence the first is alone again");
    assert.ok(track.pass(new Uint8Array(FRAME), 300), "what comes when it is due is not kept for others");
    assert.deepEqual(messages, ["20 ms"]);
    assert.deepEqual([track.sentMs, track.underruns], [120, 0]);
  });

  it("is sent in whole frames, the last of an utterance filled up with silence", () => {
    const { track, sends } = speak();
    track.push(speech(10, 1), 0);
    track.pump(0);
    assert.deepEqual(sends(), []);
    assert.deepEqual([track.queuedMs, track.nextDueMs()], [10, 100]);
    track.push(speech(10, 1), 5);
    track.push(speech(7.5, 2), 5);
    track.pump(5);
    assert.deepEqual(sends(), [1, "m0-20"]);
    const tail: number[] = [];
    const padded = new OutboundTrack(OPTIONS, {
      sendMedia: (frame, start, end) => tail.push(...frame.subarray(start, end)),
      sendMark: () => {},
      sendClear: () => {},
    });
    padded.push(speech(7.5, 2), 0);
    padded.endUtterance(0);
    padded.pump(0);
    assert.deepEqual(tail, [...Array(60).fill(2), ...Array(100).fill(SILENCE)]);
  });

  it("is marked behind its first frame, every 200 ms, and at the end of an utterance", () => {
    const { track, sends } = speak();
    track.push(speech(300, 1), 0);
    track.endUtterance(0);
    track.push(speech(250, 2), 0);
    track.endUtterance(0);
    for (let ms = 0; ms < 400; ms += FRAME_MS) track.pump(ms);
    const first = [1, "m0-20", ...Array(10).fill(1), "m0-220", ...Array(4).fill(1), "m0-300"];
    const second = [...Array(10).fill(2), "m0-500", ...Array(2).fill(2), -1, "m0-560"];
    assert.deepEqual(sends(), [...first, ...second]);
  });

  it("is marked no more often in the places of the queue where utterances once ended", () => {
    const { track, sends } = speak();
    const marks = () => sends().filter((what) => typeof what === "string");
    for (let utterance = 0; utterance < 15; utterance++) {
      track.push(speech(20), 0);
      track.endUtterance(0);
    }
    for (let ms = 0; ms < 300; ms += FRAME_MS) track.pump(ms);
    assert.equal(marks().length, 15);
    track.push(speech(800), 300);
    for (let ms = 300; ms < 1_100; ms += FRAME_MS) track.pump(ms);
    assert.deepEqual(marks(), ["m0-500", "m0-700", "m0-900", "m0-1100"]);
    for (let utterance = 0; utterance < 15; utterance++) {
      track.push(speech(20), 1_200);
      track.endUtterance(1_200);
    }
    track.clear(1_200);
    track.push(speech(800), 1_200);
    for (let ms = 1_200; ms < 2_000; ms += FRAME_MS) track.pump(ms);
    assert.deepEqual(marks(), ["clear", "m1-20", "m1-220", "m1-420", "m1-620"]);
  });

  it("is marked at once when an utterance ends that was sent already, but not twice", () => {
    const { track, sends } = speak();
    track.push(speech(60), 0);
    track.pump(0);
    assert.deepEqual(sends(), [1, "m0-20", 1, 1]);
    track.endUtterance(100);
    assert.deepEqual(sends(), ["m0-60"]);
    track.endUtterance(100);
    track.pump(200);
    assert.deepEqual(sends(), []);
  });

  it("waits in a queue with a bound", () => {
    const { track, frames } = speak({ queueMs: 500 });
    assert.equal(track.push(speech(300, 1), 0), 2_400);
    assert.equal(track.push(speech(300, 2), 0), 1_600);
    assert.equal(track.push(speech(1, 3), 0), 0);
    assert.equal(track.queuedMs, 500);
    track.pump(0);
    assert.equal(track.push(speech(300, 4), 0), 1_600);
    for (let ms = 0; ms < 1_000; ms++) track.pump(ms);
    assert.deepEqual(frames(), [...Array(15).fill(1), ...Array(10).fill(2), ...Array(10).fill(4)]);
  });

  it("goes on at once after a pause, which counts as an underrun only within an utterance", () => {
    const { track, frames } = speak();
    track.push(speech(40), 0);
    track.endUtterance(0);
    track.pump(0);
    track.push(speech(40), 1_000);
    track.pump(1_000);
    track.endUtterance(1_001);
    track.push(speech(40), 2_000);
    track.pump(2_000);
    assert.equal(track.underruns, 0);
    track.push(speech(400), 2_041);
    track.pump(2_041);
    assert.equal(track.underruns, 1);
    assert.equal(frames().length, 6 + 10, "and again 200 ms ahead, from now");
    assert.equal(track.nextDueMs(), 2_061);
  });

  it("says how late a frame was sent", () => {
    const { track, frames } = speak();
    track.push(speech(180), 0);
    track.pump(3);
    assert.equal(track.lateMs, 3);
    track.push(speech(200), 10);
    track.pump(10);
    assert.equal(track.lateMs, 0);
    assert.equal(track.nextDueMs(), 23);
    track.pump(27.5);
    assert.equal(track.lateMs, 4.5);
    assert.equal(frames().length, 11);
    track.pump(1_000);
    assert.equal(track.underruns, 1, "a pump that late lets Twilio run dry");
  });

  it("goes on where another worker's audio ends", () => {
    const { track, frames } = speak({ playheadMs: 150 });
    track.push(speech(400), 0);
    track.pump(0);
    assert.equal(frames().length, 2);
    assert.deepEqual([track.playheadMs, track.nextDueMs()], [190, 10]);
  });

  it("has bounds that are whole frames", () => {
    for (const options of [{ leadMs: 0 }, { markEveryMs: 30 }, { queueMs: -20 }])
      assert.throws(() => speak(options), assert.AssertionError);
  });
});

describe("what the caller heard", () => {
  it("is nothing before a mark comes back, whatever was sent", () => {
    const { track } = speak();
    track.push(speech(1_000), 0);
    track.pump(0);
    assert.deepEqual([track.sentMs, track.heardMs(500)], [200, 0]);
  });

  it("is the last mark that came back, carried on by the clock, never past what was sent", () => {
    const { track } = speak();
    track.push(speech(240), 0);
    track.pump(0);
    assert.equal(track.markEchoed("m0-20", 80), true);
    assert.equal(track.heardMs(80), 20);
    assert.equal(track.heardMs(150), 90);
    assert.equal(track.heardMs(900), 200);
    track.pump(900);
    assert.equal(track.sentMs, 240);
  });

  it("does not carry on across a pause until a mark from behind it comes back", () => {
    const { track } = speak();
    track.push(speech(40), 0);
    track.pump(0);
    track.markEchoed("m0-20", 50);
    track.push(speech(100), 500);
    track.pump(500);
    assert.equal(track.heardMs(600), 40);
    assert.equal(track.markEchoed("m0-60", 570), true);
    assert.equal(track.heardMs(600), 90);
    assert.equal(track.heardMs(900), 140);
  });

  it("never falls, also when a mark comes back later than the clock said", () => {
    const { track } = speak();
    track.push(speech(440), 0);
    for (let ms = 0; ms <= 240; ms += FRAME_MS) track.pump(ms);
    track.markEchoed("m0-20", 20);
    assert.equal(track.heardMs(400), 400);
    track.markEchoed("m0-220", 450);
    assert.equal(track.heardMs(500), 400);
    assert.equal(track.heardMs(640), 410);
  });

  it("is known in full when the last mark is back", () => {
    const { track } = speak();
    assert.equal(track.idle, true);
    track.push(speech(50), 0);
    assert.equal(track.idle, false);
    track.endUtterance(0);
    track.pump(0);
    track.markEchoed("m0-20", 60);
    assert.equal(track.idle, false);
    track.markEchoed("m0-60", 100);
    assert.deepEqual([track.idle, track.heardMs(100)], [true, 60]);
  });

  it("is told to whoever interrupts, and then begins anew", () => {
    const { track, sends } = speak();
    track.push(speech(1_000, 1), 0);
    track.pump(0);
    track.markEchoed("m0-20", 70);
    sends();
    assert.equal(track.clear(170), 120);
    assert.deepEqual(sends(), ["clear"]);
    assert.deepEqual([track.sentMs, track.queuedMs, track.heardMs(170), track.idle], [0, 0, 0, true]);
    assert.equal(track.nextDueMs(), Number.POSITIVE_INFINITY);
    // Twilio sends back what it held; and then the agent speaks again.
    assert.equal(track.markEchoed("m0-200", 200), false);
    track.push(speech(30, 2), 300);
    track.pump(300);
    assert.deepEqual(sends(), [2, "m1-20"]);
    assert.equal(track.markEchoed("m0-220", 310), false);
    assert.equal(track.heardMs(310), 0);
    assert.equal(track.markEchoed("m1-20", 350), true);
    assert.deepEqual([track.heardMs(350), track.underruns], [20, 0]);
  });

  it("does not come from marks that are not this track's, or came before", () => {
    const { track } = speak({ markPrefix: "call-7-" });
    track.push(speech(240), 0);
    track.pump(0);
    track.pump(20);
    track.pump(40);
    const names = [
      "",
      "agent's own",
      "m0-20",
      "call-7-0-240",
      "call-7-0-",
      "call-7-0-020",
      "call-7-0-2e1",
      "call-7-0-30",
    ];
    names.push("call-7-1-20", "call-7-0--20", "call-7-0-NaN", "call-7-0-0", "call-7-00-20", "call-7-0-20 ");
    for (const name of names) assert.equal(track.markEchoed(name, 100), false, name);
    assert.equal(track.heardMs(100), 0);
    assert.equal(track.markEchoed("call-7-0-220", 100), true);
    assert.equal(track.markEchoed("call-7-0-220", 120), false);
    assert.equal(track.markEchoed("call-7-0-20", 120), false);
    assert.equal(track.heardMs(100), 220);
  });
});

describe("a mark that is asked for", () => {
  it("follows what was pushed last, be it less than a frame, and ends no utterance", () => {
    const { track, sends } = speak();
    track.push(speech(50), 0);
    track.mark(0);
    track.push(speech(30), 0);
    track.pump(0);
    assert.deepEqual(sends(), [1, "m0-20", 1, 1, "m0-60", 1]);
    track.mark(0);
    track.mark(0);
    assert.deepEqual(sends(), ["m0-80"], "at once when it was sent already, and not twice");
    track.push(speech(200), 300);
    track.pump(300);
    assert.equal(track.underruns, 1);
  });

  it("has nothing to follow before anything was said", () => {
    const { track, sends } = speak();
    track.mark(0);
    assert.deepEqual(sends(), []);
  });
});

describe("less than a frame", () => {
  it("goes out alone once Twilio has been without audio for 100 ms, and nothing more came", () => {
    const { track, sends } = speak();
    track.push(speech(30), 0);
    track.pump(0);
    assert.deepEqual(sends(), [1, "m0-20"]);
    for (let ms = 1; ms < 120; ms++) track.pump(ms);
    assert.deepEqual(sends(), []);
    track.pump(120);
    assert.deepEqual(sends(), [-1, "m0-40"], "it comes behind a pause");
    assert.deepEqual([track.queuedMs, track.endMs, track.sentMs], [0, 40, 40]);
  });

  it("waits as long when it is the first that is said, counted from the stream's begin", () => {
    const { track, sends } = speak();
    track.push(speech(10), 0);
    track.begin(5_000);
    for (let ms = 5_000; ms < 5_100; ms++) track.pump(ms);
    assert.deepEqual(sends(), []);
    track.pump(5_100);
    assert.deepEqual(sends(), [-1, "m0-20"]);
  });

  // Whatever portions an agent sends in real time, and however irregularly: silence that is filled in delays nothing,
  // as what Twilio has run out of is not waited for.
  for (const bytes of [1, 7, 80, 159, 161, 250, 333, 799, 1_000]) {
    it(`costs an agent that sends ${bytes} bytes at a time in real time no delay that grows`, () => {
      const { track } = speak();
      let said = 0;
      let worstMs = 0;
      for (let ms = 0; ms < 20_000; ms++) {
        // For half a second of every three it sends nothing, and all of it at once then.
        const saysUntil = ms % 3_000 < 500 ? ms - (ms % 3_000) : ms;
        while ((said + bytes) / 8 <= saysUntil) {
          assert.equal(track.push(new Uint8Array(bytes), ms), bytes);
          said += bytes;
        }
        track.pump(ms);
        worstMs = Math.max(worstMs, track.queuedMs);
      }
      const padsMs = track.endMs - said / 8;
      assert.ok(padsMs <= 7 * FRAME_MS, `${padsMs} ms of silence in seven pauses`);
      assert.ok(worstMs <= 500, `${worstMs} ms waited`);
      const behindMs = track.playheadMs + track.queuedMs - 20_000;
      assert.ok(behindMs <= 600, `at the end ${behindMs} ms are still to be played`);
    });
  }
});

describe("playing that is confirmed no more", () => {
  /** Pumps every millisecond. */
  function played(track: OutboundTrack, fromMs: number, untilMs: number): void {
    for (let ms = fromMs; ms <= untilMs; ms++) track.pump(ms);
  }

  it("is counted from when the first mark that is missing was due", () => {
    const { track } = speak();
    track.push(speech(3_000), 0);
    played(track, 0, 20);
    track.markEchoed("m0-20", 30);
    assert.equal(track.stalledMs(30), 0);
    played(track, 21, 2_000);
    assert.equal(track.stalledMs(2_000), 1_970, "since the last that came back");
    track.markEchoed("m0-220", 2_000);
    assert.equal(track.stalledMs(2_000), 0);
  });

  it("is not so for a peer that never confirms anything, nor before anything is due", () => {
    const { track } = speak();
    track.push(speech(3_000), 0);
    played(track, 0, 9_000);
    assert.equal(track.stalledMs(9_000), 0);
    const silent = speak().track;
    silent.push(speech(20), 0);
    silent.pump(0);
    silent.markEchoed("m0-20", 20);
    assert.equal(silent.stalledMs(60_000), 0);
    silent.push(speech(20), 60_000);
    silent.pump(60_000);
    assert.equal(silent.stalledMs(60_020), 0);
    assert.equal(silent.stalledMs(60_120), 100);
  });

  for (const [what, ask] of [
    ["an utterance that ends", (track: OutboundTrack, nowMs: number) => track.endUtterance(nowMs)],
    ["a mark that is asked for", (track: OutboundTrack, nowMs: number) => track.mark(nowMs)],
  ] as const) {
    it(`is not so when it is asked late: ${what} long after its audio was played`, () => {
      const { track, sends } = speak();
      track.push(speech(100), 0);
      track.pump(0);
      track.markEchoed("m0-20", 30);
      sends();
      ask(track, 10_000);
      assert.deepEqual(sends(), ["m0-100"]);
      assert.equal(track.stalledMs(10_000), 0);
      assert.equal(track.stalledMs(10_080), 80);
      track.markEchoed("m0-100", 10_080);
      assert.equal(track.stalledMs(99_000), 0);
    });
  }

  it("is over with what was unsaid", () => {
    const { track } = speak();
    track.push(speech(3_000), 0);
    played(track, 0, 20);
    track.markEchoed("m0-20", 30);
    played(track, 21, 3_000);
    assert.ok(track.stalledMs(3_000) > 2_000);
    track.clear(3_000);
    assert.equal(track.stalledMs(9_000), 0);
  });
});
