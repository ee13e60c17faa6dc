// Places calls: keeps them in line, asks Twilio once for each, and sees to it that whatever came of it is found out.
// Who may be called, and as whom, was decided before.
import type { Clock } from "../../domain/clock.ts";
import { GatewayError } from "../../domain/errors.ts";
import type { AccountSid, CallSid, ConfigurationId, DefinitionId, RunId } from "../../domain/ids.ts";
import type { Answerer, Configuration, Directory } from "../../numbers/directory.ts";
import { TwilioFailure } from "../../twilio/failure.ts";
import type { TwilioAccess, TwilioRest } from "../../twilio/rest.ts";
import type { LiveCalls } from "../live/liveCalls.ts";
import { closeRecord, type RecordEnding } from "../log/ending.ts";
import type { CallRecord, CallRecords } from "../log/records.ts";
import { hearStatus } from "../log/status.ts";
import { wasHangUpAsked } from "../log/timeline.ts";
import type { CallObserver } from "../observer.ts";
import { TwilioAsker } from "./asking.ts";
import type { DialObserver, SubmissionResult } from "./dialObserver.ts";
import { Follower } from "./following.ts";
import type { RunUrls } from "./outbound.ts";
import { Pace } from "./pace.ts";
import { afterRestart } from "./restart.ts";
import { Settler } from "./settling.ts";
import { submitCall } from "./submission.ts";

/** Calls that may wait for their turn at one account; a further one is refused. */
const WAITING_MAX = 100;
const RETRY_AFTER_S = 5;

export interface DialerParts {
  readonly clock: Clock;
  readonly records: CallRecords;
  readonly calls: Pick<LiveCalls, "find">;
  readonly directory: Directory;
  readonly rest: TwilioRest;
  readonly access: (configuration: Configuration) => TwilioAccess;
  readonly observer: CallObserver & DialObserver;
  readonly urls: (run: RunId) => RunUrls;
  /** Of each account; Twilio's default is 1. */
  readonly callsPerS?: number;
}

/** A call to place. Its record is open, `queued`, and on disk. */
export interface Intent {
  readonly run: RunId;
  readonly configuration: Configuration;
  /** Who talks, in the version that the record names. */
  readonly answerer: Answerer;
}

/** What came of an intent. `failed`: no call was placed; all others may ring. */
export type Submission =
  | { readonly kind: "placed" | "unknown" | "canceled" }
  | { readonly kind: "failed"; readonly error: GatewayError };

export interface Dialled {
  /** Calls of the account that go before it. */
  readonly ahead: number;
  /** Never rejects. */
  readonly submission: Promise<Submission>;
}

interface Dialling {
  readonly configurationId: ConfigurationId;
  readonly answerer: Answerer;
  leave: () => void;
  readonly settle: (submission: Submission) => void;
}

export class Dialer {
  readonly #parts: DialerParts;
  readonly #paces = new Map<AccountSid, Pace>();
  /** Every outbound call from its intent until Twilio has said that it is over, or has none. */
  readonly #dialling = new Map<RunId, Dialling>();
  readonly #asker: TwilioAsker;
  readonly #settler: Settler;
  readonly #follower: Follower;
  /** Requests that change something at Twilio. */
  readonly #underWay = new Set<Promise<unknown>>();
  #isDraining = false;
  #isStopped = false;

  constructor(parts: DialerParts) {
    this.#parts = parts;
    const { clock, records, calls } = parts;
    this.#asker = new TwilioAsker(parts);
    this.#settler = new Settler({
      clock,
      records,
      submitting: () => this.#submitting(),
      look: (record, sinceMs) => this.#asker.callsLike(record, sinceMs),
      found: (run, callSid) => this.#found(run, callSid),
      absent: (run) => {
        parts.observer.submitted(run, "found_absent");
        this.#give(run, {
          outcome: "not_placed",
          words: "Twilio did not answer, and was found not to have placed it.",
        });
      },
      unknowable: (run) => {
        parts.observer.submitted(run, "never_known");
        this.#give(run, { outcome: "lost", words: "Whether Twilio placed the call could not be found out." });
      },
    });
    this.#follower = new Follower({
      clock,
      records,
      isLive: (run) => calls.find(run) !== undefined,
      ask: (record) => this.#asker.call(record),
      heard: (run, report) => {
        if (hearStatus(parts, run, report)) this.over(run);
      },
      linger: (record) => this.#asker.end(record),
      lost: (run, words) => this.#give(run, { outcome: "lost", words }),
    });
  }

  /**
   * Goes on with what was not over when the gateway went away. `open`: what the store has; all of it in memory.
   * `answerers`: of the versions that those calls began with.
   */
  start(open: readonly CallRecord[], answerers: ReadonlyMap<DefinitionId, Answerer>): void {
    for (const { run } of open) {
      const record = this.#parts.records.get(run);
      if (record === undefined || record.outcome !== undefined) continue;
      const life = afterRestart(record, this.#parts.clock.wallMs());
      if (life.kind === "keep") continue;
      if (life.kind === "lost" || !this.#restored(record, answerers)) {
        const words = life.kind === "lost" ? life.words : "Its account or the agent it began with is gone.";
        closeRecord(this.#parts, run, { outcome: "lost", endedBy: "gateway", words });
        if (life.kind === "follow") this.#asker.end(record).catch(() => {}); // whoever answers it hears an apology
      } else if (life.kind === "settle") this.#settler.add(run);
      else this.#follower.add(run, true);
    }
  }

  /** Outbound calls that are neither over nor talked on. */
  get pending(): number {
    let count = 0;
    for (const run of this.#dialling.keys()) if (this.#isPending(run)) count++;
    return count;
  }

  /** Their runs, oldest first. */
  runs(): readonly RunId[] {
    return [...this.#dialling.keys()].filter((run) => this.#isPending(run));
  }

  /** Throws when the account has no room for another call to wait. `opening`: those that will join the line next. */
  refuseIfFull({ accountSid }: Configuration, opening: number): void {
    const waiting = opening + (this.#paces.get(accountSid)?.waiting ?? 0);
    if (waiting < WAITING_MAX) return;
    throw new GatewayError(
      "NOT_NOW",
      `${waiting} calls wait for their turn at this Twilio account already. Try again when some have been placed.`,
      { retryAfterS: Math.ceil(waiting / (this.#parts.callsPerS ?? 1) / 2) },
    );
  }

  /** Puts it in line. */
  dial({ run, configuration, answerer }: Intent): Dialled {
    const pace = this.#paceOf(configuration.accountSid);
    const { promise: submission, resolve: settle } = Promise.withResolvers<Submission>();
    const ahead = pace.waiting;
    const dialling: Dialling = { configurationId: configuration.id, answerer, leave: () => {}, settle };
    this.#dialling.set(run, dialling);
    // It was opened while the gateway began to stop, or an operator gave it up.
    if (this.#isDraining || this.#isStopped) this.#refuse(run, dialling);
    else if (this.#parts.records.get(run)?.outcome !== undefined) this.#withdraw(run, dialling);
    else dialling.leave = pace.join(() => this.#during(this.#submit(run, dialling)));
    return { ahead, submission };
  }

  /** Who talks on an outbound call once it is answered; undefined when it is not one of those we wait for. */
  answererOf(run: RunId): Answerer | undefined {
    return this.#dialling.get(run)?.answerer;
  }

  /** Twilio has named a run's call in a webhook. False: that run has another call, or that call is another run's. */
  named(run: RunId, callSid: CallSid): boolean {
    const record = this.#parts.records.get(run);
    if (record === undefined) return false;
    if (record.callSid !== undefined) return record.callSid === callSid;
    // Before Twilio was asked no call can be this run's.
    return record.submittedAtMs !== undefined && this.#found(run, callSid);
  }

  /** Twilio has said that the call is over: nothing more is asked about it. */
  over(run: RunId): void {
    this.#settler.remove(run);
    this.#follower.remove(run);
    this.#dialling.delete(run);
  }

  /**
   * Ends a call that is not talked on and not over, at the operator's word. Rejects with a TwilioFailure when Twilio
   * can't be told. While nobody can say which call it is, that is done as soon as somebody can.
   */
  async hangUp(run: RunId): Promise<void> {
    const { records, clock } = this.#parts;
    const record = records.get(run)!;
    if (!wasHangUpAsked(record)) records.append(run, { atMs: clock.wallMs(), kind: "hang_up_asked" });
    if (record.state === "queued") return this.#withdraw(run, this.#dialling.get(run));
    // Twilio is being asked: as soon as it has named the call, that is ended.
    if (record.callSid === undefined) return;
    await this.#asker.end(record);
    this.#end(run);
  }

  /** Places no more: who waits is refused, and what rings is called off. Resolves when Twilio has been told. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const [run, dialling] of [...this.#dialling]) {
      const record = this.#parts.records.get(run);
      if (record?.outcome !== undefined) continue;
      if (record?.state === "queued") this.#refuse(run, dialling);
      else if (record?.callSid !== undefined && !this.#parts.calls.find(run))
        this.#during(this.#callOff(record));
    }
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  /** Stops all looking and waiting. What Twilio is being asked is settled at the next start. */
  stop(): void {
    this.#isStopped = true;
    for (const pace of this.#paces.values()) pace.close();
    this.#settler.close();
    this.#follower.close();
  }

  async #submit(run: RunId, dialling: Dialling): Promise<void> {
    const { records, clock, observer } = this.#parts;
    if (records.get(run)?.state !== "queued") return;
    const { configurationId, answerer } = dialling;
    const submitted = await submitCall(
      this.#parts,
      { run, configurationId, agent: answerer.brief.agent },
      () => !this.#isStopped && !this.#isDraining && !wasHangUpAsked(records.get(run)!),
    );
    switch (submitted.result) {
      case "withdrawn":
        // What a stopped gateway leaves behind is looked into at its next start.
        if (this.#isStopped) return;
        records.update(run, { submittedAtMs: undefined });
        return this.#isDraining ? this.#refuse(run, dialling) : this.#withdraw(run, dialling);
      case "placed":
        this.#found(run, submitted.callSid);
        return dialling.settle({ kind: "placed" });
      case "unknown":
        observer.submitted(run, "unknown");
        records.append(run, { atMs: clock.wallMs(), kind: "submission_unknown", detail: submitted.words });
        dialling.settle({ kind: "unknown" });
        if (!this.#isStopped && records.get(run)?.state === "submitting") this.#settler.add(run);
        return;
      default:
        return this.#notPlaced(run, dialling, submitted.error, submitted.result);
    }
  }

  #notPlaced(run: RunId, dialling: Dialling, error: GatewayError, result: SubmissionResult): void {
    this.#parts.observer.submitted(run, result);
    if (result === "not_asked") this.#parts.records.update(run, { submittedAtMs: undefined });
    const isTransient = error.code !== "TWILIO_REFUSED" && error.code !== "NOT_POSSIBLE";
    this.#give(run, {
      outcome: "not_placed",
      endedBy: result === "not_asked" ? "gateway" : "twilio",
      twilioCode: error instanceof TwilioFailure ? error.twilioCode : undefined,
      words: error.message,
    });
    const { code, message, retryAfterS = RETRY_AFTER_S } = error;
    const told = isTransient ? new GatewayError(code, message, { retryAfterS, cause: error }) : error;
    dialling.settle({ kind: "failed", error: told });
  }

  /** The CallSid of a run is known. False: it can't be this one. */
  #found(run: RunId, callSid: CallSid): boolean {
    const { records, clock, observer } = this.#parts;
    const record = records.get(run)!;
    if (record.callSid !== undefined) return record.callSid === callSid; // a callback was quicker
    if (records.find(callSid) !== undefined) return false;
    const wasUnknown = record.events.some(({ kind }) => kind === "submission_unknown");
    observer.submitted(run, wasUnknown ? "found_placed" : "placed");
    records.update(run, record.state === "submitting" ? { callSid, state: "placed" } : { callSid });
    records.append(run, { atMs: clock.wallMs(), kind: "placed" });
    this.#settler.remove(run);
    if (this.#isStopped) return true;
    this.#follower.add(run, wasUnknown);
    // What became of it meanwhile: the operator wants it over, it was given up too early, or nobody is to talk any more.
    const isUnwanted = wasHangUpAsked(record) || record.outcome !== undefined;
    if (isUnwanted) this.#during(this.#endUnwanted(run));
    else if (this.#isDraining) this.#during(this.#callOff(record));
    return true;
  }

  async #endUnwanted(run: RunId): Promise<void> {
    try {
      await this.#asker.end(this.#parts.records.get(run)!);
      this.#end(run);
    } catch {
      // It is followed: sooner or later Twilio is asked how it goes on.
    }
  }

  /** A drain's: a call that was answered just now is let be, and hears why it can't be talked to. */
  async #callOff(record: CallRecord): Promise<void> {
    try {
      await this.#asker.end(record, "canceled");
      this.#give(record.run, { outcome: "draining", endedBy: "gateway" });
    } catch {
      // Counted; whoever answers it now is told so.
    }
  }

  /** The operator's ending of a call that Twilio was told to end. */
  #end(run: RunId): void {
    this.#parts.calls.find(run)?.apply({ type: "operator_hung_up" }); // answered meanwhile
    const wasAnswered = this.#parts.records.get(run)?.answeredAtMs !== undefined;
    closeRecord(this.#parts, run, { outcome: wasAnswered ? "operator_hung_up" : "canceled" });
  }

  /** The operator's ending of a call that Twilio is not asked for. */
  #withdraw(run: RunId, dialling: Dialling | undefined): void {
    dialling?.leave();
    dialling?.settle({ kind: "canceled" });
    this.#give(run, { outcome: "canceled" });
  }

  #refuse(run: RunId, dialling: Dialling): void {
    dialling.leave();
    const error = new GatewayError("NOT_NOW", "The gateway is shutting down; no call was placed.", {
      retryAfterS: RETRY_AFTER_S,
    });
    this.#give(run, { outcome: "draining" });
    dialling.settle({ kind: "failed", error });
  }

  /** Closes the record, of a call that nothing more is asked about. */
  #give(run: RunId, ending: RecordEnding): void {
    closeRecord(this.#parts, run, ending);
    this.over(run);
  }

  /** What a call needs to be gone on with after a restart; false when it is gone. */
  #restored(
    { run, configurationId, definitionId }: CallRecord,
    answerers: ReadonlyMap<DefinitionId, Answerer>,
  ): boolean {
    const answerer = definitionId === undefined ? undefined : answerers.get(definitionId);
    if (configurationId === undefined || answerer === undefined) return false;
    if (this.#parts.directory.configuration(configurationId) === undefined) return false;
    this.#dialling.set(run, { configurationId, answerer, leave: () => {}, settle: () => {} });
    return true;
  }

  #submitting(): readonly CallRecord[] {
    const { records } = this.#parts;
    return [...this.#dialling.keys()]
      .map((run) => records.get(run))
      .filter((record) => record !== undefined)
      .filter(({ state }) => state === "submitting");
  }

  #isPending(run: RunId): boolean {
    const { records, calls } = this.#parts;
    const record = records.get(run);
    return record !== undefined && record.outcome === undefined && calls.find(run) === undefined;
  }

  #paceOf(accountSid: AccountSid): Pace {
    const known = this.#paces.get(accountSid);
    if (known !== undefined) return known;
    for (const [other, pace] of this.#paces) if (pace.isIdle) this.#paces.delete(other);
    const pace = new Pace(this.#parts.clock, 1_000 / (this.#parts.callsPerS ?? 1));
    this.#paces.set(accountSid, pace);
    return pace;
  }

  #during(work: Promise<unknown>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }
}
