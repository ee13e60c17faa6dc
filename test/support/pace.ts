// How fast a gateway with many numbers answers, in a process of its own as users run it: webhooks one by one, and
// configuration beside live calls whose every frame is watched by another process.
import { createSecretKey, randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AccountSid } from "../../src/domain/ids.ts";
import { openDatabase } from "../../src/store/open.ts";
import { prepareOperations } from "../../src/store/operations.ts";
import { Vault } from "../../src/store/vault.ts";
import { inboundParams } from "../../src/twin/params.ts";
import { sign } from "../../src/twin/signature.ts";
import { ACCOUNT_SID, API_KEY, AUTH_TOKEN, configuration } from "./gateway.ts";
import { command, folder, type Owner, startGatewayProcess } from "./process.ts";
import { until } from "./until.ts";

export const NUMBERS = 10_000;
/** Their account can't be asked, which is noted at each of them. */
const START_MS = 60_000;
const WEBHOOK = "/api/v1/telephony/inbound/run";
const numberAt = (index: number) => `+1202${String(5_550_000 + index)}`;

export interface PacedGateway {
  readonly origin: string;
  /** Of a number in the middle of the others; all are answered by echo. */
  readonly number: string;
  readonly databasePath: string;
}

/** A running gateway with NUMBERS numbers. */
export async function startPaced(owner: Owner): Promise<PacedGateway> {
  const databasePath = join(folder(owner), "linecard.db");
  const key = randomBytes(32);
  furnish(databasePath, key);
  const { origin } = await startGatewayProcess(owner, {
    DATABASE_PATH: databasePath,
    LINECARD_ENCRYPTION_KEY: key.toString("base64"),
    LINECARD_API_KEY: API_KEY,
    LOG_LEVEL: "error",
  });
  await until(
    "every number to be looked at",
    async () => {
      const metrics = await (await fetch(`${origin}/metrics`)).text();
      return metrics.includes('linecard_numbers{sync="none"} 0');
    },
    START_MS,
  );
  return { origin, databasePath, number: numberAt(NUMBERS / 2) };
}

function furnish(path: string, key: Buffer): void {
  const vault = new Vault(createSecretKey(key));
  const { db, close } = openDatabase(path, vault);
  const { workflows, configurations, numbers } = prepareOperations(db, vault);
  db.transaction(() => {
    const { id: inboundWorkflowId } = workflows.create(
      "11111111-1111-4111-8111-111111111111",
      "Echo",
      { definition: { agent: { type: "echo" } } },
      0,
    );
    const { id } = configurations.add(
      configuration("Many", { accountSid: AccountSid(ACCOUNT_SID), isDefaultOutbound: true }),
      0,
    );
    for (let index = 0; index < NUMBERS; index++) {
      const address = numberAt(index);
      numbers.add(
        id,
        {
          ...{
            typed: address,
            address,
            type: "pstn",
            countryCode: "US",
            label: undefined,
            warning: undefined,
          },
          ...{ inboundWorkflowId, isActive: true, isDefaultCallerId: index === 0, extraMetadata: {} },
        },
        0,
      );
    }
  })();
  close();
}

export interface Times {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Signed webhooks of `count` calls to as many numbers, so many a second over one connection. */
export async function timeWebhooks(gateway: PacedGateway, count: number, perSecond: number): Promise<Times> {
  return timed(count, perSecond, (index, agent) => {
    const callSid = `CA${randomBytes(16).toString("hex")}`;
    const to = numberAt((index * 7_919) % NUMBERS);
    const params = inboundParams({ accountSid: ACCOUNT_SID, callSid, from: "+14155550142", to });
    const headers = {
      "Content-Type": "application/x-www-form-urlencoded",
      "X-Twilio-Signature": sign(AUTH_TOKEN, gateway.origin + WEBHOOK, params),
    };
    const body = new URLSearchParams(params).toString();
    return ask(agent, gateway.origin + WEBHOOK, "POST", headers, body).then((answer) => {
      if (!answer.includes("<Connect")) throw new Error(`a webhook was answered ${answer}`);
    });
  });
}

/** What the console and clients ask most, in turn. */
export async function timeConfiguration(
  { origin, number }: PacedGateway,
  count: number,
  perSecond: number,
): Promise<Times> {
  const configurations = `${origin}/api/v1/organizations/telephony-configs`;
  const one = `${configurations}/1/phone-numbers/${NUMBERS / 2 + 1}`;
  const workflow = `${origin}/api/v1/workflow`;
  const definition = { agent: { type: "echo" } };
  const asked: readonly (readonly [method: string, url: string, body?: object])[] = [
    ["GET", configurations],
    ["GET", `${configurations}/1`],
    ["GET", one],
    ["GET", `${workflow}/fetch/1`],
    ["PUT", `${workflow}/1`, { name: "Echo", workflow_definition: definition }],
    ["GET", `${workflow}/1/runs?limit=20`],
    ["POST", `${workflow}/1/validate`],
    ["GET", `${origin}/api/v1/organizations/preferences`],
  ];
  return timed(count, perSecond, async (index, agent) => {
    const [method, url, body] = asked[index % asked.length]!;
    const text = body === undefined ? "" : JSON.stringify(body);
    const answer = await ask(agent, url, method, { "X-API-Key": API_KEY }, text);
    if (url === one && !answer.includes(number)) throw new Error(`the number is not in ${answer}`);
  });
}

export interface LoadFigures {
  readonly calls: number;
  readonly failed: number;
  readonly lost: number;
  readonly sent: number;
  /** Over 40 ms. */
  readonly late: number;
  readonly roundTripMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly ownLatenessMs: { readonly p99: number };
}

/** The configuration's times while another process has so many calls up, and what became of those calls' frames. */
export async function timeBesideCalls(
  owner: Owner,
  gateway: PacedGateway,
  { calls, forS, count, perSecond }: { calls: number; forS: number; count: number; perSecond: number },
): Promise<{ times: Times; load: LoadFigures }> {
  const load = timeCalls(owner, gateway, { calls, forS });
  await live(gateway, calls);
  const times = await timeConfiguration(gateway, count, perSecond);
  return { times, load: await load };
}

/** What becomes of the frames of so many calls that are up together. */
export async function timeCalls(
  owner: Owner,
  gateway: PacedGateway,
  { calls, forS }: { calls: number; forS: number },
): Promise<LoadFigures> {
  const account = ["--to", gateway.number, "--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN];
  const options = ["--calls", String(calls), "--for", String(forS), "--rate", "50", "--json"];
  const load = command(owner, "load", [...options, ...account, "--gateway", gateway.origin]);
  const { status, stdout, stderr } = await load;
  const figures = JSON.parse(stdout.trimEnd().split("\n").at(-1) || "null") as LoadFigures | null;
  if (figures === null) throw new Error(`the load ended with ${status}: ${stderr}`);
  return figures;
}

/** Resolves once so many calls are up. */
async function live({ origin }: PacedGateway, calls: number): Promise<void> {
  for (let looks = 0; looks < 600; looks++) {
    const response = await fetch(`${origin}/api/v1/health/active-calls`);
    const { active_calls: active } = (await response.json()) as { active_calls: number };
    if (active >= calls) return;
    await delay(50);
  }
  throw new Error(`there were never ${calls} calls up`);
}

/** Asks one after the other at a steady pace; a late answer delays none of those after it by more than its own time. */
async function timed(
  count: number,
  perSecond: number,
  act: (index: number, agent: Agent) => Promise<unknown>,
): Promise<Times> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const tookMs: number[] = [];
  const beganMs = performance.now();
  try {
    for (let index = 0; index < count; index++) {
      const waitMs = beganMs + (index * 1_000) / perSecond - performance.now();
      if (waitMs > 0) await delay(waitMs);
      const askedMs = performance.now();
      await act(index, agent);
      tookMs.push(performance.now() - askedMs);
    }
  } finally {
    agent.destroy();
  }
  tookMs.sort((a, b) => a - b);
  const at = (share: number) => tookMs[Math.min(count - 1, Math.floor(share * count))]!;
  return { count, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function ask(
  agent: Agent,
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const asked = request(url, { agent, method, headers }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    response.once("end", () => {
      if (response.statusCode === 200) resolve(text);
      else reject(new Error(`${method} ${url} was answered ${response.statusCode}: ${text}`));
    });
  });
  asked.once("error", reject);
  asked.end(body);
  return promise;
}

export function timesInWords({ count, p50Ms, p99Ms, maxMs }: Times): string {
  return `${count} asked: p50 ${p50Ms.toFixed(2)}, p99 ${p99Ms.toFixed(2)}, max ${maxMs.toFixed(1)} ms`;
}

export function loadInWords({ sent, lost, late, roundTripMs, ownLatenessMs }: LoadFigures): string {
  return `${lost} of ${sent} frames lost, ${late} late, round trip p50 ${roundTripMs.p50}, p99 ${roundTripMs.p99} ms, generator late by p99 ${ownLatenessMs.p99} ms`;
}
