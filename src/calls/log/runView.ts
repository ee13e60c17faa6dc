// A call's record as the API shows it. Pure: what a live call's times are "so far" comes in as an argument. Keys that
// the caller pressed are counted in here and never named.
import type { z } from "zod";
import { moment } from "../../http/operation.ts";
import { type Links, NO_LINKS } from "../recordings/links.ts";
import type { CallRecord } from "./records.ts";
import { NO_WORKFLOW } from "./runFilters.ts";
import type { runDetailSchema, runSchema, usageRunSchema } from "./runSchemas.ts";
import { eventText, outcomeText, twilioErrorOf } from "./runWords.ts";
import { inOrder } from "./timeline.ts";

export type RunAnswer = z.input<typeof runSchema>;
export type RunDetail = z.input<typeof runDetailSchema>;
export type UsageRun = z.input<typeof usageRunSchema>;

/** A run in a list: everything but its timeline. */
export function runAnswer(record: CallRecord, nowMs: number, links: Links = NO_LINKS): RunAnswer {
  const { run, name, mode, direction, outcome, receivedAtMs, answeredAtMs, startedAtMs, endedAtMs } = record;
  const durationS = callDurationS(record);
  const twilioError = twilioErrorOf(record);
  return {
    id: run,
    workflow_id: record.workflowId ?? NO_WORKFLOW,
    name,
    mode,
    created_at: moment(receivedAtMs),
    is_completed: outcome !== undefined,
    ...links,
    cost_info: null,
    usage_info: durationS === undefined ? null : { call_duration_seconds: durationS },
    definition_id: record.definitionId ?? null,
    initial_context: initialContext(record),
    gathered_context: gatheredContext(record),
    call_type: direction,
    logs: null,
    annotations: null,
    call_sid: record.callSid ?? null,
    state: record.state,
    outcome: outcome ?? null,
    outcome_text: outcome === undefined ? null : outcomeText(outcome),
    ended_by: record.endedBy ?? null,
    direction,
    from: record.from,
    to: record.to,
    workflow_version: record.workflowVersion ?? null,
    ringing_ms: ringingMs(record, nowMs),
    talking_ms: startedAtMs === undefined ? 0 : between(startedAtMs, endedAtMs ?? nowMs),
    heard_ms: Math.round(record.heardMs),
    digits_pressed: record.digits,
    received_at: moment(receivedAtMs),
    answered_at: momentOrNull(answeredAtMs ?? startedAtMs),
    ended_at: momentOrNull(endedAtMs),
    twilio_error:
      twilioError === undefined
        ? null
        : {
            code: twilioError.code,
            text: twilioError.explanation.sentence,
            remedy: twilioError.explanation.remedy,
          },
  };
}

/** One run, with all that is known of it. */
export function runDetail(record: CallRecord, nowMs: number, links: Links = NO_LINKS): RunDetail {
  return {
    ...runAnswer(record, nowMs, links),
    logs: {
      telephony_status_callbacks: inOrder(record.events)
        .filter(({ kind }) => kind === "call_status")
        .map(({ atMs, detail, sequence }) => ({
          status: detail?.split(":", 1)[0] ?? null,
          timestamp: moment(atMs),
          sequence_number: sequence ?? null,
        })),
    },
    events: inOrder(record.events).map((event) => ({
      at: moment(event.atMs),
      kind: event.kind,
      detail: event.detail ?? null,
      text: eventText(event),
      facts: event.facts ?? null,
    })),
  };
}

/** A run in the list of what was used. */
export function usageRun(record: CallRecord, workflowName: string | null, links: Links = NO_LINKS): UsageRun {
  const { run, name, mode, direction, from, to, outcome } = record;
  return {
    id: run,
    workflow_id: record.workflowId ?? NO_WORKFLOW,
    workflow_name: workflowName,
    name,
    created_at: moment(record.receivedAtMs),
    dograh_token_usage: 0,
    call_duration_seconds: callDurationS(record) ?? 0,
    ...links,
    phone_number: otherParty(record),
    caller_number: from,
    called_number: to,
    call_type: direction,
    mode,
    disposition: outcome ?? null,
    initial_context: initialContext(record),
    gathered_context: gatheredContext(record),
    charge_usd: null,
    call_sid: record.callSid ?? null,
    state: record.state,
    outcome_text: outcome === undefined ? null : outcomeText(outcome),
    ended_by: record.endedBy ?? null,
  };
}

/** Whole seconds, to the nearest, from the stream's start to the end; 0 without a stream, undefined before the end. */
export function callDurationS({
  startedAtMs,
  endedAtMs,
}: Pick<CallRecord, "startedAtMs" | "endedAtMs">): number | undefined {
  if (endedAtMs === undefined) return undefined;
  return Math.floor((between(startedAtMs ?? endedAtMs, endedAtMs) + 500) / 1_000);
}

/** An inbound call rings from when it is heard of; null for an outbound one that has not rung. */
export function ringingMs(record: CallRecord, nowMs: number): number | null {
  const { direction, receivedAtMs, ringingAtMs, answeredAtMs, startedAtMs, endedAtMs } = record;
  const fromMs = ringingAtMs ?? (direction === "inbound" ? receivedAtMs : undefined);
  if (fromMs === undefined) return null;
  return between(fromMs, answeredAtMs ?? startedAtMs ?? endedAtMs ?? nowMs);
}

/** Never negative, though a wall clock may be set back. */
function between(fromMs: number, toMs: number): number {
  return Math.max(0, Math.round(toMs) - Math.round(fromMs));
}

function momentOrNull(atMs: number | undefined): string | null {
  return atMs === undefined ? null : moment(atMs);
}

/** Who is on the phone, whichever way the call went. */
function otherParty({ direction, from, to }: CallRecord): string {
  return direction === "inbound" ? from : to;
}

/** What was known when the call began; what the API's caller gave never passes for what is known. */
function initialContext(record: CallRecord): Record<string, unknown> {
  const { direction, from, to, configurationId, numberId, callerName, forwardedFrom, stirVerstat } = record;
  return {
    ...record.initialContext,
    caller_number: from,
    called_number: to,
    phone_number: otherParty(record),
    direction,
    provider: "twilio",
    telephony_configuration_id: configurationId ?? null,
    ...(numberId !== undefined && { from_phone_number_id: numberId }),
    ...(callerName !== undefined && { caller_name: callerName }),
    ...(forwardedFrom !== undefined && { forwarded_from: forwardedFrom }),
    ...(stirVerstat !== undefined && { stir_verstat: stirVerstat }),
  };
}

function gatheredContext({ callSid, outcome, answeredBy }: CallRecord): Record<string, unknown> {
  return {
    provider: "twilio",
    call_id: callSid ?? null,
    ...(outcome !== undefined && { call_disposition: outcome, mapped_call_disposition: outcome }),
    ...(answeredBy !== undefined && { answered_by: answeredBy }),
  };
}
