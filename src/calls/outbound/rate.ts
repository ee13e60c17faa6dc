// How many calls one API key may ask for: a bucket of tokens each, so that a leaked or looping key can't run up a bill.
import type { Clock } from "../../domain/clock.ts";
import { GatewayError } from "../../domain/errors.ts";

/** Buckets kept; past it the one longest unused makes room, and its key begins with a full one. */
const BUCKETS_MAX = 1_000;

export interface Rate {
  /** Calls at once. */
  readonly burst: number;
  /** Calls after that. */
  readonly perS: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

export class KeyRates {
  readonly #rate: Rate;
  readonly #clock: Clock;
  /** The least recently used first. */
  readonly #buckets = new Map<number, Bucket>();

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
  }

  /** Takes a token, or throws TOO_MANY with when there will be one. */
  take(keyId: number): void {
    const { burst, perS } = this.#rate;
    const nowMs = this.#clock.nowMs();
    const before = this.#buckets.get(keyId) ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, before.tokens + ((nowMs - before.atMs) / 1_000) * perS);
    const isThere = tokens >= 1;
    this.#buckets.delete(keyId);
    this.#buckets.set(keyId, { tokens: isThere ? tokens - 1 : tokens, atMs: nowMs });
    if (this.#buckets.size > BUCKETS_MAX) this.#buckets.delete(this.#buckets.keys().next().value!);
    if (isThere) return;
    throw new GatewayError("TOO_MANY", "This API key has asked for too many calls. Try again in a moment.", {
      retryAfterS: Math.ceil((1 - tokens) / perS),
    });
  }
}
