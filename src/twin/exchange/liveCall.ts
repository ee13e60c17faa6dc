// What every call of the exchange has, in either direction: a resource, and a leg that conducts it.
import type { TwinCall } from "../call.ts";
import type { Redirection } from "../dial.ts";
import type { CallRecord } from "./record.ts";

export interface LiveCall {
  readonly record: CallRecord;
  readonly leg: TwinCall;
  /** Whether it still waits for its turn to be dialled. */
  readonly isQueued: boolean;
  /** Ends it as REST may, at once as far as the resource shows. */
  hangUp(): void;
  redirect(redirection: Redirection): void;
  /** Resolves when the call is over and everything told about it has been answered. */
  readonly concluded: Promise<void>;
  /** Ends it with the exchange; nothing more is told of it. */
  close(): Promise<void>;
}
