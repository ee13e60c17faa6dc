// Twilio's word on a call's progress: a status callback, or the call as REST shows it. Pure: what a record becomes by
// it doesn't depend on the order in which such words arrive, nor on how often, but for fractions of a second. Who is
// told is status.ts's business.
import type { Outcome } from "../../domain/endings.ts";
import { explainSipCode, explainTwilioCode, TRIAL_KEY_PRESS } from "../../twilio/errors.ts";
import { type FormParams, param } from "../../twilio/forms.ts";
import type { TwilioCall } from "../../twilio/resources.ts";
import { CALL_STATUSES, type CallStatus, isTerminal } from "../../twilio/voiceWebhook.ts";
import {
  CALL_STATES,
  type CallLogEvent,
  type CallProgress,
  type CallRecord,
  type CallState,
} from "./records.ts";
import { wasHangUpAsked, wasTrial } from "./timeline.ts";

/** Twilio's moments are whole seconds, cut off (RFC 2822). */
const TWILIO_MOMENT_MS = 1_000;

/** A trial account's calls are cut by Twilio after ten minutes, and no callback says so. */
const TRIAL_CUT_S = 600;
const TRIAL_CUT_CODE = 13805;

export interface StatusReport {
  readonly status: CallStatus;
  /** Twilio's order of a call's callbacks, from 0; undefined for what was asked by REST. */
  readonly sequence: number | undefined;
  /** By Twilio's clock, to the second. */
  readonly saidAtMs: number | undefined;
  readonly sipCode: number | undefined;
  readonly twilioCode: number | undefined;
  /** What picked up, where machines are listened for. */
  readonly answeredBy: string | undefined;
  /** From answer to end. */
  readonly durationS: number | undefined;
}

/** Undefined when the parameters hold no status that is known. */
export function readCallStatus(params: FormParams): StatusReport | undefined {
  const status = CALL_STATUSES.find((known) => known === param(params, "CallStatus"));
  if (status === undefined) return undefined;
  return {
    status,
    sequence: wholeNumber(params, "SequenceNumber"),
    saidAtMs: moment(param(params, "Timestamp")),
    sipCode: wholeNumber(params, "SipResponseCode"),
    twilioCode: wholeNumber(params, "ErrorCode"),
    answeredBy: answeredByIn(params),
    durationS: wholeNumber(params, "CallDuration"),
  };
}

/** What REST shows of a call, as a report. */
export function reportOf({ status, endedAtMs, answeredBy, durationS }: TwilioCall): StatusReport | undefined {
  if (status === undefined) return undefined;
  return {
    status,
    sequence: undefined,
    saidAtMs: endedAtMs,
    sipCode: undefined,
    twilioCode: undefined,
    answeredBy,
    durationS,
  };
}

/** Machine detection's word on who picked up: `human`, `machine_start` and so on. */
export function answeredByIn(params: FormParams): string | undefined {
  const word = param(params, "AnsweredBy");
  return word !== undefined && /^[a-z_]{1,40}$/.test(word) ? word : undefined;
}

/** What a record becomes by a report, its ending apart; empty when nothing changes. A state is never gone back to. */
export function progressAfter(record: CallRecord, report: StatusReport, nowMs: number): CallProgress {
  const state = stateOf(report.status);
  const progress: { -readonly [Field in keyof CallProgress]: CallProgress[Field] } = {};
  if (state !== "ended" && record.outcome === undefined && isFurther(state, record.state))
    progress.state = state;
  const atMs = momentOf(record, report, nowMs);
  if (report.status === "ringing" && record.ringingAtMs === undefined) progress.ringingAtMs = atMs;
  // The webhook for the call's TwiML came when it was answered, unless Twilio's own moment says that it came late.
  const isBetter = record.answeredAtMs === undefined || atMs < record.answeredAtMs - TWILIO_MOMENT_MS;
  if (report.status === "in-progress" && isBetter) progress.answeredAtMs = atMs;
  const ringingAtMs = progress.ringingAtMs ?? record.ringingAtMs;
  const answeredAtMs = progress.answeredAtMs ?? record.answeredAtMs;
  // Twilio's moments have whole seconds, so both may be the same, or be told apart by who said it only.
  if (ringingAtMs !== undefined && answeredAtMs !== undefined && answeredAtMs < ringingAtMs) {
    progress.answeredAtMs = ringingAtMs;
  }
  if (report.answeredBy !== undefined && record.answeredBy === undefined)
    progress.answeredBy = report.answeredBy;
  const twilioCode = codeOf(record, report);
  if (twilioCode !== undefined) progress.twilioCode = twilioCode;
  return progress;
}

/** How a call ended that no stream is told of; undefined while it goes on. */
export interface UntalkedEnding {
  readonly outcome: Outcome;
  readonly endedAtMs: number;
  /** What is known beside the outcome, in words. */
  readonly words: string | undefined;
}

/** The ending of a call that is not live: nobody answered, or nobody came to talk. */
export function endingAfter(
  record: CallRecord,
  report: StatusReport,
  nowMs: number,
): UntalkedEnding | undefined {
  if (!isTerminal(report.status)) return undefined;
  const outcome = outcomeOf(record, report);
  const isUnjoinedTrial = outcome === "no_stream" && wasTrial(record);
  const words = isUnjoinedTrial
    ? `${TRIAL_KEY_PRESS.sentence} ${TRIAL_KEY_PRESS.remedy}`
    : wordsAbout(record, report);
  return { outcome, endedAtMs: momentOf(record, report, nowMs), words };
}

function outcomeOf(record: CallRecord, { status }: StatusReport): Outcome {
  switch (status) {
    case "busy":
      return "busy";
    case "no-answer":
      return "no_answer";
    case "failed":
      return "dial_failed";
    case "canceled":
      return "canceled";
    default:
      if (wasHangUpAsked(record)) return "operator_hung_up";
      return record.startedAtMs === undefined ? "no_stream" : "caller_hung_up";
  }
}

/** A report as a line of the timeline. */
export function eventOf(record: CallRecord, report: StatusReport, nowMs: number): CallLogEvent {
  const words = wordsAbout(record, report);
  return {
    atMs: nowMs,
    kind: "call_status",
    detail: words === undefined ? report.status : `${report.status}: ${words}`,
    ...(report.sequence !== undefined && { sequence: report.sequence }),
  };
}

/** Whether a later one has come before it. A repeat is none. */
export function isLate({ events }: CallRecord, { sequence }: StatusReport): boolean {
  if (sequence === undefined) return false;
  const told = events.filter(({ kind }) => kind === "call_status").map((event) => event.sequence ?? -1);
  return !told.includes(sequence) && told.some((other) => other > sequence);
}

/** Codes in words; undefined where there are none. */
function wordsAbout(record: CallRecord, report: StatusReport): string | undefined {
  const { sipCode } = report;
  const twilioCode = codeOf(record, report);
  const said = [
    twilioCode === undefined ? undefined : explainTwilioCode(twilioCode),
    // Only of a failure does it say more than the status: busy is busy.
    sipCode === undefined || report.status !== "failed" ? undefined : explainSipCode(sipCode),
  ].filter((explanation) => explanation !== undefined);
  if (said.length === 0) return undefined;
  return said.map(({ sentence, remedy }) => `${sentence} ${remedy}`).join(" ");
}

function codeOf(record: CallRecord, { status, twilioCode, durationS = 0 }: StatusReport): number | undefined {
  if (twilioCode !== undefined) return twilioCode;
  return status === "completed" && wasTrial(record) && durationS >= TRIAL_CUT_S ? TRIAL_CUT_CODE : undefined;
}

function stateOf(status: CallStatus): CallState {
  if (isTerminal(status)) return "ended";
  switch (status) {
    case "ringing":
      return "ringing";
    case "in-progress":
      return "answered";
    default:
      return "placed";
  }
}

/** Whether a state comes later in a call's life. */
export function isFurther(state: CallState, than: CallState): boolean {
  return CALL_STATES.indexOf(state) > CALL_STATES.indexOf(than);
}

/** By Twilio's clock, but neither before we asked it nor after now: clocks differ, and it writes whole seconds. */
function momentOf({ receivedAtMs, submittedAtMs }: CallRecord, report: StatusReport, nowMs: number): number {
  const { saidAtMs = nowMs } = report;
  // What came within the second that Twilio names is dated better by when it came.
  const atMs = nowMs - saidAtMs < TWILIO_MOMENT_MS ? nowMs : saidAtMs;
  return Math.min(Math.max(atMs, submittedAtMs ?? receivedAtMs), nowMs);
}

function moment(text: string | undefined): number | undefined {
  const atMs = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(atMs) ? undefined : atMs;
}

function wholeNumber(params: FormParams, name: string): number | undefined {
  const text = param(params, name);
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined;
}
