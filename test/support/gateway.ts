// A real gateway for a story: in this process, on a port and a database of its own, with the numbers and agents the
// story wants and an offline Twilio that knows its account.
import { createSecretKey, type KeyObject, randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import pino from "pino";
import { type Clock, systemClock } from "../../src/domain/clock.ts";
import { AccountSid, type ConfigurationId, type WorkflowId } from "../../src/domain/ids.ts";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import type { Prompts } from "../../src/lane/news.ts";
import type { ConfigurationFields } from "../../src/numbers/configurations/configurations.store.ts";
import type { NumberFields } from "../../src/numbers/numbers.store.ts";
import { readSettings } from "../../src/settings.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { TwilioTwin } from "../../src/twin/twin.ts";

export const ACCOUNT_SID = "AC0123456789abcdef0123456789abcdef";
export const AUTH_TOKEN = "0123456789abcdef0123456789abcdef";
/** Answered by echo at 16 kHz. */
export const ECHO_NUMBER = "+12025550100";
/** Answered by the agent that `test/support/testAgent.ts` defines. */
export const TEST_AGENT_NUMBER = "+12025550101";
/** Always accepted by a story's gateway. */
export const API_KEY = "an API key that only the tests have, long enough";

/** Nobody listens there: a story that has no exchange asks nobody. */
const NO_TWILIO = "http://127.0.0.1:9";

/** A Twilio account as a user gives it. */
export function configuration(name: string, changes: Partial<ConfigurationFields> = {}): ConfigurationFields {
  return {
    name,
    accountSid: AccountSid(ACCOUNT_SID),
    authToken: AUTH_TOKEN,
    secondaryAuthToken: undefined,
    apiKey: undefined,
    region: undefined,
    edge: undefined,
    amdEnabled: false,
    isDefaultOutbound: false,
    isDemo: false,
    ...changes,
  };
}

/** A workflow before it is stored: stories name workflows by numbers of their own. */
export interface StoryWorkflow {
  readonly key: number;
  readonly definition: unknown;
  readonly isArchived: boolean;
}

/** An active workflow with that agent. */
export function workflow(key: number, agent: object, changes: Partial<StoryWorkflow> = {}): StoryWorkflow {
  return { key, definition: { agent }, isArchived: false, ...changes };
}

export interface StoryNumber extends Omit<NumberFields, "inboundWorkflowId"> {
  readonly workflowKey: number | undefined;
  /** Whose it is, by name; the account's that is always there when it isn't said. */
  readonly configurationName?: string;
}

/** An active number of the test account, answered by the workflow with that key. */
export function number(
  address: string,
  workflowKey: number | undefined,
  changes: Partial<StoryNumber> = {},
): StoryNumber {
  return {
    typed: address,
    address,
    type: "pstn",
    countryCode: undefined,
    label: undefined,
    warning: undefined,
    workflowKey,
    isActive: true,
    isDefaultCallerId: false,
    extraMetadata: {},
    ...changes,
  };
}

const CONFIGURATION = configuration("Test account", { isDefaultOutbound: true });
const NUMBERS = [number(ECHO_NUMBER, 1, { isDefaultCallerId: true }), number(TEST_AGENT_NUMBER, 2)];
/** Beside the built-in ones: those that stories call, and one that has secrets. */
const AGENTS = ["./testAgent.ts", "./secretAgent.ts"].map((name) => new URL(name, import.meta.url).href);
const WORKFLOWS = [workflow(1, { type: "echo" }), workflow(2, { type: "test" })];

export interface StoryOptions {
  /** Environment variables beside `PORT=0`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Accounts beside the one that is always there. */
  readonly configurations?: readonly ConfigurationFields[];
  /** Numbers and workflows beside the two that are always there; keys 1 and 2 are taken. */
  readonly numbers?: readonly StoryNumber[];
  readonly workflows?: readonly StoryWorkflow[];
  readonly clock?: Clock;
  readonly silence?: { readonly mediaGapMs: number; readonly pongMs: number };
  /** Another story's, whose gateway is gone; by default a new one. */
  readonly database?: StoryDatabase;
  /** Calls placed a second at each account, and how long a request to Twilio may take. */
  readonly callsPerS?: number;
  readonly twilioTimeoutMs?: number;
  /** What the gateway itself says, where a story is not to wait for it. */
  readonly prompts?: Prompts;
  /** True: callers are turned away for strain, which on a machine full of tests is seldom the story's. */
  readonly heedsStrain?: boolean;
  /** Where the log's lines go; nowhere by default. */
  readonly onLogLine?: (line: string) => void;
}

/** What is left of a story when its gateway is gone. */
export interface StoryDatabase {
  readonly path: string;
  readonly key: KeyObject;
  readonly workflowIds: ReadonlyMap<number, WorkflowId>;
}

export interface Story {
  readonly gateway: Gateway;
  readonly store: Store;
  readonly databasePath: string;
  readonly database: StoryDatabase;
  readonly twilio: TwilioTwin;
  /** `http://127.0.0.1:port`, whatever the public base is. */
  readonly origin: string;
  /** The stored workflow that a story calls by this key. */
  workflowId(key: number): WorkflowId;
  /** Twin and gateway, both gone. Called for you when the test file is done. */
  close(): Promise<void>;
  /** Asserts nothing by itself: what of the gateway's memory is still held by calls. */
  held(): Record<string, number | boolean>;
}

/** Starts a gateway and its Twilio. */
export async function startStory(options: StoryOptions = {}): Promise<Story> {
  const env = {
    PORT: "0",
    MEDIA_WORKERS: "2",
    LINECARD_API_KEY: API_KEY,
    TWILIO_API_BASE_URL: NO_TWILIO,
    ...options.env,
  };
  const log = pino({ level: "debug" }, { write: options.onLogLine ?? (() => {}) });
  const { store, databasePath, key, remove } = await (options.database === undefined
    ? newStore()
    : reopened(options.database));
  const recordings = { RECORDINGS_PATH: join(dirname(databasePath), "recordings") };
  const settings = readSettings({ ...recordings, ...env }, 2);
  const workflowIds = options.database?.workflowIds ?? (await furnish(store, options));
  const gateway = await startGateway({
    settings,
    store,
    clock: options.clock ?? systemClock,
    log,
    ...(options.prompts && { prompts: options.prompts }),
    heedsStrain: options.heedsStrain ?? false,
    agentModules: AGENTS,
    ...(options.silence && { silence: options.silence }),
    ...(options.callsPerS !== undefined && { callsPerS: options.callsPerS }),
    ...(options.twilioTimeoutMs !== undefined && { twilioTimeoutMs: options.twilioTimeoutMs }),
  });
  const origin = `http://127.0.0.1:${gateway.settings.port}`;
  const twilio = new TwilioTwin({
    accountSid: ACCOUNT_SID,
    authToken: AUTH_TOKEN,
    publicBase: gateway.settings.publicBase.href,
    gatewayBase: origin,
  });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= twilio
      .close()
      .then(() => gateway.close())
      .then(remove);
    return closing;
  };
  after(close);
  return {
    gateway,
    store,
    databasePath,
    database: { path: databasePath, key, workflowIds },
    twilio,
    origin,
    workflowId: (key) => workflowIds.get(key)!,
    close,
    held: () => held(gateway),
  };
}

/** A database in a folder of its own; `remove` takes the folder away once the store is closed. */
export async function newStore(): Promise<OpenStore> {
  const folder = mkdtempSync(join(tmpdir(), "linecard-story-"));
  const databasePath = join(folder, "linecard.db");
  const key = createSecretKey(randomBytes(32));
  const store = await openStore(databasePath, key);
  return { store, databasePath, key, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

interface OpenStore {
  readonly store: Store;
  readonly databasePath: string;
  readonly key: KeyObject;
  readonly remove: () => void;
}

/** The folder is its first story's to take away. */
async function reopened({ path, key }: StoryDatabase): Promise<OpenStore> {
  return { store: await openStore(path, key), databasePath: path, key, remove: () => {} };
}

/** Puts in what every story has and what this one adds; the ids that its workflows were given, by their keys. */
async function furnish(store: Store, options: StoryOptions): Promise<ReadonlyMap<number, WorkflowId>> {
  const ids = new Map<number, WorkflowId>();
  for (const { key, definition, isArchived } of [...WORKFLOWS, ...(options.workflows ?? [])]) {
    const { id } = await store.workflows.create(randomUUID(), `Workflow ${key}`, { definition }, 0);
    ids.set(key, id);
    if (isArchived) await store.workflows.setStatus(id, "archived");
  }
  const configurationIds = new Map<string, ConfigurationId>();
  for (const each of [CONFIGURATION, ...(options.configurations ?? [])]) {
    configurationIds.set(each.name, (await store.configurations.add(each, 0)).id);
  }
  for (const each of [...NUMBERS, ...(options.numbers ?? [])]) {
    const { workflowKey, configurationName = CONFIGURATION.name, ...fields } = each;
    const inboundWorkflowId = workflowKey === undefined ? undefined : ids.get(workflowKey);
    await store.numbers.add(configurationIds.get(configurationName)!, { ...fields, inboundWorkflowId }, 0);
  }
  return ids;
}

function held(gateway: Gateway): Record<string, number | boolean> {
  const pool = gateway.pool.state();
  return {
    calls: gateway.calls.size,
    tasks: pool.calls,
    waiting: pool.callsWaiting,
    onWorkers: pool.callsByWorker.reduce((sum, calls) => sum + calls, 0),
    slotsTaken: gateway.settings.callsMax - pool.freeSlots,
    ticking: pool.isTicking,
    sockets: gateway.front.sockets(),
  };
}
