// Keeps call records in memory and writes them behind to the store: at once when nothing is being written, else with
// the next batch. While the store can't write, calls go on and their records wait, up to a bound that closes admission.
import type { Clock, Stop } from "../../domain/clock.ts";
import { GatewayError } from "../../domain/errors.ts";
import type { CallSid, RunId } from "../../domain/ids.ts";
import type { RecordChange } from "./records.store.ts";
import {
  type CallFacts,
  type CallLogEvent,
  type CallProgress,
  type CallRecord,
  type CallRecords,
  type CallState,
  newRecord,
} from "./records.ts";

/** Records kept in memory; the oldest that is over or not begun, and written, makes room. */
const RECORDS_MAX = 10_000;
/** Lines of all their timelines together, likewise: 50 MB. */
const EVENTS_HELD_MAX = 200_000;
/** Records that may wait to be written before no new call is taken. */
export const BACKLOG_MAX = 5_000;
/** Records in one batch. Copying thousands for another thread would keep this one from its sockets. */
const BATCH_MAX = 200;
/** A call that is told about more often than this has told enough; of these the last are kept for Twilio and its end. */
const EVENTS_MAX = 2_200;
const NOTES_MAX = 2_000;
/** So long a note may wait for others to be written with. */
const NOTES_MS = 1_000;
const RETRY_MS = 500;
/** Twilio repeats a webhook that it thinks was not answered. */
const TOLD_BY_TWILIO: ReadonlySet<CallLogEvent["kind"]> = new Set([
  "stream_status",
  "fallback",
  "call_status",
]);

/** What the log needs of the store: the operations of records.store.ts, a thread away. */
export interface RecordKeeper {
  save(changes: readonly RecordChange[]): Promise<readonly RunId[]>;
  get(run: RunId): Promise<CallRecord | undefined>;
  find(callSid: CallSid): Promise<CallRecord | undefined>;
}

/** Told of what the operator should know. */
export interface CallLogObserver {
  /** Writing failed and will be tried again; `waiting` records wait. Told again only after a success. */
  onStalled(why: string, waiting: number): void;
  onResumed(): void;
  /** The database's own rules refuse this record. */
  onRefused(run: RunId): void;
}

type Written = { -readonly [Field in keyof CallRecord]: CallRecord[Field] } & { events: CallLogEvent[] };

export class CallLog implements CallRecords {
  readonly #keeper: RecordKeeper;
  readonly #clock: Clock;
  readonly #observer: CallLogObserver;
  readonly #byRun = new Map<RunId, Written>();
  readonly #byCallSid = new Map<CallSid, Written>();
  /** How many events of a run the store has; runs in memory only. */
  readonly #savedEvents = new Map<RunId, number>();
  #unsaved = new Set<RunId>();
  /** On their way to the store: they may come back. */
  #sent: ReadonlySet<RunId> = new Set();
  #saving: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #stopRetrying: Stop | undefined;
  /** While notes wait. */
  #stopWaiting: Stop | undefined;
  #isClosed = false;
  /** Of all records in memory. */
  #events = 0;
  #lastRun: number;

  /** `known`: what the store has of newest records, each of them saved. */
  constructor(
    keeper: RecordKeeper,
    known: { readonly lastRun: number; readonly records: readonly CallRecord[] },
    clock: Clock,
    observer: CallLogObserver,
  ) {
    this.#keeper = keeper;
    this.#clock = clock;
    this.#observer = observer;
    this.#lastRun = known.lastRun;
    for (const record of known.records)
      this.#hold({ ...record, events: [...record.events] }, record.events.length);
  }

  /** Records that wait to be written or are being written; one that changed meanwhile is counted twice. */
  get backlog(): number {
    return this.#unsaved.size + this.#sent.size;
  }

  get isFull(): boolean {
    return this.backlog >= BACKLOG_MAX;
  }

  open(facts: CallFacts, atMs: number, opened?: { state?: CallState; name?: string; mode?: string }): RunId {
    this.#lastRun += 1;
    const run = this.#lastRun as RunId;
    this.#hold({ ...newRecord(run, facts, atMs, opened), events: [] }, 0);
    this.#touch(run);
    return run;
  }

  update(run: RunId, progress: CallProgress): void {
    const record = this.#byRun.get(run);
    if (record === undefined) return;
    Object.assign(record, progress);
    if (progress.outcome !== undefined) record.state = "ended";
    if (progress.callSid !== undefined) this.#byCallSid.set(progress.callSid, record);
    this.#touch(run);
  }

  append(run: RunId, event: CallLogEvent): void {
    const record = this.#byRun.get(run);
    if (record === undefined || record.events.length >= EVENTS_MAX) return;
    if (TOLD_BY_TWILIO.has(event.kind) && record.events.some((known) => isRepeat(known, event))) return;
    record.events.push(event);
    this.#events++;
    this.#touch(run);
  }

  note(run: RunId, event: CallLogEvent): void {
    const record = this.#byRun.get(run);
    if (record === undefined || record.events.length >= NOTES_MAX) return;
    record.events.push(event);
    this.#events++;
    this.#unsaved.add(run);
    if (!this.#isClosed) this.#stopWaiting ??= this.#clock.every(NOTES_MS, () => this.#writeNotes());
  }

  get(run: RunId): CallRecord | undefined {
    return this.#byRun.get(run);
  }

  find(callSid: CallSid): CallRecord | undefined {
    return this.#byCallSid.get(callSid);
  }

  /** What comes from the store is held again, so that it can be written on. */
  async recall(key: RunId | CallSid): Promise<CallRecord | undefined> {
    const known = typeof key === "number" ? this.get(key) : this.find(key);
    if (known !== undefined) return known;
    const stored = await (typeof key === "number" ? this.#keeper.get(key) : this.#keeper.find(key));
    if (stored === undefined) return undefined;
    // Another request may have recalled it meanwhile.
    const held = this.#byRun.get(stored.run);
    if (held === undefined) this.#hold({ ...stored, events: [...stored.events] }, stored.events.length);
    return held ?? this.#byRun.get(stored.run);
  }

  committed(): Promise<void> {
    if (this.#unsaved.size === 0) return this.#saving ?? Promise.resolve();
    // A batch that is being written began before what was written last.
    this.#next ??= (this.#saving ?? Promise.resolve()).catch(() => {}).then(() => this.#save());
    return this.#next;
  }

  /** Tries no more; what is not written by now is lost with the process. */
  close(): void {
    this.#isClosed = true;
    this.#stopRetrying?.();
    this.#stopRetrying = undefined;
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
  }

  #writeNotes(): void {
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    if (this.#stopRetrying === undefined) this.committed().catch(() => {});
  }

  #hold(record: Written, savedEvents: number): void {
    while (this.#byRun.size >= RECORDS_MAX || this.#events >= EVENTS_HELD_MAX) {
      if (!this.#forgetOldest()) break;
    }
    this.#events += record.events.length;
    this.#byRun.set(record.run, record);
    if (record.callSid !== undefined) this.#byCallSid.set(record.callSid, record);
    this.#savedEvents.set(record.run, savedEvents);
  }

  #touch(run: RunId): void {
    this.#unsaved.add(run);
    if (this.#stopRetrying === undefined && !this.#isClosed) this.committed().catch(() => {}); // told and tried again in #save
  }

  async #save(): Promise<void> {
    this.#next = undefined;
    this.#saving = this.#saveAll();
    try {
      await this.#saving;
    } finally {
      this.#saving = undefined;
    }
  }

  /** All that waits now, batch by batch: a store that can't write is only ever offered one. */
  async #saveAll(): Promise<void> {
    const waiting = this.#unsaved;
    this.#unsaved = new Set();
    this.#sent = waiting;
    while (waiting.size > 0) {
      const runs = firstOf(waiting, BATCH_MAX);
      const changes = runs.flatMap((run) => this.#changeOf(run) ?? []);
      let refused: readonly RunId[];
      try {
        refused = await this.#keeper.save(changes);
      } catch (error) {
        return this.#notSaved(waiting, error);
      }
      for (const run of runs) waiting.delete(run);
      this.#saved(changes, refused);
    }
  }

  #changeOf(run: RunId): RecordChange | undefined {
    const whole = this.#byRun.get(run);
    if (whole === undefined) return undefined;
    const { events, ...record } = whole;
    const firstOrdinal = this.#savedEvents.get(run)!;
    return { record, firstOrdinal, events: events.slice(firstOrdinal) };
  }

  #saved(changes: readonly RecordChange[], refused: readonly RunId[]): void {
    for (const { record, firstOrdinal, events } of changes)
      this.#savedEvents.set(record.run, firstOrdinal + events.length);
    for (const run of refused) this.#observer.onRefused(run);
    if (this.#stopRetrying === undefined) return;
    this.#stopRetrying();
    this.#stopRetrying = undefined;
    this.#observer.onResumed();
  }

  #notSaved(waiting: Set<RunId>, error: unknown): never {
    this.#sent = new Set();
    for (const run of this.#unsaved) waiting.add(run); // the fewer to the more: thousands may wait
    this.#unsaved = waiting;
    if (this.#stopRetrying === undefined && !this.#isClosed) {
      this.#observer.onStalled(error instanceof Error ? error.message : String(error), this.#unsaved.size);
      this.#stopRetrying = this.#clock.every(RETRY_MS, () => this.committed().catch(() => {}));
    }
    if (error instanceof GatewayError) throw error;
    throw new GatewayError("STORE_UNAVAILABLE", "the call log can't be written now", { cause: error });
  }

  /** False when all of them are wanted. */
  #forgetOldest(): boolean {
    for (const [run, record] of this.#byRun) {
      // A run that was made to be dialled later may wait in the store.
      const isWanted = record.outcome === undefined && record.state !== "created";
      if (isWanted || this.#unsaved.has(run) || this.#sent.has(run)) continue;
      this.#byRun.delete(run);
      this.#events -= record.events.length;
      this.#savedEvents.delete(run);
      if (record.callSid !== undefined) this.#byCallSid.delete(record.callSid);
      return true;
    }
    return false;
  }
}

function firstOf(runs: Iterable<RunId>, count: number): readonly RunId[] {
  const first: RunId[] = [];
  for (const run of runs) {
    if (first.push(run) === count) break;
  }
  return first;
}

function isRepeat(known: CallLogEvent, event: CallLogEvent): boolean {
  return known.kind === event.kind && known.detail === event.detail && known.sequence === event.sequence;
}
