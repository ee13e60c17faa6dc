// The gateway's requests to Twilio's REST API: accounts, numbers and calls, with every failure typed by whether
// Twilio may have acted on it. When to ask, and what to make of the answers, is the features' business.
import assert from "node:assert/strict";
import type { ClientOpts } from "twilio/lib/base/BaseTwilio.js";
import type { CallListInstanceCreateOptions } from "twilio/lib/rest/api/v2010/account/call.js";
import type Twilio from "twilio/lib/rest/Twilio.js";
import type { AccountSid, CallSid } from "../domain/ids.ts";
import { TwilioFailure } from "./failure.ts";
import {
  readAccount,
  readCall,
  readNumber,
  type TwilioAccount,
  type TwilioCall,
  type TwilioNumber,
  type VoiceSettings,
} from "./resources.ts";
import { type PackageRequest, Transport, type TransportOptions, unreadable } from "./transport.ts";
import { isTerminal } from "./voiceWebhook.ts";

export { TwilioFailure } from "./failure.ts";
export type { TwilioAccount, TwilioCall, TwilioNumber, VoiceSettings } from "./resources.ts";

/** Whose resources are asked about, by whom, and where. */
export interface TwilioAccess {
  readonly accountSid: AccountSid;
  /** The account's SID, or an API key's (`SK…`). */
  readonly username: string;
  /** The auth token, or the API key's secret. */
  readonly password: string;
  /** Such as `ie1`. Undefined: Twilio's default, whatever the environment says. */
  readonly region?: string | undefined;
  /** Such as `dublin`. */
  readonly edge?: string | undefined;
  /** http or https, with or without a path. Undefined: Twilio's own; otherwise region and edge mean nothing. */
  readonly apiBaseUrl?: string | undefined;
}

export const CALL_EVENTS = ["initiated", "ringing", "answered", "completed"] as const;
export type CallEvent = (typeof CALL_EVENTS)[number];

/** A call to place. All URLs are absolute and asked by POST. */
export interface CallOrder {
  /** E.164, or a SIP URI. */
  readonly to: string;
  /** E.164. */
  readonly from: string;
  /** Asked once the call is answered. */
  readonly url: string;
  readonly fallbackUrl?: string | undefined;
  readonly statusCallback: string;
  readonly statusCallbackEvents: readonly CallEvent[];
  /** How long it rings: 1 to 600. Twilio's 60 unless given. */
  readonly timeoutS?: number | undefined;
  /** The longest it may last, after which Twilio ends it. */
  readonly timeLimitS?: number | undefined;
  /** Keys pressed once the call is answered: up to 32 of `0-9 * # w`. Switches machine detection off. */
  readonly sendDigits?: string | undefined;
  /** Whether to find out who answered. Without an asyncAmdStatusCallback the answer webhook waits for it. */
  readonly machineDetection?: "Enable" | "DetectMessageEnd" | undefined;
  /** Told who answered while the call is already joined. */
  readonly asyncAmdStatusCallback?: string | undefined;
}

/**
 * Every method throws a TwilioFailure when it can't give its value, and nothing else. Only `rate_limited` is tried
 * again within, so a call is never placed twice by one `createCall`.
 */
export interface TwilioRest {
  /** A wrong SID is `credentials`, like a wrong token. */
  account(access: TwilioAccess): Promise<TwilioAccount>;
  /** The number with exactly this E.164 form; undefined: the account doesn't own it. */
  findNumber(access: TwilioAccess, e164: string): Promise<TwilioNumber | undefined>;
  /** Undefined: not, or no longer, the account's. */
  getNumber(access: TwilioAccess, numberSid: string): Promise<TwilioNumber | undefined>;
  /** At most NUMBERS_MAX of them. */
  listNumbers(access: TwilioAccess): Promise<readonly TwilioNumber[]>;
  /** The number as Twilio has it after the change: compare, since Twilio may keep what it was not told to change. */
  updateNumber(
    access: TwilioAccess,
    numberSid: string,
    changes: Partial<VoiceSettings>,
  ): Promise<TwilioNumber>;
  /** A returned call is accepted, not yet rung. Throws with `mayHaveActed` when it may have been placed all the same. */
  createCall(access: TwilioAccess, order: CallOrder): Promise<TwilioCall>;
  getCall(access: TwilioAccess, callSid: CallSid): Promise<TwilioCall | undefined>;
  /**
   * Calls between these two, made since a moment by Twilio's clock (which may differ from ours: leave room) and
   * among the newest CALLS_FOUND_MAX. One whose moment Twilio doesn't say is among them.
   */
  findCalls(
    access: TwilioAccess,
    between: { readonly to: string; readonly from: string; readonly sinceMs: number },
  ): Promise<readonly TwilioCall[]>;
  /**
   * `completed` ends a call in any state, `canceled` only one that has not been answered: if it was answered
   * meanwhile that is `refused` with twilioCode 21220, however Twilio puts it, and it goes on.
   */
  endCall(
    access: TwilioAccess,
    callSid: CallSid,
    status: "completed" | "canceled",
  ): Promise<"ended" | "already_over">;
  /** Ends all connections. What is under way fails, as does everything asked later. */
  close(): void;
}

export const NUMBERS_MAX = 10_000;
export const CALLS_FOUND_MAX = 200;
/** The package reads a page in one go: a thousand numbers would keep the front thread for 28 ms and more. */
const NUMBERS_PER_PAGE = 50;
const CALLS_PER_PAGE = 50;
/** A number filter finds parts of numbers too, but a whole one with its plus hardly ever more than itself. */
const NUMBERS_COMPARED_MAX = 50;
/** Clients kept for another request; the one least recently used makes room. They hold no connection. */
const CLIENTS_MAX = 64;

const NOT_FOUND = 20404;
const WRONG_CALL_STATE = 21220;

/**
 * Loads the package's REST part, which takes about 250 ms: once, and beside whatever else the start does. A third of it
 * the package would leave for the first request, when there may be calls.
 */
export async function loadTwilioRest(options: TransportOptions): Promise<TwilioRest> {
  const { default: Client } = await import("twilio/lib/rest/Twilio.js");
  const { api } = new Client("AC", "unused");
  void api.v2010.accounts;
  void [api.v2010.account.calls, api.v2010.account.incomingPhoneNumbers];
  return new PackagedRest(Client, new Transport(options));
}

class PackagedRest implements TwilioRest {
  readonly #Client: typeof Twilio;
  readonly #transport: Transport;
  /** By everything of their access; the least recently used first. */
  readonly #clients = new Map<string, Twilio>();

  constructor(Client: typeof Twilio, transport: Transport) {
    this.#Client = Client;
    this.#transport = transport;
  }

  account(access: TwilioAccess): Promise<TwilioAccount> {
    return this.#ask(access, async ({ api }) => {
      try {
        return readAccount(await api.v2010.accounts(access.accountSid).fetch());
      } catch (error) {
        if (!isNotFound(error)) throw error;
        throw wrongAccess("Twilio has no account with this SID that these credentials may see.", error);
      }
    });
  }

  findNumber(access: TwilioAccess, e164: string): Promise<TwilioNumber | undefined> {
    return this.#ask(access, async (client) => {
      const found = await client.incomingPhoneNumbers.list({
        phoneNumber: e164,
        limit: NUMBERS_COMPARED_MAX,
      });
      return found.map(readNumber).find((number) => number.phoneNumber === e164);
    });
  }

  getNumber(access: TwilioAccess, numberSid: string): Promise<TwilioNumber | undefined> {
    assertNumberSid(numberSid);
    return this.#ask(access, (client) =>
      unlessNotFound(async () => readNumber(await client.incomingPhoneNumbers(numberSid).fetch())),
    );
  }

  listNumbers(access: TwilioAccess): Promise<readonly TwilioNumber[]> {
    const bounds = { limit: NUMBERS_MAX, pageSize: NUMBERS_PER_PAGE };
    return this.#ask(access, async (client) =>
      (await client.incomingPhoneNumbers.list(bounds)).map(readNumber),
    );
  }

  updateNumber(
    access: TwilioAccess,
    numberSid: string,
    changes: Partial<VoiceSettings>,
  ): Promise<TwilioNumber> {
    assertNumberSid(numberSid);
    return this.#ask(access, async (client) =>
      readNumber(await client.incomingPhoneNumbers(numberSid).update({ ...changes })),
    );
  }

  createCall(access: TwilioAccess, order: CallOrder): Promise<TwilioCall> {
    return this.#ask(access, async (client) => readCall(await client.calls.create(createOptions(order))));
  }

  getCall(access: TwilioAccess, callSid: CallSid): Promise<TwilioCall | undefined> {
    return this.#ask(access, (client) =>
      unlessNotFound(async () => readCall(await client.calls(callSid).fetch())),
    );
  }

  findCalls(
    access: TwilioAccess,
    { to, from, sinceMs }: { readonly to: string; readonly from: string; readonly sinceMs: number },
  ): Promise<readonly TwilioCall[]> {
    return this.#ask(access, async (client) => {
      // Not filtered by StartTime at Twilio: a call that still waits there has none.
      const found = await client.calls.list({ to, from, limit: CALLS_FOUND_MAX, pageSize: CALLS_PER_PAGE });
      const sinceSecondMs = Math.floor(sinceMs / 1_000) * 1_000; // Twilio's moments have whole seconds
      return found.map(readCall).filter(({ createdAtMs }) => (createdAtMs ?? sinceSecondMs) >= sinceSecondMs);
    });
  }

  endCall(
    access: TwilioAccess,
    callSid: CallSid,
    status: "completed" | "canceled",
  ): Promise<"ended" | "already_over"> {
    return this.#ask(access, async (client) => {
      const call = client.calls(callSid);
      let after: string;
      try {
        after = (await call.update({ status })).status;
      } catch (error) {
        if (isNotFound(error)) return "already_over";
        if (!(error instanceof TwilioFailure) || error.twilioCode !== WRONG_CALL_STATE) throw error;
        // To cancel a call that is being talked on is the wrong state too, and that one is not over.
        if (status === "completed" || isTerminal((await call.fetch()).status)) return "already_over";
        after = "in-progress";
      }
      // Twilio may also take the cancelling of a call that was just answered for done, and let it go on.
      if (status === "completed" || after !== "in-progress") return "ended";
      const words = "The call was answered before it could be cancelled, and goes on.";
      throw new TwilioFailure("refused", words, { twilioCode: WRONG_CALL_STATE });
    });
  }

  close(): void {
    this.#clients.clear();
    this.#transport.close();
  }

  async #ask<Value>(access: TwilioAccess, ask: (client: Twilio) => Promise<Value>): Promise<Value> {
    const client = this.#clientFor(access);
    try {
      return await ask(client);
    } catch (error) {
      if (error instanceof TwilioFailure) throw error;
      throw unreadable({ cause: error }); // the package, or a reader, stumbled over what came
    }
  }

  #clientFor(access: TwilioAccess): Twilio {
    const { accountSid, username, password, region, edge, apiBaseUrl } = access;
    const key = JSON.stringify([accountSid, username, password, region, edge, apiBaseUrl]);
    const client = this.#clients.get(key) ?? this.#makeClient(access);
    this.#clients.delete(key);
    this.#clients.set(key, client);
    if (this.#clients.size > CLIENTS_MAX) this.#clients.delete(this.#clients.keys().next().value!);
    return client;
  }

  #makeClient(access: TwilioAccess): Twilio {
    checkAccess(access);
    const base = access.apiBaseUrl === undefined ? undefined : new URL(access.apiBaseUrl);
    const httpClient = { request: (asked: PackageRequest) => this.#transport.request(asked, base) };
    return new this.#Client(access.username, access.password, {
      accountSid: access.accountSid,
      // Each is given, empty or not: what is left out the package takes from the environment.
      region: (base === undefined ? access.region : undefined) ?? "",
      edge: (base === undefined ? access.edge : undefined) ?? "",
      logLevel: "",
      httpClient: httpClient as unknown as NonNullable<ClientOpts["httpClient"]>,
    });
  }
}

function createOptions(order: CallOrder): CallListInstanceCreateOptions {
  assert(order.statusCallbackEvents.length > 0, "a call's events, or its end would go unnoticed");
  return {
    to: order.to,
    from: order.from,
    url: order.url,
    method: "POST",
    ...(order.fallbackUrl !== undefined && { fallbackUrl: order.fallbackUrl, fallbackMethod: "POST" }),
    statusCallback: order.statusCallback,
    statusCallbackMethod: "POST",
    statusCallbackEvent: [...order.statusCallbackEvents],
    ...(order.timeoutS !== undefined && { timeout: order.timeoutS }),
    ...(order.timeLimitS !== undefined && { timeLimit: order.timeLimitS }),
    ...(order.sendDigits !== undefined && { sendDigits: order.sendDigits }),
    ...(order.machineDetection !== undefined && { machineDetection: order.machineDetection }),
    ...(order.asyncAmdStatusCallback !== undefined && {
      asyncAmd: "true",
      asyncAmdStatusCallback: order.asyncAmdStatusCallback,
      asyncAmdStatusCallbackMethod: "POST",
    }),
  };
}

/** Region and edge become part of the host that gets the password, so they must not lead to another one. */
export function isHostLabel(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/.test(text);
}

/** What Twilio could only refuse, and what the package answers with a bare exception, is refused here. */
function checkAccess({ accountSid, username, password, region, edge }: TwilioAccess): void {
  if (!/^AC[0-9a-zA-Z]{1,62}$/.test(accountSid)) throw wrongAccess("An account SID is AC and 32 hex digits.");
  if (username === "" || password === "")
    throw wrongAccess("Twilio wants both a SID and its token or secret.");
  if (username.includes(":")) throw wrongAccess("A SID has no colon.");
  for (const label of [region, edge]) {
    if (label === undefined || label === "" || isHostLabel(label)) continue;
    throw wrongAccess("Regions and edges are single words, such as ie1 and dublin.");
  }
}

function wrongAccess(sentence: string, cause?: unknown): TwilioFailure {
  return new TwilioFailure("credentials", `${sentence} Copy it again from Twilio's console.`, { cause });
}

function assertNumberSid(sid: string): void {
  assert(/^PN[0-9a-zA-Z]{1,62}$/.test(sid), "a number's SID");
}

/** By Twilio's code, not by the status: the 404 of a wrong base URL or proxy says nothing about a call. */
function isNotFound(error: unknown): boolean {
  return error instanceof TwilioFailure && error.twilioCode === NOT_FOUND;
}

async function unlessNotFound<Value>(fetch: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await fetch();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
