// Who may use the API. Every key's hash is in memory, so that a request never waits for the database; the key itself
// is nowhere once its maker has seen it. Knows no route.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "../domain/clock.ts";
import { GatewayError } from "../domain/errors.ts";
import type { ApiKeyId } from "../domain/ids.ts";
import type { HttpRequest } from "../http/http.ts";
import type { Access, Authenticate, Caller } from "../http/operation.ts";
import type { Store } from "../store/store.ts";
import type { StoredApiKey } from "./apiKeys.store.ts";

/** What a key of ours begins with, so that people and scanners for leaked secrets know one when they see it. */
const KEY_PREFIX = "linecard_";
/** 192 bits: nobody guesses one, and its plain hash is as good as a slow one. */
const KEY_BYTES = 24;
/** Of the key's random characters, kept to tell keys apart; 156 bits stay unknown. */
const SHOWN_CHARACTERS = 6;
/** Keys that may count at a time: each request is held against all of them, in a fraction of a millisecond. */
export const KEYS_MAX = 1_000;
const USED_EVERY_MS = 60_000;

/** What opens the metrics beside an API key. */
export interface MetricsDoor {
  readonly token?: string | undefined;
  /** Nobody but this machine can reach us: nothing is asked for. */
  readonly isOpen: boolean;
}

/** A key in the only moment in which it is known. */
export interface NewApiKey {
  readonly stored: StoredApiKey;
  readonly key: string;
}

interface Entry {
  stored: StoredApiKey;
  /** Milliseconds since the epoch; ahead of what is stored by up to a minute. */
  lastUsedAtMs: number | undefined;
  /** On the monotonic clock. */
  writtenMs: number;
}

export class ApiKeys {
  readonly #store: Store["apiKeys"];
  readonly #clock: Clock;
  readonly #environment: Uint8Array | undefined;
  readonly #metrics: { readonly token: Uint8Array | undefined; readonly isOpen: boolean };
  readonly #entries = new Map<ApiKeyId, Entry>();

  private constructor(
    store: Store["apiKeys"],
    clock: Clock,
    environmentKey: string | undefined,
    metrics: MetricsDoor,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#environment = environmentKey === undefined ? undefined : hashOf(environmentKey);
    this.#metrics = {
      token: metrics.token === undefined ? undefined : hashOf(metrics.token),
      isOpen: metrics.isOpen,
    };
  }

  /** `environmentKey` counts as long as it is given, and is never stored. */
  static async load(
    store: Pick<Store, "apiKeys">,
    clock: Clock,
    environmentKey?: string,
    metrics: MetricsDoor = { isOpen: false },
  ): Promise<ApiKeys> {
    const keys = new ApiKeys(store.apiKeys, clock, environmentKey, metrics);
    for (const stored of await store.apiKeys.all()) keys.#put(stored);
    return keys;
  }

  /** Who asks; a key that was archived before this moment tells nobody. Never waits. */
  readonly authenticate: Authenticate = (request, access) => {
    if (access === "metrics" && this.#metrics.isOpen) return { keyId: undefined };
    const shown = shownBy(request, access);
    return shown === "" ? undefined : this.#callerWith(hashOf(shown), access);
  };

  /** In the order they were made, archived ones too, with when each was last used. */
  list(): readonly StoredApiKey[] {
    return [...this.#entries.values()].map(({ stored, lastUsedAtMs }) => ({ ...stored, lastUsedAtMs }));
  }

  /** Makes a key that counts at once. Throws GatewayError NOT_POSSIBLE when there are too many. */
  async create(name: string): Promise<NewApiKey> {
    this.#refuseTooMany();
    const key = KEY_PREFIX + randomBytes(KEY_BYTES).toString("base64url");
    const prefix = key.slice(0, KEY_PREFIX.length + SHOWN_CHARACTERS);
    const stored = await this.#store.add(name, prefix, hashOf(key), Math.round(this.#clock.wallMs()));
    this.#put(stored);
    return { stored, key };
  }

  /** The first key of an installation that has none stored and none in its environment; else undefined. */
  async makeFirst(): Promise<NewApiKey | undefined> {
    if (this.#entries.size > 0 || this.#environment !== undefined) return undefined;
    return this.create("First key");
  }

  /** It counts no more from here on, for requests that are on their way too. Undefined when there is no such key. */
  async archive(id: ApiKeyId): Promise<StoredApiKey | undefined> {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.stored.archivedAtMs !== undefined) return this.#listed(id);
    return this.#stored(await this.#store.archive(id, Math.round(this.#clock.wallMs())));
  }

  /** An archived key counts again. Undefined when there is no such key. */
  async reactivate(id: ApiKeyId): Promise<StoredApiKey | undefined> {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.stored.archivedAtMs === undefined) return this.#listed(id);
    this.#refuseTooMany();
    return this.#stored(await this.#store.archive(id, undefined));
  }

  #callerWith(hash: Uint8Array, access: Access): Caller | undefined {
    // All are compared, so that the time tells nothing of which it was.
    let caller: Caller | undefined;
    for (const { stored } of this.#entries.values()) {
      const isSame = timingSafeEqual(stored.hash, hash);
      if (isSame && stored.archivedAtMs === undefined) caller = { keyId: stored.id };
    }
    if (caller?.keyId !== undefined) this.#used(caller.keyId);
    const { token } = this.#metrics;
    if (this.#environment !== undefined && timingSafeEqual(this.#environment, hash)) {
      caller = { keyId: undefined };
    }
    if (access === "metrics" && token !== undefined && timingSafeEqual(token, hash)) {
      caller = { keyId: undefined };
    }
    return caller;
  }

  /** Written behind and seldom; when it can't be written the key works all the same. */
  #used(id: ApiKeyId): void {
    const entry = this.#entries.get(id)!;
    entry.lastUsedAtMs = Math.round(this.#clock.wallMs());
    if (this.#clock.nowMs() - entry.writtenMs < USED_EVERY_MS) return;
    entry.writtenMs = this.#clock.nowMs();
    this.#store.used(id, entry.lastUsedAtMs).catch(() => {});
  }

  #refuseTooMany(): void {
    const counting = [...this.#entries.values()].filter(({ stored }) => stored.archivedAtMs === undefined);
    if (counting.length < KEYS_MAX) return;
    const words = `There are ${KEYS_MAX} API keys in use, which is the limit: archive one first.`;
    throw new GatewayError("NOT_POSSIBLE", words);
  }

  #stored(stored: StoredApiKey | undefined): StoredApiKey | undefined {
    if (stored === undefined) return undefined;
    this.#put(stored);
    return this.#listed(stored.id);
  }

  #listed(id: ApiKeyId): StoredApiKey | undefined {
    const entry = this.#entries.get(id);
    return entry && { ...entry.stored, lastUsedAtMs: entry.lastUsedAtMs };
  }

  #put(stored: StoredApiKey): void {
    const known = this.#entries.get(stored.id);
    this.#entries.set(stored.id, {
      stored,
      lastUsedAtMs: known?.lastUsedAtMs ?? stored.lastUsedAtMs,
      writtenMs: known?.writtenMs ?? Number.NEGATIVE_INFINITY,
    });
  }
}

/** The key a request shows, or empty. `X-API-Key` goes before a bearer token. */
function shownBy({ headers }: HttpRequest, access: Access): string {
  const bearer = /^bearer +(.+)$/i.exec(headers.get("authorization") ?? "");
  const shown = headers.get("x-api-key") || bearer?.[1]; // an empty one was not shown
  // The header in which scrapers that are set up for the contract's health routes send their secret.
  const secret = access === "metrics" ? headers.get("x-dograh-devops-secret") : undefined;
  return shown ?? secret ?? "";
}

function hashOf(key: string): Uint8Array {
  return createHash("sha256").update(key).digest();
}
