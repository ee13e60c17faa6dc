// An agent may do with its line whatever it likes, whenever it is told something: the call is where it can go wrong.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { call } from "./callRig.ts";
import { mediaMessage, message, startMessage } from "./surroundings.ts";

const LOUD = 0x00;
const INTERRUPTIBLE = { agent: { type: "remembering", max_duration_ms: 0, interruption: "on" } } as const;

/** One media message of 100 ms. */
const longMessage = () =>
  message("media", {
    track: "inbound",
    chunk: "1",
    timestamp: "100",
    payload: Buffer.alloc(800, 0x20).toString("base64"),
  });

describe("an agent that hangs up at once", () => {
  it("as it hears a frame hears none of those that came with it", (t) => {
    const one = call(t, {
      rateHz: 16_000,
      react: (event, { line }) => event === "hear" && line.hangUp("now"),
    });
    one.started();
    one.call.receive(longMessage());
    assert.equal(one.agent().heard.length, 1);
    one.isOver("agent_hung_up");
  });

  it("as it hears what was kept for it hears no more of it", (t) => {
    const one = call(t, {
      rateHz: 16_000,
      react: (event, { line }) => event === "hear" && line.hangUp("now"),
    });
    one.started();
    one.call.hold();
    for (let frame = 0; frame < 10; frame++) one.call.receive(mediaMessage(frame, 0x20));
    one.agent().line.ready({ encoding: "pcm16", rateHz: 24_000 }, { encoding: "mulaw", rateHz: 8_000 });
    assert.equal(one.agent().heard.length, 1);
    one.isOver("agent_hung_up");
  });

  it("as it is interrupted does not hear by what", (t) => {
    let before = 0;
    const one = call(t, {
      ticket: INTERRUPTIBLE,
      react(event, { line, heard }) {
        if (!event.startsWith("interrupted")) return;
        before = heard.length;
        line.hangUp("now");
      },
    });
    one.started();
    one.agent().line.beginUtterance("long", "");
    one.agent().line.say(new Int16Array(40_000));
    one.hears(LOUD, 200);
    const { told, heard } = one.agent();
    assert.deepEqual(told, ["started", "interrupted long 0", "ended"]);
    assert.ok(before > 0);
    assert.equal(heard.length, before);
    one.isOver("agent_hung_up");
  });

  it("at the first of two marks is not told of the second", (t) => {
    const one = call(t, {
      react: (event, { line }) => event.startsWith("marked") && line.hangUp("now"),
    });
    one.started();
    one.agent().line.say(new Int16Array(160));
    one.agent().line.mark("one");
    one.agent().line.mark("two");
    one.passes(20);
    one.marksComeBack();
    assert.deepEqual(one.agent().told, ["started", "marked one 20", "ended"]);
    one.isOver("agent_hung_up");
  });

  it("as the stream is up, or at a key, is told nothing more", (t) => {
    for (const moment of ["started", "dtmf 1"]) {
      const one = call(t, { react: (event, { line }) => event === moment && line.hangUp("now") });
      one.started();
      one.dtmf("1");
      one.dtmf("2");
      one.call.receive(longMessage());
      assert.equal(one.agent().told.at(-2), moment);
      one.isOver("agent_hung_up");
    }
  });
});

describe("an agent that is told something and", () => {
  it("holds the line as it hears what was kept hears the rest later, in order", (t) => {
    const one = call(t, { react: (event, { line }) => event === "hear" && line.hold() });
    one.started();
    const line = one.agent().line;
    line.hold();
    for (let frame = 0; frame < 5; frame++) one.call.receive(mediaMessage(frame, 0x10 + frame));
    const format = { encoding: "mulaw", rateHz: 8_000 } as const;
    for (let turn = 1; turn <= 5; turn++) {
      line.ready(format, format);
      assert.equal(one.agent().heard.length, turn);
    }
    assert.deepEqual(
      one.agent().heard.map(([first]) => first),
      [0x10, 0x11, 0x12, 0x13, 0x14],
    );
  });

  it("clears, speaks and marks at a mark goes on", (t) => {
    let round = 0;
    const one = call(t, {
      react(event, { line }) {
        if (!event.startsWith("marked") || ++round > 3) return;
        line.clear();
        line.say(new Int16Array(160));
        line.mark(`round-${round}`);
      },
    });
    one.started();
    one.agent().line.say(new Int16Array(160));
    one.agent().line.mark("round-0");
    for (let n = 0; n < 5; n++) {
      one.passes(20);
      one.marksComeBack();
    }
    assert.deepEqual(
      one.agent().told.slice(1),
      [0, 1, 2, 3].map((n) => `marked round-${n} 20`),
    );
    one.call.end("drained");
    one.isOver("drained");
  });
});

describe("whatever fails while a call ends", () => {
  for (const at of ["free", "news"] as const) {
    it(`it is over and reported: ${at}`, (t) => {
      const one = call(t, { rateHz: 16_000 });
      one.started();
      one.agent().line.say(new Int16Array(1_000));
      one.call.receive(mediaMessage(0, 0x20));
      const { lane } = one.around;
      const write = lane.write.bind(lane);
      if (at === "news") lane.write = () => assert.fail("no lane any more");
      else one.converters.failAtFree = true;
      assert.throws(() => one.call.end("call_error"));
      lane.write = write;
      assert.deepEqual(
        one.reports.map(({ reason }) => reason),
        ["call_error"],
      );
      assert.equal(one.agent().told.at(-1), "ended");
      one.call.end("drained");
      one.call.receive(startMessage());
      assert.equal(one.reports.length, 1);
    });
  }
});
