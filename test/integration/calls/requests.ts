// Requests and upgrades that a well-behaved Twilio would not make: what is signed, what is sent and where it goes
// are said apart.
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import type { Duplex } from "node:stream";
import { inboundParams } from "../../../src/twin/params.ts";
import { sign } from "../../../src/twin/signature.ts";
import { ACCOUNT_SID, AUTH_TOKEN } from "../../support/gateway.ts";

export const INBOUND = "/api/v1/telephony/inbound/run";
export const FALLBACK = "/api/v1/telephony/inbound/fallback";
export const STATUS_CALLBACK = "/api/v1/telephony/twilio/status-callback";
export const streamEnded = (run: number): string => `/api/v1/telephony/twilio/stream-ended/${run}`;
export const streamStatus = (run: number): string => `/api/v1/telephony/twilio/stream-status/${run}`;

export type Params = Readonly<Record<string, string>>;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Posting {
  /** Where it really goes, `http://127.0.0.1:port`. */
  readonly origin: string;
  /** The raw target it is sent to. */
  readonly path: string;
  readonly params: Params;
  /** What is signed: by default the same place and the same parameters. */
  readonly signedUrl?: string;
  readonly signedParams?: Params;
  readonly authToken?: string;
  /** Instead of a signature made of these; null sends none. */
  readonly signature?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
}

export const newCallSid = (): string => `CA${randomBytes(16).toString("hex")}`;

/** The parameters of a new call's webhook to this number. */
export function ringing(to: string, changes: Params = {}): Params {
  const facts = { accountSid: ACCOUNT_SID, callSid: newCallSid(), from: "+14155550142", to };
  return { ...inboundParams(facts), ...changes };
}

/** Sends one request and reads its whole answer. */
export function send(posting: Posting): Promise<Answer> {
  const {
    origin,
    path,
    params,
    signedUrl = origin + path,
    authToken = AUTH_TOKEN,
    method = "POST",
  } = posting;
  const { signedParams = params, signature = sign(authToken, signedUrl, signedParams) } = posting;
  const body = new URLSearchParams(params).toString();
  const headers = {
    "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
    "Content-Length": String(Buffer.byteLength(body)),
    ...(signature !== null && { "X-Twilio-Signature": signature }),
    ...posting.headers,
  };
  return new Promise((resolve, reject) => {
    const sent = request(origin, { path, method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** The status an upgrade is answered with; one that is accepted is cut at once. */
export function upgrade(
  origin: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const all = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    ...headers,
  };
  return new Promise((resolve, reject) => {
    const sent = request(origin, { path, headers: all, agent: false });
    sent.on("upgrade", (_response, socket: Duplex) => {
      socket.destroy();
      resolve(101);
    });
    sent.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", reject);
    sent.end();
  });
}
