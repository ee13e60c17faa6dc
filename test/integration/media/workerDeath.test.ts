// A media worker dies, or stands still, in the middle of calls: the others don't notice, its own go on elsewhere,
// each with its own audio and none of another's, and a call that kills worker after worker is stopped.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TwinCall } from "../../../src/twin/call.ts";
import type { TwinStream } from "../../../src/twin/stream.ts";
import { counted } from "../../support/counts.ts";
import { ECHO_NUMBER, type Story, startStory, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { isReleased, recordOf } from "../../support/records.ts";
import { hasReturned, returned } from "../../support/returned.ts";
import { FRAME, tone, toneDb } from "../../support/sound.ts";
import { until } from "../../support/until.ts";

/** A caller who says one tone all the time, to an echo. Multiples of 50 Hz: in a frame, none looks like another. */
interface Voice {
  readonly call: TwinCall;
  readonly stream: TwinStream;
  readonly hz: number;
}

/** A caller of the agent that keys command. */
interface Key {
  readonly call: TwinCall;
  readonly stream: TwinStream;
}

const TONES_HZ = [450, 600, 850, 1_100, 1_400, 1_900];

async function voice(story: Story, hz: number): Promise<Voice> {
  const call = await story.twilio.dial({ to: ECHO_NUMBER });
  const stream = await call.connect();
  stream.say(tone(hz, 10_000));
  return { call, stream, hz };
}

async function key(story: Story): Promise<Key> {
  const call = await story.twilio.dial({ to: TEST_AGENT_NUMBER });
  return { call, stream: await call.connect() };
}

function wasMoved({ gateway }: Story, { call }: { call: TwinCall }): boolean {
  return recordOf(gateway, call).events.some(({ kind }) => kind === "worker_replaced");
}

/** The longest time between two of the gateway's frames from this moment on, and when it began. */
function longestGapMs({ call, stream }: Voice, fromMs: number): number {
  const times = call.timeline.events.flatMap((event) =>
    event.kind === "media" && event.atMs >= fromMs - 20 ? [event.atMs] : [],
  );
  assert.ok(times.length > 1 && stream.received.length > 0);
  return times.reduce((longest, atMs, index) => Math.max(longest, atMs - (times[index - 1] ?? atMs)), 0);
}

/** Asserts that no frame that came back holds another call's tone; returns how many hold the call's own. */
function ownFrames({ stream, hz }: Voice): number {
  const heard = returned(stream);
  let own = 0;
  for (let at = 0; at + FRAME <= heard.length; at += FRAME) {
    const frame = heard.subarray(at, at + FRAME);
    const ownDb = toneDb(frame, hz);
    for (const other of TONES_HZ) {
      if (other === hz) continue;
      const otherDb = toneDb(frame, other);
      assert.ok(otherDb < Math.max(ownDb, -40), `a frame of ${other} Hz in the call of ${hz} Hz`);
    }
    if (ownDb > -14) own++;
  }
  return own;
}

async function deaths({ gateway }: Story, why: "exit" | "stuck" | "memory"): Promise<number> {
  return counted(gateway, "worker_deaths_total", { why });
}

async function isFree(story: Story): Promise<void> {
  await until("everything to be free", () =>
    Object.values(story.held()).every((value) => Number(value) === 0),
  );
}

describe("when a worker dies in mid-call", () => {
  it("its calls go on within half a second, and no other call notices", async (t) => {
    const story = await startStory();
    const { gateway } = story;
    const killer = await key(story);
    const bystander = await key(story); // on the other worker: the one with fewer calls is chosen
    const voices: Voice[] = [];
    for (const hz of TONES_HZ) voices.push(await voice(story, hz));
    assert.deepEqual(gateway.pool.state().callsByWorker, [4, 4]);
    await Promise.all(voices.map(({ stream }) => hasReturned(stream, 300)));

    const killedMs = voices.map(({ call }) => call.timeline.nowMs());
    killer.stream.press("7");
    await until("the calls to move", () => wasMoved(story, killer));
    const moved = voices.filter((caller) => wasMoved(story, caller));
    assert.equal(moved.length, 3);
    assert.equal(wasMoved(story, bystander), false);
    const sentByThen = voices.map(({ stream }) => stream.framesSent);
    await Promise.all(
      voices.map(({ stream }, index) =>
        stream.until("half a second more", () => stream.framesSent >= sentByThen[index]! + 25 || undefined),
      ),
    );

    for (const [index, caller] of voices.entries()) {
      const gapMs = longestGapMs(caller, killedMs[index]!);
      const isMoved = moved.includes(caller);
      t.diagnostic(
        `${caller.hz} Hz, ${isMoved ? "moved" : "not moved"}: ${gapMs.toFixed(0)} ms without a frame`,
      );
      assert.ok(gapMs <= (isMoved ? 2_000 : 500), `${gapMs} ms without a frame`);
      if (isMoved) continue;
      // Late they may be on a busy machine, but none is lost: five are the filters' first, and those cut in two.
      const sent = caller.stream.framesSent;
      await until("every frame to come back", () => ownFrames(caller) >= sent - 5);
    }

    killer.stream.press("#");
    bystander.stream.press("#");
    await Promise.all([killer, bystander].map(({ stream }) => hasReturned(stream, 500)));
    assert.ok(toneDb(returned(killer.stream), 1_000) > -13, "this agent took over");
    assert.ok(toneDb(returned(bystander.stream), 400) > -13, "this one was always there");

    assert.equal(await deaths(story, "exit"), 1);
    assert.equal(await counted(gateway, "calls_replaced_total"), 4);
    await Promise.all([killer, bystander, ...voices].map(({ call }) => call.hangUp()));
    await isFree(story);
    for (const { call } of [killer, bystander, ...voices])
      assert.equal(recordOf(gateway, call).outcome, "caller_hung_up");
    await until("the replacement to be up", () => gateway.pool.state().workers === 2);
    await story.close();
  });

  it("and all the others with it, all calls go on all the same", async (t) => {
    // One worker is all of them; of two that die one after the other, a call may have begun in both, and be given up.
    const story = await startStory({ env: { MEDIA_WORKERS: "1" } });
    const { gateway } = story;
    const killer = await key(story);
    const voices: Voice[] = [];
    for (const hz of TONES_HZ) voices.push(await voice(story, hz));
    await Promise.all(voices.map(({ stream }) => hasReturned(stream, 300)));
    const killedMs = voices.map(({ call }) => call.timeline.nowMs());
    killer.stream.press("7");
    await until("all calls to move", () => [killer, ...voices].every((caller) => wasMoved(story, caller)));
    await Promise.all(
      voices.map(async ({ stream }) => {
        const { length } = stream.received;
        await stream.until("audio again", () => stream.received.length > length + 25 || undefined, 10_000);
      }),
    );
    const gapsMs = voices.map((caller, index) => longestGapMs(caller, killedMs[index]!));
    t.diagnostic(`without a frame for ${gapsMs.map((ms) => ms.toFixed(0)).join(", ")} ms`);
    // A thread must boot first.
    for (const gapMs of gapsMs) assert.ok(gapMs <= 4_000, `${gapMs} ms without a frame`);
    for (const caller of voices) assert.ok(ownFrames(caller) > 25);
    assert.equal(await deaths(story, "exit"), 1);
    assert.equal(gateway.pool.state().callsWaiting, 0);
    await Promise.all([killer, ...voices].map(({ call }) => call.hangUp()));
    await isFree(story);
    await story.close();
  });

  it("a call that has killed two is not given a third", async () => {
    const story = await startStory();
    const { gateway } = story;
    const killer = await key(story);
    killer.stream.press("7");
    await until("the call to move", () => wasMoved(story, killer));
    killer.stream.press("#");
    await hasReturned(killer.stream, 500);
    killer.stream.press("7");
    const end = await killer.call.ended;
    assert.equal(end.how, "failed");
    const record = recordOf(gateway, killer.call);
    assert.equal(record.outcome, "worker_lost");
    assert.ok(Math.abs(record.heardMs - killer.stream.playedMs) <= 400, `${record.heardMs} ms heard`);
    const documents = killer.call.timeline.events.filter((event) => event.kind === "twiml");
    assert.deepEqual(
      documents.at(-1)!.verbs.map(({ verb }) => verb),
      ["Say", "Hangup"],
    );
    assert.equal(await deaths(story, "exit"), 2);
    assert.equal(await counted(gateway, "calls_replaced_total"), 1);
    await isFree(story);
    await until("the replacements to be up", () => gateway.pool.state().workers === 2);
    await story.close();
  });

  it("for want of memory, its calls move, and what killed it is told apart", async () => {
    const story = await startStory();
    const [leaking, bystander] = [await key(story), await key(story)];
    leaking.stream.press("D");
    await until("the call to move", () => wasMoved(story, leaking), 30_000);
    assert.equal(wasMoved(story, bystander), false);
    leaking.stream.press("#");
    await hasReturned(leaking.stream, 500);
    assert.ok(toneDb(returned(leaking.stream), 1_000) > -13, "this agent took over");
    assert.equal(await deaths(story, "memory"), 1);
    assert.equal(await counted(story.gateway, "worker_deaths_total"), 1);
    await story.close();
  });

  it("by standing still, it is killed, and its calls move", async (t) => {
    const story = await startStory();
    const stuck = await key(story);
    await key(story);
    const voices = [await voice(story, TONES_HZ[0]!), await voice(story, TONES_HZ[1]!)];
    await Promise.all(voices.map(({ stream }) => hasReturned(stream, 200)));
    const killedMs = voices.map(({ call }) => call.timeline.nowMs());
    const sinceMs = performance.now();
    stuck.stream.press("8");
    await until("the calls to move", () => wasMoved(story, stuck));
    t.diagnostic(`moved after ${(performance.now() - sinceMs).toFixed(0)} ms`);
    assert.ok(performance.now() - sinceMs <= 4_000);
    assert.deepEqual(
      voices.map((caller) => wasMoved(story, caller)),
      [true, false],
    );
    const { length } = voices[0]!.stream.received;
    await voices[0]!.stream.until(
      "audio again",
      () => voices[0]!.stream.received.length > length + 10 || undefined,
    );
    const gapsMs = voices.map((caller, index) => longestGapMs(caller, killedMs[index]!));
    t.diagnostic(`without a frame for ${gapsMs.map((ms) => ms.toFixed(0)).join(", ")} ms`);
    assert.ok(gapsMs[0]! <= 4_000);
    for (const caller of voices) ownFrames(caller);
    assert.equal(await deaths(story, "stuck"), 1);
    assert.equal(await deaths(story, "exit"), 0);
    await story.close();
  });
});

describe("when a worker dies at an awkward moment", { concurrency: true }, () => {
  it("before a call's stream has come, the stream is let in as if nothing had been", async () => {
    const story = await startStory({ env: { MEDIA_WORKERS: "1" } });
    const killer = await key(story);
    const waiting = await story.twilio.dial({ to: ECHO_NUMBER });
    killer.stream.press("7");
    const stream = await waiting.connect(); // perhaps before, perhaps after a new worker is up
    stream.say(tone(450, 8_000));
    await until("its own sound", () => ownFrames({ call: waiting, stream, hz: 450 }) > 20, 10_000);
    await waiting.hangUp();
    await isReleased(story.gateway, waiting);
    assert.equal(recordOf(story.gateway, waiting).outcome, "caller_hung_up");
    await story.close();
  });

  it("while the sockets of its calls close, each of them ends once", async () => {
    const lines: string[] = [];
    const story = await startStory({ onLogLine: (line) => lines.push(line) });
    const callers = [
      await key(story),
      await voice(story, 600),
      await voice(story, 850),
      await voice(story, 1_100),
    ];
    await Promise.all(callers.slice(1).map(({ stream }) => hasReturned(stream, 100)));
    callers[0]!.stream.press("7");
    const [killer, stopped, closed, cut] = callers;
    await Promise.all([
      killer!.stream.close(),
      stopped!.call.hangUp(),
      closed!.stream.close(),
      cut!.stream.break("reset"),
    ]);
    await isFree(story);
    for (const { call } of callers) {
      assert.equal(lines.filter((line) => line.includes(call.sid) && line.includes('"call ended')).length, 1);
      assert.match(recordOf(story.gateway, call).outcome!, /^(caller_hung_up|media_lost)$/);
    }
    await story.close();
  });

  it("during the drain, its calls go on, end by themselves, and none of them is cut", async () => {
    const lines: string[] = [];
    const story = await startStory({ onLogLine: (line) => lines.push(line) });
    const callers = [await key(story), await voice(story, 600), await voice(story, 850)];
    await Promise.all(callers.slice(1).map(({ stream }) => hasReturned(stream, 100)));
    const drained = story.gateway.calls.drain();
    callers[0]!.stream.press("7");
    await until("the call to move", () => wasMoved(story, callers[0]!));
    const { length } = callers[1]!.stream.received;
    await callers[1]!.stream.until(
      "more audio",
      () => callers[1]!.stream.received.length > length + 10 || undefined,
    );
    await Promise.all(callers.map(({ call }) => call.hangUp()));
    await drained;
    for (const { call } of callers) {
      assert.equal(lines.filter((line) => line.includes(call.sid) && line.includes('"call ended')).length, 1);
      assert.equal(recordOf(story.gateway, call).outcome, "caller_hung_up");
    }
    await story.close();
  });

  it("as the drain's time runs out, its calls are cut, once each", async () => {
    const lines: string[] = [];
    const story = await startStory({ onLogLine: (line) => lines.push(line) });
    const callers = [await key(story), await key(story), await voice(story, 600)];
    await hasReturned(callers[2]!.stream, 100);
    for (const { stream } of callers.slice(0, 2)) stream.press("7");
    const drained = story.gateway.calls.drain();
    assert.equal(story.gateway.calls.cut(), 3);
    await drained;
    await Promise.all(callers.map(({ stream }) => stream.ended));
    for (const { call } of callers) {
      assert.equal(lines.filter((line) => line.includes(call.sid) && line.includes('"call ended')).length, 1);
      assert.equal(recordOf(story.gateway, call).outcome, "drained");
    }
    await story.close();
  });
});
