import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Limits, Patience } from "../../../../src/media/pipeline/patience.ts";

const NONE: Limits = { firstSpeechTimeoutMs: 0, maxSilenceMs: 0, maxDurationMs: 0 };
const ALL: Limits = { firstSpeechTimeoutMs: 5_000, maxSilenceMs: 30_000, maxDurationMs: 60_000 };

/** All that a call has had enough of, by when, looked at every `everyMs`. */
function enough(one: Patience, fromMs: number, untilMs: number, everyMs = 10): [number, string][] {
  const had: [number, string][] = [];
  for (let ms = fromMs; ms <= untilMs; ms += everyMs) {
    const what = one.at(ms);
    if (what !== undefined) had.push([ms, what]);
    if (what !== undefined && what !== "comfort") break;
  }
  return had;
}

describe("a call's patience", () => {
  it("is endless where every limit is 0", () => {
    assert.deepEqual(enough(new Patience(NONE, 0, 0, false), 0, 100_000_000, 10_000), []);
  });

  for (const [limit, expected] of [
    ["firstSpeechTimeoutMs", "comfort"],
    ["maxSilenceMs", "silence"],
    ["maxDurationMs", "max_duration"],
  ] as const)
    it(`has each limit alone: ${limit}`, () => {
      const one = new Patience({ ...NONE, [limit]: 7_000 }, 1_000, 1_000, false);
      assert.deepEqual(enough(one, 1_000, 7_999, 1), []);
      assert.deepEqual(enough(one, 8_000, 90_000)[0], [8_000, expected]);
      assert.deepEqual(
        enough(new Patience({ ...ALL, [limit]: 0 }, 0, 0, false), 0, 90_000).filter(
          ([, what]) => what === expected,
        ),
        [],
      );
    });

  it("has comfort once, then silence", () => {
    assert.deepEqual(enough(new Patience(ALL, 0, 0, false), 0, 90_000), [
      [5_000, "comfort"],
      [30_000, "silence"],
    ]);
  });

  it("has no comfort once the agent was heard, be it later silent", () => {
    const one = new Patience(ALL, 0, 0, false);
    one.agentHeardUntil(4_000);
    assert.deepEqual(enough(one, 4_000, 90_000), [[34_000, "silence"]]);
  });

  it("is not lost while what the agent said is still to be played, unless that is unsaid", () => {
    const spoken = new Patience(ALL, 0, 0, false);
    spoken.agentHeardUntil(20_000);
    spoken.agentHeardUntil(15_000);
    spoken.callerHeardAt(3_000);
    assert.deepEqual(enough(spoken, 0, 90_000), [[50_000, "silence"]]);
    const cut = new Patience(ALL, 0, 0, false);
    cut.agentHeardUntil(20_000);
    cut.cut(6_000);
    assert.deepEqual(enough(cut, 6_000, 90_000), [[36_000, "silence"]]);
  });

  it("ends with the call's time whoever speaks, and with a clock that was late at once", () => {
    const one = new Patience(ALL, 0, 0, false);
    one.agentHeardUntil(500_000);
    assert.equal(one.at(59_999), undefined);
    assert.equal(one.at(60_000), "max_duration");
    assert.equal(new Patience(ALL, 0, 0, false).at(99_000), "max_duration");
  });

  it("goes on where the dead worker's call was, but waits for silence anew", () => {
    const one = new Patience(ALL, -50_000, 0, true);
    assert.deepEqual(enough(one, 0, 90_000), [[10_000, "max_duration"]]);
    const silent = new Patience({ ...ALL, maxDurationMs: 0 }, -50_000, 0, true);
    assert.deepEqual(enough(silent, 0, 90_000), [[30_000, "silence"]], "and no comfort");
  });

  it("is never over before any limit of it is, whatever is heard when", () => {
    const times = fc.array(fc.nat(80_000), { maxLength: 20 });
    fc.assert(
      fc.property(times, times, (caller, agent) => {
        const one = new Patience(ALL, 0, 0, false);
        let heardMs = 0;
        let comforts = 0;
        for (let ms = 0; ms <= 60_000; ms += 100) {
          const since = (at: number) => at > ms - 100 && at <= ms;
          for (const at of caller.filter(since)) one.callerHeardAt(at);
          for (const at of agent.filter(since)) one.agentHeardUntil(at);
          heardMs = Math.max(heardMs, ...[...caller, ...agent].filter(since));
          const what = one.at(ms);
          if (what === "comfort") comforts++;
          const isSilent = ms - heardMs >= 30_000;
          if (ms >= 60_000) assert.equal(what, "max_duration");
          else assert.equal(what === "silence", isSilent, `at ${ms}, heard until ${heardMs}`);
          if (what === "silence") return;
        }
        assert.ok(comforts <= 1);
      }),
    );
  });
});
