// The small parts of a websocket agent that know no socket.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { News } from "../../../../../src/lane/news.ts";
import { Allowance } from "../../../../../src/media/agents/websocket/allowance.ts";
import { audioOf, bytesPerFrame, Earpiece } from "../../../../../src/media/agents/websocket/audio.ts";
import { Breaker } from "../../../../../src/media/agents/websocket/breaker.ts";
import { Cuts } from "../../../../../src/media/agents/websocket/cuts.ts";
import { Pulse } from "../../../../../src/media/agents/websocket/pulse.ts";
import { Refusals } from "../../../../../src/media/agents/websocket/refusals.ts";
import { AGAIN, FIRST, nextTryMs } from "../../../../../src/media/agents/websocket/tries.ts";

describe("audio after the caller's interruption", () => {
  it("is stale until the agent begins something new", () => {
    const beginnings: Readonly<Record<string, (cuts: Cuts) => unknown>> = {
      "another utterance": (cuts) => cuts.utteranceStarts(undefined),
      "another utterance that knows of the cut": (cuts) => cuts.utteranceStarts(1),
      "the end of the cut one": (cuts) => cuts.utteranceEnds(),
      "its own clear": (cuts) => cuts.cleared(),
    };
    for (const [what, begin] of Object.entries(beginnings)) {
      const cuts = new Cuts();
      cuts.utteranceStarts(0);
      assert.ok(cuts.admits(0));
      cuts.interrupted(0);
      for (const ms of [0, 900, 5_000, 60_000]) assert.ok(!cuts.admits(ms), `${what} after ${ms} ms`);
      begin(cuts);
      assert.ok(cuts.admits(60_001), what);
    }
  });

  it("is stale too in utterances that were written before the agent knew", () => {
    const cuts = new Cuts();
    cuts.utteranceStarts(undefined);
    cuts.interrupted(0);
    assert.equal(cuts.utteranceEnds(), false); // the cut one is not ended on the line
    assert.equal(cuts.utteranceStarts(0), false);
    assert.ok(!cuts.admits(10) && cuts.isStale());
    assert.equal(cuts.utteranceEnds(), false);
    assert.equal(cuts.utteranceStarts(1), true);
    assert.ok(cuts.admits(20));
    assert.equal(cuts.utteranceEnds(), true);
    cuts.interrupted(30);
    cuts.interrupted(40);
    assert.equal(cuts.number, 3);
    assert.equal(cuts.utteranceStarts(2), false);
  });

  it("is new after a second's pause where the agent names no utterances, and in any case after three", () => {
    const paused = new Cuts();
    paused.interrupted(0);
    assert.ok(!paused.admits(500));
    assert.ok(!paused.admits(1_499));
    assert.ok(paused.admits(2_499) && paused.admits(2_500));
    const steady = new Cuts();
    steady.interrupted(0);
    for (let ms = 0; ms < 3_000; ms += 20) assert.ok(!steady.admits(ms), `${ms} ms`);
    assert.ok(steady.admits(3_000));
  });

  it("is never said of a cut utterance, in whatever order things cross", () => {
    // The agent numbers its utterances and knows of an interruption some messages later.
    const step = fc.constantFrom("start", "audio", "end", "interrupt", "learn");
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const cuts = new Cuts();
        let known = 0;
        let writtenBefore = 0; // interruptions the agent knew of when it began the utterance it is in
        let isIn = false;
        for (const [ms, what] of steps.entries()) {
          if (what === "interrupt") cuts.interrupted(ms);
          else if (what === "learn") known = cuts.number;
          else if (what === "start") {
            isIn = true;
            writtenBefore = known;
            cuts.utteranceStarts(known);
          } else if (what === "end") {
            isIn = false;
            cuts.utteranceEnds();
          } else if (isIn) assert.equal(cuts.admits(ms), writtenBefore === cuts.number);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("the caller's audio on its way to an agent", () => {
  it("is the same bytes in messages of any length", () => {
    for (const [encoding, rateHz] of [
      ["mulaw", 8_000],
      ["pcm16", 16_000],
      ["pcm16", 24_000],
    ] as const) {
      for (const perMessage of [1, 2, 5]) {
        const format = { encoding, rateHz } as Parameters<typeof bytesPerFrame>[0];
        const earpiece = new Earpiece(format, perMessage);
        const sent: Buffer[] = [];
        const heard: Buffer[] = [];
        for (let n = 0; n < 10; n++) {
          const bytes = Buffer.alloc(bytesPerFrame(format)).map((_, i) => (n * 31 + i) & 255);
          heard.push(Buffer.from(bytes));
          const frame = encoding === "mulaw" ? bytes : new Int16Array(new Uint8Array(bytes).buffer);
          const message = earpiece.take(frame);
          if (message !== undefined)
            sent.push(Buffer.from(new Uint8Array(message.buffer, message.byteOffset, message.byteLength)));
        }
        assert.equal(sent.length, 10 / perMessage);
        assert.deepEqual(Buffer.concat(sent), Buffer.concat(heard));
      }
    }
  });

  it("comes back as samples wherever its bytes lie in memory", () => {
    const pcm16 = { encoding: "pcm16", rateHz: 8_000 } as const;
    const whole = Buffer.from([0, 1, 2, 0xff, 0xff, 0, 0x80]);
    assert.deepEqual([...audioOf(whole.subarray(1, 7), pcm16)], [0x0201, -1, -32_768]);
    assert.deepEqual([...audioOf(whole.subarray(0, 4), pcm16)], [0x0100, -254]);
    assert.equal(audioOf(whole, { encoding: "mulaw", rateHz: 8_000 }), whole);
  });
});

describe("the breaker", () => {
  const fail = (breaker: Breaker, times: number, atMs: number) => {
    for (let n = 0; n < times; n++) breaker.failed("a", atMs);
  };

  it("opens after five failures in a row within ten seconds, for two seconds and all calls but one", () => {
    const breaker = new Breaker();
    fail(breaker, 4, 0);
    assert.ok(breaker.allows("a", 0));
    fail(breaker, 1, 9_000);
    assert.deepEqual(
      [9_000, 9_001, 9_002, 10_999, 11_000].map((ms) => breaker.allows("a", ms)),
      [true, false, false, false, true],
    );
    assert.ok(breaker.allows("b", 9_001));
  });

  it("opens again while the server stays away, one probe each time", () => {
    const breaker = new Breaker();
    fail(breaker, 5, 0);
    assert.ok(breaker.allows("a", 1));
    fail(breaker, 1, 2); // the probe
    assert.ok(!breaker.allows("a", 3));
    assert.ok(breaker.allows("a", 2_000));
    fail(breaker, 1, 2_001);
    assert.deepEqual([breaker.allows("a", 2_002), breaker.allows("a", 2_003)], [true, false]);
  });

  it("stays shut for failures far apart, and forgets them all with one success", () => {
    const breaker = new Breaker();
    for (let n = 0; n < 20; n++) fail(breaker, 1, n * 2_600);
    assert.ok(breaker.allows("a", 52_000) && breaker.allows("a", 52_000));
    fail(breaker, 4, 60_000);
    breaker.succeeded("a");
    fail(breaker, 4, 60_001);
    assert.ok(breaker.allows("a", 60_002) && breaker.allows("a", 60_002));
  });
});

describe("the tries for a connection", () => {
  it("are spread over what the caller can wait for", () => {
    for (const [patience, atMs] of [
      [FIRST, [0, 100, 400, 1_100, 2_500]],
      [AGAIN, [0, 200, 600, 1_200]],
    ] as const) {
      const tried: number[] = [];
      for (let nowMs: number | undefined = 1_000; nowMs !== undefined; ) {
        tried.push(nowMs - 1_000);
        nowMs = nextTryMs(patience, 1_000, tried.length, nowMs + 1);
      }
      assert.deepEqual(tried, atMs);
      assert.equal(nextTryMs(patience, 0, 1, 700), 700); // a slow failure is followed at once
      assert.equal(nextTryMs(patience, 0, 1, patience.openWithinMs), undefined);
    }
  });
});

describe("a pulse", () => {
  it("is felt twice a second, one ping at a time, and only by its own answer", () => {
    const pulse = new Pulse(0);
    assert.equal(pulse.due(499), undefined);
    assert.equal(pulse.due(500), "1");
    assert.equal(pulse.due(1_500), undefined);
    assert.equal(pulse.silentMs(1_500), 1_000);
    pulse.ponged("0");
    assert.equal(pulse.silentMs(2_500), 2_000);
    pulse.ponged("1");
    assert.equal(pulse.silentMs(2_501), 0);
    assert.equal(pulse.due(2_501), "2");
    pulse.restart(9_000);
    assert.equal(pulse.silentMs(9_100), 100);
    pulse.excuse(5_000);
    assert.equal(pulse.silentMs(14_200), 200);
  });
});

describe("what is told of refused messages", () => {
  it("are sums, at once and then once a second", () => {
    const refusals = new Refusals();
    const told: News[] = [];
    const tell = (nowMs: number) => refusals.tell(nowMs, (news) => told.push(news));
    tell(0);
    refusals.add("stale_audio", 0.5);
    tell(20);
    for (let n = 0; n < 30; n++) refusals.add("stale_audio");
    refusals.add("malformed");
    tell(1_019);
    assert.deepEqual(told, [{ kind: "agent_refused", what: "stale_audio", count: 1 }]);
    tell(1_020);
    tell(5_000);
    assert.deepEqual(told.slice(1), [
      { kind: "agent_refused", what: "stale_audio", count: 30 },
      { kind: "agent_refused", what: "malformed", count: 1 },
    ]);
  });
});

describe("an allowance", () => {
  it("is a burst, and then so many a second", () => {
    const allowance = new Allowance({ perS: 10, burst: 3 });
    const taken = (nowMs: number) => {
      let count = 0;
      while (allowance.take(nowMs)) count++;
      return count;
    };
    assert.deepEqual([0, 50, 100, 1_000, 1_000, 90_000].map(taken), [3, 0, 1, 3, 0, 3]);
    assert.ok(allowance.take(90_010, 0.1) && !allowance.take(90_010, 0.1));
  });
});
