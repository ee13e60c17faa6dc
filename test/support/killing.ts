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
import { CallLoad, Promises } from "./callLoad.ts";
import { ACCOUNT_SID, API_KEY, AUTH_TOKEN, configuration, ECHO_NUMBER } from "./gateway.ts";
import { type Environment, folder, type Owner, startGatewayProcess } from "./process.ts";

/** Each dials once a second at most, so several dial together. */
const ACCOUNTS = 5;
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
  /** Requests that a kill had cut short and that were sent again, with their keys. */
  readonly askedAgain: number;
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
  const promises = new Promises();
  const readyMs: number[] = [];
  const lost = new Set<number>();
  const startedMs = performance.now();

  /** One life of the gateway: started, put under load, killed. */
  async function live(): Promise<void> {
    const { origin, program, readyMs: tookMs } = await startGatewayProcess(owner, env);
    readyMs.push(tookMs);
    exchange.setGateway(origin);
    const load = new CallLoad({ origin, exchange, workflowId, configurationIds, promises, random });
    if (random() < 0.7) await Promise.race([load.firstPlaced, delay(FIRST_WITHIN_MS)]);
    await delay(KILL_WITHIN_MS * random());
    load.end();
    program.signal("SIGKILL");
    await program.exited;
    await load.ended();
    const destinations = new Map(rowsOf(databasePath).map((row) => [row.id, row.to_address]));
    for (const [run, to] of promises.runs) {
      const isThere = destinations.has(run) && (to === undefined || destinations.get(run) === to);
      if (!isThere) lost.add(run);
    }
    const words = `ready after ${Math.round(tookMs)} ms, ${promises.runs.size} promised, ${lost.size} lost`;
    options.onRound?.(`round ${readyMs.length}: ${words}`);
  }

  do await live();
  while (readyMs.length < options.rounds && performance.now() - startedMs < options.withinMs);

  // A last start, which is let do all it has to.
  const { program } = await startGatewayProcess(owner, env);
  program.signal("SIGTERM");
  assert.equal((await program.exited).status, 0);
  const { inboundAnswered, outboundAnswered } = promises;
  return {
    ...{ rounds: readyMs.length, readyMs: readyMs.slice(1), inboundAnswered, outboundAnswered },
    ...{ promised: promises.runs.size, lost: lost.size, askedAgain: promises.askedAgain },
    ...judged(rowsOf(databasePath), exchange),
  };
}

/** What the call log says of it all, held against what was really dialled. */
function judged(rows: readonly Row[], exchange: Exchange) {
  const dials = new Map<string, number>();
  for (const { order } of exchange.placed) dials.set(order.to, (dials.get(order.to) ?? 0) + 1);
  // A request that was sent again may have two runs, of which one was dialled.
  const submitted = new Set(rows.filter((row) => row.submitted_at_ms !== null).map((row) => row.to_address));
  for (const { direction, outcome, submitted_at_ms: submittedAtMs, to_address: to } of rows) {
    if (direction === "inbound")
      assert.notEqual(outcome, null, "a call that came is over, or was closed as lost");
    else if (outcome === "lost" && submittedAtMs === null && !submitted.has(to))
      assert.equal(dials.get(to), undefined, "what is closed as never placed was never placed");
  }
  const recorded = new Set(rows.map(({ to_address }) => to_address));
  return {
    dialled: dials.size,
    dialledTwice: [...dials.values()].filter((count) => count > 1).length,
    unrecorded: [...dials.keys()].filter((to) => !recorded.has(to)).length,
    closedAsLost: rows.filter(({ outcome }) => outcome === "lost").length,
  };
}

/** In one line, for whoever reads the figures. */
export function figuresOf(result: KillingResult): string {
  const sorted = result.readyMs.toSorted((a, b) => a - b);
  const readyMs = `${Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)} ms (at most ${Math.round(sorted.at(-1) ?? 0)})`;
  return [
    `${result.rounds} kills: restart to ready ${readyMs}`,
    `${result.inboundAnswered} calls came, ${result.outboundAnswered} were asked for, ${result.dialled} dialled`,
    `${result.askedAgain} asked for again after a kill`,
    `${result.promised} runs promised, ${result.lost} lost, ${result.closedAsLost} closed as lost`,
    `${result.dialledTwice} dialled twice, ${result.unrecorded} unrecorded`,
  ].join("; ");
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
