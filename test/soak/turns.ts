// The figures of calls with an agent's server, on a machine at rest: the gateway's share of a turn, a clear's way to
// the wire, the way from the webhook to the agent's first word, and what a call costs, for agents in mu-law and at
// 16 kHz, and for echo beside them. Exits with 1 when a goal is missed.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { pace } from "../../src/cli/load/pace.ts";
import { ACCOUNT_SID, API_KEY, AUTH_TOKEN } from "../support/gateway.ts";
import { command, startGatewayProcess } from "../support/process.ts";
import type { TurnTimes } from "../support/turnAgent.ts";
import { monotonicMs, TurnCaller } from "../support/turnCallers.ts";

const CALLS = Number(process.env.CALLS ?? 200);
const FOR_S = Number(process.env.FOR_S ?? 20);
const PER_S = 50;
const SHARE_P99_MS = 30;
const CLEAR_P99_MS = 5;
/** Linux counts a process's CPU in hundredths of a second. */
const TICKS_PER_S = 100;

const say = (words: string) => process.stdout.write(`${words}\n`);
const ends: (() => unknown)[] = [];
const owner = { after: (end: () => unknown) => ends.push(end) };

interface Gateway {
  readonly origin: string;
  readonly pid: number;
}

async function api(origin: string, path: string, body: object): Promise<{ readonly id: number }> {
  const answer = await fetch(`${origin}/api/v1${path}`, {
    method: "POST",
    headers: { "X-API-Key": API_KEY, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as { id: number };
}

/** A gateway of its own, whose numbers are answered by the agents named. */
async function startWith(numbers: ReadonlyMap<string, object>): Promise<Gateway> {
  const { origin, program } = await startGatewayProcess(owner, {
    LINECARD_API_KEY: API_KEY,
    AGENT_PRIVATE_HOSTS: "127.0.0.1",
    LOG_LEVEL: "error",
  });
  const config = { account_sid: ACCOUNT_SID, auth_token: AUTH_TOKEN };
  const { id } = await api(origin, "/organizations/telephony-configs", { name: "Turns", config });
  for (const [address, agent] of numbers) {
    const workflow = await api(origin, "/workflow/create/definition", {
      name: address,
      workflow_definition: { agent },
    });
    await api(origin, `/organizations/telephony-configs/${id}/phone-numbers`, {
      address,
      inbound_workflow_id: workflow.id,
    });
  }
  return { origin, pid: program.pid };
}

async function startAgent(): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = fork(new URL("../support/turnAgent.ts", import.meta.url));
  owner.after(() => child.kill());
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  return { child, port };
}

async function timesOf(child: ChildProcess): Promise<Readonly<Record<string, TurnTimes>>> {
  const told = once(child, "message");
  child.send("times");
  const [{ times }] = (await told) as [{ times: Record<string, TurnTimes> }];
  return times;
}

/** CPU seconds the process has used. */
function cpuS(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

function inWords(
  name: string,
  measuredMs: readonly number[],
): { readonly p50: number; readonly p99: number } {
  const sorted = [...measuredMs].sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  say(
    `  ${name}: ${sorted.length} measured, p50 ${at(0.5).toFixed(1)}, p99 ${at(0.99).toFixed(1)}, max ${at(1).toFixed(1)} ms`,
  );
  return { p50: at(0.5), p99: at(0.99) };
}

/** So many calls that talk in turns. True when both goals are met. */
async function turns(agentFormat: "mulaw" | "pcm16"): Promise<boolean> {
  const { child, port } = await startAgent();
  const to = "+12025550150";
  const agent = { type: "websocket", url: `ws://127.0.0.1:${port}/${agentFormat}`, max_silence_ms: 0 };
  const { origin, pid } = await startWith(new Map([[to, agent]]));
  const target = { origin, accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN, to };
  const callers = Array.from({ length: CALLS }, (_, number) => new TurnCaller(number, target));
  const stop = pace(callers, monotonicMs);
  for (const caller of callers) {
    void caller.dial();
    await delay(1_000 / PER_S);
  }
  await delay(2_000);
  const before = { cpuS: cpuS(pid), ms: monotonicMs() };
  await delay(FOR_S * 1_000);
  const cores = (cpuS(pid) - before.cpuS) / ((monotonicMs() - before.ms) / 1_000);
  for (const caller of callers) caller.hangUp();
  await delay(500);
  stop();
  const times = await timesOf(child);

  const failures = callers.flatMap(({ failure }) => failure ?? []);
  say(`${CALLS} calls with an agent in ${agentFormat}: ${failures.length} failed ${failures[0] ?? ""}`);
  say(
    `  CPU ${(100 * cores).toFixed(0)} % of a core, ${((1_000 * cores) / CALLS).toFixed(2)} ms per call-second`,
  );
  inWords(
    "webhook to the agent's first sound",
    callers.flatMap(({ greetedMs, dialledMs }) => (greetedMs === undefined ? [] : [greetedMs - dialledMs])),
  );
  const shares = callers.flatMap(({ callSid, turns: heard }) =>
    heard.flatMap(([askedMs, answeredMs], index) => {
      const agent = times[callSid]!.turns[index];
      if (answeredMs === undefined || agent === undefined) return []; // the last one, as the calls ended
      const [agentHeardMs, agentAnsweredMs] = agent;
      return agentHeardMs - askedMs + (answeredMs - agentAnsweredMs);
    }),
  );
  const share = inWords("the gateway's share of a turn, both ways", shares);
  const clears = callers.flatMap(({ callSid, clearsMs }) =>
    clearsMs.map((ms, index) => ms - times[callSid]!.clearsMs[index]!),
  );
  const clear = inWords("the agent's clear to the wire", clears);
  return failures.length === 0 && share.p99 < SHARE_P99_MS && clear.p99 < CLEAR_P99_MS;
}

/** Calls that begin while others go on: what becomes of those others' frames. True when none was late. */
async function starts(): Promise<boolean> {
  const { port } = await startAgent();
  const [echo, agent] = ["+12025550151", "+12025550152"];
  const websocket = { type: "websocket", url: `ws://127.0.0.1:${port}/mulaw`, max_silence_ms: 0 };
  const { origin, pid } = await startWith(
    new Map<string, object>([
      [echo, { type: "echo" }],
      [agent, websocket],
    ]),
  );
  const account = ["--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN, "--gateway", origin];
  const options = ["--to", echo, "--calls", "300", "--for", "14", "--json", ...account];
  const load = command(owner, "load", options);
  await delay(10_000);
  const before = { cpuS: cpuS(pid), ms: monotonicMs() };
  await delay(3_000);
  const cores = (cpuS(pid) - before.cpuS) / ((monotonicMs() - before.ms) / 1_000);
  const target = { origin, accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN, to: agent };
  const callers = Array.from({ length: PER_S }, (_, number) => new TurnCaller(number, target));
  const stop = pace(callers, monotonicMs);
  for (const caller of callers) {
    void caller.dial();
    await delay(1_000 / PER_S);
  }
  await delay(1_000);
  for (const caller of callers) caller.hangUp();
  const figures = JSON.parse((await load).stdout.trimEnd().split("\n").at(-1)!);
  stop();
  say(
    `300 echo calls: CPU ${(100 * cores).toFixed(0)} % of a core, ${((1_000 * cores) / 300).toFixed(2)} ms per call-second`,
  );
  say(
    `${PER_S} calls that began in one second beside them: ${callers.filter(({ greetedMs }) => greetedMs !== undefined).length} greeted`,
  );
  say(
    `  frames of the 300: ${figures.sent} sent, ${figures.lost} lost, ${figures.late} over 40 ms, round trip p50 ${figures.roundTripMs.p50}, p99 ${figures.roundTripMs.p99} ms, generator late by p99 ${figures.ownLatenessMs.p99} ms`,
  );
  return figures.late === 0 && figures.lost === 0;
}

try {
  const results = [await turns("mulaw"), await turns("pcm16"), await starts()];
  process.exitCode = results.every(Boolean) ? 0 : 1;
} finally {
  for (const end of ends.reverse()) await end();
}
