// The call log: one record per CallSid, with what happened in order. The interface is what the store will
// implement; until then records live in memory, the newest few thousand of them.
import type { Outcome } from "../domain/endings.ts";
import type { AccountSid, CallSid, NumberId, RunId, WorkflowId } from "../domain/ids.ts";

/** What is known of a call when it is first heard of. */
export interface CallFacts {
  readonly callSid: CallSid;
  readonly accountSid: AccountSid;
  readonly direction: "inbound" | "outbound";
  /** As Twilio sent it: a number, `anonymous`, `client:…`, or empty. */
  readonly from: string;
  readonly to: string;
  readonly numberId: NumberId | undefined;
  readonly workflowId: WorkflowId | undefined;
  readonly workflowVersion: number | undefined;
  /** The caller ID's attestation. */
  readonly stirVerstat: string | undefined;
  readonly forwardedFrom: string | undefined;
  readonly callerName: string | undefined;
}

/** One line of a call's timeline. `detail` holds codes and words, never a digit, a number or a secret. */
export interface CallLogEvent {
  readonly atMs: number;
  readonly kind:
    | "stream_opened"
    | "stream_started"
    | "stream_status"
    | "worker_replaced"
    | "fallback"
    | "ended";
  readonly detail?: string;
}

export interface CallRecord extends CallFacts {
  readonly run: RunId;
  /** Wall clock, as all times here. */
  readonly receivedAtMs: number;
  readonly startedAtMs: number | undefined;
  readonly endedAtMs: number | undefined;
  /** Undefined while the call lives. */
  readonly outcome: Outcome | undefined;
  /** Milliseconds of agent audio the caller heard, by marks. */
  readonly heardMs: number;
  /** Keys the caller pressed: how many, not which. */
  readonly digits: number;
  readonly events: readonly CallLogEvent[];
}

/** Fields that are written as a call goes on. */
export type CallProgress = Partial<
  Pick<CallRecord, "startedAtMs" | "endedAtMs" | "outcome" | "heardMs" | "digits">
>;

export interface CallRecords {
  open(facts: CallFacts, atMs: number): RunId;
  update(run: RunId, progress: CallProgress): void;
  /** Appends to the timeline; what Twilio reports twice, a stream's status or its need of the fallback, is one line. */
  append(run: RunId, event: CallLogEvent): void;
  get(run: RunId): CallRecord | undefined;
  find(callSid: CallSid): CallRecord | undefined;
}

/** Records kept in memory; the oldest ended one makes room. */
const RECORDS_MAX = 10_000;
/** A call that is told about more often than this has told enough. */
const EVENTS_MAX = 200;
/** Twilio repeats a webhook that it thinks was not answered. */
const TOLD_BY_TWILIO: ReadonlySet<CallLogEvent["kind"]> = new Set(["stream_status", "fallback"]);

type Written = { -readonly [Field in keyof CallRecord]: CallRecord[Field] } & { events: CallLogEvent[] };

export class MemoryCallRecords implements CallRecords {
  readonly #byRun = new Map<RunId, Written>();
  readonly #byCallSid = new Map<CallSid, Written>();
  #lastRun = 0;

  open(facts: CallFacts, atMs: number): RunId {
    this.#lastRun += 1;
    const run = this.#lastRun as RunId;
    const record: Written = {
      ...facts,
      run,
      receivedAtMs: atMs,
      startedAtMs: undefined,
      endedAtMs: undefined,
      outcome: undefined,
      heardMs: 0,
      digits: 0,
      events: [],
    };
    this.#byRun.set(run, record);
    this.#byCallSid.set(facts.callSid, record);
    if (this.#byRun.size > RECORDS_MAX) this.#forgetOldest();
    return run;
  }

  update(run: RunId, progress: CallProgress): void {
    const record = this.#byRun.get(run);
    if (record !== undefined) Object.assign(record, progress);
  }

  append(run: RunId, event: CallLogEvent): void {
    const record = this.#byRun.get(run);
    if (record === undefined || record.events.length >= EVENTS_MAX) return;
    const isRepeat = ({ kind, detail }: CallLogEvent) => kind === event.kind && detail === event.detail;
    if (TOLD_BY_TWILIO.has(event.kind) && record.events.some(isRepeat)) return;
    record.events.push(event);
  }

  get(run: RunId): CallRecord | undefined {
    return this.#byRun.get(run);
  }

  find(callSid: CallSid): CallRecord | undefined {
    return this.#byCallSid.get(callSid);
  }

  #forgetOldest(): void {
    for (const [run, record] of this.#byRun) {
      if (record.outcome === undefined) continue;
      this.#byRun.delete(run);
      this.#byCallSid.delete(record.callSid);
      return;
    }
  }
}
