// When the caller speaks over the agent, and when the agent takes back what it said.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Interruption } from "../../../../src/domain/agentSettings.ts";
import type { News } from "../../../../src/lane/news.ts";
import type { CallTicket } from "../../../../src/lane/ticket.ts";
import { call, type Options } from "./callRig.ts";

/** A frame of the caller's that is as loud as can be, and one of silence. */
const LOUD = 0x00;
const QUIET = 0xff;

/** A call whose stream is up, with an agent that may be interrupted so. */
function talk(
  t: TestContext,
  interruption: Interruption,
  changes: Partial<CallTicket> = {},
  options: Options = {},
) {
  const agent = { type: "remembering", max_duration_ms: 0, interruption } as const;
  const one = call(t, { ...options, ticket: { agent, ...changes } });
  one.started();
  const { line, told } = one.agent();
  const kinds = (kind: News["kind"]) => one.news().filter((news) => news.kind === kind);
  return {
    ...one,
    line,
    told,
    kinds,
    says(id: string, seconds: number): void {
      line.beginUtterance(id, "One two three four five six seven eight nine ten");
      line.say(new Int16Array(8_000 * seconds));
      line.endUtterance();
    },
    clears: () => one.sent().filter(({ event }) => event === "clear").length,
    /** As Twilio does: marks come back as their audio is played. */
    plays(ms: number, voice = QUIET): void {
      for (let n = 0; n < ms / 20; n++) {
        one.hears(voice, 20);
        one.marksPlayed();
      }
    },
  };
}

describe("a caller who speaks over the agent", () => {
  it("interrupts one that began in a pause of the caller's, once they have spoken at once for 100 ms", (t) => {
    const { says, plays, told, clears, kinds } = talk(t, "on");
    plays(300, LOUD);
    plays(200);
    says("too early", 3);
    plays(60, LOUD);
    assert.equal(clears(), 0, "a last word is no interruption");
    plays(60, LOUD);
    assert.equal(clears(), 1);
    assert.match(told.at(-1) ?? "", /^interrupted too early \d+$/);
    assert.deepEqual(
      kinds("interrupted").map((news) => news.kind === "interrupted" && news.tookMs),
      [100],
    );
  });

  it("cuts one speech of the agent's with one of their own, however long it lasts", (t) => {
    const { says, plays, clears, told } = talk(t, "on");
    says("first", 2);
    plays(400, LOUD);
    says("second", 1);
    plays(1_500, LOUD);
    assert.equal(clears(), 1, "a noise that lasts does not silence the agent");
    assert.equal(told.filter((event) => event.startsWith("interrupted")).length, 1);
  });

  it("interrupts it: what was not heard is unsaid, and it is told what was", (t) => {
    const { says, plays, told, clears, kinds, line, audio, counts } = talk(t, "on");
    says("first", 3);
    says("second", 1);
    plays(1_000);
    plays(200, LOUD);
    assert.equal(clears(), 1);
    const [, interruption] = told;
    const heardMs = Number(interruption?.split(" ").at(-1));
    assert.match(interruption ?? "", /^interrupted first \d+$/);
    assert.ok(heardMs >= 1_000 && heardMs <= 1_200, `${heardMs} ms were heard`);
    assert.equal(line.queuedMs, 0);
    assert.ok(counts.get("framesDroppedClear") > 100);
    const [speech] = kinds("speech_started");
    assert.ok(speech?.kind === "speech_started" && speech.isInterrupting && speech.isAgentSpeaking);
    const [cut] = kinds("interrupted");
    assert.ok(cut?.kind === "interrupted" && cut.by === "caller" && cut.droppedMs === 4_000 - heardMs);
    assert.ok(cut.tookMs > 0 && cut.tookMs <= 150, `${cut.tookMs} ms`);
    const over = kinds("utterance").map(
      (one) => one.kind === "utterance" && [one.id, one.isInterrupted, one.heardMs],
    );
    assert.deepEqual(over, [
      ["first", true, heardMs],
      ["second", true, 0],
    ]);
    const before = audio().length;
    plays(500, LOUD);
    assert.equal(audio().length, before, "nothing of it comes after");
    says("answer", 1);
    plays(1_200);
    assert.equal(audio().length, before + 8_000);
    assert.equal(kinds("utterance").length, 3);
    assert.equal(clears(), 1, "speaking on is no new interruption");
  });

  it("after the greeting alone, where that is asked for, be it unnamed", (t) => {
    for (const isNamed of [true, false]) {
      const { says, plays, told, clears, line } = talk(t, "after_greeting");
      if (isNamed) says("greeting", 2);
      else line.say(new Int16Array(16_000));
      plays(500);
      plays(300, LOUD);
      plays(600);
      assert.deepEqual([clears(), told.length], [0, 1]);
      plays(1_500); // it has been heard to its end; nobody says so of one that was never named
      says("later", 3);
      plays(500);
      plays(300, LOUD);
      assert.equal(clears(), 1);
      assert.match(told[1] ?? "", /^interrupted later /);
    }
  });

  it("does not where that is switched off, but is noticed", (t) => {
    const { says, plays, told, clears, kinds } = talk(t, "off");
    says("long", 3);
    plays(500);
    plays(500, LOUD);
    plays(1_000);
    assert.deepEqual([clears(), told.length], [0, 1]);
    assert.deepEqual([kinds("speech_started").length, kinds("speech_stopped").length], [1, 1]);
  });

  it("does not interrupt a goodbye, nor an apology", (t) => {
    for (const leave of ["goodbye", "apology"]) {
      const { says, plays, told, clears, line, reports, isOver } = talk(t, "on");
      says("last", 2);
      if (leave === "goodbye") line.hangUp("heard");
      else line.fail("its model is gone");
      plays(500);
      plays(500, LOUD);
      assert.deepEqual([clears(), told.length, reports.length], [0, 1, 0]);
      plays(20_000);
      isOver(leave === "goodbye" ? "agent_hung_up" : "agent_failed");
    }
  });

  it("does not cut short what is said of the recording; nor does the agent", (t) => {
    const recording = { announcement: true, retentionDays: 1 } as const;
    const { says, plays, told, clears, line, around, audio } = talk(t, "on", { recording });
    const { announcement } = around.prompts;
    says("hello", 1);
    plays(200);
    plays(300, LOUD);
    assert.deepEqual([clears(), told.length], [0, 1]);
    plays(600);
    const sent = audio().length;
    line.clear();
    says("again", 2);
    plays(2_000);
    assert.deepEqual(
      audio().subarray(sent, sent + announcement.length),
      Buffer.from(announcement),
      "it begins again",
    );
    plays(announcement.length / 8 - 2_000 + 300);
    plays(300, LOUD);
    assert.equal(clears(), 2);
    assert.match(told.at(-1) ?? "", /^interrupted again /);
  });

  it("cuts a prompt of the gateway's, which is none of the agent's business", (t) => {
    const agent = {
      ...{ type: "remembering", max_duration_ms: 0, first_speech_timeout_ms: 1_000 },
      interruption: "on" as const,
    };
    const { plays, told, clears, says, line } = talk(t, "on", { agent });
    plays(1_200);
    plays(300, LOUD);
    assert.deepEqual([clears(), told, line.heardMs], [1, ["started"], 0]);
    plays(600);
    says("at last", 1);
    plays(500);
    plays(300, LOUD);
    assert.equal(clears(), 2);
    assert.match(told[1] ?? "", /^interrupted at last /);
  });
});

describe("an agent that answers", () => {
  it("is timed from when the caller's last sound came, also when it has begun before that was noticed", (t) => {
    const { line, plays, kinds } = talk(t, "on");
    plays(500, LOUD);
    plays(200);
    line.beginUtterance("answer", "One two three");
    plays(300);
    assert.equal(kinds("speech_stopped").length, 1);
    line.say(new Int16Array(8_000));
    plays(300);
    assert.deepEqual(
      kinds("turn").map((one) => one.kind === "turn" && one.agentMs),
      [520],
    );
  });
});

describe("an agent that takes back what it said", () => {
  it("is told what of it was heard, and goes on", (t) => {
    const { says, plays, line, clears, kinds } = talk(t, "off");
    says("first", 2);
    plays(1_000);
    const cut = line.clear();
    const { heardMs } = cut;
    assert.ok(heardMs >= 980 && heardMs <= 1_000, `${heardMs} ms`); // Twilio begins a frame later
    assert.deepEqual([cut.by, cut.utterance, cut.heardText], ["agent", "first", "One two three four five"]);
    assert.equal(line.heardMs, heardMs);
    assert.equal(clears(), 1);
    says("second", 1);
    plays(1_200);
    assert.equal(line.heardMs, heardMs + 1_000);
    assert.deepEqual(line.clear(), { by: "agent", utterance: undefined, heardMs: 0, heardText: "" });
    assert.deepEqual(
      kinds("interrupted").map((one) => one.kind === "interrupted" && [one.by, one.droppedMs, one.tookMs]),
      [["agent", 2_000 - heardMs, 0]],
      "the second took back nothing",
    );
  });

  it("before any of it was sent has not spoken yet", (t) => {
    const { line, plays, kinds, says, clock } = talk(t, "off");
    const startedMs = clock.nowMs();
    line.say(new Int16Array(100)); // less than a frame
    line.clear();
    plays(300);
    assert.deepEqual(kinds("first_audio"), []);
    says("now", 1);
    plays(20);
    const sinceStreamMs = clock.nowMs() - startedMs - 20;
    assert.deepEqual(
      kinds("first_audio").map((one) => one.kind === "first_audio" && one.sinceStreamMs),
      [sinceStreamMs],
    );
  });
});
