// What crosses between the front thread and a worker once per call, as ordinary messages.
import type { CallBrief } from "../domain/brief.ts";
import type { EndReason, StreamViolation } from "../domain/endings.ts";
import type { AccountSid, CallSid, RunId, StreamSid } from "../domain/ids.ts";
import type { Prompts } from "./news.ts";
import type { Remains } from "./remains.ts";

/** One call's task: everything a worker needs to run it. Cloned into the worker. */
export interface CallTicket extends CallBrief {
  /** The call's place in shared memory and in the lane's records. */
  readonly slot: number;
  /** Counts placements over all calls of the slot: a record with another epoch is another call's, or stale. */
  readonly epoch: number;
  /** When the call was first placed, on the clock that all threads share. */
  readonly placedAtMs: number;
  readonly callSid: CallSid;
  readonly accountSid: AccountSid;
  readonly run: RunId;
  readonly direction: "inbound" | "outbound";
  readonly from: string;
  readonly to: string;
  /** Set when the stream had already started, on a worker that then died. */
  readonly resumed:
    | { readonly streamSid: StreamSid; readonly talkedMs: number; readonly remains: Remains | undefined }
    | undefined;
}

/** What a worker says when its task is over; by then everything it had for the call's socket is in the lane. */
export interface TaskReport {
  readonly reason: EndReason;
  /** For the log: what went wrong in the call's own code. Never shown to a caller or in a response. */
  readonly error?: string;
  /** With `protocol_error`: what the stream did. */
  readonly violation?: StreamViolation;
  /** Milliseconds of agent audio the caller heard, by marks. */
  readonly heardMs: number;
  readonly digits: number;
  /** The caller has been told on the stream that something went wrong. */
  readonly isApologized?: boolean;
}

/** A worker's first words, once it has loaded all that calls need. */
export interface WorkerHello {
  readonly hello: "media-worker";
  readonly threadId: number;
  /** The memory of its lane. */
  readonly lane: SharedArrayBuffer;
  readonly counts: SharedArrayBuffer;
  /** One Int32 that changes with every media tick and every record taken, while the worker has calls. */
  readonly heartbeat: SharedArrayBuffer;
}

/** An error that a worker could not trace to one of its calls, or to one that is over; for the log. */
export interface WorkerStray {
  readonly stray: string;
}

/** What every worker is born with. */
export interface WorkerBirth {
  readonly remains: SharedArrayBuffer;
  /** URLs of modules whose default export is one more agent type, beside the built-in ones. */
  readonly agentModules: readonly string[];
  /** Hosts that agents' servers may have although they are not public. */
  readonly agentPrivateHosts: readonly string[];
  readonly prompts: Prompts;
  /** The folder that calls are recorded into; it may not be there yet. */
  readonly recordingsPath: string;
}
