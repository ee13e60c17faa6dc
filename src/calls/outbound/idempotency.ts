// The same request with the same key is one call, however often and whenever it is asked: while the first is under
// way, after it, and after a restart.
import { createHash } from "node:crypto";
import type { Clock } from "../../domain/clock.ts";
import { GatewayError } from "../../domain/errors.ts";
import type { ApiKeyId, RunId } from "../../domain/ids.ts";
import type { ClaimedRequest } from "./idempotency.store.ts";

/** A key is remembered this long. */
const KEPT_MS = 24 * 3_600_000;
const PURGE_MS = 3_600_000;
const KEY_CHARS_MAX = 255;
/** Of the environment's key, which has no number. */
const NO_KEY_ID = 0;

/** What is needed of the store: the operations of idempotency.store.ts, a thread away. */
export interface RequestKeeper {
  find(keyId: number, idempotencyKey: string): Promise<ClaimedRequest | undefined>;
  claim(keyId: number, idempotencyKey: string, claimed: ClaimedRequest, atMs: number): Promise<void>;
  release(keyId: number, idempotencyKey: string): Promise<void>;
  purge(beforeMs: number): Promise<void>;
}

export interface AskedOnce {
  /** Whose key. */
  readonly keyId: ApiKeyId | undefined;
  /** The header; undefined: each request is one of its own. */
  readonly idempotencyKey: string | undefined;
  /** Everything that makes it the same request. */
  readonly request: unknown;
}

/** Ties the key to a run; resolved once that is on disk. The run's record has to be there before. */
export type Claim = (run: RunId) => Promise<void>;

interface UnderWay {
  readonly requestHash: string;
  readonly answer: Promise<unknown>;
}

export class Idempotency {
  readonly #keeper: RequestKeeper;
  readonly #clock: Clock;
  readonly #underWay = new Map<string, UnderWay>();
  #purgedMs = Number.NEGATIVE_INFINITY;

  constructor(keeper: RequestKeeper, clock: Clock) {
    this.#keeper = keeper;
    this.#clock = clock;
  }

  /**
   * The answer of `begin`, or of `again` for a run that was begun before. Where nothing came of the first try the next
   * one is a first one: `again` gives undefined, or `begin` has failed with an error for which `isVoid` holds.
   */
  async once<Answer>(
    asked: AskedOnce,
    begin: (claim: Claim) => Promise<Answer>,
    again: (run: RunId) => Promise<Answer | undefined>,
    isVoid: (error: unknown) => boolean,
  ): Promise<Answer> {
    const { idempotencyKey } = asked;
    if (idempotencyKey === undefined) return begin(async () => {});
    checkKey(idempotencyKey);
    const keyId = asked.keyId ?? NO_KEY_ID;
    const name = `${keyId} ${idempotencyKey}`;
    const requestHash = hashOf(asked.request);
    const underWay = this.#underWay.get(name);
    if (underWay !== undefined) {
      checkSame(underWay.requestHash, requestHash);
      return (await underWay.answer) as Answer;
    }
    this.#purge();
    const ask = async (): Promise<Answer> => {
      const known = await this.#keeper.find(keyId, idempotencyKey);
      if (known !== undefined) {
        checkSame(known.requestHash, requestHash);
        const answer = await again(known.run);
        if (answer !== undefined) return answer;
      }
      try {
        return await begin((run) =>
          this.#keeper.claim(keyId, idempotencyKey, { requestHash, run }, this.#clock.wallMs()),
        );
      } catch (error) {
        // Not waited for, since the store may be what is slow: it does things in the order they were asked for.
        if (isVoid(error)) this.#keeper.release(keyId, idempotencyKey).catch(() => {});
        throw error;
      }
    };
    const answer = ask().finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, { requestHash, answer });
    return answer;
  }

  /** Now and then, as keys come: a timer of its own would be one more thing that keeps a gateway awake. */
  #purge(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#purgedMs < PURGE_MS) return;
    this.#purgedMs = nowMs;
    this.#keeper.purge(this.#clock.wallMs() - KEPT_MS).catch(() => {}); // next hour again
  }
}

function checkKey(idempotencyKey: string): void {
  if (/^[\x21-\x7e][\x20-\x7e]*$/.test(idempotencyKey) && idempotencyKey.length <= KEY_CHARS_MAX) return;
  throw new GatewayError(
    "REQUEST_MALFORMED",
    `Idempotency-Key is 1 to ${KEY_CHARS_MAX} printable ASCII characters, such as a UUID.`,
  );
}

function checkSame(known: string, asked: string): void {
  if (known === asked) return;
  throw new GatewayError(
    "CONFLICT",
    "This Idempotency-Key was used for another request. Use a new key for each call you mean to place.",
  );
}

function hashOf(request: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(request)))
    .digest("base64url");
}

/** The same value in one spelling, whatever order its fields came in. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return entries
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, field]) => [name, sorted(field)]);
}
