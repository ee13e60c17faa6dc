// Agents' servers that die in mid-call: some are back at once, some never. What their callers hear of it, and how soon.
import assert from "node:assert/strict";
import { encode } from "../../src/twin/mulaw.ts";
import { type AgentStory, connectionOf, farewell, recordAfter, type Talk, told } from "./agentStory.ts";
import { returned } from "./returned.ts";
import { tone, toneDb } from "./sound.ts";
import { until } from "./until.ts";

/** A resumed agent speaks in this tone. */
const BACK_HZ = 1_300;

export interface Deaths {
  /** From the death until the agent's server has the call again. */
  readonly backMs: readonly number[];
  /** From the death until the caller hears the apology. */
  readonly apologyMs: readonly number[];
}

type DyingStory = AgentStory<"back" | "gone">;

/** What the servers of `killAgents` are: told in `ready`, and told back in `resumed`. */
export const RESUMABLE = { ready: { type: "ready", resume_id: "session-7" } };

/** So many calls whose agent's connection breaks and is found again, and as many whose server is gone for good. */
export async function killAgents(story: DyingStory, each: number): Promise<Deaths> {
  const calls = Array.from({ length: each });
  const backMs = Promise.all(calls.map(() => dieAndComeBack(story)));
  const talks = await Promise.all(calls.map(() => story.talk("gone")));
  await Promise.all(talks.map(({ stream }) => hasStarted(stream)));
  const diedMs = talks.map(({ call }) => call.timeline.nowMs());
  await story.servers.gone.stop();
  const apologyMs = talks.map((talk, index) => apologized(story, talk, diedMs[index]!));
  return { backMs: await backMs, apologyMs: await Promise.all(apologyMs) };
}

async function dieAndComeBack(story: DyingStory): Promise<number> {
  const { call, stream, agent } = await story.talk("back");
  agent.say(encode(tone(700, 400)));
  agent.send({ type: "utterance_end" });
  agent.send({ type: "mark", name: "heard" });
  await agent.next("mark");
  const diedMs = performance.now();
  agent.die();
  const next = await connectionOf(story.servers.back, call, agent);
  const tookMs = performance.now() - diedMs;
  const { lost, heard_ms, resume_id } = await next.next("resumed");
  assert.deepEqual([next.hello!.resumed, lost, heard_ms, resume_id], [true, "socket", 400, "session-7"]);
  next.say(encode(tone(BACK_HZ, 300)));
  next.send({ type: "hang_up" });
  await call.ended;
  assert.ok(toneDb(returned(stream).subarray(-2_000), BACK_HZ) > -14, "the caller hears the agent again");
  const record = await recordAfter(story, call);
  assert.equal(record.outcome, "agent_hung_up");
  assert.deepEqual(
    told(record, "agent_dropped").map(({ result }) => result),
    ["reconnected"],
  );
  return tookMs;
}

async function apologized(story: DyingStory, { call }: Talk, diedMs: number): Promise<number> {
  await call.ended;
  const record = await recordAfter(story, call);
  assert.deepEqual([record.outcome, record.isApologized], ["agent_failed", true]);
  assert.deepEqual(
    told(record, "agent_dropped").map(({ result }) => result),
    ["failed"],
  );
  assert.deepEqual(farewell(call), ["Hangup"]);
  return firstAudioMs(call, diedMs) - diedMs;
}

/** When the gateway sent its first audio from a moment on, on the call's axis. */
export function firstAudioMs({ timeline }: Talk["call"], fromMs: number): number {
  const first = timeline.events.find(({ kind, atMs }) => kind === "media" && atMs >= fromMs);
  assert(first, "the caller has heard something");
  return first.atMs;
}

/** Resolves once the caller's audio flows. */
function hasStarted(stream: Talk["stream"]): Promise<void> {
  return until("the caller's audio to flow", () => stream.framesSent > 5);
}
