// A media worker dies or stands still under calls with WebSocket agents: their servers get them back
// as resumed, their callers hear a gap and then the rest, and nobody else hears anything.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encode } from "../../../src/twin/mulaw.ts";
import type { TwinStream } from "../../../src/twin/stream.ts";
import type { AgentServer } from "../../support/agentServer.ts";
import {
  codes,
  connectionOf,
  recordAfter,
  startAgentStory,
  type Talk,
  told,
} from "../../support/agentStory.ts";
import { counted } from "../../support/counts.ts";
import { TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { recordOf } from "../../support/records.ts";
import { hasReturned, returnedCodes } from "../../support/returned.ts";
import { tone, toneDb } from "../../support/sound.ts";
import { allFree, until } from "../../support/until.ts";

/** Longest silence of a call that moves; on a loaded machine four times as long. */
const GAP_MS = 4 * 500;
const STUCK_GAP_MS = 4 * 1_000;
/** Where no worker is left, one has to start first. */
const BOOT_GAP_MS = 4 * 1_000;
const SPEECH_MS = 4_000;
const HZ = 700;

/** Speaks for seconds, and after a takeover what of them was not heard. */
const RESUMING = {
  ready: { type: "ready", resume_id: "session-42" },
  onMessage: ({ type, heard_ms }, connection) => {
    if (type !== "resumed") return;
    connection.say(encode(tone(HZ, SPEECH_MS).subarray(8 * (heard_ms as number))));
    connection.send({ type: "utterance_end" });
  },
} satisfies Partial<AgentServer>;

const story = await startAgentStory({
  speaker: { settings: { interruption: "off" }, server: RESUMING },
  bystander: { settings: { interruption: "off" } },
});
const { gateway, twilio } = story;

interface Keys {
  press(digit: string): void;
  readonly call: Talk["call"];
}

/** A caller of the agent that keys command, on the worker with fewer calls. */
async function keys(): Promise<Keys> {
  const call = await twilio.dial({ to: TEST_AGENT_NUMBER });
  const stream = await call.connect();
  return { call, press: (digit) => stream.press(digit) };
}

async function speaking(): Promise<Talk> {
  const talk = await story.talk("speaker");
  talk.agent.say(encode(tone(HZ, SPEECH_MS)));
  talk.agent.send({ type: "utterance_end" });
  await talk.stream.hasPlayed(600);
  return talk;
}

const wasMoved = ({ call }: { call: Talk["call"] }) =>
  recordOf(gateway, call).events.some(({ kind }) => kind === "worker_replaced");

/** The longest time without the agent's tone, of what was played from a moment on. */
function longestGapMs(stream: TwinStream, fromMs: number, toMs: number): number {
  let longestMs = 0;
  let heardMs = fromMs;
  for (let atMs = fromMs; atMs + 20 <= toMs; atMs += 20) {
    if (toneDb(stream.played(atMs, atMs + 20), HZ) < -20) continue;
    longestMs = Math.max(longestMs, atMs - heardMs);
    heardMs = atMs + 20;
  }
  return longestMs;
}

/** Waits for a moved call's agent, and to the end of what it says; the gap that its caller heard. */
async function goesOn({ call, stream, agent }: Talk, fromMs: number): Promise<number> {
  const again = await connectionOf(story.servers.speaker, call, agent);
  const { heard_ms: heardMs, ...resumed } = await again.next("resumed");
  assert.equal(again.hello!.resumed, true);
  assert.deepEqual(resumed, { type: "resumed", lost: "worker", resume_id: "session-42", away_ms: null });
  again.send({ type: "mark", name: "all" });
  await again.next("mark");
  const toMs = stream.nowMs;
  // What is counted as heard is a fifth of a second old at most, so that much is said twice, and nothing is left out.
  const twiceMs = stream.playedMs - SPEECH_MS;
  assert.ok(twiceMs >= -40 && twiceMs <= 4 * 400, `${twiceMs} ms were heard twice, after ${heardMs} ms`);
  const gapMs = longestGapMs(stream, fromMs, toMs - 100);
  await call.hangUp();
  const record = await recordAfter(story, call);
  assert.equal(record.outcome, "caller_hung_up");
  assert.deepEqual(
    told(record, "agent_connected").map(({ isResumed }) => isResumed),
    [false, true],
  );
  return gapMs;
}

/** A call that no worker's death may touch: what it says both ways is told apart bit for bit. */
async function undisturbed(): Promise<{ readonly talk: Talk; readonly isWhole: () => Promise<void> }> {
  const talk = await story.talk("bystander");
  const said = codes(3_000, 1);
  const answer = codes(3_000, 2);
  talk.stream.say(said);
  talk.agent.say(answer);
  const isWhole = async () => {
    await Promise.all([talk.stream.hasSaidAll(), hasReturned(talk.stream, 3_000)]);
    await until("all to be heard", () => Buffer.concat(talk.agent.audio).includes(said));
    assert.ok(returnedCodes(talk.stream).equals(answer));
    assert.equal(wasMoved(talk), false);
    await talk.call.hangUp();
  };
  return { talk, isWhole };
}

async function workersAreBack(): Promise<void> {
  await until("the workers to be back", () => gateway.pool.state().workers === 2);
  await allFree(story);
}

describe("calls with WebSocket agents go on elsewhere", () => {
  for (const [what, key, why, mostMs] of [
    ["their worker dies", "7", "exit", GAP_MS],
    ["their worker stands still", "8", "stuck", STUCK_GAP_MS],
  ] as const) {
    it(`when ${what}, and nobody else's are touched`, async (t) => {
      // The worker with fewer calls is chosen: these four lie on the two in turn.
      const killer = await keys();
      const bystander = await undisturbed();
      const mine = await speaking();
      const others = await speaking();
      const outcomes = [killer, bystander.talk, mine, others].map(
        ({ call }) => recordOf(gateway, call).outcome,
      );
      assert.deepEqual(gateway.pool.state().callsByWorker, [2, 2], `outcomes: ${outcomes}`);
      const before = await counted(gateway, "worker_deaths_total", { why });
      const fromMs = mine.stream.nowMs;
      killer.press(key);
      await until("the call to move", () => wasMoved(mine));
      const gapMs = await goesOn(mine, fromMs);
      t.diagnostic(`the caller heard a gap of ${gapMs} ms`);
      assert.ok(gapMs <= mostMs, `${gapMs} ms`);
      await bystander.isWhole();
      await others.stream.hasPlayed(SPEECH_MS);
      assert.equal(others.stream.playedMs, SPEECH_MS);
      assert.equal(wasMoved(others), false);
      await Promise.all([killer.call.hangUp(), others.call.hangUp()]);
      assert.equal((await counted(gateway, "worker_deaths_total", { why })) - before, 1);
      await workersAreBack();
    });
  }

  it("when all workers die at once", async (t) => {
    const killers = [await keys(), await keys()];
    const talks = [await speaking(), await speaking()];
    const fromMs = talks.map(({ stream }) => stream.nowMs);
    for (const killer of killers) killer.press("7");
    await until("all calls to move", () => [...killers, ...talks].every(wasMoved));
    const gapsMs = await Promise.all(talks.map((talk, index) => goesOn(talk, fromMs[index]!)));
    t.diagnostic(`the callers heard gaps of ${gapsMs.join(" and ")} ms`);
    assert.ok(Math.max(...gapsMs) <= BOOT_GAP_MS);
    await Promise.all(killers.map(({ call }) => call.hangUp()));
    await workersAreBack();
  });

  it("and an error in another call's code ends that call alone", async () => {
    const failing = await keys();
    await keys().then(({ call }) => call.hangUp());
    const bystander = await undisturbed();
    const same = await undisturbed();
    for (const key of "6") failing.press(key);
    await failing.call.ended;
    await Promise.all([bystander.isWhole(), same.isWhole()]);
    assert.equal((await recordAfter(story, failing.call)).outcome, "call_error");
    assert.equal(await counted(gateway, "call_errors_total"), 1);
    await workersAreBack();
  });
});

describe("after all of them", () => {
  it("each death and each call that moved is counted, and nothing is held", async () => {
    await allFree(story);
    assert.equal(await counted(gateway, "worker_deaths_total"), 4);
    // Where both die at once, those of the first may move to the second before that is dead too.
    const moves = await counted(gateway, "calls_replaced_total");
    assert.ok(moves >= 8 && moves <= 12, `${moves} moves`);
    await until("the agents' servers to be alone", () =>
      Object.values(story.servers).every(({ sockets }) => sockets === 0),
    );
  });
});
