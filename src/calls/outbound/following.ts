// Asks Twilio for calls whose callbacks have stayed away too long, so that no lost callback leaves a record open or a
// call going on that nobody talks on.
import type { Clock, Stop } from "../../domain/clock.ts";
import type { RunId } from "../../domain/ids.ts";
import type { TwilioCall } from "../../twilio/rest.ts";
import { reportOf, type StatusReport } from "../log/callStatus.ts";
import type { CallRecord, CallRecords } from "../log/records.ts";
import { isOverAtTwilio } from "../log/timeline.ts";
import { RING_S } from "./outbound.ts";

/** Calls are looked through this often while there are any. */
const LOOK_MS = 250;
/** So many are asked for at once, and the others at the next look. */
const ASKED_MAX = 5;
/** Beyond the time it may ring, or wait in Twilio's own queue. */
const SLACK_MS = 30_000;
const RINGING_MAX_MS = RING_S * 1_000 + SLACK_MS;
/** How long nothing may be heard of a call that is this far. */
const PATIENCE_MS = {
  rings: RINGING_MAX_MS,
  /** Until it asks for its TwiML: a trial's notice, and the wait for a key. */
  answered: 60_000,
  /** By us, and Twilio hasn't said so. */
  over: SLACK_MS,
} as const;
type Phase = keyof typeof PATIENCE_MS;
const AGAIN_MS = 30_000;
const AGAIN_MAX_MS = 300_000;
/** Then it is given up: about an hour. */
const TRIES_MAX = 15;
/** What Twilio has just placed it may not show at once, so that its first no is not believed. */
const UNKNOWN_TRIES_MAX = 2;

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
  /** How far the call was, and since when it has been seen to be there: by the monotonic clock. */
  phase: Phase;
  sinceMs: number;
  /** When it is asked for again; undefined: once its silence is too long. */
  againMs: number | undefined;
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
    const sinceMs = this.#parts.clock.nowMs();
    const againMs = isOld ? sinceMs : undefined;
    this.#followed.set(run, { phase: "rings", sinceMs, againMs, tries: 0, isAsking: false });
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
      } else if (!followed.isAsking && !this.#parts.isLive(run) && isDue(followed, record, nowMs)) {
        free--;
        void this.#ask(run, record, followed);
      }
    }
  }

  async #ask(run: RunId, record: CallRecord, followed: Followed): Promise<void> {
    const { clock, ask, isLive, lost } = this.#parts;
    followed.isAsking = true;
    followed.tries++;
    let triesMax = TRIES_MAX;
    let words = "Twilio could not be asked how the call went on.";
    try {
      const call = await ask(record);
      if (call !== undefined) await this.#shown(run, call);
      else {
        triesMax = UNKNOWN_TRIES_MAX;
        words = "Twilio knows no such call any more.";
      }
    } catch {
      // Counted by whoever asks; asked again.
    }
    followed.isAsking = false;
    followed.againMs = clock.nowMs() + Math.min(AGAIN_MS * 2 ** (followed.tries - 1), AGAIN_MAX_MS);
    // One that was answered meanwhile ends by itself.
    if (followed.tries < triesMax || isLive(run)) return;
    lost(run, words);
    this.remove(run);
  }

  async #shown(run: RunId, call: TwilioCall): Promise<void> {
    const { records, isLive, heard, linger } = this.#parts;
    const report = reportOf(call);
    const before = records.get(run);
    if (report !== undefined && before !== undefined && !isOverAtTwilio(before)) heard(run, report);
    const after = records.get(run);
    if (after?.outcome !== undefined && !isOverAtTwilio(after) && !isLive(run)) await linger(after);
  }
}

/** Whether its silence is too long, or it is time to ask again. */
function isDue(followed: Followed, record: CallRecord, nowMs: number): boolean {
  const phase = phaseOf(record);
  if (phase !== followed.phase) Object.assign(followed, { phase, sinceMs: nowMs });
  return nowMs >= (followed.againMs ?? followed.sinceMs + PATIENCE_MS[phase]);
}

function phaseOf({ outcome, answeredAtMs }: CallRecord): Phase {
  if (outcome !== undefined) return "over";
  return answeredAtMs === undefined ? "rings" : "answered";
}
