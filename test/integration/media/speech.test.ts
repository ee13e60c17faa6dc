// What an agent says on its way to the caller's ear: paced, marked, unsaid, and heard to its end before a hang-up.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TwinCall } from "../../../src/twin/call.ts";
import type { TwinStream } from "../../../src/twin/stream.ts";
import { ECHO_NUMBER, startStory, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { isReleased, recordOf } from "../../support/records.ts";
import { returned } from "../../support/returned.ts";
import { tone, toneDb } from "../../support/sound.ts";
import { until } from "../../support/until.ts";

/** How far ahead of the caller's ear the gateway may send. */
const LEAD_MS = 200;
/** Heard and played may differ by this much; on a loaded machine by four times as much. */
const HEARD_MS = 4 * 40;

const { gateway, twilio, held } = await startStory();

async function connected(to = TEST_AGENT_NUMBER): Promise<{ call: TwinCall; stream: TwinStream }> {
  const call = await twilio.dial({ to });
  return { call, stream: await call.connect() };
}

/** The call's record, once the call is over and its worker has said how far it was heard. */
async function recordAfter(call: TwinCall) {
  await call.ended;
  await isReleased(gateway, call);
  return recordOf(gateway, call);
}

/** The documents after the first: what the Connect action was answered with. */
function lastVerbs(call: TwinCall): string[] {
  const documents = call.timeline.events.filter((event) => event.kind === "twiml");
  return documents.at(-1)!.verbs.map(({ verb }) => verb);
}

describe("what an agent says", { concurrency: true }, () => {
  it("is sent no further ahead than it may be, and without a gap", async (t) => {
    const { call, stream } = await connected();
    const pressedMs = call.timeline.nowMs();
    stream.press("0");
    await stream.hasPlayed(3_000);
    // Nothing can have been sent before the key was pressed, so this bound holds however late it came here.
    let mostMs = 0;
    let sentMs = 0;
    let gapsMs = 0;
    let endMs: number | undefined;
    for (const event of call.timeline.events) {
      if (event.kind !== "media") continue;
      sentMs += event.ms;
      mostMs = Math.max(mostMs, sentMs - (event.atMs - pressedMs));
      gapsMs += event.playsAtMs! - (endMs ?? event.playsAtMs!);
      endMs = event.playsAtMs! + event.ms;
    }
    t.diagnostic(`at most ${mostMs.toFixed(0)} ms ahead, ${gapsMs.toFixed(1)} ms of gaps in three seconds`);
    assert.ok(mostMs <= LEAD_MS, `${mostMs} ms ahead`);
    assert.ok(gapsMs <= 80, `${gapsMs} ms of gaps`);
    await call.hangUp();
  });

  it("has a mark of its own name at least every 200 ms, and one at its end", async (t) => {
    const { call, stream } = await connected();
    stream.press("1");
    await stream.hasPlayed(1_000);
    const echoes = () =>
      call.timeline.events.filter((event) => event.kind === "mark" && event.by === "twilio");
    const marks = () =>
      call.timeline.events.filter((event) => event.kind === "mark" && event.by === "gateway");
    await stream.until("every mark to come back", () => echoes().length === marks().length || undefined);
    const places: number[] = [];
    let sentMs = 0;
    for (const event of call.timeline.events) {
      if (event.kind === "media") sentMs += event.ms;
      else if (event.kind === "mark" && event.by === "gateway") places.push(sentMs);
    }
    t.diagnostic(`marks at ${places.join(", ")} ms`);
    assert.equal(sentMs, 1_000);
    assert.equal(places.at(-1), 1_000);
    for (const [index, place] of places.entries()) assert.ok(place - (places[index - 1] ?? 0) <= 200);
    const names = marks().map((mark) => (mark.kind === "mark" ? mark.name : ""));
    assert.equal(new Set(names).size, names.length);
    await call.hangUp();
    assert.equal((await recordAfter(call)).heardMs, 1_000);
    assert.deepEqual(call.complaints, []);
  });

  for (const [who, to] of [
    ["an agent that says ten seconds at once", TEST_AGENT_NUMBER],
    ["an echo", ECHO_NUMBER],
  ] as const) {
    it(`is on record as far as it was heard: ${who}`, async (t) => {
      const { call, stream } = await connected(to);
      stream.say(tone(500, 5_000));
      stream.press("0");
      await stream.hasPlayed(1_500);
      const { playedMs } = stream;
      await call.hangUp();
      const { heardMs, outcome } = await recordAfter(call);
      t.diagnostic(`played ${playedMs.toFixed(0)} ms, heard ${heardMs} ms by the record`);
      assert.equal(outcome, "caller_hung_up");
      assert.ok(Math.abs(heardMs - playedMs) <= HEARD_MS, `heard ${heardMs} of ${playedMs} ms`);
    });
  }

  it("is unsaid by a clear: the caller's phone falls silent, and stale marks count for nothing", async (t) => {
    const { call, stream } = await connected();
    stream.press("0");
    await stream.hasPlayed(700);
    stream.press("*");
    await stream.next("clear");
    const { playedMs } = stream;
    const clear = call.timeline.events.find((event) => event.kind === "clear")!;
    t.diagnostic(`the clear took back ${clear.kind === "clear" ? clear.droppedMs.toFixed(0) : "?"} ms`);
    assert.equal(stream.playback.waitingMs(call.timeline.nowMs()), 0);
    // Twilio sends the marks of what it dropped back at once; what comes next must be counted on its own.
    const cleared = call.timeline.events.filter((event) => event.kind === "mark" && event.cleared);
    assert.ok(cleared.length > 0);
    stream.press("1");
    await stream.hasPlayed(playedMs + 1_000);
    await call.hangUp();
    const { heardMs } = await recordAfter(call);
    t.diagnostic(`played ${playedMs.toFixed(0)} + 1000 ms, heard ${heardMs} ms by the record`);
    assert.equal(stream.playedMs, playedMs + 1_000);
    assert.ok(Math.abs(heardMs - playedMs - 1_000) <= HEARD_MS);
  });

  it("answers the caller's keys, which are counted and not kept", async () => {
    const { call, stream } = await connected();
    for (const digit of "BB#") stream.press(digit);
    await stream.hasPlayed(500);
    assert.ok(toneDb(returned(stream), 400) > -13, "the tone of an agent that is the call's first");
    await call.hangUp();
    const record = await recordAfter(call);
    assert.equal(record.digits, 3);
    assert.ok(record.events.every(({ detail = "" }) => !/[B#]/.test(detail)));
  });

  it("is heard to the last word before the agent hangs up", async () => {
    const { call, stream } = await connected();
    stream.press("2");
    const end = await call.ended;
    assert.deepEqual([end.how, end.reason], ["agent", ""]);
    assert.equal(stream.playedMs, 1_000);
    const { outcome, heardMs } = await recordAfter(call);
    assert.deepEqual([outcome, heardMs], ["agent_hung_up", 1_000]);
    assert.deepEqual(lastVerbs(call), ["Hangup"]);
  });

  it("is not waited for when nobody says that it was heard", async (t) => {
    const call = await twilio.dial({ to: TEST_AGENT_NUMBER });
    const stream = await call.connect({ automatic: false });
    // A start, and never a mark back: this Twilio plays nothing.
    stream.mute(true);
    stream.introduce();
    const sent = call.timeline.nowMs();
    stream.press("2");
    stream.freeze();
    await until("the call to end", () => recordOf(gateway, call).outcome !== undefined);
    t.diagnostic(`ended after ${(call.timeline.nowMs() - sent).toFixed(0)} ms`);
    assert.equal(recordOf(gateway, call).outcome, "agent_hung_up");
    await stream.break("cut");
  });

  it("keeps no agent waiting that hangs up at once", async () => {
    const { call, stream } = await connected();
    stream.press("0");
    await stream.hasPlayed(300);
    stream.press("3");
    await call.ended;
    assert.ok(stream.playedMs < 5_000, `${stream.playedMs} ms were played`);
    assert.equal((await recordAfter(call)).outcome, "agent_hung_up");
    assert.deepEqual(lastVerbs(call), ["Hangup"]);
  });

  it("is followed by an apology when the agent fails", async () => {
    const { call, stream } = await connected();
    stream.press("9");
    await call.ended;
    const record = await recordAfter(call);
    assert.equal(record.outcome, "agent_failed");
    assert.ok(record.isApologized);
    assert.ok(stream.playedMs > 3_000, `the recording was played to its end: ${stream.playedMs} ms`);
    assert.deepEqual(lastVerbs(call), ["Hangup"], "nothing is said twice");
  });
});

describe("after all of them", () => {
  it("nothing is held", async () => {
    await until("everything to be free", () => Object.values(held()).every((value) => Number(value) === 0));
  });
});
