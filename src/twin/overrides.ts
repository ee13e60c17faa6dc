// What the fragment of a configured URL tells Twilio about timeouts and retries, and a webhook sent accordingly.
// Rules: Twilio's "Webhooks (HTTP callbacks): connection overrides".
import { randomUUID } from "node:crypto";
import {
  sendWebhook,
  WEBHOOK_TIMEOUT_MS,
  type WebhookAnswer,
  WebhookError,
  type WebhookRequest,
} from "./webhook.ts";

type Failure = "4xx" | "5xx" | "ct" | "rt";

export interface Overrides {
  readonly connectMs: number;
  readonly readMs: number;
  /** All attempts together. */
  readonly totalMs: number;
  /** Attempts after the first. */
  readonly retries: number;
  /** What is tried again. */
  readonly retryOn: ReadonlySet<Failure>;
}

const FAILURES: readonly Failure[] = ["4xx", "5xx", "ct", "rt"];

/** Reads `#rc=2&rp=ct,rt&ct=2000&rt=4000`; what is absent or out of range has Twilio's default. */
export function readOverrides(url: string): Overrides {
  const fragment = new URLSearchParams(/#(.*)$/s.exec(url)?.[1] ?? "");
  const number = (name: string, min: number, max: number, fallback: number) => {
    const value = Number(fragment.get(name) ?? Number.NaN);
    return Number.isInteger(value) && value >= min && value <= max ? value : fallback;
  };
  const policy = (fragment.get("rp") ?? "ct").split(",");
  return {
    connectMs: number("ct", 100, 10_000, 5_000),
    readMs: number("rt", 100, WEBHOOK_TIMEOUT_MS, WEBHOOK_TIMEOUT_MS),
    totalMs: number("tt", 100, WEBHOOK_TIMEOUT_MS, WEBHOOK_TIMEOUT_MS),
    retries: number("rc", 0, 5, 1),
    retryOn: new Set(policy.includes("all") ? FAILURES : FAILURES.filter((name) => policy.includes(name))),
  };
}

/** What a test makes go wrong with one attempt: it never connects, or its answer is lost on the way back. */
export type Spoiling = "connect" | "answer";

/**
 * Sends a webhook as often as its overrides say, always with the same idempotency token.
 * Rejects with WebhookError when the last attempt brought no answer.
 */
export async function deliver(
  webhook: WebhookRequest,
  spoil: () => Spoiling | undefined = () => undefined,
): Promise<WebhookAnswer> {
  const { retries, retryOn, totalMs, connectMs, readMs } = readOverrides(webhook.publicUrl);
  const untilMs = performance.now() + totalMs;
  const idempotencyToken = webhook.idempotencyToken ?? randomUUID();
  for (let attempt = 0; ; attempt++) {
    const limits = { connectMs, readMs, totalMs: Math.max(1, Math.floor(untilMs - performance.now())) };
    const outcome = await send({ ...webhook, idempotencyToken, limits }, spoil());
    const failure = failureOf(outcome);
    const isLast = attempt >= retries || performance.now() >= untilMs;
    if (failure !== undefined && retryOn.has(failure) && !isLast) continue;
    if (outcome instanceof WebhookError) throw outcome;
    return outcome;
  }
}

async function send(
  webhook: WebhookRequest,
  spoiling: Spoiling | undefined,
): Promise<WebhookAnswer | WebhookError> {
  if (!URL.canParse(webhook.publicUrl))
    return new WebhookError(webhook.publicUrl, new Error("it is no address"));
  if (spoiling === "connect")
    return new WebhookError(webhook.dialUrl, new Error("it can't be reached"), "ct");
  try {
    const answer = await sendWebhook(webhook);
    return spoiling === undefined
      ? answer
      : new WebhookError(webhook.dialUrl, new Error("the answer is lost"));
  } catch (error) {
    if (error instanceof WebhookError) return error;
    throw error;
  }
}

function failureOf(outcome: WebhookAnswer | WebhookError): Failure | undefined {
  if (outcome instanceof WebhookError) return outcome.during;
  if (outcome.status >= 500) return "5xx";
  return outcome.status >= 400 ? "4xx" : undefined;
}
