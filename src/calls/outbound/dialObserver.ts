// What placing calls tells whoever counts and logs. Implemented by the composition root.
import type { RunId } from "../../domain/ids.ts";
import type { TwilioFailure } from "../../twilio/failure.ts";

/** What came of asking Twilio for a call. Labels `linecard_outbound_submissions_total`. */
export const SUBMISSION_RESULTS = [
  "placed",
  "refused", //      Twilio said no
  "unreachable", //  certainly not placed: no connection, or too many requests
  "unknown", //      no answer; to be found out
  "found_placed", // what was unknown: Twilio has it
  "found_absent", // what was unknown: Twilio doesn't
  "never_known", //  what was unknown, and nobody can tell any more
  "not_asked", //    given up before Twilio was asked
] as const;
export type SubmissionResult = (typeof SUBMISSION_RESULTS)[number];

/** The requests for calls. Labels `linecard_twilio_api_errors_total`, with the failure's kind. */
export const REST_REQUESTS = ["create_call", "get_call", "find_calls", "end_call"] as const;
export type RestRequest = (typeof REST_REQUESTS)[number];

export interface DialObserver {
  submitted(run: RunId, result: SubmissionResult): void;
  restFailed(request: RestRequest, kind: TwilioFailure["kind"]): void;
}
