// Finds out whether Twilio placed a call that it was asked for and did not answer about. It only ever looks: what was
// asked once is never asked again.
import type { Clock, Stop } from "../../domain/clock.ts";
import type { CallSid, RunId } from "../../domain/ids.ts";
import type { TwilioCall } from "../../twilio/rest.ts";
import type { CallRecord, CallRecords } from "../log/records.ts";

const TICK_MS = 250;
/** From one look to the next: about two minutes of them, since what was placed may be listed a little later. */
const LOOKS_MS: readonly number[] = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000];
/** While Twilio can't even be asked, looks go on this far apart… */
const LATER_MS = 60_000;
/** …for an hour. */
const LATER_MAX = 60;
/** How far Twilio's clock may be behind ours. */
const SKEW_MS = 30_000;
/** Looks that are under way at once. */
const LOOKING_MAX = 5;

export interface SettlerParts {
  readonly clock: Clock;
  readonly records: CallRecords;
  /** All calls that Twilio is being asked for, or was and did not answer: those that are added here among them. */
  readonly submitting: () => readonly CallRecord[];
  /** Calls between the record's two numbers since `sinceMs`, by the wall clock. Rejects when it can't be asked. */
  readonly look: (record: CallRecord, sinceMs: number) => Promise<readonly TwilioCall[]>;
  /** False: that call is another run's after all. */
  readonly found: (run: RunId, callSid: CallSid) => boolean;
  /** Twilio doesn't have it. */
  readonly absent: (run: RunId) => void;
  /** Twilio could not be asked for too long. */
  readonly unknowable: (run: RunId) => void;
}

interface Unsettled {
  dueMs: number;
  looks: number;
  isLooking: boolean;
}

export class Settler {
  readonly #parts: SettlerParts;
  readonly #unsettled = new Map<RunId, Unsettled>();
  #stop: Stop | undefined;

  constructor(parts: SettlerParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#unsettled.size;
  }

  add(run: RunId): void {
    if (this.#unsettled.has(run)) return;
    const { clock } = this.#parts;
    this.#unsettled.set(run, { dueMs: clock.nowMs() + LOOKS_MS[0]!, looks: 0, isLooking: false });
    this.#stop ??= clock.every(TICK_MS, () => this.#tick());
  }

  /** It was settled in another way: Twilio has named the call to us. */
  remove(run: RunId): void {
    this.#unsettled.delete(run);
    if (this.#unsettled.size === 0) this.close();
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #tick(): void {
    const nowMs = this.#parts.clock.nowMs();
    let free = LOOKING_MAX;
    for (const { isLooking } of this.#unsettled.values()) if (isLooking) free--;
    for (const [run, unsettled] of this.#unsettled) {
      if (free <= 0) return;
      const record = this.#parts.records.get(run);
      if (record?.state !== "submitting") this.remove(run);
      else if (!unsettled.isLooking && nowMs >= unsettled.dueMs) {
        free--;
        void this.#look(record, unsettled);
      }
    }
  }

  async #look(record: CallRecord, unsettled: Unsettled): Promise<void> {
    const { run } = record;
    const { look, found, absent, unknowable, clock } = this.#parts;
    const sinceMs = (record.submittedAtMs ?? record.receivedAtMs) - SKEW_MS;
    unsettled.isLooking = true;
    const isLast = unsettled.looks >= LOOKS_MS.length - 1;
    let isTold = true;
    try {
      const callSid = await this.#pick(record, await look(record, sinceMs), isLast);
      if (!this.#unsettled.has(run)) return; // a callback was quicker
      isTold = callSid !== "unclear";
      if (callSid !== undefined && callSid !== "unclear" && found(run, callSid)) return this.remove(run);
    } catch {
      isTold = false; // counted by whoever asks
    }
    unsettled.isLooking = false;
    if (!this.#unsettled.has(run)) return;
    if (isLast && isTold) {
      this.remove(run);
      return absent(run);
    }
    unsettled.looks++;
    if (unsettled.looks > LOOKS_MS.length + LATER_MAX) {
      this.remove(run);
      return unknowable(run);
    }
    unsettled.dueMs = clock.nowMs() + (LOOKS_MS[unsettled.looks] ?? LATER_MS);
  }

  /**
   * The call that is this run's. Where several runs between the same numbers are unsettled, which is whose is told only
   * when there is one for each, or when nothing better will be known; it is unclear while Twilio is just being asked
   * for another one, and will say itself which call that is.
   */
  async #pick(
    record: CallRecord,
    calls: readonly TwilioCall[],
    isLast: boolean,
  ): Promise<CallSid | "unclear" | undefined> {
    const free: TwilioCall[] = [];
    for (const call of calls) {
      if (call.direction !== undefined && call.direction !== "outbound-api") continue;
      if ((await this.#parts.records.recall(call.sid)) === undefined) free.push(call);
    }
    const rivals = this.#parts
      .submitting()
      .filter(({ to, from }) => to === record.to && from === record.from)
      .sort((one, other) => one.run - other.run);
    if (rivals.some(({ run }) => !this.#unsettled.has(run))) return "unclear";
    if (free.length < rivals.length && !isLast) return undefined;
    free.sort((one, other) => (one.createdAtMs ?? 0) - (other.createdAtMs ?? 0));
    const place = rivals.findIndex(({ run }) => run === record.run);
    return free[place]?.sid;
  }
}
