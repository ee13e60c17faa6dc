// Keeps the numbers' settings at Twilio in step with what is configured here: at once when a user saves, again when
// it failed for what may pass, and by a look at every account now and then. What to do with a number is settle.ts's
// and syncPlan.ts's business.
import type { Clock, Stop } from "../../domain/clock.ts";
import type { ConfigurationId, NumberId } from "../../domain/ids.ts";
import type { Store } from "../../store/store.ts";
import { type TwilioAccess, TwilioFailure, type TwilioRest } from "../../twilio/rest.ts";
import { isLoopbackUrl } from "../access.ts";
import type { Configuration, Directory } from "../directory.ts";
import type { StoredNumber } from "../numbers.store.ts";
import { within } from "../within.ts";
import { AccountCheck, type ListedNumber } from "./accountCheck.ts";
import { settle } from "./settle.ts";
import { placesAt } from "./syncPlan.ts";
import { SyncRelease } from "./syncRelease.ts";
import {
  type May,
  type NumberSync,
  next,
  type Places,
  SYNC_REASONS,
  SYNC_STATES,
  type SyncEvent,
  type SyncReason,
  spreadOf,
} from "./syncState.ts";
import { type SyncCounts, SyncTally } from "./syncTally.ts";
import { Turns } from "./syncTurns.ts";

/** How a number came out of being looked at: its state, or why it failed. */
export type SyncResult = Exclude<NumberSync["state"], "failed"> | SyncReason;

/** All of them, for the metric's label. */
export const SYNC_RESULTS: readonly SyncResult[] = [
  ...SYNC_STATES.filter((state) => state !== "failed"),
  ...SYNC_REASONS,
];

export interface SettledNumber {
  readonly numberId: NumberId;
  readonly configurationId: ConfigurationId;
  /** Of the number, for the log. */
  readonly lastDigits: string;
  readonly result: SyncResult;
}

/** What metrics and log are told. */
export interface SyncObserver {
  /** Once for each number that was settled; numbers that are found as they were known are only counted below. */
  settled(number: SettledNumber): void;
  /** So many numbers of an account were found in step, without a change. */
  confirmed(numbers: number): void;
  /** A look at an account could not be taken; it is tried again at the next. */
  checkFailed(configurationId: ConfigurationId, failure: TwilioFailure): void;
  /** A fault of ours, or a store that can't be used. */
  fault(error: unknown): void;
}

export interface SyncParts {
  readonly store: Pick<Store, "numbers" | "configurations">;
  readonly directory: Directory;
  readonly rest: TwilioRest;
  readonly accessOf: (configuration: Configuration) => TwilioAccess;
  readonly clock: Clock;
  readonly observer: SyncObserver;
  /** Without a slash at its end. */
  readonly publicBase: () => string;
  readonly voiceFallbackUrl: string | undefined;
}

/** So long a user waits for Twilio; what takes longer goes on by itself. */
const ANSWER_MS = 5_000;
const TICK_MS = 1_000;
const CHECK_EVERY_MS = 15 * 60_000;
/** After a look at which Twilio could not be asked. */
const CHECK_AGAIN_MS = 60_000;

export class VoiceUrlSync {
  readonly #parts: SyncParts;
  readonly #turns = new Turns();
  readonly #tally: SyncTally;
  readonly #check: AccountCheck;
  readonly #release: SyncRelease;
  readonly #nextCheckMs = new Map<ConfigurationId, number>();
  /** Accounts whose check has not begun, and whether it will be a thorough one. */
  readonly #queued = new Map<ConfigurationId, boolean>();
  /** Checks, one account after the other. */
  #checks: Promise<void> = Promise.resolve();
  #stopTicking: Stop | undefined;
  #isStopped = false;

  constructor(parts: SyncParts) {
    this.#parts = parts;
    this.#tally = new SyncTally(parts.clock);
    const shared = {
      ...parts,
      turns: this.#turns,
      tally: this.#tally,
      isStopped: () => this.#isStopped,
      places: () => this.places(),
      isReachable: (access: TwilioAccess) => this.#isReachable(access),
    };
    this.#check = new AccountCheck({
      ...shared,
      settle: (id, listed) => this.#turns.takeInBackground(id, () => this.#settle(id, { listed })),
    });
    this.#release = new SyncRelease(shared);
  }

  /** Looks at every account, and goes on looking. */
  start(): void {
    this.#stopTicking = this.#parts.clock.every(TICK_MS, () => this.#tick());
    for (const { id } of this.#parts.directory.configurations()) this.recheck(id);
  }

  /** Nothing more is begun. What is under way ends with the requests' connections. */
  stop(): void {
    this.#isStopped = true;
    this.#stopTicking?.();
  }

  /** What numbers should have at Twilio. */
  places(): Places {
    return placesAt(this.#parts.publicBase(), this.#parts.voiceFallbackUrl);
  }

  /** Numbers by how they stand, as far as they have been looked at since the start. */
  counts(): SyncCounts {
    return this.#tally.counts();
  }

  /**
   * A user's order about a number that was just saved. The number as it is stored once Twilio has answered, or after
   * five seconds as it is by then; undefined when it was deleted meanwhile.
   */
  async order(id: NumberId, may: May): Promise<StoredNumber | undefined> {
    const { clock, store } = this.#parts;
    await within(
      clock,
      ANSWER_MS,
      this.#turns.take(id, () => this.#settle(id, { may })),
    );
    return store.numbers.get(id);
  }

  /** Looks at an account in the background: its credentials or numbers have changed. */
  recheck(id: ConfigurationId): void {
    this.#plan(id, CHECK_EVERY_MS);
    this.#queueCheck(id, true);
  }

  /**
   * Puts back what stood at Twilio before us, then has the number deleted by `remove`. Undefined when nothing of
   * ours stays there; else why it may.
   */
  async release(number: StoredNumber, remove: () => Promise<unknown>): Promise<string | undefined> {
    const why = await this.#release.number(number, remove);
    this.#tally.forget(number.id);
    return why;
  }

  /** The same for a configuration and all its numbers: those that may still have ours, and why. */
  async releaseAll(configuration: Configuration, remove: () => Promise<unknown>): Promise<Left> {
    const { directory, accessOf } = this.#parts;
    const ids = [...directory.numbersOf(configuration.id)].map(({ id }) => id);
    const left = await this.#release.configuration(configuration, accessOf(configuration), remove);
    for (const id of ids) this.#tally.forget(id);
    this.#nextCheckMs.delete(configuration.id);
    return left;
  }

  /**
   * A configuration has another account now: what its numbers had at the old one is put back, and they are looked for
   * at the new one. Those that may still have ours at the old one, and why.
   */
  async moved(configuration: Configuration, from: TwilioAccess): Promise<Left> {
    const { store } = this.#parts;
    const forget = () => store.numbers.resetSyncs(configuration.id);
    const left = await this.#release.configuration(configuration, from, forget);
    this.recheck(configuration.id);
    return left;
  }

  #tick(): void {
    for (const id of this.#tally.takeDue()) {
      this.#watched(this.#turns.takeInBackground(id, () => this.#settle(id, {})));
    }
    const nowMs = this.#parts.clock.nowMs();
    for (const { id } of this.#parts.directory.configurations()) {
      const dueMs = this.#nextCheckMs.get(id) ?? this.#plan(id, CHECK_EVERY_MS * spreadOf(id));
      if (nowMs < dueMs) continue;
      this.#plan(id, CHECK_EVERY_MS);
      this.#queueCheck(id, false);
    }
  }

  #plan(id: ConfigurationId, inMs: number): number {
    const dueMs = this.#parts.clock.nowMs() + inMs;
    this.#nextCheckMs.set(id, dueMs);
    return dueMs;
  }

  #queueCheck(id: ConfigurationId, isThorough: boolean): void {
    const queued = this.#queued.get(id);
    this.#queued.set(id, isThorough || queued === true);
    if (queued !== undefined) return;
    const run = async () => {
      const isAsThorough = this.#queued.get(id) === true;
      this.#queued.delete(id); // what changes from now on is for the next one
      const wasLooked = await this.#check.run(id, isAsThorough);
      if (!wasLooked) this.#plan(id, CHECK_AGAIN_MS);
    };
    this.#checks = this.#watched(this.#checks.then(run));
  }

  async #watched(act: Promise<unknown>): Promise<void> {
    try {
      await act;
    } catch (error) {
      if (!this.#isStopped) this.#parts.observer.fault(error);
    }
  }

  /** In the number's turn. */
  async #settle(
    id: NumberId,
    order: { readonly may?: May; readonly listed?: ListedNumber | undefined },
  ): Promise<void> {
    const { store, directory, rest, accessOf, clock } = this.#parts;
    const number = await store.numbers.get(id);
    const configuration = number && directory.configuration(number.configurationId);
    if (number === undefined || configuration === undefined) return this.#tally.forget(id);
    if (this.#isStopped || this.#release.isLeaving(number)) return;
    let sync = number.sync;
    const { listed } = order;
    if (listed !== undefined && "checkedAtMs" in sync && (sync.checkedAtMs ?? 0) >= listed.atMs) return;
    const record = async (event: SyncEvent) => {
      sync = next(sync, event, Math.round(clock.wallMs()));
      if (await store.numbers.setSync(id, sync)) this.#tally.note(id, sync);
    };
    if (order.may !== undefined) await record({ type: "ordered", may: order.may });
    const access = accessOf(configuration);
    try {
      await settle({
        number,
        sync,
        places: this.places(),
        isReachable: this.#isReachable(access),
        access,
        rest,
        found: listed?.number,
        record: (event) => record(event.type === "failed" ? { ...event, spread: spreadOf(id) } : event),
      });
    } catch (error) {
      if (!(error instanceof TwilioFailure) || this.#isStopped) throw error;
      await record({
        type: "failed",
        failure: { reason: error.kind, words: error.message },
        spread: spreadOf(id),
      });
    }
    this.#tell(number, sync);
  }

  #tell({ id: numberId, configurationId, address }: StoredNumber, sync: NumberSync): void {
    const result = sync.state === "failed" ? sync.failure.reason : sync.state;
    this.#parts.observer.settled({ numberId, configurationId, lastDigits: address.slice(-4), result });
  }

  /** The real Twilio can't ask anything of an address that means this machine; an offline one can. */
  #isReachable({ apiBaseUrl }: TwilioAccess): boolean {
    const isOffline = apiBaseUrl !== undefined && isLoopbackUrl(apiBaseUrl);
    return isOffline || !isLoopbackUrl(this.#parts.publicBase());
  }
}

/** Numbers at Twilio that may still have what we put there. */
export interface Left {
  /** Whole numbers. */
  readonly addresses: readonly string[];
  readonly why: string | undefined;
}
