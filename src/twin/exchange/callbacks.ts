// Status callbacks of one call placed by REST: which events are wanted, in which order, and how each is delivered.
import type { Stop, Ticker } from "../clock.ts";
import { rfc2822 } from "../params.ts";
import type { Requests } from "../switchboard.ts";
import type { HttpMethod } from "../twiml.ts";
import { WebhookError } from "../webhook.ts";
import { after } from "./agenda.ts";
import type { Delivery, Faults } from "./faults.ts";

export const CALLBACK_EVENTS = ["initiated", "ringing", "answered", "completed"] as const;
export type CallbackEvent = (typeof CALLBACK_EVENTS)[number];

const LATE_MS = 2_000;

export interface CallbackTarget {
  readonly url: string;
  readonly method: HttpMethod;
  readonly events: ReadonlySet<CallbackEvent>;
}

/** What is needed of the call. */
export interface CallbackSource {
  readonly callSid: string;
  readonly ticker: Ticker;
  readonly faults: Faults;
  readonly requests: Requests;
  /** A callback that was not accepted. */
  readonly onRefused: (what: string) => void;
}

export class StatusCallbacks {
  #target: CallbackTarget | undefined;
  readonly #source: CallbackSource;
  readonly #waiting = new Set<Stop>();
  #sequence = 0;
  /** Deliveries without a fault go one after the other. */
  #inOrder: Promise<void> = Promise.resolve();
  #heldBack: (() => void)[] = [];
  #isClosed = false;

  constructor(target: CallbackTarget | undefined, source: CallbackSource) {
    this.#target = target;
    this.#source = source;
  }

  /** From now on to another address, or to none. */
  retarget(target: CallbackTarget | undefined): void {
    this.#target = target;
  }

  /** An event has happened; it is called back if it is wanted. */
  send(event: CallbackEvent, facts: Readonly<Record<string, string>>): void {
    const target = this.#target;
    if (target === undefined || !target.events.has(event)) return;
    const { callSid, ticker, faults } = this.#source;
    const params = {
      ...facts,
      Timestamp: rfc2822(ticker.clock.wallMs()),
      CallbackSource: "call-progress-events",
      SequenceNumber: String(this.#sequence++),
    };
    const post = () => this.#post(target, event, params);
    const heldBack = this.#heldBack;
    this.#heldBack = [];
    const delivery = faults.takeDelivery({ callSid, event, params });
    if (delivery === undefined) this.#inOrder = this.#inOrder.then(post);
    else this.#deliver(delivery, post);
    if (heldBack.length > 0) void this.#inOrder.then(() => heldBack.map((held) => held()));
  }

  /** Resolves when all that was sent so far has been answered; what is late is not waited for. */
  async settled(): Promise<void> {
    await this.#inOrder;
    await this.#source.requests.settled();
  }

  /** What is still late will never come. */
  close(): void {
    this.#isClosed = true;
    for (const stop of this.#waiting) stop();
    this.#waiting.clear();
  }

  #deliver(delivery: Delivery, post: () => Promise<void>): void {
    if (delivery === "afterNext") {
      this.#heldBack.push(() => void post());
      return;
    }
    for (const delayMs of delaysOf(delivery)) {
      if (delayMs <= 0) void post();
      else {
        const stop = after(this.#source.ticker, delayMs, () => {
          this.#waiting.delete(stop);
          void post();
        });
        this.#waiting.add(stop);
      }
    }
  }

  async #post(target: CallbackTarget, event: string, params: Record<string, string>): Promise<void> {
    if (this.#isClosed) return;
    try {
      const { status } = await this.#source.requests.send(target.url, target.method, params);
      if (status < 200 || status > 299) this.#source.onRefused(`${event}: ${status}`);
    } catch (error) {
      if (!(error instanceof WebhookError)) throw error;
      this.#source.onRefused(`${event}: ${error.message}`);
    }
  }
}

function delaysOf(delivery: Exclude<Delivery, "afterNext">): readonly number[] {
  switch (delivery) {
    case "lost":
      return [];
    case "late":
      return [LATE_MS];
    case "twice":
      return [0, 0];
    default:
      return delivery;
  }
}
