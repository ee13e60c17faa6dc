// Hostile messages from both of a call's sides, over real sockets and by a seed: Twilio's and the agent's own messages
// with their fields changed, dropped, doubled and cut short. What must hold meanwhile is for whoever runs it to assert;
// here it is only watched: a bystander's audio, what each side is sent, and the time that no thread had for anything.
import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay, setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { Ajv } from "ajv";
import { mediaText } from "../../src/twin/messages.ts";
import type { TwinStream } from "../../src/twin/stream.ts";
import type { AgentConnection, AgentServer } from "./agentServer.ts";
import { type AgentStory, codes, newestConnection, startAgentStory } from "./agentStory.ts";
import { counted } from "./counts.ts";
import { recordOf } from "./records.ts";
import { returnedCodes } from "./returned.ts";
import { tone } from "./sound.ts";
import { allFree, until } from "./until.ts";

/** A stream may send 500 messages in a burst; what comes on top ends it. */
const STREAM_BURST = 450;
/** An agent 300 texts, and 2,000 messages of audio. */
const AGENT_TEXTS = 280;
const AGENT_AUDIOS = 1_200;
/** Messages of a call in one go: others of this process have their turn in between. */
const TURN = 8;
/** Hostile calls at a time. */
const AT_ONCE = 6;
/** What Twilio would say of messages that are not as its documentation has them. */
const BREACHES = [31931, 31950, 31951];

const SCHEMA = new URL("../../docs/agent-protocol.schema.json", import.meta.url);
const ajv = new Ajv({ allowUnionTypes: true }).addSchema(JSON.parse(readFileSync(SCHEMA, "utf8")));
const isOfGateway = ajv.getSchema("agent-protocol#/definitions/gateway_to_agent")!;

const settings = { interruption: "off" };
const echo = { onAudio: (audio: Buffer, connection: AgentConnection) => connection.say(audio) };
const PLANS = {
  bystander: { settings },
  victim: { server: { ...echo, keepsAudio: false } },
  mulaw: { server: { keepsAudio: false } },
  pcm: {
    server: { keepsAudio: false, ready: { type: "ready", speaks: { encoding: "pcm16", rate_hz: 16_000 } } },
  },
  unready: { server: { keepsAudio: false, ready: undefined } },
};
type HostileStory = AgentStory<keyof typeof PLANS>;
type Random = () => number;

export interface Hostile {
  /** Messages sent, from Twilio's side, and texts and audio from agents'. */
  twilio: number;
  texts: number;
  audios: number;
  calls: number;
  /** Breaches of either contract by the gateway, in words. */
  readonly breaches: string[];
  /** The bystander's audio came through bit for bit, and so many milliseconds of it each way. */
  isWhole: boolean;
  bystanderMs: number;
  /** Exceptions and deaths that nobody may cause. */
  crashes: number;
  malformed: number;
  refused: number;
  /** Longest time that this process's event loop, and that of a thread with nothing to do, stood still. */
  loopMs: number;
  idleMs: number;
}

export async function runHostile({ messages, seed }: { messages: number; seed: number }): Promise<Hostile> {
  const story = await startAgentStory(PLANS);
  const hostile = { ...counts(), breaches: [] as string[] };
  const idle = await watchIdle();
  const verdict = await startBystander(story);
  const loop = monitorEventLoopDelay({ resolution: 10 });
  loop.enable();
  const sent = () => hostile.twilio + hostile.texts + hostile.audios;
  const lines = Array.from({ length: AT_ONCE }, async (_, line) => {
    const random = mulberry(seed + line);
    for (let call = line; sent() < messages; call++) {
      if (call % 2 === 0) await hostileStream(story, random, hostile);
      else await hostileAgent(story, pick(random, ["mulaw", "mulaw", "pcm", "unready"]), random, hostile);
    }
  });
  await Promise.all(lines);
  loop.disable();
  hostile.loopMs = loop.max / 1e6;
  hostile.idleMs = await idle();
  Object.assign(hostile, await verdict());
  await allFree(story);
  for (const server of Object.values<AgentServer>(story.servers)) checkTold(server, hostile.breaches);
  const { gateway } = story;
  const fatal = ["call_errors_total", "stray_errors_total", "worker_deaths_total", "faults_total"];
  for (const name of fatal) hostile.crashes += await counted(gateway, name);
  hostile.malformed = await counted(gateway, "messages_malformed_total");
  hostile.refused = await counted(gateway, "agent_messages_refused_total");
  await story.close();
  return hostile;
}

export function hostileInWords(hostile: Hostile): string {
  const { twilio, texts, audios, calls, breaches, isWhole, bystanderMs, crashes, malformed, refused } =
    hostile;
  return (
    `${twilio} messages from Twilio's side, ${texts} and ${audios} of audio from agents', in ${calls} calls: ` +
    `${malformed} and ${refused} not understood or obeyed, ${crashes} crashes, ${breaches.length} breaches by the gateway; ` +
    `a bystander's ${(bystanderMs / 1_000).toFixed(1)} s ${isWhole ? "bit for bit" : "NOT WHOLE"}; ` +
    `event loop held for ${hostile.loopMs.toFixed(0)} ms at most, an idle thread's for ${hostile.idleMs.toFixed(0)}`
  );
}

function counts(): Omit<Hostile, "breaches"> {
  return {
    ...{ twilio: 0, texts: 0, audios: 0, calls: 0, isWhole: false, bystanderMs: 0 },
    ...{ crashes: 0, malformed: 0, refused: 0, loopMs: 0, idleMs: 0 },
  };
}

/** A call whose both sides talk all the while; to be called for its verdict. */
async function startBystander(story: HostileStory) {
  const { call, stream, agent } = await story.talk("bystander");
  const said: Buffer[] = [];
  const answered: Buffer[] = [];
  const talkOn = () => {
    said.push(codes(10_000, 2 * said.length + 1));
    answered.push(codes(10_000, 2 * answered.length + 2));
    stream.say(said.at(-1)!);
    agent.say(answered.at(-1)!);
  };
  talkOn();
  talkOn(); // ten seconds ahead, so that neither ever has nothing to say
  const talking = setInterval(talkOn, 10_000).unref();
  return async () => {
    clearInterval(talking);
    const [heard, returned] = [Buffer.concat(agent.audio), returnedCodes(stream)];
    const [all, back] = [Buffer.concat(said), Buffer.concat(answered)];
    const from = heard.indexOf(all.subarray(0, 160));
    const isHeard = from >= 0 && all.subarray(0, heard.length - from).equals(heard.subarray(from));
    const isReturned = back.subarray(0, returned.length).equals(returned);
    await call.hangUp();
    return {
      isWhole: isHeard && isReturned,
      bystanderMs: Math.min(heard.length - from, returned.length) / 8,
    };
  };
}

async function hostileStream(story: HostileStory, random: Random, hostile: Hostile): Promise<void> {
  const call = await story.dial("victim");
  const stream = await call.connect();
  hostile.calls++;
  let isOver = false;
  void stream.ended.then(() => {
    isOver = true;
  });
  for (let sent = 0; sent < STREAM_BURST && !isOver; sent++) {
    stream.send(ofTwilio(stream, random, sent));
    hostile.twilio++;
    if (sent % TURN === 0) await setImmediate();
  }
  await delay(20);
  checkSent(stream, hostile.breaches);
  if (call.end === undefined) await call.hangUp();
}

async function hostileAgent(
  story: HostileStory,
  name: "mulaw" | "pcm" | "unready",
  random: Random,
  hostile: Hostile,
): Promise<void> {
  const call = await story.dial(name);
  call.answer();
  const connection = () => newestConnection(story.servers[name], call);
  const isGivenUp = () => recordOf(story.gateway, call).outcome !== undefined;
  await until("the agent to be called, or spared", () => connection() !== undefined || isGivenUp());
  hostile.calls++;
  const agent = connection();
  if (agent === undefined) return; // its server has failed again and again, and is left alone for now
  for (let sent = 0; sent < AGENT_TEXTS + AGENT_AUDIOS && agent.closed === undefined; sent++) {
    if (random() < AGENT_TEXTS / (AGENT_TEXTS + AGENT_AUDIOS)) {
      agent.sendText(ofAgent(name === "unready", random));
      hostile.texts++;
    } else {
      agent.say(
        Buffer.alloc(random() < 0.02 ? 3_000 : Math.floor(60 * random()), Math.floor(256 * random())),
      );
      hostile.audios++;
    }
    if (sent % 400 === 0) call.stream?.say(tone(350, 200)); // an interruption now and then
    if (sent % TURN === 0) await setImmediate();
  }
  await delay(100);
  if (call.stream !== undefined) checkSent(call.stream, hostile.breaches);
  if (call.end === undefined) await call.hangUp();
}

/** What the gateway has sent on a stream was as Twilio wants it, or is noted. */
function checkSent({ complaints }: TwinStream, breaches: string[]): void {
  for (const { code, text } of complaints) if (BREACHES.includes(code)) breaches.push(`${code}: ${text}`);
}

function checkTold({ connections }: AgentServer, breaches: string[]): void {
  for (const message of connections.flatMap(({ messages }) => messages))
    if (!isOfGateway(message))
      breaches.push(`${JSON.stringify(message)}: ${ajv.errorsText(isOfGateway.errors)}`);
}

// The messages.

function ofTwilio({ facts }: TwinStream, random: Random, number: number): string | Uint8Array {
  const { streamSid } = facts;
  const payload = Buffer.from(codes(Math.floor(60 * random()) / 8, number)).toString("base64");
  const timestampMs = random() < 0.9 ? 20 * number : Math.floor(2 ** (52 * random()));
  const media = mediaText(streamSid, number, number, timestampMs, payload);
  const choice = random();
  if (choice < 0.75) return media;
  if (choice < 0.8) return JSON.stringify({ event: "mark", streamSid, mark: { name: `0-0-${20 * number}` } });
  if (choice < 0.84) return JSON.stringify({ event: "dtmf", streamSid, dtmf: { digit: text(random) } });
  if (choice < 0.9) return JSON.stringify({ event: text(random), streamSid, [text(random)]: odd(random) });
  if (choice < 0.97) return mutated(JSON.parse(media), random);
  if (choice < 0.995) return broken(media, random);
  const last = ["start", "stop", "connected"].map((event) => JSON.stringify({ event, streamSid, start: {} }));
  return choice < 0.999 ? mutated(JSON.parse(pick(random, last)), random) : Buffer.from(media);
}

const OF_AGENT: readonly object[] = [
  { type: "utterance_start", id: "an id", text: "what is said", interruption: 0 },
  { type: "utterance_end", text: "all of it" },
  { type: "mark", name: "a mark" },
  { type: "clear" },
  { type: "transcript", role: "caller", text: "said" },
  { type: "send_digits", digits: "12" },
  { type: "transfer", to: "+12025550100" },
  { type: "error", message: "went wrong", fatal: false },
];
const READY = {
  type: "ready",
  hears: { encoding: "pcm16", rate_hz: 16_000, message_ms: 20 },
  speaks: { encoding: "mulaw", rate_hz: 8_000 },
  resume_id: "an-id",
};

function ofAgent(isUnready: boolean, random: Random): string {
  const choice = random();
  const base = isUnready && choice < 0.02 ? READY : pick(random, OF_AGENT);
  if (choice < 0.3) return JSON.stringify(base);
  if (choice < 0.8) return mutated(structuredClone(base), random);
  if (choice < 0.97) return broken(JSON.stringify(base), random);
  return choice < 0.999
    ? JSON.stringify({ type: text(random), [text(random)]: odd(random) })
    : '{"type":"hang_up"}';
}

const ODD: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, "", " ", "0", "\u0000", "\ud800", "😀".repeat(40)],
  ...[
    "a".repeat(65),
    "a".repeat(5_000),
    [],
    [[]],
    {},
    { type: {} },
    "__proto__",
    "constructor",
    "NaN",
    "1e999",
  ],
];

function odd(random: Random): unknown {
  const value = random() < 0.9 ? pick(random, ODD) : Array.from({ length: 3 }, () => pick(random, ODD));
  return structuredClone(value); // it may be changed in its turn
}

const text = (random: Random) =>
  random() < 0.5
    ? String(pick(random, ODD)).slice(0, 80)
    : String.fromCharCode(...Array.from({ length: 4 }, () => 256 * random()));

/** A field somewhere in it is another value, gone, or new. */
function mutated(message: Record<string, unknown> | object, random: Random): string {
  let within = message as Record<string, unknown>;
  for (let changes = 1 + Math.floor(2 * random()); changes > 0; changes--) {
    const keys = Object.keys(within);
    const key = pick(random, keys.length > 0 ? keys : ["type"]);
    const inner = within[key];
    if (typeof inner === "object" && inner !== null && !Array.isArray(inner) && random() < 0.7) {
      within = inner as Record<string, unknown>;
      changes++;
      if (Object.keys(within).length > 0) continue;
    }
    const what = random();
    if (what < 0.6) within[key] = odd(random);
    else if (what < 0.8) delete within[key];
    else within[text(random)] = odd(random);
  }
  return JSON.stringify(message);
}

/** Its characters are cut short, doubled, or others. */
function broken(message: string, random: Random): string {
  const at = Math.floor(message.length * random());
  const what = random();
  if (what < 0.3) return message.slice(0, at);
  if (what < 0.5) return message + message;
  if (what < 0.6) return "[".repeat(2_000);
  return message.slice(0, at) + String.fromCharCode(65_535 * random()) + message.slice(at + 1);
}

function pick<Of>(random: Random, values: readonly Of[]): Of {
  return values[Math.floor(values.length * random())]!;
}

/** Random numbers from 0 to 1, the same for the same seed. */
function mulberry(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A thread that does nothing, to tell a machine that is short of time from a loop that is held up. */
async function watchIdle(): Promise<() => Promise<number>> {
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
     const delay = require("node:perf_hooks").monitorEventLoopDelay({ resolution: 10 });
     delay.enable();
     parentPort.once("message", () => parentPort.postMessage(delay.max / 1e6));`,
    { eval: true },
  );
  await new Promise((online) => worker.once("online", online));
  return async () => {
    const told = new Promise<number>((resolve) => worker.once("message", resolve));
    worker.postMessage("");
    const idleMs = await told;
    await worker.terminate();
    return idleMs;
  };
}
