// Asks Twilio for calls whose callbacks have stayed away too long, so that no lost callback leaves a record open or a
// call going on that nobody talks on.
import type { Clock, Stop } from "../domain/clock.ts";
import type { RunId } from "../domain/ids.ts";
import type { TwilioCall } from "../twilio/rest.ts";
import { reportOf, type StatusReport } from "./callStatus.ts";
import { RING_S } from "./outbound.ts";
import type { CallRecord, CallRecords } from "./records.ts";
import { isOverAtTwilio } from "./timeline.ts";

/** Calls are looked through this often while there are any. */
const LOOK_MS = 5_000;
/** So many are asked for at once, and the others at the next look. */
const ASKED_MAX = 5;
/** Beyond the time it may ring, or wait in Twilio's own queue. */
const SLACK_MS = 30_000;
const RINGING_MAX_MS = RING_S * 1_000 + SLACK_MS;
/** From being answered to the webhook: a trial's notice, and the wait for a key. */
const ANSWERED_MAX_MS = 60_000;
const AGAIN_MS = 30_000;
const AGAIN_MAX_MS = 300_000;
/** Then it is given up: about an hour. */
const TRIES_MAX = 15;

export interface FollowerParts {
  readonly clock: Clock;
  readonly records: CallRecords;
  /** Whether the call is talked on: it needs no asking. */
  readonly isLive: (run: RunId) => boolean;
  /** Undefined: Twilio has no such call. Rejects when it can't be asked. */
  readonly ask: (record: CallRecord) => Promise<TwilioCall | undefined>;
  readonly heard: (run: RunId, report: StatusReport) => void;
  /** Its record is closed, and Twilio has it still. */
  readonly linger: (record: CallRecord) => Promise<unknown>;
  /** Twilio has no such call, or can't be asked for too long. */
  readonly lost: (run: RunId, words: string) => void;
}

interface Followed {
  /** By the monotonic clock. */
  readonly sinceMs: number;
  dueMs: number;
  tries: number;
  isAsking: boolean;
}

export class Follower {
  readonly #parts: FollowerParts;
  readonly #followed = new Map<RunId, Followed>();
  #stop: Stop | undefined;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#followed.size;
  }

  /** From now on; `isOld`: it is asked for at the next look. */
  add(run: RunId, isOld = false): void {
    if (this.#followed.has(run)) return;
    const nowMs = this.#parts.clock.nowMs();
    this.#followed.set(run, { sinceMs: nowMs, dueMs: isOld ? nowMs : 0, tries: 0, isAsking: false });
    this.#stop ??= this.#parts.clock.every(LOOK_MS, () => this.#look());
  }

  /** Twilio has said that it is over. */
  remove(run: RunId): void {
    this.#followed.delete(run);
    if (this.#followed.size === 0) this.close();
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #look(): void {
    const nowMs = this.#parts.clock.nowMs();
    let free = ASKED_MAX;
    for (const { isAsking } of this.#followed.values()) if (isAsking) free--;
    for (const [run, followed] of this.#followed) {
      if (free <= 0) return;
      const record = this.#parts.records.get(run);
      if (record === undefined || isOverAtTwilio(record)) {
        this.remove(run);
      } else if (!followed.isAsking && !this.#parts.isLive(run) && nowMs >= this.#dueMs(followed, record)) {
        free--;
        void this.#ask(run, record, followed);
      }
    }
  }

  /** When its silence is too long. */
  #dueMs({ sinceMs, dueMs }: Followed, record: CallRecord): number {
    if (dueMs > 0) return dueMs;
    const { clock } = this.#parts;
    const lastWordMs = record.endedAtMs ?? record.answeredAtMs ?? record.ringingAtMs;
    const patienceMs =
      record.endedAtMs !== undefined
        ? SLACK_MS
        : record.answeredAtMs !== undefined
          ? ANSWERED_MAX_MS
          : RINGING_MAX_MS;
    // By the monotonic clock; the records' times are by the wall's.
    const atMs =
      lastWordMs === undefined ? sinceMs : clock.nowMs() - Math.max(0, clock.wallMs() - lastWordMs);
    return Math.max(sinceMs, atMs) + patienceMs;
  }

  async #ask(run: RunId, record: CallRecord, followed: Followed): Promise<void> {
    const { clock, ask, heard, linger, lost } = this.#parts;
    followed.isAsking = true;
    followed.tries++;
    try {
      const call = await ask(record);
      if (call === undefined) {
        lost(run, "Twilio knows no such call any more.");
        this.remove(run);
        return;
      }
      const report = reportOf(call);
      const before = this.#parts.records.get(run);
      if (report !== undefined && before !== undefined && !isOverAtTwilio(before)) heard(run, report);
      const after = this.#parts.records.get(run);
      if (after?.outcome !== undefined && !isOverAtTwilio(after) && !this.#parts.isLive(run))
        await linger(after);
    } catch {
      // Counted by whoever asks; asked again.
    }
    followed.isAsking = false;
    followed.dueMs = clock.nowMs() + Math.min(AGAIN_MS * 2 ** (followed.tries - 1), AGAIN_MAX_MS);
    if (followed.tries < TRIES_MAX) return;
    lost(run, "Twilio could not be asked how the call went on.");
    this.remove(run);
  }
}
