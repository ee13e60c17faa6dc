// The caller speaks over a WebSocket agent, or the agent thinks better of what it says: how soon the phone is silent,
// what the agent is told was heard, and that nothing of what was cut is ever heard later.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encode } from "../../../src/twin/mulaw.ts";
import type { TwinStream } from "../../../src/twin/stream.ts";
import type { AgentConnection, Message } from "../../support/agentServer.ts";
import { recordAfter, startAgentStory, type Talk, told } from "../../support/agentStory.ts";
import { counted } from "../../support/counts.ts";
import { levelDb, recording, tone, toneDb } from "../../support/sound.ts";
import { allFree, until } from "../../support/until.ts";

/** From the caller's first sound, and from the agent's word, until the phone is silent; a loaded machine has four times as long. */
const CALLER_MS = 4 * 150;
const AGENT_MS = 4 * 40;
/** What the agent is told was heard is hardly more than what was, */
const MORE_MS = 40;
/** and less by no more than the clear was on its way, which a loaded machine makes longer. */
const LESS_MS = 4 * 40;
const AGENT_HZ = 700;
const NEXT_HZ = 1_100;
/** A frame of speech is louder. */
const LOUD_DB = -35;

const story = await startAgentStory({
  on: {},
  greeting: { settings: { interruption: "after_greeting" } },
  off: { settings: { interruption: "off" } },
});

/** Says a tone as one utterance, five seconds a message. */
function says(agent: AgentConnection, id: string, hz: number, ms: number, more: object = {}): void {
  agent.send({ type: "utterance_start", id, text: "one two three four five six seven eight", ...more });
  agent.say(encode(tone(hz, ms)));
}

function ends(agent: AgentConnection): void {
  agent.send({ type: "utterance_end" });
}

/** When the last loud frame of the agent's ended, of what was played between these moments. */
function silentFromMs(stream: TwinStream, fromMs: number, toMs: number): number {
  let lastMs = fromMs;
  for (let atMs = fromMs; atMs + 5 <= toMs; atMs += 5)
    if (levelDb(stream.played(atMs, atMs + 5)) > LOUD_DB) lastMs = atMs + 5;
  return lastMs;
}

/** When the caller's first loud frame was sent, on the call's axis. */
function firstSoundMs(stream: TwinStream, fromMs: number): number {
  for (let atMs = fromMs; atMs < stream.nowMs; atMs += 5)
    if (levelDb(stream.caller.samples(atMs, atMs + 5)) > LOUD_DB) return atMs;
  throw new Error("the caller has made no sound");
}

/** How much of a tone was played in a stretch, as its peak. */
function playedDb(stream: TwinStream, hz: number, fromMs: number): number {
  return toneDb(stream.played(fromMs, stream.nowMs), hz);
}

function assertHeard({ heard_ms: toldMs }: Message, playedMs: number): void {
  const moreMs = (toldMs as number) - playedMs;
  assert.ok(moreMs <= MORE_MS && moreMs >= -LESS_MS, `told ${toldMs} ms, played ${playedMs} ms`);
}

async function isCut({ stream, agent }: Talk, number = 0) {
  const interrupted = await agent.next("interrupted", number);
  await stream.next("clear");
  return interrupted;
}

describe("a caller who speaks over the agent", { concurrency: true }, () => {
  for (const [what, sound] of [
    ["a tone", tone(350, 600, -15)],
    ["the word stop", recording("stop")],
  ] as const) {
    it(`has silence at once: ${what}`, async (t) => {
      const talk = await story.talk("on");
      const { call, stream, agent } = talk;
      says(agent, "long", AGENT_HZ, 10_000);
      await stream.hasPlayed(1_000);
      const saidFromMs = call.timeline.nowMs();
      stream.say(sound);
      const interrupted = await isCut(talk);
      const playedMs = stream.playedMs;
      // Late audio of the cut utterance, then its end, and after that something new.
      for (let frame = 0; frame < 20; frame++) agent.say(encode(tone(AGENT_HZ, 20)));
      ends(agent);
      await stream.hasSaidAll();
      const clearedMs = call.timeline.nowMs();
      says(agent, "next", NEXT_HZ, 500, { interruption: interrupted.number });
      ends(agent);
      agent.send({ type: "mark", name: "next was heard" });
      await agent.next("mark");
      await call.hangUp();
      const record = await recordAfter(story, call);

      const tookMs = silentFromMs(stream, saidFromMs, clearedMs - 20) - firstSoundMs(stream, saidFromMs);
      t.diagnostic(
        `silent ${tookMs} ms after the first sound; told ${interrupted.heard_ms} ms, played ${playedMs.toFixed(0)} ms`,
      );
      assert.ok(tookMs <= CALLER_MS, `${tookMs} ms`);
      assert.equal(interrupted.by, "caller");
      assert.equal(interrupted.utterance, "long");
      assertHeard(interrupted, playedMs);
      assert.equal(stream.playedMs, playedMs + 500, "the next utterance is heard whole, and nothing else");
      assert.ok(playedDb(stream, AGENT_HZ, clearedMs - 20) < -45, "nothing of the cut one");
      assert.ok(playedDb(stream, NEXT_HZ, clearedMs) > -30);

      const [started] = told(record, "speech_started");
      assert.deepEqual([started!.isAgentSpeaking, started!.isInterrupting], [true, true]);
      const { levelDb: heardDb, floorDb, thresholdDb } = started as Record<string, number>;
      assert.ok(heardDb! > thresholdDb! && thresholdDb! > floorDb!, JSON.stringify(started));
      const [cut] = told(record, "interrupted");
      assert.equal(cut!.by, "caller");
      t.diagnostic(`the clear was on its way ${cut!.tookMs} ms after the first sound, by the record`);
      const [long, next] = told(record, "utterance");
      assert.deepEqual([long!.id, long!.isInterrupted], ["long", true]);
      assert.equal(long!.generatedMs, 10_000);
      assert.equal(long!.heardMs, interrupted.heard_ms);
      assert.ok((long!.sentMs as number) >= (long!.heardMs as number));
      assert.equal(long!.heardText, interrupted.heard_text);
      // The words are taken to be as long as their letters: of ten seconds a little more than one was heard.
      assert.ok("one two three four five six seven eight".startsWith(long!.heardText as string));
      assert.ok((long!.heardText as string).length < 12, `heard: ${long!.heardText}`);
      assert.deepEqual([next!.id, next!.isInterrupted, next!.heardMs], ["next", false, 500]);
      assert.deepEqual(call.complaints, []);
    });
  }

  it("is not heard while the greeting lasts, and afterwards is, where the policy is after_greeting", async () => {
    const talk = await story.talk("greeting");
    const { call, stream, agent } = talk;
    says(agent, "greeting", AGENT_HZ, 1_500);
    ends(agent);
    await stream.hasPlayed(300);
    stream.say(tone(350, 400, -15));
    await stream.hasPlayed(1_500);
    assert.equal(stream.playedMs, 1_500);
    assert.deepEqual(agent.all("interrupted"), []);
    agent.send({ type: "mark", name: "greeted" });
    await agent.next("mark");
    says(agent, "question", AGENT_HZ, 8_000);
    await stream.hasPlayed(2_000);
    stream.say(tone(350, 400, -15));
    const interrupted = await isCut(talk);
    assert.equal(interrupted.utterance, "question");
    const ofQuestionMs = stream.playedMs - 1_500;
    assertHeard(interrupted, ofQuestionMs);
    await call.hangUp();
    const record = await recordAfter(story, call);
    assert.deepEqual(
      told(record, "speech_started").map(({ isInterrupting }) => isInterrupting),
      [false, true],
    );
  });

  it("is heard by the agent and cuts nothing where the policy is off", async () => {
    const { call, stream, agent } = await story.talk("off");
    says(agent, "all", AGENT_HZ, 2_000);
    ends(agent);
    agent.send({ type: "mark", name: "all" });
    await stream.hasPlayed(300);
    stream.say(tone(350, 400, -15));
    await agent.next("mark");
    assert.equal(stream.playedMs, 2_000);
    assert.deepEqual(agent.all("interrupted"), []);
    await call.hangUp();
    const record = await recordAfter(story, call);
    const [started] = told(record, "speech_started");
    assert.deepEqual([started!.isAgentSpeaking, started!.isInterrupting], [true, false]);
  });

  it("is not the agent's own echo, 25 dB down and 150 ms late", async (t) => {
    const { call, stream, agent } = await story.talk("on");
    const echoing = echoes(stream, { lateMs: 150, lossDb: 25, forMs: 5_500 });
    const speech = recording("hello");
    agent.send({ type: "utterance_start", id: "spoken" });
    agent.say(encode(speech));
    agent.say(encode(recording("question")));
    ends(agent);
    agent.send({ type: "mark", name: "spoken" });
    await agent.next("mark");
    await echoing;
    assert.deepEqual(agent.all("interrupted"), []);
    const loudest = Math.max(...levels(stream.caller.samples(0, stream.nowMs)));
    t.diagnostic(`the echo's loudest frame had ${loudest.toFixed(0)} dBFS`);
    assert.ok(loudest > -45, "there was an echo");
    await call.hangUp();
    const record = await recordAfter(story, call);
    assert.deepEqual(told(record, "interrupted"), []);
    assert.equal(told(record, "utterance")[0]!.isInterrupted, false);
  });
});

describe("an agent that unsays", { concurrency: true }, () => {
  it("is silent at once, is told what was heard, and goes on with what it says next", async (t) => {
    const { call, stream, agent } = await story.talk("on");
    says(agent, "wrong", AGENT_HZ, 5_000);
    ends(agent);
    await stream.hasPlayed(800);
    const saidMs = call.timeline.nowMs();
    agent.send({ type: "clear" });
    says(agent, "right", NEXT_HZ, 400);
    ends(agent);
    agent.send({ type: "mark", name: "right" });
    const interrupted = await agent.next("interrupted");
    await stream.next("clear");
    const clear = call.timeline.events.find(({ kind }) => kind === "clear")!;
    await agent.next("mark");
    await call.hangUp();
    const record = await recordAfter(story, call);
    const wrongMs = stream.playedMs - 400;
    t.diagnostic(
      `silent ${(clear.atMs - saidMs).toFixed(1)} ms after the agent's word; told ${interrupted.heard_ms} ms, played ${wrongMs.toFixed(0)} ms`,
    );
    assert.ok(clear.atMs - saidMs <= AGENT_MS);
    assert.deepEqual([interrupted.by, interrupted.utterance], ["agent", "wrong"]);
    assertHeard(interrupted, wrongMs);
    assert.ok(playedDb(stream, AGENT_HZ, clear.atMs) < -45);
    assert.deepEqual(
      told(record, "utterance").map(({ id, isInterrupted }) => [id, isInterrupted]),
      [
        ["wrong", true],
        ["right", false],
      ],
    );
  });
});

describe("after all of them", () => {
  it("nothing is held, and each cut is counted by who wanted it", async () => {
    await allFree(story);
    const { gateway } = story;
    assert.equal(await counted(gateway, "interruptions_total", { by: "caller" }), 3);
    assert.equal(await counted(gateway, "interruptions_total", { by: "agent" }), 1);
    assert.ok((await counted(gateway, "agent_messages_refused_total", { what: "stale_audio" })) >= 2 * 20);
  });
});

function levels(samples: Int16Array): number[] {
  return Array.from({ length: Math.floor(samples.length / 160) }, (_, frame) =>
    levelDb(samples.subarray(160 * frame, 160 * (frame + 1))),
  );
}

/** The caller's telephone sends back what it plays, so much later and softer. */
async function echoes(
  stream: TwinStream,
  { lateMs, lossDb, forMs }: { lateMs: number; lossDb: number; forMs: number },
): Promise<void> {
  const gain = 10 ** (-lossDb / 20);
  const untilMs = stream.nowMs + forMs;
  await stream.until(
    "the echo to be over",
    () => {
      const { nowMs } = stream;
      if (stream.saidAll) {
        const heard = stream.played(nowMs - lateMs, nowMs - lateMs + 20);
        stream.say(heard.map((sample) => Math.round(gain * sample)));
      }
      return nowMs >= untilMs || undefined;
    },
    forMs + 10_000,
  );
  await until("the last of it to be sent", () => stream.saidAll);
}
