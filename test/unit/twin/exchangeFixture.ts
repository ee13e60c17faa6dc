// An exchange, a stand-in for the gateway, and Twilio's own client between them.
import { afterEach } from "node:test";
import { setTimeout as delay, setImmediate as immediate } from "node:timers/promises";
import Twilio from "twilio/lib/rest/Twilio.js";
import type { AccountOptions } from "../../../src/twin/exchange/account.ts";
import { Exchange, type ExchangeOptions } from "../../../src/twin/exchange/exchange.ts";
import { sign } from "../../../src/twin/signature.ts";
import { FakeClock } from "./fakeClock.ts";
import { type Seen, StandIn } from "./standIn.ts";

export const ACCOUNT_SID = `AC${"a1".repeat(16)}`;
export const AUTH_TOKEN = "7f".repeat(16);
export const NUMBER = "+12025550100";
export const SOMEONE = "+14155550123";
/** Of real time; more than a loaded machine needs. */
const WAIT_MS = 30_000;

/** Twilio's client, for an exchange instead of Twilio. */
export function clientOf(
  exchange: Exchange,
  { username = ACCOUNT_SID, password = AUTH_TOKEN, timeoutMs = 30_000 } = {},
): Twilio {
  const client = new Twilio(username, password, { accountSid: ACCOUNT_SID, timeout: timeoutMs });
  client.api.baseUrl = exchange.url;
  return client;
}

/** What Twilio's client throws; fails when it throws nothing. */
export async function refusal(
  asked: Promise<unknown>,
): Promise<{ status: number; code: number; message: string }> {
  try {
    await asked;
  } catch (error) {
    const { status, code, message } = error as { status: number; code: number; message: string };
    return { status, code, message };
  }
  throw new Error("nothing was refused");
}

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const closable of open.splice(0)) await closable.close();
});

export interface Fixture {
  readonly gateway: StandIn;
  readonly exchange: Exchange;
  readonly client: Twilio;
  readonly clock: FakeClock;
  /** Moves the clock on in steps (5 ms), with time for sockets in between, until this is so. */
  until(what: string, holds: () => boolean, stepMs?: number): Promise<void>;
  /** Whether a request is signed as the account would. */
  isSigned(seen: Seen): boolean;
}

/** Everything stands still until a test moves the clock on. Closed after the test. */
export async function startFixture(
  options: ExchangeOptions & { readonly account?: AccountOptions } = {},
): Promise<Fixture> {
  const clock = new FakeClock();
  const gateway = await StandIn.start();
  const { account, ...rest } = options;
  const exchange = await Exchange.start({
    clock,
    publicBase: gateway.base,
    accounts: [{ accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN, numbers: [NUMBER], ...account }],
    ...rest,
  });
  open.push(exchange, gateway);
  return {
    gateway,
    exchange,
    client: clientOf(exchange),
    clock,
    async until(what, holds, stepMs = 5) {
      const latestMs = performance.now() + WAIT_MS;
      while (!holds()) {
        if (performance.now() > latestMs) throw new Error(`waited in vain for ${what}`);
        const isIdle = clock.running === 0; // only sockets can bring something now, and they take real time
        if (!isIdle) clock.advance(stepMs);
        await (isIdle ? delay(1) : immediate());
      }
    },
    isSigned: ({ target, headers, params }) =>
      headers["x-twilio-signature"] === sign(AUTH_TOKEN, gateway.base + target, params),
  };
}

/** What was called back, in the order in which it came. */
export function callbacks({ gateway }: Pick<Fixture, "gateway">): string[] {
  return gateway.seen
    .filter(({ target }) => target === "/status")
    .map(({ params }) => `${params.SequenceNumber} ${params.CallStatus}`);
}
