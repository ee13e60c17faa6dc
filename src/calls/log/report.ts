// The call log as CSV (RFC 4180): what its columns are, and how a value becomes a cell that no spreadsheet takes for
// a formula. Times are UTC, ISO 8601.
import { moment } from "../../http/operation.ts";
import type { CallRecord } from "./records.ts";
import { callDurationS, ringingMs } from "./runView.ts";
import { outcomeText, twilioErrorOf } from "./runWords.ts";

type Cell = string | number | null | undefined;

/** What is known of a run for its line. */
export interface ReportedRun {
  readonly record: CallRecord;
  readonly workflowName: string | null;
  /** Milliseconds since the epoch: how long a call that goes on has rung so far. */
  readonly nowMs: number;
}

const COLUMNS: readonly (readonly [header: string, cell: (run: ReportedRun) => Cell])[] = [
  ["run_id", ({ record }) => record.run],
  ["name", ({ record }) => record.name],
  ["workflow_id", ({ record }) => record.workflowId],
  ["workflow_name", ({ workflowName }) => workflowName],
  ["workflow_version", ({ record }) => record.workflowVersion],
  ["direction", ({ record }) => record.direction],
  ["caller_number", ({ record }) => record.from],
  ["called_number", ({ record }) => record.to],
  ["received_at", ({ record }) => moment(record.receivedAtMs)],
  ["answered_at", ({ record }) => time(record.answeredAtMs ?? record.startedAtMs)],
  ["ended_at", ({ record }) => time(record.endedAtMs)],
  ["ringing_ms", ({ record, nowMs }) => ringingMs(record, nowMs)],
  ["call_duration_seconds", ({ record }) => callDurationS(record)],
  ["heard_ms", ({ record }) => record.heardMs],
  ["digits_pressed", ({ record }) => record.digits],
  ["state", ({ record }) => record.state],
  ["outcome", ({ record }) => record.outcome],
  ["outcome_text", ({ record: { outcome } }) => outcome && outcomeText(outcome)],
  ["ended_by", ({ record }) => record.endedBy],
  ["answered_by", ({ record }) => record.answeredBy],
  ["twilio_error_code", ({ record }) => twilioErrorOf(record)?.code],
  ["twilio_error_text", ({ record }) => twilioErrorOf(record)?.explanation.sentence],
  ["recording_file", ({ record }) => record.recordingFile],
  ["call_sid", ({ record }) => record.callSid],
  ["telephony_configuration_id", ({ record }) => record.configurationId],
  ["initial_context", ({ record }) => record.initialContext && JSON.stringify(record.initialContext)],
];

/**
 * Before what a spreadsheet may take for a formula, signs in full width included: at a cell's beginning, and after
 * what parts the cells of spreadsheets in countries that write a comma in numbers.
 */
const FORMULA = /^(?=[\s\p{Cc}]*[=+\-@＝＋－＠]|[\t\r\n])|(?<=[;\t\r\n])(?= ?[=+\-@＝＋－＠])/gu;
/** A plus sign and digits alone come to nothing but the number itself, so numbers stay what programs can read. */
const E164 = /^\+\d{1,15}$/;

export const REPORT_HEADER = line(COLUMNS.map(([header]) => header));

export function reportLine(run: ReportedRun): string {
  return line(COLUMNS.map(([, cell]) => cell(run)));
}

/** Ended by CR and LF, the last line too. */
export function line(cells: readonly Cell[]): string {
  return `${cells.map(written).join(",")}\r\n`;
}

function written(cell: Cell): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell === "number") return String(Math.round(cell));
  const text = E164.test(cell) ? cell : cell.replace(FORMULA, "'");
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function time(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : moment(atMs);
}
