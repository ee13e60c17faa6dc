// Calls of all kinds of agents at once, while media workers die one after another: each caller says a tone of its own
// to an agent that says it back, and every frame that comes back is looked at for anybody else's.
import { setTimeout as delay, setImmediate } from "node:timers/promises";
import type { TwinCall } from "../../src/twin/call.ts";
import { encode } from "../../src/twin/mulaw.ts";
import type { TwinStream } from "../../src/twin/stream.ts";
import type { AgentConnection, AgentServer } from "./agentServer.ts";
import { type AgentStory, dialUntilTaken, recordAfter, startAgentStory, told } from "./agentStory.ts";
import { ECHO_NUMBER, TEST_AGENT_NUMBER } from "./gateway.ts";
import { recordOf } from "./records.ts";
import { returned } from "./returned.ts";
import { FRAME, tone, toneDb } from "./sound.ts";
import { allFree, until } from "./until.ts";

/** Whole periods in a frame, so that none of them is seen in another's frame, nor notices a frame that is missing. */
const TONES_HZ = Array.from({ length: 61 }, (_, index) => 300 + 50 * index);
const TONE_DB = -12;
/** A frame that holds its tone and nothing else is as loud as it was; at a gap it is not. */
const WHOLE_WITHIN_DB = 1;
/** What anything else may have beside it. Mu-law's own noise reaches −43 dB for some of the tones, once, and it is made twice. */
const FOREIGN_DB = -36;
/** A call that has moved hangs up this much later: its next worker may die too, and no call is placed a third time. */
const AFTER_MOVE_MS = 800;
const KILL_EVERY_MS = 2_000;

const ECHO = {
  onAudio: (audio: Buffer, connection: AgentConnection) => connection.say(audio),
  keepsAudio: false,
};
const pcm = (rateHz: number) => {
  const format = { encoding: "pcm16", rate_hz: rateHz };
  return { ...ECHO, ready: { type: "ready", hears: format, speaks: format } };
};
const settings = { interruption: "off" };
const PLANS = {
  mulaw: { settings, server: ECHO },
  pcm16: { settings, server: pcm(16_000) },
  pcm24: { settings, server: pcm(24_000) },
};
const KINDS = ["echo", "mulaw", "pcm16", "pcm24"] as const;

export interface MixedPlan {
  readonly calls: number;
  readonly forMs: number;
  readonly workers: number;
  /** Longest that one call lasts, moved or not. */
  readonly callMs: number;
}

export interface Mixed {
  calls: number;
  /** Calls that did not end because their callers hung up, or on which the gateway had to speak, in words. */
  readonly lost: string[];
  readonly kills: number;
  moved: number;
  /** By call that moved: the longest time between two frames to its caller. */
  readonly gapsMs: number[];
  frames: number;
  /** Frames with anything in them that is not their call's, in words. */
  readonly foreign: string[];
  /** The loudest thing beside a call's own tone in a whole frame, in dB below that. */
  worstDb: number;
  /** CPU of everything in the process, in cores. */
  cores: number;
}

type MixedStory = AgentStory<keyof typeof PLANS>;

export async function runMixed(plan: MixedPlan): Promise<Mixed> {
  const story = await startAgentStory(PLANS, { env: { MEDIA_WORKERS: String(plan.workers) } });
  const seen = { calls: 0, lost: [], moved: 0, gapsMs: [], frames: 0, foreign: [], worstDb: -99, cores: 0 };
  const mixed: Mixed = { ...seen, kills: 0 };
  const cpu = process.cpuUsage();
  const beganMs = performance.now();
  const untilMs = beganMs + plan.forMs;
  const moved = new Set<TwinCall>();
  const lines = Array.from({ length: plan.calls }, async (_, line) => {
    await delay(line * 40);
    while (performance.now() < untilMs) await oneCall(story, line, plan, untilMs, mixed, moved);
  });
  const kills = await killAgainAndAgain(story, plan.workers, untilMs, moved);
  await Promise.all(lines);
  const { user, system } = process.cpuUsage(cpu);
  mixed.cores = (user + system) / 1_000 / (performance.now() - beganMs);
  await allFree(story);
  await until("the agents' servers to be alone", () =>
    Object.values(story.servers).every(({ sockets }: AgentServer) => sockets === 0),
  );
  await story.close();
  return { ...mixed, kills };
}

export function mixedInWords({ calls, lost, kills, moved, gapsMs, frames, foreign, worstDb, cores }: Mixed) {
  const sorted = gapsMs.toSorted((one, other) => one - other);
  const at = (share: number) => (sorted[Math.ceil(share * sorted.length) - 1] ?? 0).toFixed(0);
  return (
    `${calls} calls, ${lost.length} lost; ${kills} workers killed under ${moved} of them: longest gaps p50 ${at(0.5)}, ` +
    `p99 ${at(0.99)}, at most ${at(1)} ms; ${frames} frames came back, ${foreign.length} with anything foreign, beside ` +
    `their own tone ${worstDb.toFixed(1)} dB at most; ${cores.toFixed(2)} cores`
  );
}

async function oneCall(
  story: MixedStory,
  line: number,
  plan: MixedPlan,
  untilMs: number,
  mixed: Mixed,
  moved: Set<TwinCall>,
) {
  const kind = KINDS[line % KINDS.length]!;
  const hz = TONES_HZ[line % TONES_HZ.length]!;
  const call = await dialUntilTaken(story, kind === "echo" ? ECHO_NUMBER : story.numberOf(kind));
  const stream = await call.connect();
  mixed.calls++;
  stream.say(encode(tone(hz, plan.callMs, TONE_DB)));
  const endMs = Math.min(performance.now() + plan.callMs, untilMs);
  const isOver = () =>
    recordOf(story.gateway, call).outcome !== undefined ||
    performance.now() >= endMs ||
    wasMoved(story, call);
  while (!isOver()) await delay(50);
  const isMoved = wasMoved(story, call);
  if (isMoved) {
    moved.add(call);
    await delay(AFTER_MOVE_MS);
  }
  await call.hangUp();
  const record = await recordAfter(story, call);
  moved.delete(call);
  const { outcome } = record;
  const prompts = told(record, "prompt").map(({ prompt, why }) => `${prompt}, because ${why}`);
  const lost = outcome === "caller_hung_up" ? (call.complaints[0]?.text ?? prompts[0]) : outcome;
  if (lost !== undefined) {
    const happened = record.events.slice(-5).map(({ kind: event, detail = "" }) => `${event} ${detail}`);
    mixed.lost.push(`${kind}, ${hz} Hz: ${lost} (${happened.map((words) => words.trim()).join(", ")})`);
    return; // what comes back is the gateway's own voice
  }
  if (isMoved) {
    mixed.moved++;
    mixed.gapsMs.push(longestGapMs(call));
  }
  await lookAt(stream, hz, tonesOf(plan.calls), mixed);
}

const tonesOf = (calls: number) => TONES_HZ.slice(0, calls);

const wasMoved = ({ gateway }: MixedStory, call: TwinCall) =>
  recordOf(gateway, call).events.some(({ kind }) => kind === "worker_replaced");

function longestGapMs({ timeline }: TwinCall): number {
  const times = timeline.events.flatMap((event) => (event.kind === "media" ? [event.atMs] : []));
  return times.reduce((longest, atMs, index) => Math.max(longest, atMs - (times[index - 1] ?? atMs)), 0);
}

/** Looks at every frame that came back; others of this process have their turn meanwhile. */
async function lookAt(stream: TwinStream, hz: number, tonesHz: readonly number[], mixed: Mixed) {
  const heard = returned(stream);
  for (let at = 0; at + FRAME <= heard.length; at += FRAME) {
    if (at % (20 * FRAME) === 0) await setImmediate();
    const frame = heard.subarray(at, at + FRAME);
    const ownDb = toneDb(frame, hz);
    const isWhole = Math.abs(ownDb - TONE_DB) < WHOLE_WITHIN_DB;
    mixed.frames++;
    for (const other of tonesHz) {
      if (other === hz) continue;
      const otherDb = toneDb(frame, other);
      if (isWhole) mixed.worstDb = Math.max(mixed.worstDb, otherDb - ownDb);
      // Where a tone begins or breaks off it is no tone, but still the loudest.
      const limitDb = isWhole ? ownDb + FOREIGN_DB : Math.max(ownDb, -40);
      if (otherDb > limitDb) mixed.foreign.push(`${other} Hz at ${otherDb.toFixed(0)} dBFS in ${hz} Hz`);
    }
  }
}

/** One worker every two seconds, each in its turn: a caller on it presses the key that ends it. */
async function killAgainAndAgain(
  story: MixedStory,
  workers: number,
  untilMs: number,
  moved: ReadonlySet<TwinCall>,
): Promise<number> {
  const killer = async () => {
    const call = await dialUntilTaken(story, TEST_AGENT_NUMBER);
    return { call, stream: await call.connect() };
  };
  const killers = await Promise.all(Array.from({ length: workers }, killer));
  let kills = 0;
  for (;;) {
    await delay(KILL_EVERY_MS);
    await until("those who have moved to hang up", () => moved.size === 0, 20_000);
    if (performance.now() > untilMs - KILL_EVERY_MS) break;
    const { call, stream } = killers.shift()!;
    stream.press("7");
    await until("the worker to die", () => wasMoved(story, call));
    kills++;
    await call.hangUp();
    killers.push(await killer());
  }
  await Promise.all(killers.map(({ call }) => call.hangUp()));
  return kills;
}
