// One request for a call, from the API to its answer: may it be placed, is it a repeat, its record, its turn in line,
// and what is known by the time an answer is due.
import type { Clock } from "../../domain/clock.ts";
import type { Refusal } from "../../domain/endings.ts";
import { GatewayError } from "../../domain/errors.ts";
import type { ApiKeyId, ConfigurationId, NumberId, RunId } from "../../domain/ids.ts";
import type { Answerer, Directory } from "../../numbers/directory.ts";
import type { Store } from "../../store/store.ts";
import type { Workflow } from "../../workflows/workflow.ts";
import type { LiveCalls } from "../live/liveCalls.ts";
import { closeRecord } from "../log/ending.ts";
import type { CallRecord, CallRecords } from "../log/records.ts";
import { TRIAL, wasTrial } from "../log/timeline.ts";
import type { CallObserver } from "../observer.ts";
import type { Dialer, Submission } from "./dialer.ts";
import type { Claim, Idempotency } from "./idempotency.ts";
import { chooseLine, destinationOf, type Line, refusalError, TRIAL_WORDS } from "./outbound.ts";
import { once } from "./pace.ts";
import { KeyRates, type Rate } from "./rate.ts";

/** The front gives an answer up after 10 s. */
const ANSWER_MS = 8_000;
/** A key may place so many calls at once and then one a second, which is what an account dials. */
const RATE: Rate = { burst: 60, perS: 1 };
const STORED_TRIAL = "Trial";
const STORE_RETRY_S = 10;

export interface PlacingParts {
  readonly clock: Clock;
  readonly records: CallRecords;
  readonly calls: Pick<LiveCalls, "refusal" | "size">;
  readonly directory: Directory;
  readonly dialer: Dialer;
  readonly idempotency: Idempotency;
  readonly observer: CallObserver;
  readonly store: Pick<Store, "preferences" | "configurations">;
  /** Calls at the same time, those included that have not been answered. */
  readonly callsMax: number;
  /** Beginnings of the numbers that may be called; empty: any. */
  readonly dialPrefixes: readonly string[];
  readonly rate?: Rate;
}

export interface CallRequest {
  /** Whose API key; undefined for the environment's. */
  readonly keyId: ApiKeyId | undefined;
  readonly idempotencyKey: string | undefined;
  readonly workflow: Workflow;
  /** As it was written; undefined: the preferences' test number. */
  readonly destination: string | undefined;
  readonly configurationId: ConfigurationId | undefined;
  readonly numberId: NumberId | undefined;
  readonly initialContext?: Readonly<Record<string, unknown>> | undefined;
  /** A run that was made before; undefined: a new one. */
  readonly run?: RunId | undefined;
}

export interface CallAnswer {
  readonly run: RunId;
  readonly name: string;
  /** Null while Twilio has not given it one, or it is not known. */
  readonly callSid: string | null;
  readonly message: string;
}

export class Placing {
  readonly #parts: PlacingParts;
  readonly #rates: KeyRates;
  /** Calls that have passed the limits and are not in line yet. */
  #opening = 0;

  constructor(parts: PlacingParts) {
    this.#parts = parts;
    this.#rates = new KeyRates(parts.rate ?? RATE, parts.clock);
  }

  /** Throws a GatewayError that says why no call was placed. */
  place(asked: CallRequest): Promise<CallAnswer> {
    const { keyId, idempotencyKey, workflow, ...rest } = asked;
    const request = { ...rest, workflow: workflow.id };
    const latestMs = this.#parts.clock.nowMs() + ANSWER_MS;
    return this.#parts.idempotency.once(
      { keyId, idempotencyKey, request },
      (claim) => this.#begin(asked, claim, latestMs),
      (run) => this.#again(run),
      isVoid,
    );
  }

  async #begin(asked: CallRequest, claim: Claim, latestMs: number): Promise<CallAnswer> {
    const { directory, dialer } = this.#parts;
    this.#rates.take(asked.keyId ?? 0);
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusalError(refusal);
    const answerer = directory.answererOf(asked.workflow.id);
    if ("refusal" in answerer) throw refusalError(answerer.refusal);
    const line = chooseLine(directory, asked);
    dialer.refuseIfFull(line.configuration, this.#opening);
    this.#opening++;
    let run: RunId;
    let dialled: ReturnType<Dialer["dial"]>;
    try {
      run = await this.#opened({ ...asked, latestMs }, line, answerer, claim);
      dialled = dialer.dial({ run, configuration: line.configuration, answerer });
    } finally {
      this.#opening--;
    }
    if (dialled.ahead > 0) return this.#answer(run);
    return this.#told(run, await this.#within(latestMs, dialled.submission));
  }

  #refusal(): Refusal | undefined {
    const { calls, dialer, callsMax } = this.#parts;
    const refusal = calls.refusal("outbound");
    if (refusal !== undefined) return refusal;
    return calls.size + dialer.pending + this.#opening >= callsMax ? "calls_at_limit" : undefined;
  }

  /** The run of a call that may be placed: its record, and what its idempotency key stands for, are on disk. */
  async #opened(
    asked: CallRequest & { readonly latestMs: number },
    line: Line,
    answerer: Answerer,
    claim: Claim,
  ): Promise<RunId> {
    const { records, store, clock, dialPrefixes } = this.#parts;
    const stored = <Value>(work: Promise<Value>) => this.#stored(asked.latestMs, work);
    const { destination, initialContext } = asked;
    const preferences = destination ? undefined : await stored(store.preferences.get());
    const to = destinationOf(destination, preferences?.testPhoneNumber, dialPrefixes);
    const { configuration, number } = line;
    const account = await stored(store.configurations.get(configuration.id));
    const isTrial = account?.check.accountType === STORED_TRIAL;
    const facts = {
      accountSid: configuration.accountSid,
      configurationId: configuration.id,
      numberId: number.id,
      from: number.address,
      to,
      workflowVersion: answerer.brief.workflow.version,
      definitionId: answerer.definitionId,
      ...(initialContext !== undefined && { initialContext }),
    };
    const made = asked.run === undefined ? undefined : await stored(records.recall(asked.run));
    // From here to its being queued nothing waits, so that a run made before is never dialled by two requests.
    if (asked.run !== undefined) checkMade(made, asked.workflow);
    const atMs = clock.wallMs();
    const run =
      made?.run ??
      records.open(
        { ...facts, callSid: undefined, direction: "outbound", workflowId: asked.workflow.id },
        atMs,
        { state: "queued" },
      );
    if (made !== undefined) records.update(run, { ...facts, state: "queued" });
    const detail = isTrial ? { detail: `${TRIAL}: ${TRIAL_WORDS}` } : {};
    records.append(run, { atMs, kind: "queued", ...detail });
    let isGivenUp = false;
    try {
      // A claim that comes after its request was given up could take the key from the next try.
      await stored(records.committed().then(() => (isGivenUp ? undefined : claim(run))));
    } catch (error) {
      isGivenUp = true;
      const words = "The call log could not be written, so Twilio was not asked.";
      closeRecord(this.#parts, run, { outcome: "not_placed", endedBy: "gateway", words });
      throw error;
    }
    return run;
  }

  /** What the store was asked for, or STORE_UNAVAILABLE when an answer is due before it has come. */
  async #stored<Value>(latestMs: number, work: Promise<Value>): Promise<Value> {
    const came = await this.#within(
      latestMs,
      work.then((value) => ({ value })),
    );
    if (came !== undefined) return came.value;
    throw new GatewayError("STORE_UNAVAILABLE", "The database takes too long, so no call was placed.", {
      retryAfterS: STORE_RETRY_S,
    });
  }

  /** Undefined when an answer is due before it has come; rejects as it does. */
  async #within<Value>(latestMs: number, work: Promise<Value>): Promise<Value | undefined> {
    const { clock } = this.#parts;
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const stop = once(clock, latestMs - clock.nowMs(), () => resolve(undefined));
    try {
      return await Promise.race([work, late]);
    } finally {
      stop();
    }
  }

  #told(run: RunId, submission: Submission | undefined): CallAnswer {
    if (submission?.kind === "failed") throw submission.error;
    if (submission?.kind === "canceled") {
      throw new GatewayError("CONFLICT", "The call was hung up before Twilio was asked for it.");
    }
    return this.#answer(run);
  }

  /** The answer for a run that was asked for before; undefined when Twilio was never asked for its call. */
  async #again(run: RunId): Promise<CallAnswer | undefined> {
    const record = await this.#parts.records.recall(run);
    if (record === undefined) return undefined;
    const wasAsked = record.submittedAtMs !== undefined;
    // An operator's word stands: only what came to nothing by itself may be tried again.
    if (record.outcome !== undefined && record.outcome !== "canceled" && !wasAsked) return undefined;
    if (record.outcome === "not_placed") {
      throw new GatewayError("TWILIO_REFUSED", wordsOf(record) ?? "Twilio did not place this call.");
    }
    return this.#answer(run);
  }

  #answer(run: RunId): CallAnswer {
    const record = this.#parts.records.get(run)!;
    const { name, callSid } = record;
    return { run, name, callSid: callSid ?? null, message: messageOf(record) };
  }
}

/** Throws unless it is a run of this workflow that waits to be dialled. */
function checkMade(record: CallRecord | undefined, workflow: Workflow): void {
  if (record === undefined) throw new GatewayError("NOT_POSSIBLE", "Workflow run not found");
  if (record.workflowId !== workflow.id) {
    throw new GatewayError("NOT_POSSIBLE", "workflow_run_workflow_mismatch");
  }
  if (record.outcome !== undefined) {
    throw new GatewayError("CONFLICT", "Workflow run is over: each run is one call. Create another run.");
  }
  if (record.state !== "created") {
    throw new GatewayError("CONFLICT", "Workflow run already has an active call");
  }
}

function messageOf(record: CallRecord): string {
  const { name, state } = record;
  switch (state) {
    case "queued":
      return `The call waits for its turn at Twilio and is placed without further asking; its run is ${name}.`;
    case "submitting":
      return (
        `Twilio has not said yet whether it placed the call. This is being found out, and run ${name} will tell: ` +
        "please don't ask for the same call again."
      );
    default:
      return `Call initiated successfully with run name ${name}.${wasTrial(record) ? ` ${TRIAL_WORDS}` : ""}`;
  }
}

/** Why no call was placed, as it was said the first time. */
function wordsOf({ events }: CallRecord): string | undefined {
  const said = events.find(({ kind }) => kind === "ended")?.detail;
  return said?.replace(/^\w+: /, "");
}

/** Certainly no call was placed, and trying again makes sense. */
function isVoid(error: unknown): boolean {
  return (
    error instanceof GatewayError &&
    ["TWILIO_UNREACHABLE", "STORE_UNAVAILABLE", "NOT_NOW"].includes(error.code)
  );
}
