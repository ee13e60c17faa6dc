// Who is measured: Linecard, the limit, and what one would otherwise take. Each is a process that answers media streams
// on a loopback port, and what it is called by.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ProgramName } from "./build.ts";
import { Linecard } from "./linecard.ts";
import { freePort, Server } from "./processes.ts";

/** What answers Linecard's calls. */
export const AGENTS = ["echo", "busy", "websocket-mulaw", "websocket-pcm16", "websocket-bursts"] as const;
export type AgentName = (typeof AGENTS)[number];

/** What starting one needs to know. */
export interface Setting {
  readonly programs: Readonly<Record<Extract<ProgramName, "limit">, string>>;
  readonly agent: AgentName;
  /** Linecard's; undefined: as many as it chooses. */
  readonly workers: number | undefined;
  /** The most calls there will be. */
  readonly calls: number;
}

/** One that runs. */
export interface Contestant {
  readonly pid: number;
  /** Of what runs beside it and is not measured: an agent's server. */
  readonly helperPid?: number;
  /** Lines for the generator. */
  streams(calls: number): Promise<string[]>;
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  readonly title: string;
  /** Rejects with Missing where it can't run on this machine. */
  start(setting: Setting): Promise<Contestant>;
}

/** What a contender needs is not installed. */
export class Missing extends Error {
  constructor(what: string) {
    super(what);
    this.name = "Missing";
  }
}

const NODE = process.execPath;
/** Debian's own, which has the packages of python3-aiohttp and python3-websockets. */
export const PYTHON = "/usr/bin/python3";

export const CONTENDERS: readonly Contender[] = [
  { name: "linecard", title: "Linecard", start: startLinecard },
  {
    name: "limit",
    title: "C, epoll, one thread",
    start: ({ programs }) => onPort(programs.limit, []),
  },
  peer("inline", "uWebSockets.js, Linecard's audio inline", NODE, "inline.ts"),
  peer("tutorial", "ws, as tutorials do it", NODE, "tutorial.ts"),
  peer("perFrame", "ws, a Piscina task per frame", NODE, "perFrame.ts"),
  pythonPeer("aiohttp", "Python, aiohttp", "aiohttp", "python3-aiohttp"),
  pythonPeer("websockets", "Python, websockets", "websockets", "python3-websockets"),
];

function peer(name: string, title: string, command: string, file: string): Contender {
  return { name, title, start: () => onPort(command, [pathOf(`../peers/${file}`)]) };
}

function pythonPeer(name: string, title: string, module: string, debianPackage: string): Contender {
  const { start } = peer(name, title, PYTHON, `${name}_echo.py`);
  return {
    name,
    title,
    async start(setting) {
      await promisify(execFile)(PYTHON, ["-c", `import ${module}, audioop`]).catch(() => {
        throw new Missing(`${PYTHON} has no ${module}: apt-get install ${debianPackage}`);
      });
      return start(setting);
    },
  };
}

/** A server that takes its port as its last argument, and any path. */
async function onPort(command: string, args: readonly string[]): Promise<Contestant> {
  const port = await freePort();
  const { server } = await Server.start(command, [...args, String(port)], /^listening /m);
  return {
    pid: server.pid,
    streams: async (calls) => Array.from({ length: calls }, () => `ws://127.0.0.1:${port}/media`),
    stop: () => server.stop(),
  };
}

async function startLinecard({ agent, workers, calls }: Setting): Promise<Contestant> {
  const linecard = await Linecard.start(calls, { workers, hasBusyAgent: agent === "busy" });
  let helper: Server | undefined;
  try {
    if (agent === "busy") await linecard.answerWith({ type: agent });
    else if (agent !== "echo") helper = await putAgentBehind(linecard, agent.replace("websocket-", ""));
  } catch (error) {
    await linecard.stop();
    throw error;
  }
  return {
    pid: linecard.pid,
    ...(helper && { helperPid: helper.pid }),
    streams: (wanted) => linecard.ring(wanted),
    async stop() {
      await helper?.stop();
      await linecard.stop();
    },
  };
}

/** Starts an agent's server, and lets it answer Linecard's calls. */
async function putAgentBehind(linecard: Linecard, encoding: string): Promise<Server> {
  const port = await freePort();
  const args = [pathOf("../agents/echoAgent.ts"), encoding, String(port)];
  const { server } = await Server.start(NODE, args, /^listening /m);
  // Chords that come back sound like a caller who speaks and never ends: nothing is to follow from that.
  const settings = { url: `ws://127.0.0.1:${port}/`, interruption: "off", max_silence_ms: 0 };
  await linecard.answerWith({ type: "websocket", ...settings });
  return server;
}

function pathOf(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
