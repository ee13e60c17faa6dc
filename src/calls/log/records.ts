// The call log as the front thread keeps it: one record per call, with what happened in order. Written at once in
// memory and behind to the store, in batches and in order, so that no call waits for a disk.
import type { Outcome } from "../../domain/endings.ts";
import type {
  AccountSid,
  CallSid,
  ConfigurationId,
  DefinitionId,
  NumberId,
  RunId,
  WorkflowId,
} from "../../domain/ids.ts";
import type { NewsKind } from "../../lane/news.ts";

export type CallDirection = "inbound" | "outbound";

/** How far a call has come. An outbound call passes through all of them, an inbound one begins with `ringing`. */
export const CALL_STATES = [
  "created", //     a run that was made to be dialled later
  "queued", //      to be dialled; Twilio was not asked yet
  "submitting", //  Twilio is being asked, or was asked and did not answer: never asked again
  "placed", //      Twilio has it
  "ringing",
  "answered",
  "ended",
] as const;
export type CallState = (typeof CALL_STATES)[number];

/** What is known of a call when it is first heard of. */
export interface CallFacts {
  /** Undefined until Twilio has given an outbound call one. */
  readonly callSid: CallSid | undefined;
  readonly accountSid: AccountSid | undefined;
  readonly configurationId: ConfigurationId | undefined;
  readonly direction: CallDirection;
  /** As Twilio sent it or was told: a number, `anonymous`, `client:…`, or empty. */
  readonly from: string;
  readonly to: string;
  readonly numberId: NumberId | undefined;
  readonly workflowId: WorkflowId | undefined;
  readonly workflowVersion: number | undefined;
  readonly definitionId: DefinitionId | undefined;
  /** The caller ID's attestation. */
  readonly stirVerstat?: string | undefined;
  readonly forwardedFrom?: string | undefined;
  readonly callerName?: string | undefined;
  /** What whoever placed the call wants its agent to know. */
  readonly initialContext?: Readonly<Record<string, unknown>> | undefined;
}

/** One line of a call's timeline. `detail` holds codes and words, never a digit, a number or a secret. */
export interface CallLogEvent {
  readonly atMs: number;
  readonly kind:
    | NewsKind //             what its media worker tells of it: all of that is in `facts`
    | "received" //          inbound: the webhook came
    | "queued" //            outbound
    | "submitted" //         outbound: Twilio was asked
    | "submission_unknown" // it did not answer
    | "placed"
    | "call_status" //       Twilio's word on the call
    | "answering_machine"
    | "stream_opened"
    | "stream_started"
    | "stream_status" //     Twilio's word on the stream
    | "worker_replaced"
    | "fallback"
    | "hang_up_asked" //     by the operator
    | "ended";
  readonly detail?: string;
  /** Of a status callback: Twilio's order of them. */
  readonly sequence?: number;
  /** Levels and lengths, and what was said: for the record and for nobody's log. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

/** Who brought a call to its end. */
export type EndedBy = "caller" | "callee" | "agent" | "operator" | "twilio" | "gateway";

export interface CallRecord extends CallFacts {
  readonly run: RunId;
  /** `WR-TEL-IN-00000017`, `WR-TEL-OUT-00000018`, or what it was given. */
  readonly name: string;
  /** `twilio`, or what the run was made with. */
  readonly mode: string;
  readonly state: CallState;
  /** Wall clock, as all times here. */
  readonly receivedAtMs: number;
  readonly submittedAtMs: number | undefined;
  readonly ringingAtMs: number | undefined;
  readonly answeredAtMs: number | undefined;
  /** The stream's start: from here on it is talked. */
  readonly startedAtMs: number | undefined;
  readonly endedAtMs: number | undefined;
  /** Undefined while the call lives. */
  readonly outcome: Outcome | undefined;
  readonly endedBy: EndedBy | undefined;
  /** Milliseconds of agent audio the caller heard, by marks. */
  readonly heardMs: number;
  /** Keys the caller pressed: how many, not which. */
  readonly digits: number;
  /** What picked up, as Twilio's machine detection calls it. */
  readonly answeredBy: string | undefined;
  /** Twilio's error code, explained by twilio/errors.ts. */
  readonly twilioCode: number | undefined;
  /** The caller was told on the stream that something went wrong, so that nothing more is said after it. */
  readonly isApologized?: boolean | undefined;
  /** The name of the file it is recorded in, which also says until when it is kept. */
  readonly recordingFile?: string | undefined;
  /** Somebody's words stand in its timeline. */
  readonly hasTranscript?: boolean | undefined;
  readonly events: readonly CallLogEvent[];
}

/** Fields that are written as a call goes on. */
export type CallProgress = Partial<
  Pick<
    CallRecord,
    | "state"
    | "callSid"
    // A run that was made to be dialled later gets these when it is.
    | "accountSid"
    | "configurationId"
    | "numberId"
    | "from"
    | "to"
    | "workflowVersion"
    | "definitionId"
    | "initialContext"
    | "submittedAtMs"
    | "ringingAtMs"
    | "answeredAtMs"
    | "startedAtMs"
    | "endedAtMs"
    | "outcome"
    | "endedBy"
    | "heardMs"
    | "digits"
    | "answeredBy"
    | "twilioCode"
    | "isApologized"
    | "recordingFile"
    | "hasTranscript"
  >
>;

export interface CallRecords {
  /** Opens a record, in memory at once. `state` is `ringing` for an inbound call. */
  open(facts: CallFacts, atMs: number, opened?: { state?: CallState; name?: string; mode?: string }): RunId;
  update(run: RunId, progress: CallProgress): void;
  /** Appends to the timeline; what Twilio reports twice is one line. */
  append(run: RunId, event: CallLogEvent): void;
  /** The same for what is told often: it is written with whatever is written next, or within a second. */
  note(run: RunId, event: CallLogEvent): void;
  /** Of those in memory: every call that is not over, and the newest that are. */
  get(run: RunId): CallRecord | undefined;
  find(callSid: CallSid): CallRecord | undefined;
  /** From memory, or else from the store. */
  recall(key: RunId | CallSid): Promise<CallRecord | undefined>;
  /** Resolves once all that was written so far is on disk; rejects with STORE_UNAVAILABLE when it can't be. */
  committed(): Promise<void>;
}

/** A record as it is first written. */
export function newRecord(
  run: RunId,
  facts: CallFacts,
  atMs: number,
  {
    state = "ringing",
    mode = "twilio",
    name = nameOf(run, facts.direction),
  }: { state?: CallState; name?: string; mode?: string } = {},
): CallRecord {
  return {
    ...facts,
    run,
    name,
    mode,
    state,
    receivedAtMs: atMs,
    submittedAtMs: undefined,
    ringingAtMs: undefined,
    answeredAtMs: undefined,
    startedAtMs: undefined,
    endedAtMs: undefined,
    outcome: undefined,
    endedBy: undefined,
    heardMs: 0,
    digits: 0,
    answeredBy: undefined,
    twilioCode: undefined,
    events: [],
  };
}

function nameOf(run: RunId, direction: CallDirection): string {
  return `WR-TEL-${direction === "inbound" ? "IN" : "OUT"}-${String(run).padStart(8, "0")}`;
}

/** Who brought a call to this end. */
export function endedByOf(outcome: Outcome, direction: CallDirection): EndedBy {
  switch (outcome) {
    case "caller_hung_up":
      return direction === "inbound" ? "caller" : "callee";
    case "busy":
    case "no_answer":
      return "callee";
    case "agent_hung_up":
    case "agent_failed":
      return "agent";
    case "operator_hung_up":
    case "canceled":
      return "operator";
    case "no_stream":
    case "media_lost":
    case "protocol_error":
    case "dial_failed":
    case "not_placed":
      return "twilio";
    default:
      return "gateway";
  }
}
