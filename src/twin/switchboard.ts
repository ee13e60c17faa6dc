// What a call needs of whatever it belongs to: an account, addresses, time, ids, and the way out to the gateway.
import { randomUUID } from "node:crypto";
import type { Addresses } from "./addresses.ts";
import type { Ticker } from "./clock.ts";
import { deliver, type Spoiling } from "./overrides.ts";
import type { HttpMethod } from "./twiml.ts";
import type { Signing, WebhookAnswer } from "./webhook.ts";

export interface Account {
  readonly accountSid: string;
  /** The primary one: what is signed with. */
  readonly authToken: string;
}

/** What calls need of the twin they belong to. */
export interface Switchboard {
  readonly account: Account;
  /** Those that hold now: a gateway may come back elsewhere while a call lasts. */
  readonly addresses: Addresses;
  readonly ticker: Ticker;
  /** A new id of Twilio's form: the prefix and 32 hex digits. */
  newSid(prefix: "CA" | "MZ"): string;
  /** Between 60 and 200, as Twilio's are. */
  firstTimestampMs(): number;
  /** What goes wrong with the next attempt at a webhook of this call, if a test wants something to. */
  spoil?(callSid: string): Spoiling | undefined;
}

/** The requests that one call makes of the gateway. */
export class Requests {
  readonly #switchboard: Switchboard;
  readonly #callSid: string;
  readonly #canBeSpoiled: boolean;
  /** Those that have not been answered yet. */
  readonly #inFlight = new Set<Promise<WebhookAnswer>>();

  /** `canBeSpoiled` false: what a test spoils of the call's webhooks doesn't hit these. */
  constructor(switchboard: Switchboard, callSid: string, canBeSpoiled = true) {
    this.#switchboard = switchboard;
    this.#callSid = callSid;
    this.#canBeSpoiled = canBeSpoiled;
  }

  /** Sends one, again where the URL's fragment says so; rejects with WebhookError when no answer came. */
  async send(
    publicUrl: string,
    method: HttpMethod,
    params: Readonly<Record<string, string>>,
    {
      signing = "valid",
      idempotencyToken = randomUUID() as string,
    }: { signing?: Signing; idempotencyToken?: string } = {},
  ): Promise<WebhookAnswer> {
    const { account, addresses } = this.#switchboard;
    const dialUrl = addresses.dialable(publicUrl);
    const { authToken } = account;
    const webhook = { publicUrl, dialUrl, method, params, authToken, signing, idempotencyToken };
    const answered = deliver(webhook, () =>
      this.#canBeSpoiled ? this.#switchboard.spoil?.(this.#callSid) : undefined,
    );
    this.#inFlight.add(answered);
    try {
      return await answered;
    } finally {
      this.#inFlight.delete(answered);
    }
  }

  /** Resolves when everything sent so far has been answered or given up. */
  async settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
  }
}
