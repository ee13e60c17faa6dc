// A gateway whose numbers are answered by agents' servers: each name of a story's is a number, a workflow and a server
// of its own. What callers hear is the twin's to tell, what agents hear their server's.
import { setTimeout as delay } from "node:timers/promises";
import type { CallRecord } from "../../src/calls/log/records.ts";
import type { NewsKind } from "../../src/lane/news.ts";
import type { TwinCall } from "../../src/twin/call.ts";
import type { StreamOptions, TwinStream } from "../../src/twin/stream.ts";
import { type AgentConnection, AgentServer, type Message } from "./agentServer.ts";
import { number, type Story, type StoryOptions, startStory, workflow } from "./gateway.ts";
import { isReleased, recordOf } from "./records.ts";
import { until } from "./until.ts";

const AGAIN_MS = 300;

/** How a story's agent is: settings of its workflow, and what its server does. */
export interface AgentPlan {
  readonly settings?: Readonly<Record<string, unknown>>;
  /** In place of the server's own address. */
  readonly url?: string;
  readonly server?: Partial<
    Pick<AgentServer, "reception" | "ready" | "onMessage" | "onAudio" | "keepsAudio">
  >;
}

/** One call to an agent, with both its ends. */
export interface Talk {
  readonly call: TwinCall;
  readonly stream: TwinStream;
  /** The connection that the agent's server got for it. */
  readonly agent: AgentConnection;
}

export interface AgentStory<Name extends string> extends Story {
  readonly servers: Readonly<Record<Name, AgentServer>>;
  /** The number that this agent answers. */
  numberOf(name: Name): string;
  /** Rings the agent up; again, as people do, while a gateway that is short of time is busy. */
  dial(name: Name): Promise<TwinCall>;
  /** Calls the agent; resolves once both streams are up. */
  talk(name: Name, options?: StreamOptions): Promise<Talk>;
  /** The same where nobody may be there: only the caller's end. */
  ring(name: Name): Promise<{ readonly call: TwinCall; readonly stream: TwinStream }>;
}

export async function startAgentStory<Name extends string>(
  plans: Readonly<Record<Name, AgentPlan>>,
  { env, workflows = [], numbers = [], ...options }: StoryOptions = {},
): Promise<AgentStory<Name>> {
  const names = Object.keys(plans) as Name[];
  const started = names.map(async (name) => [name, await AgentServer.start(plans[name].server)] as const);
  const servers = Object.fromEntries(await Promise.all(started)) as Record<Name, AgentServer>;
  const keyOf = (name: Name) => 10 + names.indexOf(name);
  const numberOf = (name: Name) => `+120255501${keyOf(name)}`;
  const definition = (name: Name) => {
    const { url = servers[name].url, settings } = plans[name];
    return { type: "websocket", url, ...settings };
  };
  const story = await startStory({
    ...options,
    env: { AGENT_PRIVATE_HOSTS: "127.0.0.1", ...env },
    workflows: [...workflows, ...names.map((name) => workflow(keyOf(name), definition(name)))],
    numbers: [...numbers, ...names.map((name) => number(numberOf(name), keyOf(name)))],
  });
  const dial = (name: Name) => dialUntilTaken(story, numberOf(name));
  const ring = async (name: Name, stream?: StreamOptions) => {
    const call = await dial(name);
    return { call, stream: await call.connect(stream) };
  };
  return {
    ...story,
    servers,
    async close() {
      await story.close();
      await Promise.all(names.map((name) => servers[name].stop()));
    },
    numberOf,
    dial,
    ring: (name) => ring(name),
    async talk(name, stream) {
      const ends = await ring(name, stream);
      return { ...ends, agent: await connectionOf(servers[name], ends.call) };
    },
  };
}

/** Rings a number up; again, as people do, while the gateway is busy. */
export async function dialUntilTaken({ twilio }: Story, to: string): Promise<TwinCall> {
  for (;;) {
    const call = await twilio.dial({ to });
    if (call.verbs[0]?.verb !== "Reject") return call;
    call.answer();
    await call.ended;
    await delay(AGAIN_MS);
  }
}

/** The newest connection that a server has for a call, once it has said hello. */
export async function connectionOf(
  server: AgentServer,
  call: { readonly sid: string },
  after?: AgentConnection,
): Promise<AgentConnection> {
  await until("the agent's server to be told of the call", () => {
    const found = newestConnection(server, call);
    return found !== undefined && found !== after;
  });
  return newestConnection(server, call)!;
}

/** The same, if there is one. */
export function newestConnection(
  { connections }: AgentServer,
  { sid }: { readonly sid: string },
): AgentConnection | undefined {
  return connections.findLast(({ hello }) => callSidOf(hello) === sid);
}

function callSidOf(hello: Message | undefined): unknown {
  return (hello?.call as { readonly call_sid?: unknown } | undefined)?.call_sid;
}

/** The call's record, once nothing of the call is left but that. */
export async function recordAfter({ gateway }: Story, call: TwinCall): Promise<CallRecord> {
  await call.ended;
  await isReleased(gateway, call);
  return recordOf(gateway, call);
}

/** What a record's timeline tells of a kind. */
export function told({ events }: CallRecord, kind: NewsKind): Readonly<Record<string, unknown>>[] {
  return events.filter((event) => event.kind === kind).map(({ facts = {} }) => facts);
}

/** What came after the stream: the verbs that the Connect action was answered with. */
export function farewell(call: TwinCall): string[] {
  const documents = call.timeline.events.filter((event) => event.kind === "twiml");
  return documents.at(-1)!.verbs.map(({ verb }) => verb);
}

/** Mu-law that is told apart from any other place in it: no two frames are the same. */
export function codes(ms: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(8 * ms);
  let state = seed;
  for (let at = 0; at < bytes.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
