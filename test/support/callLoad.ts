// Calls that come to a gateway and calls that it is asked for, as fast as they are answered, until it is gone.
import { setTimeout as delay } from "node:timers/promises";
import type { Exchange } from "../../src/twin/exchange/exchange.ts";
import type { Person } from "../../src/twin/exchange/people.ts";
import { INBOUND, ringing, send } from "../integration/calls/requests.ts";
import { API_KEY, ECHO_NUMBER } from "./gateway.ts";

const CALLERS = 4;

/** What a gateway has told anyone, over all its lives. */
export class Promises {
  /** Runs, with the number that was to be called where that is known. */
  readonly runs = new Map<number, string | undefined>();
  /** How many numbers were asked for, each by requests with a key of its own. */
  destinations = 0;
  /** Requests that were cut short: whoever sent them asks again, with the same key. */
  readonly unanswered: CallAsked[] = [];
  askedAgain = 0;
  inboundAnswered = 0;
  outboundAnswered = 0;
}

interface CallAsked {
  readonly to: string;
  readonly configurationId: number;
}

export interface LoadParts {
  readonly origin: string;
  readonly exchange: Exchange;
  readonly workflowId: number;
  /** Each account dials once a second at most, so several dial together. */
  readonly configurationIds: readonly number[];
  readonly promises: Promises;
  readonly random: () => number;
}

export class CallLoad {
  /** Resolves once a call was placed. */
  readonly firstPlaced: Promise<void>;
  readonly #parts: LoadParts;
  readonly #onPlaced: () => void;
  readonly #under: Promise<unknown>;
  #isOver = false;

  /** Begins at once. */
  constructor(parts: LoadParts) {
    this.#parts = parts;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.firstPlaced = promise;
    this.#onPlaced = resolve;
    this.#under = Promise.all([
      ...Array.from({ length: CALLERS }, () => this.#again(() => this.#ring())),
      ...parts.configurationIds.map((id) => this.#again(() => this.#dial(id))),
      this.#again(() => this.#list()),
    ]);
    this.#under.catch(() => {}); // told by whoever waits for its end
  }

  /** From here on requests may be cut short. */
  end(): void {
    this.#isOver = true;
  }

  /** Resolves once nothing is under way; rejects when a request failed before `end`. */
  ended(): Promise<unknown> {
    return this.#under;
  }

  async #again(act: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      await act().catch((error: unknown) => {
        if (!this.#isOver) throw error;
      });
    }
  }

  /** Half of the callers hang up again. */
  async #ring(): Promise<void> {
    const { origin, promises, random } = this.#parts;
    const params = ringing(ECHO_NUMBER);
    const { status } = await send({ origin, path: INBOUND, params });
    if (status === 200) promises.inboundAnswered++;
    if (random() < 0.5) await send({ origin, path: INBOUND, params: { ...params, CallStatus: "completed" } });
    await delay(20 * random());
  }

  async #dial(configurationId: number): Promise<void> {
    const { promises, random } = this.#parts;
    const before = promises.unanswered.shift();
    if (before !== undefined) promises.askedAgain++;
    const asked = before ?? this.#newcomer(configurationId);
    let status = 0;
    try {
      status = await this.#initiate(asked);
    } finally {
      if (status === 0) promises.unanswered.push(asked);
    }
    await delay(status === 200 ? 50 * random() : 200);
  }

  #newcomer(configurationId: number): CallAsked {
    const { exchange, promises, random } = this.#parts;
    const to = `+1415${6_000_000 + promises.destinations}`;
    promises.destinations++;
    exchange.people.set(to, personFor(random()));
    return { to, configurationId };
  }

  /** The answer's status. */
  async #initiate({ to, configurationId }: CallAsked): Promise<number> {
    const { workflowId, promises } = this.#parts;
    const order = { workflow_id: workflowId, phone_number: to, telephony_configuration_id: configurationId };
    const path = "/api/v1/telephony/initiate-call";
    const { status, body } = await this.#api(path, order, { "Idempotency-Key": to });
    if (status !== 200) return status;
    promises.runs.set(body.workflow_run_id as number, to);
    promises.outboundAnswered++;
    this.#onPlaced();
    return status;
  }

  async #list(): Promise<void> {
    const { workflowId, promises } = this.#parts;
    const { status, body } = await this.#api(`/api/v1/workflow/${workflowId}/runs?limit=100`);
    if (status !== 200) return;
    for (const { id } of body.runs as { readonly id: number }[])
      if (!promises.runs.has(id)) promises.runs.set(id, undefined);
    await delay(30);
  }

  async #api(
    path: string,
    body?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(this.#parts.origin + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { "X-API-Key": API_KEY, "Content-Type": "application/json", ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }
}

function personFor(chance: number): Person {
  if (chance < 0.25) return { does: "answers", says: "", afterMs: 50, hangUpAfterMs: 300 };
  return chance < 0.5 ? { does: "nobody" } : { does: "busy", afterMs: 50 };
}
