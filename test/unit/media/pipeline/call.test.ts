import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { INTERRUPTIONS } from "../../../../src/domain/agentSettings.ts";
import { AGENT_RATES_HZ, frameSamples } from "../../../../src/domain/audio.ts";
import { END_REASONS } from "../../../../src/domain/endings.ts";
import type { Line } from "../../../../src/media/agents/port.ts";
import { call, type Rigged } from "./callRig.ts";
import { EPOCH, mediaMessage, message, SLOT, STREAM_SID, startMessage, ticket } from "./surroundings.ts";

const OTHER_STREAM = `MZ${"f".repeat(32)}`;
const RESUMED = {
  streamSid: STREAM_SID,
  talkedMs: 4_000,
  remains: { heardMs: 700, playheadMs: 0, resumeId: "session-9" },
};

describe("a call in its worker", () => {
  for (const rateHz of AGENT_RATES_HZ) {
    it(`lets its agent hear 20 ms at a time, at ${rateHz} Hz`, (t) => {
      const { call: one, started, agent, counts } = call(t, { rateHz });
      started();
      assert.deepEqual(agent().told, ["started"]);
      for (let frame = 0; frame < 10; frame++) one.receive(mediaMessage(frame, 0x20));
      assert.deepEqual(
        agent().heard.map(({ length }) => length),
        Array(10).fill(frameSamples(rateHz)),
      );
      assert.equal(counts.get("framesHeard"), 10);
      assert.ok(Math.abs(agent().heard[9]!.at(-1)!) > 7_000, "a loud byte is loud");
    });
  }

  it("tells its agent who is calling, and nothing before the stream is up", (t) => {
    const { agent, converters } = call(t);
    const { callSid, accountSid, run, direction, from, to, workflow, variables, parameters } = ticket();
    assert.deepEqual(agent().facts, {
      ...{ callSid, accountSid, run, direction, from, to, workflow, variables, parameters },
      resumed: undefined,
    });
    assert.deepEqual(agent().told, []);
    assert.equal(converters.made, 0, "a call that nobody connects needs none");
  });

  it("gives back what its stream had of the kernels' memory, once, however it ends", (t) => {
    for (const end of [message("stop"), message("stop", {}, OTHER_STREAM)]) {
      const { call: one, started, agent, around } = call(t);
      /** Where the next two streams would be. */
      const next = () => {
        const prefixes = [around.messages.take(STREAM_SID), around.messages.take(STREAM_SID)];
        for (const prefix of prefixes.toReversed()) around.messages.giveBack(prefix);
        return prefixes;
      };
      const before = next();
      assert.notEqual(before[0], before[1]);
      started();
      assert.ok(!next().includes(before[0]!));
      one.receive(end);
      assert.ok(agent().told.includes("ended"));
      assert.deepEqual(next(), before);
      one.end("caller_hung_up");
      assert.deepEqual(next(), before);
    }
  });

  it("counts keys and passes them on, in order with the audio", (t) => {
    const { call: one, started, dtmf, agent, reports } = call(t);
    started();
    one.receive(mediaMessage(0, 0x20));
    dtmf("4");
    dtmf("#");
    one.receive(message("stop"));
    assert.deepEqual(agent().told, ["started", "dtmf 4", "dtmf #", "ended"]);
    assert.equal(reports[0]!.digits, 2);
  });

  it("tells its agent of its own marks, in milliseconds heard, but not of those it has unsaid", (t) => {
    const { started, agent, passes, marksComeBack } = call(t);
    const { line } = agent();
    started();
    line.beginUtterance("first", "");
    line.say(new Int16Array(800));
    line.mark("early");
    line.say(new Int16Array(7_200));
    line.mark("late");
    passes(200);
    marksComeBack();
    assert.deepEqual(agent().told.slice(1), ["marked early 100"]);
    const { utterance, heardMs } = line.clear();
    assert.deepEqual([utterance, heardMs], ["first", 300]);
    marksComeBack();
    assert.equal(agent().told.length, 2);
  });

  it("skips what it cannot read or does not know", (t) => {
    const { call: one, started, agent, counts, reports } = call(t);
    const bytes = (text: string) => new TextEncoder().encode(text);
    one.receive(bytes('{"event":"connected","protocol":"Call","version":"1.0.0"}'));
    started();
    for (const text of ["", "[]", "nonsense", '{"event":7}', '{"event":"media","streamSid":"MZ1"}'])
      one.receive(bytes(text));
    one.receive(bytes(`{"event":"weather","streamSid":"${STREAM_SID}"}`));
    one.receive(message("media", { track: "outbound", chunk: "1", timestamp: "20", payload: "" }));
    one.receive(mediaMessage(0, 0x20));
    assert.equal(counts.get("messagesMalformed"), 5);
    assert.equal(agent().heard.length, 1);
    assert.deepEqual(reports, []);
  });
});

describe("a call's agent on the line", () => {
  it("is not heard before the stream is up, nor once it has hung up", (t) => {
    const { started, agent, sent } = call(t);
    const { line } = agent();
    assert.equal(line.say(new Int16Array(160)), 0);
    line.endUtterance();
    assert.equal(line.clear().heardMs, 0);
    started();
    assert.equal(line.say(new Int16Array(160)), 160);
    line.hangUp("heard");
    assert.equal(line.say(new Int16Array(160)), 0);
    assert.equal(sent().filter(({ event }) => event === "media").length, 1);
  });

  it("hangs up once its last word has been heard", (t) => {
    const { started, agent, passes, marksComeBack, isOver, reports } = call(t);
    const heardMs = () => reports.map((report) => report.heardMs);
    started();
    agent().line.say(new Int16Array(4_000));
    agent().line.hangUp("heard");
    agent().line.hangUp("now"); // it has said how already
    passes(500);
    assert.deepEqual(heardMs(), []);
    marksComeBack();
    passes(1);
    isOver("agent_hung_up");
    assert.deepEqual(heardMs(), [500]);
  });

  it("hangs up two seconds after its last word when nobody says that it was heard", (t) => {
    const { started, agent, passes, isOver, reports } = call(t);
    started();
    agent().line.say(new Int16Array(4_000));
    agent().line.hangUp("heard");
    passes(500 + 2_000 - 1);
    assert.deepEqual(reports, []);
    passes(1);
    isOver("agent_hung_up");
  });

  it("hangs up at once when it has said nothing", (t) => {
    const { started, agent, passes, isOver } = call(t);
    started();
    agent().line.hangUp("heard");
    passes(1);
    isOver("agent_hung_up");
  });

  it("may hang up before the stream is up, or fail", (t) => {
    const leaving = call(t);
    leaving.agent().line.hangUp("heard");
    leaving.isOver("agent_hung_up");
    const failing = call(t);
    failing.agent().line.fail("no answer from the model");
    failing.isOver("agent_failed");
    assert.equal(failing.reports[0]!.error, "no answer from the model");
  });

  it("leaves word for its replacement at once", (t) => {
    const { started, agent, remains } = call(t);
    agent().line.leaveBehind("session-9"); // before the stream, kept until there is one
    started();
    assert.equal(remains.read(SLOT, EPOCH)?.resumeId, "session-9");
    agent().line.leaveBehind("session-10");
    assert.equal(remains.read(SLOT, EPOCH)?.resumeId, "session-10");
  });
});

describe("a call's limits", () => {
  it("end it after max_duration_ms, counted from its start", (t) => {
    const { started, passes, isOver, reports } = call(t, {
      ticket: { agent: { type: "remembering", max_duration_ms: 1_000 } },
    });
    passes(5_000);
    started();
    passes(999);
    assert.deepEqual(reports, []);
    passes(1);
    isOver("max_duration");
  });

  it("count what was talked before its worker died", (t) => {
    const {
      call: one,
      passes,
      isOver,
      reports,
    } = call(t, {
      ticket: { agent: { type: "remembering", max_duration_ms: 5_000 }, resumed: RESUMED },
    });
    one.resume();
    passes(999);
    assert.deepEqual(reports, []);
    passes(1);
    isOver("max_duration");
  });
});

describe("a call that is taken over", () => {
  it("goes on with its stream at once, and its agent knows", (t) => {
    const { call: one, agent, reports } = call(t, { ticket: { resumed: RESUMED } });
    assert.deepEqual(agent().facts.resumed, { heardMs: 700, resumeId: "session-9" });
    assert.deepEqual(agent().told, []);
    one.resume();
    assert.deepEqual(agent().told, ["started"]);
    one.receive(mediaMessage(500, 0x20));
    assert.equal(agent().heard.length, 1, "whatever the stream's time is by now");
    one.receive(message("stop"));
    assert.equal(reports[0]!.heardMs, 700);
  });

  it("is a new one to its agent when nothing remained", (t) => {
    const { agent } = call(t, { ticket: { resumed: { ...RESUMED, remains: undefined } } });
    assert.deepEqual(agent().facts.resumed, { heardMs: 0, resumeId: "" });
  });
});

describe("a stream that breaks the contract", () => {
  for (const [what, bytes, violation] of [
    ["a second start", startMessage(), "start_twice"],
    ["another stream's mark", message("mark", { name: "m" }, OTHER_STREAM), "foreign_stream"],
    ["another stream's stop", message("stop", {}, OTHER_STREAM), "foreign_stream"],
    [
      "another stream's audio",
      message("media", { track: "inbound", chunk: "1", timestamp: "20", payload: "////" }, OTHER_STREAM),
      "foreign_stream",
    ],
  ] as const) {
    it(`by ${what} ends the call`, (t) => {
      const { call: one, started, isOver, reports, agent } = call(t);
      started();
      one.receive(bytes);
      isOver("protocol_error");
      assert.equal(reports[0]!.violation, violation);
      assert.equal(agent().heard.length, 0);
    });
  }

  it("by a message before its start ends the call", (t) => {
    const { call: one, isOver, reports } = call(t);
    one.receive(mediaMessage(0, 0x20));
    isOver("protocol_error");
    assert.equal(reports[0]!.violation, "early_message");
  });
});

describe("whatever happens to a call", () => {
  type Act = (on: Rigged) => void;
  const PCM = { encoding: "pcm16", rateHz: 24_000 } as const;
  const MULAW = { encoding: "mulaw", rateHz: 8_000 } as const;
  /** What an agent may do, of its own accord or when it is told something. */
  const deeds: Readonly<Record<string, (line: Line) => void>> = {
    "hang up": (line) => line.hangUp("heard"),
    "hang up now": (line) => line.hangUp("now"),
    fail: (line) => line.fail("told to"),
    clear: (line) => void line.clear(),
    "utterance begins": (line) => line.beginUtterance("it", "Some words"),
    "utterance ends": (line) => line.endUtterance(),
    mark: (line) => line.mark("here"),
    hold: (line) => line.hold(),
    "ready for mu-law": (line) => line.ready(MULAW, MULAW),
    "ready for 24 kHz": (line) => line.ready(PCM, MULAW),
    "leave behind": (line) => line.leaveBehind("id"),
    transcript: (line) => line.transcript("agent", "Some words"),
  };
  const acts: Readonly<Record<string, Act>> = {
    key: ({ dtmf }) => dtmf("1"),
    nonsense: (on) => on.call.receive(new Uint8Array(3)),
    marks: ({ marksComeBack }) => marksComeBack(),
    time: ({ passes }) => passes(150),
    "a shout": (on) => on.hears(0x00, 160),
    silence: (on) => on.hears(0xff, 600),
  };
  /** What leaves little to happen after it. */
  const ends: Readonly<Record<string, Act>> = {
    "a second start": ({ started }) => started(),
    stop: (on) => on.call.receive(message("stop")),
    "another's stop": (on) => on.call.receive(message("stop", {}, OTHER_STREAM)),
    ...Object.fromEntries(END_REASONS.map((reason): [string, Act] => [reason, (on) => on.call.end(reason)])),
  };
  const deed = fc.constantFrom(...Object.keys(deeds));
  const frame = (on: Rigged, n: number) => on.call.receive(mediaMessage(n, 9));
  const say = ({ agent }: Rigged, n: number) => agent().line.say(new Int16Array(n));
  const oneOf = (all: Readonly<Record<string, Act>>) =>
    fc.constantFrom(...Object.keys(all)).map((name): [string, Act] => [name, all[name]!]);
  const act: fc.Arbitrary<[string, Act]> = fc.oneof(
    { weight: 8, arbitrary: oneOf(acts) },
    { weight: 1, arbitrary: oneOf(ends) },
    {
      weight: 4,
      arbitrary: deed.map((name): [string, Act] => [name, ({ agent }) => deeds[name]!(agent().line)]),
    },
    { weight: 5, arbitrary: fc.nat(400).map((n): [string, Act] => [`frame ${n}`, (on) => frame(on, n)]) },
    { weight: 3, arbitrary: fc.nat(9_000).map((n): [string, Act] => [`say ${n}`, (on) => say(on, n)]) },
  );
  const story = fc.record({
    startsAfter: fc.constantFrom(0, 0, 0, 3, 100),
    acts: fc.array(act, { maxLength: 40, size: "max" }),
    rateHz: fc.constantFrom(...AGENT_RATES_HZ),
    interruption: fc.constantFrom(...INTERRUPTIONS),
    isRecorded: fc.boolean(),
    /** What the agent does at the nth thing it is told. */
    reactions: fc.dictionary(fc.nat(30).map(String), deed, { maxKeys: 5 }),
  });

  it("it ends at most once, its agent hears nothing after that, and all is freed and told", (t) => {
    fc.assert(
      fc.property(story, ({ startsAfter, acts, rateHz, interruption, isRecorded, reactions }) => {
        let events = 0;
        let toldAtEnd: number | undefined;
        const limits = { max_duration_ms: 3_000, max_silence_ms: 1_500, first_speech_timeout_ms: 700 };
        const one = call(t, {
          rateHz,
          ticket: {
            agent: { type: "remembering", ...limits, interruption },
            recording: isRecorded ? { announcement: true, retentionDays: 1 } : undefined,
          },
          react(event, { line, told, heard }) {
            if (event === "ended") toldAtEnd = told.length + heard.length;
            const name = reactions[events++];
            if (name !== undefined) deeds[name]!(line);
          },
        });
        for (const [at, [, happens]] of acts.entries()) {
          if (at === startsAfter) one.started();
          happens(one);
        }
        one.call.end("drained");
        assert.equal(one.agent().told.length + one.agent().heard.length, toldAtEnd);
        one.isOver(one.reports[0]!.reason);
        assert.ok(one.reports[0]!.heardMs >= 0 && Number.isInteger(one.reports[0]!.heardMs));
        for (const news of one.news()) {
          if (news.kind !== "utterance") continue;
          assert.ok(news.heardMs <= news.sentMs && news.sentMs <= news.generatedMs, JSON.stringify(news));
          assert.ok(news.text.startsWith(news.heardText));
        }
        assert.ok(!one.recorded.slice(0, -1).includes("finish"), "nothing is recorded after the end");
        const { line } = one.agent();
        assert.equal(line.say(new Int16Array(160)), 0);
        assert.equal(line.clear().heardMs, 0);
      }),
      { numRuns: 250 },
    );
  });

  for (const moment of ["started", "hear", "dtmf 1", "marked here 20"]) {
    it(`an exception of its agent's at "${moment}" leaves it to be ended, and all is freed`, (t) => {
      const one = call(t, {
        react: (event) => {
          if (event === moment) throw new Error(`at ${moment}`);
        },
      });
      assert.throws(
        () => {
          one.started();
          one.call.receive(mediaMessage(0, 9));
          one.dtmf("1");
          one.agent().line.say(new Int16Array(160));
          one.agent().line.mark("here");
          one.marksComeBack();
        },
        new RegExp(`at ${moment}`),
      );
      one.call.end("call_error", { error: "told" });
      one.isOver("call_error");
    });
  }

  it("an agent that fails at its very end keeps nothing from being freed", (t) => {
    const one = call(t, {
      react: (event) => {
        if (event === "ended") throw new Error("not even this");
      },
    });
    one.started();
    assert.throws(() => one.call.receive(message("stop")), /not even this/);
    one.isOver("caller_hung_up");
  });
});
