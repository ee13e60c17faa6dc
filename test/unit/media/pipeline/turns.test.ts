import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { INTERRUPTIONS, type Interruption } from "../../../../src/domain/agentSettings.ts";
import type { News } from "../../../../src/lane/news.ts";
import { Turns } from "../../../../src/media/pipeline/turns.ts";

const SILENT = { isSpeaking: false, isPreparing: false, isGreeted: true };
const SPEAKING = { ...SILENT, isSpeaking: true };
const PREPARING = { ...SPEAKING, isPreparing: true };

function turns(policy: Interruption = "on") {
  const told: News[] = [];
  return { turns: new Turns(policy, (news) => told.push(news)), told };
}

describe("the caller's speech", () => {
  const table: Record<Interruption, [silent: boolean, greeting: boolean, later: boolean]> = {
    on: [false, true, true],
    after_greeting: [false, false, true],
    off: [false, false, false],
  };
  for (const policy of INTERRUPTIONS)
    it(`interrupts as "${policy}" says: an agent that is silent, that greets, and that speaks later`, () => {
      const { turns: one } = turns(policy);
      const sides = [SILENT, { ...SPEAKING, isGreeted: false }, SPEAKING];
      assert.deepEqual(
        sides.map((side) => one.callerStarted(side)),
        table[policy],
      );
      assert.equal(one.callerStarted({ ...SILENT, isGreeted: false }), false);
    });
});

describe("an answer", () => {
  it("is measured from the end of the caller's speech to its first byte, its first frame, and the ear", () => {
    const { turns: one, told } = turns();
    one.callerStarted(SILENT);
    one.callerStopped(10_000, SILENT);
    one.progressed(10_400, 3_000, 3_000);
    one.agentSpoke(10_600, 3_000, 3_000);
    one.progressed(10_600, 3_000, 3_000);
    one.agentSpoke(10_601, 3_000, 3_000); // less than a frame each: the first of it counts
    one.progressed(10_602, 3_020, 3_000);
    one.agentSpoke(10_640, 3_020, 3_000);
    assert.deepEqual(told, []);
    one.progressed(10_700, 3_220, 3_020);
    assert.deepEqual(told, [{ kind: "turn", agentMs: 600, forwardMs: 2, heardMs: 680 }]);
    one.progressed(10_800, 3_420, 3_220);
    one.agentSpoke(10_900, 3_420, 3_220);
    one.progressed(11_000, 3_620, 3_620);
    assert.equal(told.length, 1, "once");
  });

  it("may come before the caller's end was noticed", () => {
    for (const heard of ["before", "after"]) {
      const { turns: one, told } = turns();
      one.callerStarted(SILENT);
      one.agentSpoke(10_250, 800, 800);
      one.progressed(10_250, 820, 800);
      if (heard === "before") one.progressed(10_350, 1_000, 820);
      assert.deepEqual(told, [], "it may yet prove to be said over the caller");
      one.callerStopped(10_000, SPEAKING);
      if (heard === "after") one.progressed(10_450, 1_000, 820);
      const heardMs = heard === "before" ? 330 : 430;
      assert.deepEqual(told, [{ kind: "turn", agentMs: 250, forwardMs: 0, heardMs }]);
      one.agentSpoke(10_500, 1_020, 820);
      one.progressed(10_600, 1_200, 1_200);
      assert.equal(told.length, 1);
    }
  });

  it("may have been begun before the caller's end was noticed, and be said later", () => {
    const { turns: one, told } = turns();
    one.callerStarted(SILENT);
    one.callerStopped(10_000, PREPARING);
    one.agentSpoke(10_700, 800, 800);
    one.progressed(10_700, 820, 800);
    one.progressed(10_800, 1_000, 820);
    assert.deepEqual(told, [{ kind: "turn", agentMs: 700, forwardMs: 0, heardMs: 780 }]);
  });

  it("is none that was said over the caller, nor what the agent had been saying all along", () => {
    const { turns: one, told } = turns("off");
    one.callerStarted(SILENT);
    one.agentSpoke(9_000, 800, 800); // "aha"
    one.progressed(9_100, 900, 820);
    one.callerStopped(10_000, SILENT);
    one.progressed(10_050, 900, 900);
    assert.deepEqual(told, []);
    one.agentSpoke(10_500, 900, 900);
    one.progressed(10_600, 1_000, 920);
    assert.deepEqual(told, [{ kind: "turn", agentMs: 500, forwardMs: 100, heardMs: 580 }]);

    one.callerStarted(SPEAKING);
    one.agentSpoke(20_300, 5_000, 4_800);
    one.callerStopped(20_000, SPEAKING);
    one.progressed(20_900, 6_000, 6_000);
    assert.equal(told.length, 1);
  });

  it("is none when the caller goes on, when it is unsaid, or when nobody had spoken", () => {
    const { turns: one, told } = turns();
    one.agentSpoke(1_000, 0, 0);
    one.progressed(1_100, 200, 200);
    one.callerStarted(SILENT);
    one.callerStopped(2_000, SILENT);
    one.callerStarted(SILENT);
    one.callerStopped(4_000, SILENT);
    one.agentSpoke(4_300, 200, 200);
    one.cleared();
    one.progressed(4_400, 100, 100);
    assert.deepEqual(told, []);
  });

  it("counts from the caller's last end before it", () => {
    const { turns: one, told } = turns();
    for (const endedMs of [2_000, 4_000]) {
      one.callerStarted(SILENT);
      one.callerStopped(endedMs, SILENT);
    }
    one.agentSpoke(4_300, 200, 200);
    one.progressed(4_300, 400, 220);
    assert.deepEqual(told, [{ kind: "turn", agentMs: 300, forwardMs: 0, heardMs: 280 }]);
  });
});
