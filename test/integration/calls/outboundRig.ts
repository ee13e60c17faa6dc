// A gateway that places calls, and the offline Twilio's REST side that places them: people at numbers, callbacks,
// faults. Stories say who picks up.
import assert from "node:assert/strict";
import { after } from "node:test";
import type { CallRecord } from "../../../src/calls/log/records.ts";
import { RunId } from "../../../src/domain/ids.ts";
import type { AccountOptions } from "../../../src/twin/exchange/account.ts";
import { Exchange, type ExchangeOptions } from "../../../src/twin/exchange/exchange.ts";
import type { Person } from "../../../src/twin/exchange/people.ts";
import { type ApiAnswer, ApiClient } from "../../support/api.ts";
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  ECHO_NUMBER,
  type Story,
  type StoryOptions,
  startStory,
  TEST_AGENT_NUMBER,
} from "../../support/gateway.ts";
import { until } from "../../support/until.ts";

export const INITIATE = "/api/v1/telephony/initiate-call";
/** How long a request to Twilio may take in a story where one is to time out. */
export const TIMEOUT_MS = 700;

export interface OutboundStory extends Story {
  readonly exchange: Exchange;
  readonly client: ApiClient;
  /** Places a call of the echo workflow; `headers` beside the key. */
  place(
    phoneNumber: string,
    changes?: object,
    headers?: Readonly<Record<string, string>>,
  ): Promise<ApiAnswer>;
  record(run: number): CallRecord;
  /** Resolves with the record once it has an outcome. */
  over(run: number, withinMs?: number): Promise<CallRecord>;
  /** The requests for calls that Twilio got. */
  created(): number;
}

export interface OutboundOptions extends StoryOptions {
  readonly account?: AccountOptions;
  /** An exchange of another story's, or what a new one is to be like. */
  readonly exchange?: Exchange | ExchangeOptions;
}

const numbers = new Set<string>();

/** A number nobody else in this process calls, at which this person is. */
export function somebody({ exchange }: Pick<OutboundStory, "exchange">, person: Person): string {
  const number = `+1415555${String(1_000 + numbers.size)}`;
  numbers.add(number);
  exchange.people.set(number, person);
  return number;
}

export async function startOutbound(options: OutboundOptions = {}): Promise<OutboundStory> {
  const exchange =
    options.exchange instanceof Exchange
      ? options.exchange
      : await newExchange(options.account, options.exchange);
  const story = await startStory({
    callsPerS: 1_000,
    ...options,
    env: { TWILIO_API_BASE_URL: exchange.url, ...options.env },
  });
  exchange.setGateway(story.gateway.settings.publicBase.href, story.origin);
  const client = new ApiClient(story.origin);
  const record = (run: number): CallRecord => {
    const known = story.gateway.records.get(RunId(run));
    assert(known, `there is no record of run ${run}`);
    return known;
  };
  return {
    ...story,
    exchange,
    client,
    record,
    place: (phoneNumber, changes = {}, headers = {}) =>
      client
        .with(headers)
        .post(INITIATE, { workflow_id: story.workflowId(1), phone_number: phoneNumber, ...changes }),
    async over(run, withinMs = 20_000) {
      await until(`run ${run} to be over`, () => record(run).outcome !== undefined, withinMs);
      return record(run);
    },
    created: () => exchange.requests.filter(({ name }) => name === "Calls.create").length,
  };
}

export async function newExchange(
  account: AccountOptions = {},
  options: ExchangeOptions = {},
): Promise<Exchange> {
  const exchange = await Exchange.start({
    dialMs: 20,
    timeoutBufferMs: 0,
    accounts: [
      {
        accountSid: ACCOUNT_SID,
        authToken: AUTH_TOKEN,
        numbers: [ECHO_NUMBER, TEST_AGENT_NUMBER],
        callsPerSecond: 1_000,
        ...account,
      },
    ],
    ...options,
  });
  after(() => exchange.close());
  return exchange;
}

/** Twilio's side of the call that an answer names. */
export function placedCall({ exchange }: Pick<OutboundStory, "exchange">, callSid: string) {
  const call = exchange.placed.find(({ leg }) => leg.sid === callSid);
  assert(call, `Twilio has no call ${callSid}`);
  return call;
}

/** What the timeline says of a kind. */
export function lines({ events }: CallRecord, kind: string): (string | undefined)[] {
  return events.filter((event) => event.kind === kind).map(({ detail }) => detail);
}

/** The same database, Twilio and people with another gateway, as after a restart. */
export async function restarted(story: OutboundStory, options: OutboundOptions = {}): Promise<OutboundStory> {
  await story.gateway.close();
  // At the same address: Twilio goes on calling what it was given.
  const env = { PUBLIC_BASE_URL: story.gateway.settings.publicBase.href, ...options.env };
  return startOutbound({ ...options, env, database: story.database, exchange: story.exchange });
}
