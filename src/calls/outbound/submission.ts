// The one request that Twilio gets for a call, and what its answer means. On disk before it leaves.
import type { AgentSettings } from "../../domain/agentSettings.ts";
import type { Clock } from "../../domain/clock.ts";
import { GatewayError } from "../../domain/errors.ts";
import type { CallSid, ConfigurationId, RunId } from "../../domain/ids.ts";
import type { Configuration, Directory } from "../../numbers/directory.ts";
import { TwilioFailure } from "../../twilio/failure.ts";
import type { TwilioAccess, TwilioRest } from "../../twilio/rest.ts";
import type { CallRecords } from "../log/records.ts";
import type { DialObserver } from "./dialObserver.ts";
import { orderFor, type RunUrls } from "./outbound.ts";

export interface SubmissionParts {
  readonly clock: Clock;
  readonly records: CallRecords;
  readonly directory: Pick<Directory, "configuration">;
  readonly rest: Pick<TwilioRest, "createCall">;
  readonly access: (configuration: Configuration) => TwilioAccess;
  readonly observer: Pick<DialObserver, "restFailed">;
  readonly urls: (run: RunId) => RunUrls;
}

export type Submitted =
  | { readonly result: "placed"; readonly callSid: CallSid }
  /** Twilio may have it: `words` say why that isn't known. */
  | { readonly result: "unknown"; readonly words: string }
  /** Certainly no call was placed. */
  | { readonly result: "refused" | "unreachable" | "not_asked"; readonly error: GatewayError }
  /** Given up before the request was made. */
  | { readonly result: "withdrawn" };

/** Asks for the call of a queued run, unless nobody wants it any more once it is on disk. Rejects for a bug only. */
export async function submitCall(
  parts: SubmissionParts,
  call: { readonly run: RunId; readonly configurationId: ConfigurationId; readonly agent: AgentSettings },
  isWanted: () => boolean,
): Promise<Submitted> {
  const { records, clock, directory, rest, access, observer, urls } = parts;
  const { run, configurationId, agent } = call;
  const submittedAtMs = clock.wallMs();
  records.update(run, { state: "submitting", submittedAtMs });
  records.append(run, { atMs: submittedAtMs, kind: "submitted" });
  try {
    // A call that may ring is never forgotten, nor asked for a second time.
    await records.committed();
  } catch (error) {
    if (error instanceof GatewayError) return { result: "not_asked", error };
    throw error;
  }
  if (!isWanted()) return { result: "withdrawn" };
  const configuration = directory.configuration(configurationId);
  if (configuration === undefined) {
    const error = new GatewayError(
      "NOT_POSSIBLE",
      "The Twilio configuration was deleted before the call was placed.",
    );
    return { result: "not_asked", error };
  }
  try {
    const order = orderFor(records.get(run)!, urls(run), configuration.amdEnabled, agent);
    const { sid } = await rest.createCall(access(configuration), order);
    return { result: "placed", callSid: sid };
  } catch (failure) {
    if (!(failure instanceof TwilioFailure)) throw failure;
    observer.restFailed("create_call", failure.kind);
    if (failure.mayHaveActed) return { result: "unknown", words: failure.message };
    return { result: failure.code === "TWILIO_REFUSED" ? "refused" : "unreachable", error: failure };
  }
}
