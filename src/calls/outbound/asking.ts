// Asks Twilio about a call as the account that has it, and counts what goes wrong.
import { GatewayError } from "../../domain/errors.ts";
import type { Configuration, Directory } from "../../numbers/directory.ts";
import { TwilioFailure } from "../../twilio/failure.ts";
import type { TwilioAccess, TwilioCall, TwilioRest } from "../../twilio/rest.ts";
import type { CallRecord } from "../log/records.ts";
import type { DialObserver, RestRequest } from "./dialObserver.ts";

export interface AskingParts {
  readonly directory: Pick<Directory, "configuration">;
  readonly rest: TwilioRest;
  readonly access: (configuration: Configuration) => TwilioAccess;
  readonly observer: Pick<DialObserver, "restFailed">;
}

/** Each rejects with a TwilioFailure, or NOT_POSSIBLE when the call's configuration is gone. */
export class TwilioAsker {
  readonly #parts: AskingParts;

  constructor(parts: AskingParts) {
    this.#parts = parts;
  }

  /** Undefined: Twilio has no such call. The record has a CallSid. */
  call(record: CallRecord): Promise<TwilioCall | undefined> {
    const { rest } = this.#parts;
    return this.#ask("get_call", record, (access) => rest.getCall(access, record.callSid!));
  }

  /** Calls between the record's numbers since `sinceMs`, by the wall clock. */
  callsLike(record: CallRecord, sinceMs: number): Promise<readonly TwilioCall[]> {
    const { rest } = this.#parts;
    const { to, from } = record;
    return this.#ask("find_calls", record, (access) => rest.findCalls(access, { to, from, sinceMs }));
  }

  /** `canceled` only ends what was not answered. The record has a CallSid. */
  async end(record: CallRecord, status: "completed" | "canceled" = "completed"): Promise<void> {
    const { rest } = this.#parts;
    await this.#ask("end_call", record, (access) => rest.endCall(access, record.callSid!, status));
  }

  async #ask<Value>(
    request: RestRequest,
    { configurationId }: CallRecord,
    ask: (access: TwilioAccess) => Promise<Value>,
  ): Promise<Value> {
    const { directory, access, observer } = this.#parts;
    const configuration =
      configurationId === undefined ? undefined : directory.configuration(configurationId);
    if (configuration === undefined) {
      throw new GatewayError("NOT_POSSIBLE", "The Twilio configuration of this call was deleted.");
    }
    try {
      return await ask(access(configuration));
    } catch (error) {
      if (error instanceof TwilioFailure) observer.restFailed(request, error.kind);
      throw error;
    }
  }
}
