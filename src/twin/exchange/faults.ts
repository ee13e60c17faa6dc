// What a test makes go wrong, for the next so many requests, callbacks or webhooks. Decides; others do it.
import type { Spoiling } from "../overrides.ts";
import type { CallbackEvent } from "./callbacks.ts";

/** The requests that can be told apart. */
export type RestName =
  | "Accounts.fetch"
  | "Accounts.list"
  | "Numbers.list"
  | "Numbers.fetch"
  | "Numbers.update"
  | "Calls.list"
  | "Calls.create"
  | "Calls.fetch"
  | "Calls.update";

export interface RestFault {
  /** Any request by default. */
  readonly on?: RestName;
  /**
   * A status, no answer at all until the client gives up, a connection that is reset, or the true answer, only
   * late; what is asked for is done at once then.
   */
  readonly answer: 401 | 429 | 500 | 503 | "timeout" | "reset" | "late";
  /** How late; 2,000 by default. */
  readonly delayMs?: number;
  /** True: what was asked for is done all the same, a call is placed. */
  readonly placed?: boolean;
  /** Adds Retry-After to a status, in seconds. */
  readonly retryAfterS?: number;
  /** How many requests; 1 by default. */
  readonly times?: number;
}

/** A callback that is about to be sent. */
export interface Callback {
  readonly callSid: string;
  readonly event: CallbackEvent;
  readonly params: Readonly<Record<string, string>>;
}

/**
 * How a callback is delivered: not at all, two seconds late, twice at once, after the next one of its call, or after
 * each of these delays in milliseconds.
 */
export type Delivery = "lost" | "late" | "twice" | "afterNext" | readonly number[];

export interface CallbackFault {
  /** Any by default. */
  readonly event?: CallbackEvent;
  readonly callSid?: string;
  readonly deliver: Delivery | ((callback: Callback) => Delivery);
  /** How many callbacks; 1 by default. */
  readonly times?: number;
}

export interface WebhookFault {
  readonly callSid?: string;
  /** What happens to the attempt; whether there is another one is up to the URL's overrides. */
  readonly lose: Spoiling;
  /** How many attempts; 1 by default. */
  readonly times?: number;
}

interface Armed<Fault> {
  readonly fault: Fault;
  left: number;
}

export class Faults {
  #rest: Armed<RestFault>[] = [];
  #callbacks: Armed<CallbackFault>[] = [];
  #webhooks: Armed<WebhookFault>[] = [];

  /** The next requests go wrong like this. */
  next(fault: RestFault): void {
    this.#rest.push({ fault, left: fault.times ?? 1 });
  }

  /** The next status callbacks are delivered like this. */
  callbacks(fault: CallbackFault): void {
    this.#callbacks.push({ fault, left: fault.times ?? 1 });
  }

  /** The next attempts at webhooks of calls (TwiML, actions, stream status) go wrong like this. */
  webhooks(fault: WebhookFault): void {
    this.#webhooks.push({ fault, left: fault.times ?? 1 });
  }

  /** Nothing goes wrong any more. */
  clear(): void {
    this.#rest = [];
    this.#callbacks = [];
    this.#webhooks = [];
  }

  /** The fault of this request, which is used up by asking; likewise below. */
  takeRest(name: RestName): RestFault | undefined {
    return take(this.#rest, ({ on }) => on === undefined || on === name);
  }

  takeDelivery(callback: Callback): Delivery | undefined {
    const fault = take(
      this.#callbacks,
      ({ event = callback.event, callSid = callback.callSid }) =>
        event === callback.event && callSid === callback.callSid,
    );
    return typeof fault?.deliver === "function" ? fault.deliver(callback) : fault?.deliver;
  }

  takeSpoiling(ofCall: string): Spoiling | undefined {
    return take(this.#webhooks, ({ callSid = ofCall }) => callSid === ofCall)?.lose;
  }
}

function take<Fault>(armed: Armed<Fault>[], fits: (fault: Fault) => boolean): Fault | undefined {
  const found = armed.find(({ fault, left }) => left > 0 && fits(fault));
  if (found === undefined) return undefined;
  found.left--;
  return found.fault;
}
