// Leaving Twilio as it was before us, when a number or a configuration goes: as far as Twilio lets us within a few
// seconds. It never stands in the way of a deletion; what stays is said.
import type { Clock } from "../../domain/clock.ts";
import type { ConfigurationId, NumberId } from "../../domain/ids.ts";
import type { Store } from "../../store/store.ts";
import { type TwilioAccess, TwilioFailure, type TwilioRest } from "../../twilio/rest.ts";
import type { Configuration, Directory } from "../directory.ts";
import type { StoredNumber } from "../numbers.store.ts";
import { within } from "../within.ts";
import { putBack } from "./settle.ts";
import type { Left } from "./sync.ts";
import { mayPass, NOTHING, type NumberSync, next, type Places } from "./syncState.ts";
import type { SyncTally } from "./syncTally.ts";
import type { Turns } from "./syncTurns.ts";

export interface SyncReleaseParts {
  readonly store: Pick<Store, "numbers">;
  readonly directory: Directory;
  readonly rest: TwilioRest;
  readonly accessOf: (configuration: Configuration) => TwilioAccess;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly tally: SyncTally;
  readonly places: () => Places;
}

/** For a number, and for all of a configuration. */
const RELEASE_MS = 5_000;
const PAGE = 250;
/** Numbers of a configuration that are put back at the same time. */
const AT_ONCE = 8;
const LATE = "Twilio had not answered within a few seconds.";

export class SyncRelease {
  readonly #parts: SyncReleaseParts;
  readonly #leaving = new Set<ConfigurationId>();
  readonly #leavingNumbers = new Set<NumberId>();

  constructor(parts: SyncReleaseParts) {
    this.#parts = parts;
  }

  /** Whether a number is about to go, so that nothing is put there any more. */
  isLeaving({ id, configurationId }: StoredNumber): boolean {
    return this.#leavingNumbers.has(id) || this.#leaving.has(configurationId);
  }

  /** Undefined when nothing of ours stays at Twilio; else why it may. `then` follows in any case. */
  async number(number: StoredNumber, then: () => Promise<unknown>): Promise<string | undefined> {
    this.#leavingNumbers.add(number.id);
    try {
      const why = await this.#releaseInTime(number);
      await then();
      return why;
    } finally {
      this.#leavingNumbers.delete(number.id);
    }
  }

  /** The same for all of a configuration. `access` may be to an account that it no longer has. */
  async configuration(
    { id }: Configuration,
    access: TwilioAccess,
    then: () => Promise<unknown>,
  ): Promise<Left> {
    this.#leaving.add(id);
    try {
      const left = await this.#releaseAll(id, access);
      await then();
      return left;
    } finally {
      this.#leaving.delete(id);
    }
  }

  async #releaseInTime(number: StoredNumber): Promise<string | undefined> {
    const { clock, directory, accessOf } = this.#parts;
    const configuration = directory.configuration(number.configurationId);
    if (configuration === undefined) return undefined;
    const outcome = await within(clock, RELEASE_MS, this.#release(number, accessOf(configuration)));
    return outcome === "late" ? LATE : outcome?.message;
  }

  async #releaseAll(id: ConfigurationId, access: TwilioAccess): Promise<Left> {
    const { store, clock } = this.#parts;
    const untilMs = clock.nowMs() + RELEASE_MS;
    const left: string[] = [];
    let why: string | undefined;
    let isHopeless = false;
    const release = async (number: StoredNumber) => {
      const leftMs = untilMs - clock.nowMs();
      if (isHopeless || leftMs <= 0) return void left.push(number.address);
      const outcome = await within(clock, leftMs, this.#release(number, access));
      if (outcome === undefined) return;
      left.push(number.address);
      why ??= outcome === "late" ? LATE : outcome.message;
      // Twilio, or the way to it, refuses whatever is asked.
      isHopeless ||= outcome === "late" || outcome.isHopeless;
    };
    for (let afterId = 0; ; ) {
      const page = await store.numbers.page(id, afterId, PAGE);
      const ours = page.filter(({ sync }) => sync.ours !== undefined);
      await inLanes(AT_ONCE, ours, release);
      if (page.length < PAGE) return { addresses: left, why };
      afterId = page.at(-1)!.id;
    }
  }

  /** In the number's turn, so after whatever was being put there. */
  #release(
    { id }: StoredNumber,
    access: TwilioAccess,
  ): Promise<{ readonly message: string; readonly isHopeless: boolean } | undefined> {
    const { store, turns, clock, rest, tally, places } = this.#parts;
    return turns.take(id, async () => {
      const number = await store.numbers.get(id);
      if (number === undefined || number.sync.ours === undefined) return undefined;
      let sync: NumberSync = number.sync;
      try {
        await putBack({
          number,
          sync,
          places: places(),
          isReachable: true,
          access,
          rest,
          record: async (event) => {
            sync = event.type === "failed" ? sync : next(sync, event, Math.round(clock.wallMs()));
          },
        });
        if (sync.ours !== undefined)
          return { message: "Twilio accepted the change but does not show it.", isHopeless: false };
        if (await store.numbers.setSync(id, NOTHING)) tally.note(id, NOTHING); // it may have gone, if this was slow
        return undefined;
      } catch (error) {
        if (!(error instanceof TwilioFailure)) throw error;
        const { message, kind } = error;
        return { message, isHopeless: kind === "credentials" || kind === "suspended" || mayPass(kind) };
      }
    });
  }
}

/** Does them all, so many at a time. */
async function inLanes<Item>(
  lanes: number,
  items: readonly Item[],
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const lane = async () => {
    for (const item of waiting) await act(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
