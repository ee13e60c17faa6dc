// The call log in words for the operator: what an outcome means, and what a line of the timeline says.
import type { Outcome } from "../domain/endings.ts";
import { type Explanation, explainTwilioCode } from "../twilio/errors.ts";
import type { CallLogEvent, CallRecord } from "./records.ts";

const OUTCOME_TEXT: Readonly<Record<Outcome, string>> = {
  caller_hung_up: "The person on the phone hung up.",
  agent_hung_up: "The agent hung up after its last words were heard.",
  no_stream: "Twilio never opened a usable media stream, so nobody could talk.",
  media_lost: "The media stream broke off in the middle of the call.",
  protocol_error: "The media stream sent what no stream may send, and the call was ended.",
  agent_failed: "The agent could not be reached, or broke off.",
  call_error: "An error in the gateway's own code ended the call; its log says which.",
  worker_lost: "The gateway lost two media workers under this call and ended it.",
  max_duration: "The call reached the longest time its workflow allows.",
  silence: "Nobody spoke for as long as the workflow allows.",
  drained: "The gateway was shut down, and the call was not over by the deadline.",
  operator_hung_up: "It was hung up through the API.",
  lost: "The gateway stopped during the call; how the call ended is not known.",
  number_unknown: "Refused: the number called is not configured here.",
  number_inactive: "Refused: the number called is switched off.",
  workflow_missing: "Refused: no workflow is assigned to the number called.",
  workflow_archived: "Refused: the number's workflow is archived.",
  workflow_invalid: "Refused: the workflow's definition can't be run.",
  calls_at_limit: "Refused: as many calls as are allowed were going on.",
  draining: "Refused: the gateway was being shut down.",
  no_worker: "Refused: no media worker was there to take the call.",
  log_full: "Refused: the call log could not be written.",
  busy: "The line was busy.",
  no_answer: "Nobody answered.",
  dial_failed: "Twilio or the network could not reach the number.",
  canceled: "The call was called off before it was answered.",
  not_placed: "Twilio did not place the call.",
};

/** What an ending means. */
export function outcomeText(outcome: Outcome): string {
  return OUTCOME_TEXT[outcome];
}

const CALL_STATUS_TEXT: Readonly<Record<string, string>> = {
  queued: "Twilio has queued the call.",
  initiated: "Twilio has begun to dial.",
  ringing: "The phone rings.",
  "in-progress": "The call was answered.",
  answered: "The call was answered.",
  completed: "Twilio says that the call is over.",
  busy: "The line was busy.",
  "no-answer": "Nobody answered.",
  failed: "Twilio could not put the call through.",
  canceled: "The call was called off before it was answered.",
};

const STREAM_STATUS_TEXT: Readonly<Record<string, string>> = {
  "stream-started": "Twilio says that the media stream has begun.",
  "stream-stopped": "Twilio says that the media stream is over.",
  "stream-error": "Twilio reports an error of the media stream.",
};

/** What machine detection says has picked up. */
const ANSWERED_BY_TEXT: Readonly<Record<string, string>> = {
  human: "A person picked up.",
  machine_start: "An answering machine picked up.",
  machine_end_beep: "An answering machine picked up; its greeting ended with a beep.",
  machine_end_silence: "An answering machine picked up; its greeting ended in silence.",
  machine_end_other: "An answering machine picked up; its greeting is over.",
  fax: "A fax machine picked up.",
  unknown: "Twilio could not tell whether a person or a machine picked up.",
};

/** A line of the timeline, in a sentence or two. */
export function eventText({ kind, detail }: CallLogEvent): string {
  switch (kind) {
    case "received":
      return "The call came in.";
    case "queued":
      return "The call waits to be placed.";
    case "submitted":
      return "Twilio was asked to place the call.";
    case "submission_unknown":
      return "Twilio did not say whether it placed the call; it is not asked twice.";
    case "placed":
      return "Twilio has taken the call.";
    case "call_status":
      return statusText(CALL_STATUS_TEXT, detail, "Twilio reported on the call.");
    case "answering_machine":
      return statusText(ANSWERED_BY_TEXT, detail, "Twilio said what picked up.");
    case "stream_opened":
      return "Twilio opened the media stream.";
    case "stream_started":
      return "The media stream began: from here on they talk.";
    case "stream_status":
      return statusText(STREAM_STATUS_TEXT, detail, "Twilio reported on the media stream.");
    case "worker_replaced":
      return "The call moved to another media worker, because its own was lost.";
    case "fallback": {
      const why = codeIn(detail);
      const asked = "Twilio got no usable answer to the call's webhook and asked the fallback.";
      return why === undefined ? asked : `${asked} ${explainTwilioCode(why).sentence}`;
    }
    case "hang_up_asked":
      return "The call was asked to end through the API.";
    case "ended":
      return detail !== undefined && Object.hasOwn(OUTCOME_TEXT, detail)
        ? OUTCOME_TEXT[detail as Outcome]
        : "The call is over.";
  }
}

function statusText(
  texts: Readonly<Record<string, string>>,
  detail: string | undefined,
  otherwise: string,
): string {
  const [word = ""] = detail?.split(/[:\s,;(]/, 1) ?? [];
  const said = Object.hasOwn(texts, word) ? texts[word]! : otherwise;
  const code = codeIn(detail);
  return code === undefined ? said : `${said} ${explainTwilioCode(code).sentence}`;
}

/** The Twilio error code that a detail names: five digits, or the six of newer ones, standing alone. */
export function codeIn(detail: string | undefined): number | undefined {
  const [digits] = /\b[1-9]\d{4,5}\b/.exec(detail ?? "") ?? [];
  return digits === undefined ? undefined : Number(digits);
}

export interface TwilioError {
  readonly code: number;
  readonly explanation: Explanation;
}

/**
 * Twilio's part in how a call ended: the code its record has, else the last one of its timeline, if it was neither
 * a person nor the agent who ended it: Twilio reports errors of streams that ended well, too.
 */
export function twilioErrorOf(record: CallRecord): TwilioError | undefined {
  const code = record.twilioCode ?? (mayHaveUntoldError(record) ? lastCode(record.events) : undefined);
  return code === undefined ? undefined : { code, explanation: explainTwilioCode(code) };
}

/** Whether only its events tell if Twilio has an error to blame for this call's end. */
export function mayHaveUntoldError({
  twilioCode,
  endedBy,
}: Pick<CallRecord, "twilioCode" | "endedBy">): boolean {
  return twilioCode === undefined && (endedBy === "twilio" || endedBy === "gateway");
}

function lastCode(events: readonly CallLogEvent[]): number | undefined {
  const errors = events.filter(({ kind, detail }) =>
    kind === "stream_status" ? detail?.startsWith("stream-error") : kind === "fallback",
  );
  return codeIn(errors.at(-1)?.detail);
}
