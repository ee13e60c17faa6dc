// What a call does when something does not come: the agent's first word, anybody's, Twilio's marks, a readable message.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { AgentSettings } from "../../../../src/domain/agentSettings.ts";
import { NEWS_BYTES_MAX, NEWS_MAX, type News } from "../../../../src/lane/news.ts";
import type { CallTicket } from "../../../../src/lane/ticket.ts";
import { call, type Options } from "./callRig.ts";
import { mediaMessage, message } from "./surroundings.ts";

const LOUD = 0x00;
const QUIET = 0xff;

function live(t: TestContext, agent: Partial<AgentSettings> = {}, options: Options = {}) {
  const settings = { type: "remembering", max_duration_ms: 0, ...agent };
  const one = call(t, { ...options, ticket: { agent: settings, ...options.ticket } });
  return {
    ...one,
    line: one.agent().line,
    kinds: (kind: News["kind"]) => one.news().filter((news) => news.kind === kind),
    prompts: () => one.news().flatMap((news) => (news.kind === "prompt" ? [news.prompt] : [])),
    /** Twilio plays what it is sent, for so long. */
    plays(ms: number, voice = QUIET): void {
      for (let n = 0; n < ms / 20; n++) {
        one.hears(voice, 20);
        one.marksPlayed();
      }
    },
  };
}

describe("speech before the stream", () => {
  it("is kept, and heard from the stream's start on", (t) => {
    const { line, started, audio, passes, clock, kinds } = live(t);
    const format = { encoding: "mulaw", rateHz: 8_000 } as const;
    line.ready(format, format);
    line.beginUtterance("early", "");
    assert.equal(line.say(new Uint8Array(800).fill(7)), 800);
    line.endUtterance();
    passes(700);
    assert.equal(audio().length, 0);
    started();
    const startedMs = clock.nowMs();
    passes(1);
    assert.deepEqual(audio(), Buffer.alloc(800, 7));
    assert.deepEqual(kinds("first_audio"), [
      { kind: "first_audio", sinceTaskMs: startedMs + 1, sinceStreamMs: 1 },
    ]);
  });

  it("lasts as long as an agent's may", (t) => {
    const { line, started, plays, isOver, reports } = live(t);
    const format = { encoding: "mulaw", rateHz: 8_000 } as const;
    line.ready(format, format);
    line.say(new Uint8Array(8_000));
    started();
    line.hangUp("heard");
    plays(1_300);
    isOver("agent_hung_up");
    assert.equal(reports[0]?.heardMs, 1_000);
  });

  it("comes behind the announcement, which is the first that a caller hears", (t) => {
    const recording = { announcement: true, retentionDays: 1 } as const;
    const { line, started, plays, audio, around, prompts, recorded } = live(t, {}, { ticket: { recording } });
    const format = { encoding: "mulaw", rateHz: 8_000 } as const;
    line.ready(format, format);
    line.say(new Uint8Array(160).fill(7));
    const { announcement } = around.prompts;
    assert.deepEqual(prompts(), [], "nobody is there to hear it");
    started();
    plays(announcement.length / 8 + 100);
    assert.deepEqual(audio(), Buffer.concat([announcement, Buffer.alloc(160, 7)]));
    assert.deepEqual(prompts(), ["announcement"]);
    assert.equal(line.heardMs, 20, "of the agent's");
    assert.ok(recorded.includes("caller") && recorded.includes("agent"));
  });

  it("is not announced again by a worker that takes the call over, nor where nobody wants it", (t) => {
    const resumed = { streamSid: "MZ" as never, talkedMs: 9_000, remains: undefined };
    for (const changes of [
      { recording: { announcement: true, retentionDays: 1 }, resumed },
      { recording: { announcement: false, retentionDays: 1 } },
    ] satisfies Partial<CallTicket>[]) {
      const { started, passes, audio, call: one } = live(t, {}, { ticket: changes });
      if ("resumed" in changes) one.resume();
      else started();
      passes(100);
      assert.equal(audio().length, 0);
    }
  });
});

describe("an agent that says nothing", () => {
  it("is made up for by a word of comfort, once, and the call goes on", (t) => {
    const { started, plays, prompts, audio, around, line, reports } = live(t, {
      first_speech_timeout_ms: 5_000,
    });
    started();
    plays(4_900);
    assert.deepEqual(prompts(), []);
    plays(10_000);
    assert.deepEqual(prompts(), ["comfort"]);
    assert.deepEqual(audio(), Buffer.from(around.prompts.comfort));
    line.say(new Int16Array(160));
    plays(10_000);
    assert.deepEqual([prompts().length, reports], [1, []]);
  });

  it("but has begun to, has its utterance behind the comfort", (t) => {
    const { started, plays, line, kinds } = live(t, { first_speech_timeout_ms: 1_000 });
    started();
    line.beginUtterance("slow", "Here I am");
    plays(1_500);
    line.say(new Int16Array(8_000));
    line.endUtterance();
    plays(5_000);
    assert.deepEqual(kinds("utterance"), [
      {
        ...{ kind: "utterance", id: "slow", generatedMs: 1_000, sentMs: 1_000, heardMs: 1_000 },
        ...{ isInterrupted: false, text: "Here I am", heardText: "Here I am" },
      },
    ]);
  });

  it("while nobody else speaks either ends the call, with an apology that is heard to its end", (t) => {
    const { started, plays, prompts, audio, around, isOver, reports } = live(t, { max_silence_ms: 3_000 });
    started();
    plays(2_000);
    plays(1_000, LOUD);
    plays(2_900);
    assert.deepEqual(prompts(), []);
    plays(1_000);
    assert.deepEqual([prompts(), reports], [["apology"], []]);
    plays(around.prompts.apology.length / 8);
    isOver("silence");
    assert.deepEqual(audio(), Buffer.from(around.prompts.apology));
    assert.equal(reports[0]?.isApologized, true);
    assert.equal(reports[0]?.heardMs, 0, "of the agent");
  });
});

describe("an agent that fails", () => {
  it("is apologized for, behind what it had said; it says no more, and one report has it all", (t) => {
    const { started, plays, line, audio, around, isOver, reports } = live(t);
    started();
    line.say(new Int16Array(8_000));
    line.fail("its model is gone");
    assert.deepEqual([line.say(new Int16Array(160)), line.clear().heardMs], [0, 0]);
    line.fail("again");
    line.hangUp("now");
    const lengthMs = 1_000 + around.prompts.apology.length / 8;
    plays(lengthMs - 100);
    assert.deepEqual(reports, []);
    plays(300);
    isOver("agent_failed");
    assert.equal(audio().length / 8, lengthMs);
    assert.deepEqual(reports, [
      {
        reason: "agent_failed",
        heardMs: 1_000,
        digits: 0,
        error: "its model is gone",
        isApologized: true,
      },
    ]);
  });

  it("with so much said that no apology fits behind it leaves that to Twilio", (t) => {
    const { started, plays, line, prompts, isOver, reports } = live(t);
    started();
    line.say(new Int16Array(8_000 * 30));
    line.fail("too much said");
    plays(33_000);
    isOver("agent_failed");
    assert.deepEqual([prompts(), reports[0]?.isApologized], [[], false]);
  });

  it("when Twilio plays nothing any more leaves the apology to it as well", (t) => {
    const { started, plays, passes, line, isOver, reports } = live(t);
    started();
    line.say(new Int16Array(8_000));
    plays(500);
    line.fail("its model is gone");
    passes(20_000);
    isOver("agent_failed");
    assert.equal(reports[0]?.isApologized, false);
  });

  it("while the caller hangs up is a call that failed all the same, and why is not lost", (t) => {
    const { started, plays, line, isOver, reports, call: one } = live(t);
    started();
    line.fail("its model is gone");
    plays(500);
    one.receive(message("stop"));
    isOver("agent_failed");
    assert.equal(reports[0]?.error, "its model is gone");
  });
});

describe("a stream whose marks cease to come back", () => {
  it("is sent no more after a second, and cut after five", (t) => {
    const one = live(t);
    const { started, plays, line, audio, kinds, isOver } = one;
    started();
    line.say(new Int16Array(8_000 * 20));
    plays(1_000);
    one.hears(QUIET, 1_400);
    const paused = audio().length;
    assert.ok(paused / 8 >= 2_000 && paused / 8 <= 2_600, `${paused / 8} ms were sent`);
    one.hears(QUIET, 3_000);
    assert.equal(audio().length, paused);
    one.hears(QUIET, 1_000);
    isOver("media_lost");
    const [stalled] = kinds("playout_stalled");
    assert.ok(stalled?.kind === "playout_stalled" && stalled.behindMs >= 5_000);
  });

  it("is not one of which nothing comes at all: it is the gateway that stands still then", (t) => {
    const { started, plays, passes, line, reports, marksPlayed } = live(t);
    started();
    line.say(new Int16Array(8_000 * 25));
    plays(1_000);
    passes(15_000);
    plays(20);
    marksPlayed();
    plays(2_000);
    assert.deepEqual(reports, []);
  });

  it("goes on when they come after all", (t) => {
    const { started, plays, passes, line, audio, marksPlayed, reports } = live(t);
    started();
    line.say(new Int16Array(8_000 * 20));
    plays(1_000);
    passes(3_000);
    const paused = audio().length;
    marksPlayed();
    plays(5_000);
    assert.ok(audio().length - paused > 8 * 4_500);
    assert.deepEqual(reports, []);
  });

  it("is not one whose marks never came", (t) => {
    const { started, passes, line, audio, reports } = live(t);
    started();
    line.say(new Int16Array(8_000 * 20));
    passes(19_900);
    assert.deepEqual([audio().length / 8, reports], [20_000, []]);
  });

  it("is not one whose agent ends an utterance long after its audio was heard", (t) => {
    const { started, plays, line, reports, kinds } = live(t);
    started();
    line.beginUtterance("thoughtful", "");
    line.say(new Int16Array(800));
    plays(9_000);
    line.endUtterance();
    plays(1_000);
    line.mark("late");
    plays(9_000);
    assert.deepEqual(reports, []);
    assert.equal(kinds("utterance").length, 1);
  });
});

describe("messages that cannot be read", () => {
  const nonsense = new TextEncoder().encode("{");

  it("end the call when fifty of them come within ten seconds", (t) => {
    const { started, call: one, passes, reports, counts, isOver } = live(t);
    started();
    for (let n = 0; n < 50; n++) one.receive(nonsense);
    passes(10_001);
    for (let n = 0; n < 50; n++) one.receive(nonsense);
    assert.equal(reports.length, 0);
    one.receive(message("media", { track: "inbound", chunk: "1", timestamp: "20", payload: "*" }));
    isOver("protocol_error");
    assert.deepEqual([reports[0]?.violation, counts.get("messagesMalformed")], ["malformed", 101]);
    one.receive(nonsense);
    assert.equal(counts.get("messagesMalformed"), 101);
  });
});

describe("what is told of a call", () => {
  it("is bounded, and what is over is counted", (t) => {
    const { started, line, news, counts } = live(t);
    started();
    const reserve = 100;
    for (let n = 0; n < NEWS_MAX - reserve + 25; n++) line.transcript("agent", `line ${n}`);
    assert.equal(news().length, NEWS_MAX - reserve);
    assert.equal(counts.get("newsDropped"), 25);
    for (let n = 0; n < reserve + 5; n++)
      line.tell({ kind: "agent_connect_failed", failure: "refused", detail: "and what fails is told still" });
    assert.equal(news().length, NEWS_MAX);
    assert.equal(counts.get("newsDropped"), 30);
  });

  it("leaves room for what was said, however often someone begins to speak", (t) => {
    const { started, line, news } = live(t);
    started();
    for (let n = 0; n < NEWS_MAX; n++)
      line.tell({ kind: "speech_stopped", levelDb: -50, floorDb: -60, lastedMs: 100 });
    line.transcript("caller", "still here");
    assert.equal(news().length, NEWS_MAX / 2 + 1);
  });

  it("is bounded in bytes too, where lines are long; short ones still go", (t) => {
    const { started, line, news, counts } = live(t);
    started();
    const long = "ä".repeat(NEWS_BYTES_MAX / 8);
    for (let n = 0; n < 10; n++) line.transcript("agent", long);
    line.transcript("agent", "short");
    assert.equal(news().filter((each) => each.kind === "transcript").length, 4);
    assert.equal(counts.get("newsDropped"), 7);
  });

  it("has what the recorder says last, and nothing that an agent says after the end", (t) => {
    const recording = { announcement: false, retentionDays: 1 } as const;
    const { started, line, call: one, news, recorded } = live(t, {}, { ticket: { recording } });
    started();
    line.say(new Int16Array(160));
    one.receive(message("stop"));
    line.transcript("agent", "too late");
    one.receive(mediaMessage(1, QUIET));
    assert.deepEqual(
      news().map(({ kind }) => kind),
      ["first_audio", "utterance", "recording"],
    );
    assert.equal(recorded.at(-1), "finish");
  });
});

describe("an agent's own ticks", () => {
  it("are due every 20 ms from its making on, however seldom the call's come", (t) => {
    const { call: one, clock } = live(t);
    const due = (everyMs: number, forMs: number) => {
      const at: number[] = [];
      for (let ms = 0; ms < forMs; ms += everyMs) {
        clock.advance(everyMs);
        if (clock.nowMs() < one.agentDueMs) continue;
        at.push(clock.nowMs());
        one.tickAgent(clock.nowMs());
      }
      return at;
    };
    const every = due(1, 1_000);
    assert.equal(every.length, 50, "and none of them before the stream, for this one has none");
    assert.ok(every.every((ms, n) => n === 0 || ms - every[n - 1]! === 20));
    assert.equal(due(7, 700).length, 34, "21 ms apart");
    assert.equal(due(50, 1_000).length, 20, "never more than once");
  });
});
