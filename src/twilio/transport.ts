// The wire under the `twilio` package: where its requests go, how long they may take, when one is tried again, and
// what each way of failing means. In place of the package's own client, which reads proxies and certificates from
// the environment and can't tell whether a failed request was sent.
import assert from "node:assert/strict";
import type { Clock } from "../domain/clock.ts";
import { type Break, Exchanges, type Order } from "./exchange.ts";
import { type Answer, failureOf, jsonObjectIn, TwilioFailure } from "./failure.ts";

export interface TransportOptions {
  readonly clock: Clock;
  /** From 0 up to 1, like Math.random. */
  readonly random: () => number;
  /** For one try: connection and whole answer. 5,000 unless given. */
  readonly timeoutMs?: number | undefined;
}

/** What the package asks of an HTTP client; the fields that it fills for the requests made here. */
export interface PackageRequest {
  readonly method?: string | undefined;
  readonly uri?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  readonly params?: object | undefined;
  readonly data?: object | undefined;
}

/** What the package takes for an answer. `body` is text that holds a JSON object. */
export interface PackageAnswer {
  readonly statusCode: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

const TIMEOUT_MS = 5_000;
/** Twilio doesn't process what it answers with 429, so asking again can't dial twice. */
const TRIES_MAX = 3;
const BACKOFF_MS = 400;
/** A longer wait is the caller's decision: it gets `rate_limited` with the seconds instead. */
const WAIT_MAX_MS = 3_000;

export class Transport {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #timeoutMs: number;
  readonly #exchanges = new Exchanges();
  readonly #waiting = new Set<() => void>();

  constructor({ clock, random, timeoutMs = TIMEOUT_MS }: TransportOptions) {
    assert(timeoutMs > 0);
    this.#clock = clock;
    this.#random = random;
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves with answers of success alone; everything else is a TwilioFailure. `base` undefined: Twilio's own. */
  async request(asked: PackageRequest, base: URL | undefined): Promise<PackageAnswer> {
    const order = orderOf(asked, base);
    for (let tries = 1; ; tries++) {
      const outcome = await this.#exchanges.exchange(order, this.#timeoutMs);
      if ("wasSent" in outcome) throw brokenOff(outcome, order.url.host);
      if (outcome.status >= 200 && outcome.status < 300) return packageAnswer(outcome);
      const failure = failureOf(outcome, this.#clock.wallMs());
      if (failure.kind !== "rate_limited" || tries === TRIES_MAX) throw failure;
      const waitMs = (failure.retryAfterS ?? 0) * 1_000 + this.#random() * BACKOFF_MS * 2 ** (tries - 1);
      if (waitMs > WAIT_MAX_MS) throw failure;
      await this.#wait(waitMs);
    }
  }

  /** Ends the connections; what is waiting or under way fails, and so does everything asked afterwards. */
  close(): void {
    this.#exchanges.close();
    for (const wake of this.#waiting) wake();
  }

  #wait(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        stop();
        this.#waiting.delete(wake);
        resolve();
      };
      const stop = this.#clock.every(waitMs, wake);
      this.#waiting.add(wake);
    });
  }
}

/** Hosts that may be sent a password when no base is configured. */
const TWILIO_HOST = /^[a-z0-9.-]+\.twilio\.com$/;

function orderOf(
  { method, uri, username, password, headers, params, data }: PackageRequest,
  base: URL | undefined,
): Order {
  assert(method !== undefined && uri !== undefined && username && password);
  const asked = new URL(uri);
  // Replaced here and not in the package, which takes mock hosts apart as if they were Twilio's.
  const url =
    base === undefined ? asked : new URL(`${base.pathname.replace(/\/+$/, "")}${asked.pathname}`, base);
  assert(base !== undefined || (url.protocol === "https:" && TWILIO_HOST.test(url.hostname)), url.origin);
  url.search = new URLSearchParams([...asked.searchParams, ...form(params ?? {})]).toString();
  const sent: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers ?? {})) sent[name] = String(value);
  sent.Authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  return {
    method: method.toUpperCase(),
    url,
    headers: sent,
    body: data === undefined ? undefined : form(data).toString(),
  };
}

/** An array's name is repeated, as Twilio wants it; what is undefined is left out, what is empty is sent. */
function form(values: object): URLSearchParams {
  const encoded = new URLSearchParams();
  for (const [name, value] of Object.entries(values) as [string, unknown][]) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) encoded.append(name, String(one));
    }
  }
  return encoded;
}

function packageAnswer({ status, text }: Answer): PackageAnswer {
  if (jsonObjectIn(text) === undefined) throw unreadable({ status });
  return { statusCode: status, body: text, headers: {} };
}

/** Success in a form that is not Twilio's: it may have acted, but what came of it can't be read. */
export function unreadable(facts: { readonly status?: number; readonly cause?: unknown }): TwilioFailure {
  const remedy = "Check TWILIO_API_BASE_URL and any proxy on the way.";
  return new TwilioFailure("unknown", `Twilio's answer could not be read. ${remedy}`, facts);
}

const TIMED_OUT = ["AbortError", "TimeoutError"];

function brokenOff({ wasSent, cause }: Break, host: string): TwilioFailure {
  const { code } = cause as NodeJS.ErrnoException;
  const why = TIMED_OUT.includes(cause.name) ? "it took too long" : (code ?? cause.message);
  return wasSent
    ? new TwilioFailure(
        "unknown",
        `No answer came from Twilio (${host}: ${why}), and it can't be told whether it did what was asked.`,
        { cause },
      )
    : new TwilioFailure(
        "unreachable",
        `Twilio could not be reached (${host}: ${why}), so nothing was asked of it. Check the network, DNS and firewall.`,
        { cause },
      );
}
