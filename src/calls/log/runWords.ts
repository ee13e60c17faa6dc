// The call log in words for the operator: what an outcome means, and what a line of the timeline says.
import type { Outcome } from "../../domain/endings.ts";
import { type Explanation, explainTwilioCode } from "../../twilio/errors.ts";
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
  overloaded: "Refused: the gateway could not have carried one more call without harm to the others.",
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

/** What a kind of line says by itself; details with words of their own come after it. */
const EVENT_TEXT: Readonly<Record<CallLogEvent["kind"], string>> = {
  received: "The call came in.",
  queued: "The call waits to be placed.",
  submitted: "Twilio was asked to place the call.",
  submission_unknown: "Twilio did not say whether it placed the call; it is not asked twice.",
  placed: "Twilio has taken the call.",
  call_status: "Twilio reported on the call.",
  answering_machine: "Twilio said what picked up.",
  stream_opened: "Twilio opened the media stream.",
  stream_started: "The media stream began: from here on they talk.",
  stream_status: "Twilio reported on the media stream.",
  worker_replaced: "The call moved to another media worker, because its own was lost.",
  fallback: "Twilio got no usable answer to the call's webhook and asked the fallback.",
  agent_connected: "The agent is on the line.",
  agent_connect_failed: "The agent could not be reached.",
  agent_dropped: "The connection to the agent was lost.",
  agent_paused: "The agent was as far ahead with its speech as it may be, and was made to wait.",
  agent_behind: "The agent read too slowly: the caller's oldest audio was not given to it.",
  agent_refused: "The agent sent something that could not be obeyed.",
  agent_error: "The agent reported an error.",
  speech_started: "The caller began to speak.",
  speech_stopped: "The caller stopped speaking.",
  interrupted: "What the agent was saying was cut.",
  utterance: "The agent said something.",
  transcript: "Something was said.",
  turn: "The agent answered.",
  first_audio: "The agent's first words were sent.",
  prompt: "The gateway said something of its own.",
  playout_stalled: "Twilio confirmed nothing of what was sent: nobody heard the agent any more.",
  recording: "The recording went on.",
  hang_up_asked: "The call was asked to end through the API.",
  ended: "The call is over.",
};

/** Where a detail begins with a word of Twilio's, or of ours, that says more than the kind does. */
const WORDS_OF: { readonly [Kind in CallLogEvent["kind"]]?: Readonly<Record<string, string>> } = {
  queued: { trial: "The call waits to be placed." },
  call_status: CALL_STATUS_TEXT,
  stream_status: STREAM_STATUS_TEXT,
  answering_machine: ANSWERED_BY_TEXT,
  ended: OUTCOME_TEXT,
};

/** A line of the timeline, in a sentence or more: a detail is a word, a colon and words, or either of them. */
export function eventText({ kind, detail }: CallLogEvent): string {
  const said = EVENT_TEXT[kind];
  if (detail === undefined) return said;
  const [, word = "", rest = ""] = /^([\w-]+)(?:: ?(.*))?$/s.exec(detail) ?? ["", "", detail];
  const words = WORDS_OF[kind] ?? {};
  const isKnown = Object.hasOwn(words, word);
  const code = codeIn(isKnown ? rest : detail);
  const more = code === undefined ? (isKnown ? rest : "") : explainTwilioCode(code).sentence;
  return [isKnown ? words[word] : said, more].filter((part) => part !== "").join(" ");
}

/** The Twilio error code that a detail names: five digits, or the six of newer ones, standing alone. */
function codeIn(detail: string | undefined): number | undefined {
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
