// A look at one account: all its numbers as Twilio has them, in one list, held against what should stand there. Most
// are as they were; those that aren't are settled one by one.
import type { Clock } from "../../domain/clock.ts";
import type { ConfigurationId, NumberId } from "../../domain/ids.ts";
import type { Store } from "../../store/store.ts";
import {
  NUMBERS_MAX,
  type TwilioAccess,
  TwilioFailure,
  type TwilioNumber,
  type TwilioRest,
} from "../../twilio/rest.ts";
import type { Configuration, Directory } from "../directory.ts";
import type { StoredNumber } from "../numbers.store.ts";
import { isWanted } from "./settle.ts";
import type { SyncObserver } from "./sync.ts";
import { planPlacing } from "./syncPlan.ts";
import { mayPass, type NumberSync, next, type Places, type SyncFailure } from "./syncState.ts";
import type { SyncTally } from "./syncTally.ts";
import type { Turns } from "./syncTurns.ts";

export interface AccountCheckParts {
  readonly store: Pick<Store, "numbers" | "configurations">;
  readonly directory: Directory;
  readonly rest: TwilioRest;
  readonly accessOf: (configuration: Configuration) => TwilioAccess;
  readonly clock: Clock;
  readonly observer: SyncObserver;
  readonly turns: Turns;
  readonly tally: SyncTally;
  readonly places: () => Places;
  readonly isReachable: (access: TwilioAccess) => boolean;
  readonly isStopped: () => boolean;
  /** Settles one number in the background, as Twilio listed it unless it was settled since. */
  readonly settle: (id: NumberId, listed: ListedNumber | undefined) => Promise<void>;
}

/** A number as a list had it. */
export interface ListedNumber {
  readonly number: TwilioNumber;
  /** When the list was asked for; since the epoch. */
  readonly atMs: number;
}

/** Rows in memory at a time; more would keep the front thread from its sockets for more than a moment. */
const PAGE = 250;

/** What Twilio has, or that it wouldn't say. */
type Listed =
  | {
      readonly byAddress: ReadonlyMap<string, TwilioNumber>;
      readonly isWhole: boolean;
      readonly atMs: number;
    }
  | { readonly failure: TwilioFailure };

export class AccountCheck {
  readonly #parts: AccountCheckParts;

  constructor(parts: AccountCheckParts) {
    this.#parts = parts;
  }

  /**
   * `isThorough`: also numbers that can't mend by themselves, since something has changed. False: Twilio could not be
   * asked, and it is worth trying soon.
   */
  async run(id: ConfigurationId, isThorough: boolean): Promise<boolean> {
    const { store, directory, accessOf, isStopped, tally } = this.#parts;
    let listed: Listed | undefined;
    for (let afterId = 0; ; ) {
      const configuration = directory.configuration(id);
      if (configuration === undefined || isStopped()) return true;
      const page = await store.numbers.page(id, afterId, PAGE);
      for (const number of page) tally.note(number.id, number.sync);
      const access = accessOf(configuration);
      const concerned = page.filter((number) => isConcerned(number));
      if (!this.#parts.isReachable(access))
        await this.#fail(concerned.filter(isWanted), { reason: "loopback" });
      else if (listed !== undefined || concerned.some((number) => isThorough || isWorthAsking(number))) {
        listed ??= await this.#list(configuration, access);
        if ("failure" in listed) await this.#failed(concerned, listed.failure);
        else await this.#compare(concerned, listed);
      }
      if (page.length < PAGE)
        return !(listed !== undefined && "failure" in listed && mayPass(listed.failure.kind));
      afterId = page.at(-1)!.id;
    }
  }

  async #list(configuration: Configuration, access: TwilioAccess): Promise<Listed> {
    const atMs = Math.round(this.#parts.clock.wallMs());
    try {
      const numbers = await this.#parts.rest.listNumbers(access);
      await this.#noteCredentials(configuration, access, undefined);
      const byAddress = new Map(numbers.map((number) => [number.phoneNumber, number]));
      return { byAddress, isWhole: numbers.length < NUMBERS_MAX, atMs };
    } catch (failure) {
      if (!(failure instanceof TwilioFailure) || this.#parts.isStopped()) throw failure;
      this.#parts.observer.checkFailed(configuration.id, failure);
      await this.#noteCredentials(configuration, access, failure);
      return { failure };
    }
  }

  async #compare(
    concerned: readonly StoredNumber[],
    listed: Extract<Listed, { isWhole: boolean }>,
  ): Promise<void> {
    const { store, turns, clock, observer, settle, places } = this.#parts;
    const asKnown: NumberId[] = [];
    const missing: StoredNumber[] = [];
    const settling: Promise<void>[] = [];
    for (const number of concerned) {
      if (turns.isBusy(number.id)) continue; // somebody is at it
      const found = listed.byAddress.get(number.address);
      if (found === undefined && listed.isWhole && isWanted(number)) missing.push(number);
      else if (found === undefined)
        settling.push(settle(number.id, undefined)); // asks for it by itself
      else if (isAsKnown(number, found, places())) asKnown.push(number.id);
      else settling.push(settle(number.id, { number: found, atMs: listed.atMs }));
    }
    if (asKnown.length > 0) {
      await store.numbers.touchSync(asKnown, Math.round(clock.wallMs()));
      observer.confirmed(asKnown.length);
    }
    await this.#fail(missing, { reason: "not_owned" });
    await Promise.all(settling);
  }

  /** What may pass leaves numbers as they were known, if they were; a closed door is written at each. */
  async #failed(concerned: readonly StoredNumber[], { kind, message }: TwilioFailure): Promise<void> {
    const isUnfinished = ({ sync }: StoredNumber) => sync.state === "none" || sync.state === "pending";
    const meant = mayPass(kind) ? concerned.filter(isUnfinished) : concerned;
    await this.#fail(meant, { reason: kind, words: message });
  }

  async #fail(numbers: readonly StoredNumber[], failure: SyncFailure): Promise<void> {
    const { store, turns, clock, tally, observer } = this.#parts;
    const wallMs = Math.round(clock.wallMs());
    const replacements = numbers
      .filter(({ id, sync }) => !turns.isBusy(id) && !isSame(sync, failure))
      // Thousands are not tried again one by one: the next look does that for all of them.
      .map(({ id, sync: was }) => ({ id, was, becomes: next(was, { type: "failed", failure }, wallMs) }));
    if (replacements.length === 0) return;
    // Numbers that somebody has settled since the page was read stay as they are.
    const replaced = new Set(await store.numbers.replaceSyncs(replacements));
    for (const { id, becomes } of replacements) if (replaced.has(id)) tally.note(id, becomes);
    for (const { id: numberId, configurationId, address } of numbers) {
      if (!replaced.has(numberId)) continue;
      observer.settled({ numberId, configurationId, lastDigits: address.slice(-4), result: failure.reason });
    }
  }

  /** What a list says of the credentials, if they were not known to be so. */
  async #noteCredentials(
    configuration: Configuration,
    { username }: TwilioAccess,
    failure: TwilioFailure | undefined,
  ): Promise<void> {
    const { store, clock } = this.#parts;
    const state = failure === undefined ? "valid" : CLOSED_DOORS[failure.kind];
    const { id, accountSid } = configuration;
    if (state === undefined || username !== accountSid) return; // an API key's list says nothing of the token
    const stored = await store.configurations.get(id);
    if (stored === undefined || stored.check.state === state) return;
    // A list says nothing of an account's state where it is given all the same.
    if (state === "valid" && stored.check.state === "suspended") return;
    const atMs = Math.round(clock.wallMs());
    await store.configurations.setCheck(configuration, {
      state,
      message: failure?.message,
      atMs,
      accountType: undefined,
    });
  }
}

const CLOSED_DOORS: Readonly<Record<string, "rejected" | "suspended" | undefined>> = {
  credentials: "rejected",
  suspended: "suspended",
};

/** Something of ours should stand, or stands, or was tried. */
function isConcerned(number: StoredNumber): boolean {
  return isWanted(number) || number.sync.ours !== undefined || number.sync.state !== "none";
}

/** Not those that only a user can mend. */
function isWorthAsking({ sync }: StoredNumber): boolean {
  if (sync.state !== "failed") return true;
  const { reason } = sync.failure;
  return mayPass(reason) || reason === "overridden" || reason === "loopback";
}

function isSame(sync: NumberSync, { reason, words }: SyncFailure): boolean {
  return sync.state === "failed" && sync.failure.reason === reason && sync.failure.words === words;
}

/** Whether Twilio has the number as we know it to, so that nothing has to be done or written. */
function isAsKnown(number: StoredNumber, found: TwilioNumber, places: Places): boolean {
  const { sync } = number;
  if (!isWanted(number)) return false;
  const plan = planPlacing(found, sync, places, "keep");
  if (sync.state === "in_sync") return plan.do === "nothing" && sync.ours?.length === 1;
  return sync.state === "drifted" && plan.do === "leave" && plan.found === sync.found;
}
