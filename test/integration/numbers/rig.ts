// A story's gateway with a Twilio that has numbers: the API on one side, the offline exchange on the other, real
// sockets between them.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { AccountOptions, OwnedNumber, TwinAccount } from "../../../src/twin/exchange/account.ts";
import { Exchange } from "../../../src/twin/exchange/exchange.ts";
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  ECHO_NUMBER,
  type StoryOptions,
  TEST_AGENT_NUMBER,
} from "../../support/gateway.ts";
import type { MovableClock } from "../../support/movableClock.ts";
import { until } from "../../support/until.ts";
import { type ApiStory, startApi } from "../api/rig.ts";

export const CONFIGURATIONS = "/api/v1/organizations/telephony-configs";
export const OWNED = "+14155550100";
export const OTHER_SID = "ACfedcba9876543210fedcba9876543210";
export const OTHER_TOKEN = "00112233445566778899aabbccddeeff";
/** What somebody else had a number call before us. */
export const FOREIGN = {
  VoiceUrl: "https://elsewhere.example.com/voice?line=1",
  VoiceMethod: "GET",
  VoiceFallbackUrl: "https://elsewhere.example.com/fallback",
  VoiceFallbackMethod: "GET",
  StatusCallback: "https://elsewhere.example.com/status",
  StatusCallbackMethod: "GET",
} as const;

export interface NumbersStory extends ApiStory {
  readonly exchange: Exchange;
  /** The account of the configuration that is always there. */
  readonly account: TwinAccount;
  /** That configuration's id, and the path of its numbers. */
  readonly configId: number;
  readonly numbers: string;
  /** The addresses that a number of ours has at Twilio. */
  readonly places: {
    readonly VoiceUrl: string;
    readonly VoiceFallbackUrl: string;
    readonly StatusCallback: string;
  };
  /** A number as Twilio has it. */
  owned(phoneNumber?: string): OwnedNumber;
  /** Requests that Twilio got since the last time this was asked. */
  asked(): readonly (string | undefined)[];
}

export interface NumbersOptions extends StoryOptions {
  readonly account?: Omit<AccountOptions, "accountSid" | "authToken">;
  /** Beside the story's own. */
  readonly accounts?: readonly AccountOptions[];
}

/** Gone when the test is over; then Twilio may have nothing to complain of. */
export async function startNumbers(t: TestContext, options: NumbersOptions = {}): Promise<NumbersStory> {
  const { account: own, accounts = [], ...rest } = options;
  const exchange = await Exchange.start({
    accounts: [
      {
        numbers: [OWNED, ECHO_NUMBER, TEST_AGENT_NUMBER],
        ...own,
        accountSid: ACCOUNT_SID,
        authToken: AUTH_TOKEN,
      },
      ...accounts,
    ],
  });
  const story = await startApi(t, { ...rest, env: { TWILIO_API_BASE_URL: exchange.url, ...rest.env } });
  t.after(async () => {
    await exchange.close();
    assert.deepEqual(exchange.complaints, []);
  });
  const { body } = await story.client.get(CONFIGURATIONS);
  const configId: number = body.configurations[0].id;
  const base = story.gateway.settings.publicBase.href;
  const account = exchange.accounts[0]!;
  let seen = 0;
  const rig: NumbersStory = {
    ...story,
    exchange,
    account,
    configId,
    numbers: `${CONFIGURATIONS}/${configId}/phone-numbers`,
    places: {
      VoiceUrl: `${base}/api/v1/telephony/inbound/run#rc=2&rp=ct,rt,5xx&ct=2000&rt=4000`,
      VoiceFallbackUrl: `${base}/api/v1/telephony/inbound/fallback`,
      StatusCallback: `${base}/api/v1/telephony/twilio/status-callback`,
    },
    owned: (phoneNumber = OWNED) => account.number(phoneNumber)!,
    asked() {
      const names = exchange.requests.slice(seen).map(({ name }) => name);
      seen = exchange.requests.length;
      return names;
    },
  };
  if (rest.env?.PUBLIC_BASE_URL === undefined && own?.status === undefined) await settledFirst(rig);
  rig.asked();
  return rig;
}

/** The look at the start is over: the story's two numbers are in step. */
async function settledFirst({ client, numbers, owned }: NumbersStory): Promise<void> {
  if (owned(ECHO_NUMBER) === undefined) return;
  await until("the look at the start", async () => {
    const { body } = await client.get(numbers);
    const storys = body.phone_numbers.slice(0, 2) as { provider_sync: { state: string } }[];
    return storys.every(({ provider_sync: { state } }) => !["none", "pending"].includes(state));
  });
}

const CHECK_EVERY_MS = 15 * 60_000;

/** What is due by then has begun: whoever looks every second has looked. */
export async function pass(clock: MovableClock, ms: number): Promise<void> {
  await clock.advance(ms);
  await clock.advance(1_000); // what was found due at the first tick is begun at the next
}

/** Until after the next look at every account. */
export const quarterHour = (clock: MovableClock) => pass(clock, CHECK_EVERY_MS + 1_000);

/** How a number stands with Twilio, as the list of numbers has it. */
export const syncOf = async ({ client, numbers }: NumbersStory, address = OWNED) =>
  (await client.get(numbers)).body.phone_numbers.find(
    (each: { address_normalized: string }) => each.address_normalized === address,
  ).provider_sync;
