// Requests as Twilio's proxy makes them: signed, form-encoded, one connection each, given up after fifteen seconds.

import { randomUUID } from "node:crypto";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { sign } from "./signature.ts";
import type { HttpMethod } from "./twiml.ts";

/** What Twilio allows a webhook in all. */
export const WEBHOOK_TIMEOUT_MS = 15_000;
/** What a webhook may answer; more is complaint 11750. */
export const TWIML_MAX_BYTES = 64 * 1_024;

/** How a request or an upgrade is signed: properly, not at all, or with something else. */
export type Signing = "valid" | "missing" | { readonly forged: string };

/** A signature of the right shape that no token makes. */
export const WRONG_SIGNATURE: Signing = { forged: Buffer.alloc(20, 1).toString("base64") };

export interface WebhookRequest {
  /** What is signed. */
  readonly publicUrl: string;
  /** Where it is sent. */
  readonly dialUrl: string;
  readonly method: HttpMethod;
  readonly params: Readonly<Record<string, string>>;
  readonly authToken: string;
  readonly signing?: Signing;
  /** The same for every attempt at the same webhook. */
  readonly idempotencyToken?: string;
  readonly limits?: WebhookLimits;
}

/** How long one attempt may take. */
export interface WebhookLimits {
  /** Until the connection stands, TLS included. */
  readonly connectMs: number;
  /** Without anything being received once it stands. */
  readonly readMs: number;
  readonly totalMs: number;
}

export interface WebhookAnswer {
  readonly status: number;
  /** Lower case, without parameters; empty when there is none. */
  readonly contentType: string;
  readonly body: string;
}

/** No answer came, or none that could be read. */
export class WebhookError extends Error {
  /** Twilio's word for what failed: connecting, or what came after. */
  readonly during: "ct" | "rt";

  constructor(url: string, cause: Error, during: "ct" | "rt" = "rt") {
    super(`${URL.canParse(url) ? new URL(url).origin : url} did not answer the webhook: ${cause.message}`, {
      cause,
    });
    this.name = "WebhookError";
    this.during = during;
  }
}

const LIMITS: WebhookLimits = {
  connectMs: WEBHOOK_TIMEOUT_MS,
  readMs: WEBHOOK_TIMEOUT_MS,
  totalMs: WEBHOOK_TIMEOUT_MS,
};

/** The header for a signing, or none. */
export function signatureHeader(
  signing: Signing,
  authToken: string,
  url: string,
  params?: Readonly<Record<string, string>>,
): Record<string, string> {
  if (signing === "missing") return {};
  return { "X-Twilio-Signature": signing === "valid" ? sign(authToken, url, params) : signing.forged };
}

/** Sends one webhook; rejects with WebhookError when no answer came in time. */
export function sendWebhook(webhook: WebhookRequest): Promise<WebhookAnswer> {
  const { method, params, authToken, signing = "valid", idempotencyToken = randomUUID() } = webhook;
  const form = new URLSearchParams(params).toString();
  const query = method === "GET" && form !== "" ? (webhook.publicUrl.includes("?") ? "&" : "?") + form : "";
  const publicUrl = webhook.publicUrl.replace(/#.*$/s, "") + query;
  const dialUrl = webhook.dialUrl.replace(/#.*$/s, "") + query;
  const body = method === "POST" ? Buffer.from(form) : undefined;
  const headers = {
    Host: new URL(publicUrl).host,
    "User-Agent": "TwilioProxy/1.1",
    Accept: "*/*",
    "I-Twilio-Idempotency-Token": idempotencyToken,
    ...signatureHeader(signing, authToken, publicUrl, method === "POST" ? params : undefined),
    ...(body && {
      "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
      "Content-Length": String(body.length),
    }),
  };
  const { connectMs, readMs, totalMs } = webhook.limits ?? LIMITS;
  return new Promise((resolve, reject) => {
    const open = dialUrl.startsWith("https:") ? requestHttps : requestHttp;
    const signal = AbortSignal.timeout(totalMs);
    let during: "ct" | "rt" = "ct";
    const failed = (error: Error) => {
      clearTimeout(connecting);
      reject(new WebhookError(dialUrl, signal.aborted ? signal.reason : error, during));
    };
    const request = open(dialUrl, { method, headers, agent: false, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", failed);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          contentType: (response.headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase(),
          body: Buffer.concat(chunks).toString("utf8"),
        }),
      );
    });
    const giveUp = (what: string, ms: number) =>
      request.destroy(new Error(`${what} took more than ${ms} ms`));
    const connecting = setTimeout(() => giveUp("connecting", connectMs), connectMs);
    request.on("socket", (socket) => {
      socket.once(dialUrl.startsWith("https:") ? "secureConnect" : "connect", () => {
        during = "rt";
        clearTimeout(connecting);
        request.setTimeout(readMs, () => giveUp("the answer", readMs));
      });
    });
    request.on("error", failed);
    request.end(body);
  });
}
