// The metrics with the label values that features own.
import { STREAM_REFUSALS } from "../calls/live/stream.ts";
import { WEBHOOK_ANSWERS } from "../calls/observer.ts";
import { REST_REQUESTS, SUBMISSION_RESULTS } from "../calls/outbound/dialObserver.ts";
import type { Clock } from "../domain/clock.ts";
import { Metrics } from "../metrics/metrics.ts";
import { SYNC_RESULTS } from "../numbers/sync/sync.ts";
import { FAILURE_KINDS } from "../twilio/failure.ts";

/** What the looks at an account's numbers are called among the requests to Twilio. */
export const CHECK_ACCOUNT = "check_account";

export function newMetrics(clock: Clock): Metrics {
  const labels = {
    webhookAnswers: WEBHOOK_ANSWERS,
    streamRefusals: STREAM_REFUSALS,
    submissionResults: SUBMISSION_RESULTS,
    restRequests: [...REST_REQUESTS, CHECK_ACCOUNT],
    restFailures: FAILURE_KINDS,
    syncResults: SYNC_RESULTS,
  };
  return new Metrics(labels, clock);
}
