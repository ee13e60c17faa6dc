// A gateway that is killed again and again while calls come and are placed, always on the same database. What it has
// told anyone must be there afterwards, and nobody may have been called twice.
import assert from "node:assert/strict";
import { createSecretKey, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import Database from "better-sqlite3";
import { AccountSid } from "../../src/domain/ids.ts";
import { openStore } from "../../src/store/store.ts";
import { Exchange } from "../../src/twin/exchange/exchange.ts";
import type { Person } from "../../src/twin/exchange/people.ts";
import { INBOUND, ringing, send } from "../integration/calls/requests.ts";
import { ACCOUNT_SID, API_KEY, AUTH_TOKEN, configuration, ECHO_NUMBER } from "./gateway.ts";
import { type Environment, folder, type Owner, startGatewayProcess } from "./process.ts";

/** Each dials once a second at most, so several dial together. */
const ACCOUNTS = 5;
const CALLERS = 4;
/** The kill comes at random within so long of the load's start, or else of the first call that was placed. */
const KILL_WITHIN_MS = 700;
const FIRST_WITHIN_MS = 4_000;

export interface KillingOptions {
  readonly rounds: number;
  /** No further round is begun after so long; at least one is. */
  readonly withinMs: number;
  readonly seed: number;
  /** Told after each round. */
  readonly onRound?: (words: string) => void;
}

/** What was seen, over all rounds. */
export interface KillingResult {
  readonly rounds: number;
  /** From a start on a killed database to its first line. */
  readonly readyMs: readonly number[];
  readonly inboundAnswered: number;
  readonly outboundAnswered: number;
  /** Runs that someone was told of. */
  readonly promised: number;
  readonly lost: number;
  readonly dialled: number;
  readonly dialledTwice: number;
  /** Calls at Twilio that no record speaks of. */
  readonly unrecorded: number;
  /** Calls that were open when the gateway was killed, and were closed at the next start. */
  readonly closedAsLost: number;
}

interface Row {
  readonly id: number;
  readonly direction: string;
  readonly state: string;
  readonly outcome: string | null;
  readonly to_address: string;
  readonly submitted_at_ms: number | null;
}

export async function killAgainAndAgain(owner: Owner, options: KillingOptions): Promise<KillingResult> {
  const random = lehmer(options.seed);
  const exchange = await startExchange(owner);
  const { env, databasePath, workflowId, configurationIds } = await install(owner, exchange);
  const promised = new Map<number, string | undefined>();
  const wanted: string[] = [];
  const readyMs: number[] = [];
  let inboundAnswered = 0;
  let outboundAnswered = 0;
  let lost = 0;
  let closedAsLost = 0;
  let rounds = 0;
  const startedMs = performance.now();

  /** One life of the gateway: started, put under load, killed. */
  async function live(): Promise<void> {
    const before = rounds === 0 ? [] : rowsOf(databasePath);
    const gateway = await startGatewayProcess(owner, env);
    if (rounds > 0) readyMs.push(gateway.readyMs);
    exchange.setGateway(gateway.origin);
    const open = before.filter((row) => row.direction === "inbound" && row.outcome === null);
    const isOver = { is: false };
    const { promise: firstPlaced, resolve: onFirst } = Promise.withResolvers<void>();
    const api = async (path: string, body?: object) => {
      const response = await fetch(gateway.origin + path, {
        method: body === undefined ? "GET" : "POST",
        headers: { "X-API-Key": API_KEY, "Content-Type": "application/json" },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    // A request is cut short by the kill, and by nothing else.
    const survive = (error: unknown) => {
      if (!isOver.is) throw error;
    };
    const again = async (act: () => Promise<void>) => {
      while (!isOver.is) await act().catch(survive);
    };

    const ring = async () => {
      const params = ringing(ECHO_NUMBER);
      const { status } = await send({ origin: gateway.origin, path: INBOUND, params });
      if (status === 200) inboundAnswered++;
      if (random() < 0.5)
        await send({ origin: gateway.origin, path: INBOUND, params: { ...params, CallStatus: "completed" } });
      await delay(20 * random());
    };
    const dial = async (configurationId: number) => {
      const to = `+1415${6_000_000 + wanted.length}`;
      wanted.push(to);
      exchange.people.set(to, personFor(random()));
      const { status, body } = await api("/api/v1/telephony/initiate-call", {
        workflow_id: workflowId,
        phone_number: to,
        telephony_configuration_id: configurationId,
      });
      if (status === 200) {
        promised.set(body.workflow_run_id as number, to);
        outboundAnswered++;
        onFirst();
      }
      await delay(status === 200 ? 50 * random() : 200);
    };
    const list = async () => {
      const { status, body } = await api(`/api/v1/workflow/${workflowId}/runs?limit=100`);
      if (status !== 200) return;
      for (const { id } of body.runs as { readonly id: number }[])
        if (!promised.has(id)) promised.set(id, undefined);
      await delay(30);
    };
    const load = [
      ...Array.from({ length: CALLERS }, () => again(ring)),
      ...configurationIds.map((id) => again(() => dial(id))),
      again(list),
    ];
    if (random() < 0.7) await Promise.race([firstPlaced, delay(FIRST_WITHIN_MS)]);
    await delay(KILL_WITHIN_MS * random());
    isOver.is = true;
    gateway.program.signal("SIGKILL");
    await gateway.program.exited;
    await Promise.all(load);

    const now = new Map(rowsOf(databasePath).map((row) => [row.id, row]));
    for (const [run, to] of promised) {
      const row = now.get(run);
      if (row === undefined || (to !== undefined && row.to_address !== to)) lost++;
    }
    for (const { id } of open) if (now.get(id)?.outcome === "lost") closedAsLost++;
    assert.equal(closedOf(open, now), open.length, "every call that was open is closed at the next start");
    rounds++;
    options.onRound?.(
      `round ${rounds}: ready after ${Math.round(gateway.readyMs)} ms, ${promised.size} promised, ${lost} lost`,
    );
  }

  do await live();
  while (rounds < options.rounds && performance.now() - startedMs < options.withinMs);

  const rows = rowsOf(databasePath);
  const dials = new Map<string, number>();
  for (const { order } of exchange.placed) dials.set(order.to, (dials.get(order.to) ?? 0) + 1);
  const recorded = new Set(rows.map(({ to_address }) => to_address));
  for (const { direction, outcome, submitted_at_ms: submittedAtMs, to_address: to } of rows) {
    if (direction === "outbound" && outcome === "lost" && submittedAtMs === null)
      assert.equal(dials.get(to), undefined, "what is closed as never placed was never placed");
  }
  return {
    rounds,
    readyMs,
    inboundAnswered,
    outboundAnswered,
    promised: promised.size,
    lost,
    dialled: dials.size,
    dialledTwice: [...dials.values()].filter((count) => count > 1).length,
    unrecorded: [...dials.keys()].filter((to) => !recorded.has(to)).length,
    closedAsLost,
  };
}

/** In one line, for whoever reads the figures. */
export function figuresOf(result: KillingResult): string {
  const sorted = result.readyMs.toSorted((a, b) => a - b);
  const readyMs = `${Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)} ms (at most ${Math.round(sorted.at(-1) ?? 0)})`;
  return [
    `${result.rounds} kills: restart to ready ${readyMs}`,
    `${result.inboundAnswered} calls came, ${result.outboundAnswered} were asked for, ${result.dialled} dialled`,
    `${result.promised} runs promised, ${result.lost} lost, ${result.closedAsLost} closed as lost`,
    `${result.dialledTwice} dialled twice, ${result.unrecorded} unrecorded`,
  ].join("; ");
}

function closedOf(open: readonly Row[], now: ReadonlyMap<number, Row>): number {
  return open.filter(({ id }) => (now.get(id)?.outcome ?? null) !== null).length;
}

function personFor(chance: number): Person {
  if (chance < 0.25) return { does: "answers", says: "", afterMs: 50, hangUpAfterMs: 300 };
  return chance < 0.5 ? { does: "nobody" } : { does: "busy", afterMs: 50 };
}

async function startExchange(owner: Owner): Promise<Exchange> {
  const accounts = Array.from({ length: ACCOUNTS }, (_, index) => ({
    accountSid: accountSidOf(index),
    authToken: AUTH_TOKEN,
    numbers: [callerIdOf(index)],
    callsPerSecond: 100,
  }));
  const exchange = await Exchange.start({ accounts, dialMs: 20 });
  owner.after(() => exchange.close());
  return exchange;
}

const accountSidOf = (index: number) => (index === 0 ? ACCOUNT_SID : `AC${String(index).repeat(32)}`);
const callerIdOf = (index: number) => (index === 0 ? ECHO_NUMBER : `+1202555011${index}`);

/** A database with all accounts, and the environment of a gateway on it that keeps its address. */
async function install(owner: Owner, exchange: Exchange) {
  const databasePath = join(folder(owner), "linecard.db");
  const key = randomBytes(32);
  const store = await openStore(databasePath, createSecretKey(key));
  const definition = { agent: { type: "echo" } };
  const { id: workflowId } = await store.workflows.create(randomUUID(), "Echo", { definition }, 0);
  const configurationIds: number[] = [];
  for (let index = 0; index < ACCOUNTS; index++) {
    const account = configuration(`Account ${index}`, { accountSid: AccountSid(accountSidOf(index)) });
    const { id } = await store.configurations.add(account, 0);
    configurationIds.push(id);
    const address = callerIdOf(index);
    const number = {
      ...{ typed: address, address, type: "pstn" as const, inboundWorkflowId: workflowId, isActive: true },
      ...{ countryCode: undefined, label: undefined, warning: undefined },
      ...{ isDefaultCallerId: true, extraMetadata: {} },
    };
    await store.numbers.add(id, number, 0);
  }
  await store.close();
  const env: Environment = {
    DATABASE_PATH: databasePath,
    LINECARD_ENCRYPTION_KEY: key.toString("base64"),
    LINECARD_API_KEY: API_KEY,
    TWILIO_API_BASE_URL: exchange.url,
    MEDIA_WORKERS: "1",
    CALLS_MAX: "10000",
    LOG_LEVEL: "warn",
    PORT: String(await freePort()),
  };
  return { env, databasePath, workflowId, configurationIds };
}

/** One that no one has now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** All of a database whose gateway is dead, and that it is whole. */
function rowsOf(databasePath: string): Row[] {
  const db = new Database(databasePath, { readonly: true });
  try {
    assert.equal(db.pragma("integrity_check", { simple: true }), "ok");
    assert.deepEqual(db.pragma("foreign_key_check"), []);
    return db
      .prepare("SELECT id, direction, state, outcome, to_address, submitted_at_ms FROM runs ORDER BY id")
      .all() as Row[];
  } finally {
    db.close();
  }
}

/** Numbers from 0 to 1 that the seed decides (Lehmer's generator). */
function lehmer(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
