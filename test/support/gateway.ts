// A real gateway for a story: in this process, on a port of its own, with the numbers and agents the story wants
// and an offline Twilio that knows its account.
import { after } from "node:test";
import pino from "pino";
import { type Clock, systemClock } from "../../src/domain/clock.ts";
import { AccountSid, ConfigurationId, NumberId, WorkflowId } from "../../src/domain/ids.ts";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import type { Configuration, DirectoryContents, PhoneNumber } from "../../src/numbers/routing.ts";
import { readSettings } from "../../src/settings.ts";
import { TwilioTwin } from "../../src/twin/twin.ts";
import type { Workflow } from "../../src/workflows/workflow.ts";

export const ACCOUNT_SID = "AC0123456789abcdef0123456789abcdef";
export const AUTH_TOKEN = "0123456789abcdef0123456789abcdef";
/** Answered by echo at 16 kHz. */
export const ECHO_NUMBER = "+12025550100";
/** Answered by the agent that `test/support/testAgent.ts` defines. */
export const TEST_AGENT_NUMBER = "+12025550101";

const CONFIGURATION: Configuration = {
  id: ConfigurationId(1),
  name: "Test account",
  accountSid: AccountSid(ACCOUNT_SID),
  authTokens: [AUTH_TOKEN],
};

/** An active workflow with that agent. */
export function workflow(id: number, agent: object, changes: Partial<Workflow> = {}): Workflow {
  const definition = { agent };
  return { id: WorkflowId(id), name: `Workflow ${id}`, status: "active", version: 1, definition, ...changes };
}

/** An active number of the test account, answered by that workflow. */
export function number(id: number, address: string, workflowId: number | undefined): PhoneNumber {
  return {
    id: NumberId(id),
    configurationId: CONFIGURATION.id,
    address,
    isActive: true,
    inboundWorkflowId: workflowId === undefined ? undefined : WorkflowId(workflowId),
  };
}

const CONTENTS: DirectoryContents = {
  configurations: [CONFIGURATION],
  numbers: [number(1, ECHO_NUMBER, 1), number(2, TEST_AGENT_NUMBER, 2)],
  workflows: [workflow(1, { type: "echo" }), workflow(2, { type: "test" })],
};

export interface StoryOptions {
  /** Environment variables beside `PORT=0`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Accounts beside the one that is always there. */
  readonly configurations?: readonly Configuration[];
  /** Numbers and workflows beside the two that are always there. */
  readonly numbers?: readonly PhoneNumber[];
  readonly workflows?: readonly Workflow[];
  readonly clock?: Clock;
  readonly silence?: { readonly mediaGapMs: number; readonly pongMs: number };
  /** Where the log's lines go; nowhere by default. */
  readonly onLogLine?: (line: string) => void;
}

export interface Story {
  readonly gateway: Gateway;
  readonly twilio: TwilioTwin;
  /** `http://127.0.0.1:port`, whatever the public base is. */
  readonly origin: string;
  /** Twin and gateway, both gone. Called for you when the test file is done. */
  close(): Promise<void>;
  /** Asserts nothing by itself: what of the gateway's memory is still held by calls. */
  held(): Record<string, number | boolean>;
}

/** Starts a gateway and its Twilio. */
export async function startStory(options: StoryOptions = {}): Promise<Story> {
  const settings = readSettings({ PORT: "0", MEDIA_WORKERS: "2", ...options.env }, 2);
  const log = pino({ level: "debug" }, { write: options.onLogLine ?? (() => {}) });
  const gateway = await startGateway({
    settings,
    contents: {
      configurations: [...CONTENTS.configurations, ...(options.configurations ?? [])],
      numbers: [...CONTENTS.numbers, ...(options.numbers ?? [])],
      workflows: [...CONTENTS.workflows, ...(options.workflows ?? [])],
    },
    clock: options.clock ?? systemClock,
    log,
    agentModules: [new URL("./testAgent.ts", import.meta.url).href],
    ...(options.silence && { silence: options.silence }),
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
    closing ??= twilio.close().then(() => gateway.close());
    return closing;
  };
  after(close);
  return { gateway, twilio, origin, close, held: () => held(gateway) };
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
