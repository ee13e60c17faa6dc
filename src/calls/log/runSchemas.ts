// The shapes of the call log on the API, both ways, as validation and documentation have them.
import { z } from "zod";
import { OUTCOMES } from "../../domain/endings.ts";
import { idSchema, momentSchema } from "../../http/operation.ts";
import { CALL_STATES, type EndedBy } from "./records.ts";
import { momentReader, NO_WORKFLOW, USAGE_ATTRIBUTES, WORKFLOW_ATTRIBUTES } from "./runFilters.ts";

const ENDED_BY = {
  caller: "caller",
  callee: "callee",
  agent: "agent",
  operator: "operator",
  twilio: "twilio",
  gateway: "gateway",
} as const satisfies { readonly [Who in EndedBy]: Who };
const PAGE_LIMIT_MAX = 100;
const PAGE_LIMIT = 50;
const PAGE_MAX = 1_000_000_000;

/** A workflow in a path; `NO_WORKFLOW` stands for calls that were refused before one was found. */
export const workflowIdSchema = z.coerce
  .number()
  .int()
  .min(NO_WORKFLOW)
  .max(Number.MAX_SAFE_INTEGER)
  .describe("0: the calls that no workflow answered.");
export const runParamsSchema = z.object({ workflow_id: workflowIdSchema, run_id: idSchema });

const page = {
  page: z.coerce.number().int().min(1).max(PAGE_MAX).default(1),
  limit: z.coerce.number().int().min(1).max(PAGE_LIMIT_MAX).default(PAGE_LIMIT).describe("Runs on a page."),
  sort_by: z
    .enum(["created_at", "duration"])
    .default("created_at")
    .describe("By duration, calls that are not over come last."),
  sort_order: z.enum(["asc", "desc"]).default("desc").describe("Equals are in the order of their ids."),
  up_to_run: idSchema
    .optional()
    .describe(
      "Leaves newer runs out: with the first page's `newest_run` the pages hold still as calls come.",
    ),
};
const filters = (attributes: readonly string[], others: string) =>
  z
    .string()
    .optional()
    .describe(
      `JSON: a list of \`{"attribute", "type", "value"}\`, all of which must hold. Attributes are ${attributes.join(", ")}; ${others}. ` +
        'Values are `{"from", "to"}` for a dateRange, `{"min", "max"}` for a numberRange, `{"codes"}` for a ' +
        'multiSelect, `{"status"}` for a radio and `{"value"}` for anything else.',
    );
const dates = {
  start_date: momentReader("from").optional().describe("The earliest time a call was first heard of, UTC."),
  end_date: momentReader("to")
    .optional()
    .describe("The latest; a date alone means the end of that day, UTC."),
};
const usageFilters = filters(USAGE_ATTRIBUTES, "others are passed over");

export const workflowRunsQuerySchema = z.object({
  ...page,
  filters: filters(WORKFLOW_ATTRIBUTES, "others are refused"),
});
export const workflowReportQuerySchema = z.object(dates);
export const usageQuerySchema = z.object({ ...page, ...dates, filters: usageFilters });
export const usageReportQuerySchema = z.object({ ...dates, filters: usageFilters });

const linkTo = (what: string) =>
  z
    .string()
    .nullable()
    .describe(`Where ${what} can be downloaded without a key, for an hour; null when it is not kept.`);
const transcriptLink = linkTo("the transcript");
const recordingLink = linkTo("the recording of both sides");
const userRecordingLink = linkTo("the caller's side of the recording");
const botRecordingLink = linkTo("the agent's side of the recording");
const recordings = {
  transcript_url: transcriptLink,
  recording_url: recordingLink,
  user_recording_url: userRecordingLink,
  bot_recording_url: botRecordingLink,
  transcript_public_url: transcriptLink,
  recording_public_url: recordingLink,
  user_recording_public_url: userRecordingLink,
  bot_recording_public_url: botRecordingLink,
  public_access_token: z
    .string()
    .nullable()
    .describe("The links' token, made anew with every answer; null when nothing is kept."),
};
const context = z.record(z.string(), z.unknown());
const initialContextSchema = context.describe(
  "What was known when the call began, and what whoever placed it wanted the agent to know.",
);
const gatheredContextSchema = context.describe(
  "What the call brought: its CallSid as `call_id`, its outcome as `call_disposition`, what picked up as `answered_by`.",
);
const durationMs = z.int().min(0);
const callSidSchema = z.string().nullable().describe("Twilio's id of the call; null until Twilio has it.");
const stateSchema = z.enum(CALL_STATES).describe("How far the call has come.");
const outcomeTextSchema = z.string().nullable().describe("What the outcome means.");
const endedBySchema = z.enum(ENDED_BY).nullable().describe("Who brought the call to its end.");

const run = {
  id: z.int(),
  workflow_id: z.int().describe("0 where no workflow answered."),
  name: z.string(),
  mode: z.string(),
  created_at: momentSchema,
  is_completed: z.boolean().describe("Whether the call is over."),
  ...recordings,
  cost_info: context.nullable(),
  usage_info: context.nullable().describe("`call_duration_seconds`; null until the call is over."),
  definition_id: z.int().nullable().describe("The version of the workflow that answered."),
  initial_context: initialContextSchema,
  gathered_context: gatheredContextSchema,
  call_type: z.enum(["inbound", "outbound"]),
  logs: context.nullable().describe("Null in lists."),
  annotations: context.nullable(),
  call_sid: callSidSchema,
  state: stateSchema,
  outcome: z.enum(OUTCOMES).nullable().describe("How the call ended; null while it goes on."),
  outcome_text: outcomeTextSchema,
  ended_by: endedBySchema,
  direction: z.enum(["inbound", "outbound"]),
  from: z.string(),
  to: z.string(),
  workflow_version: z.int().nullable(),
  ringing_ms: durationMs
    .nullable()
    .describe("Until it was answered or over, or until now; null if it has not rung."),
  talking_ms: durationMs.describe("From the media stream's start to the end, or until now."),
  heard_ms: durationMs.describe("How much of the agent's audio the person has heard."),
  digits_pressed: z.int().min(0).describe("Keys pressed: how many. Which ones is not kept."),
  received_at: momentSchema,
  answered_at: momentSchema.nullable(),
  ended_at: momentSchema.nullable(),
  twilio_error: z
    .object({ code: z.int(), text: z.string(), remedy: z.string() })
    .nullable()
    .describe("Twilio's part in how the call ended: its code, what that means, and what to do."),
};

export const runSchema = z.object(run).meta({ id: "Run", description: "A call, without its timeline." });

const eventSchema = z
  .object({
    at: momentSchema,
    kind: z.string(),
    detail: z.string().nullable().describe("Codes and words as they were received."),
    text: z.string().describe("The same for a reader."),
    facts: context
      .nullable()
      .describe("Of what the call's own code told: levels in dB, milliseconds, and what was said."),
  })
  .meta({ id: "RunEvent" });

export const runDetailSchema = z
  .object({ ...run, events: z.array(eventSchema).describe("The call's timeline, in order.") })
  .meta({ id: "RunDetail", description: "A call and its timeline." });

const paging = {
  total_count: z.int().min(0),
  page: z.int(),
  limit: z.int(),
  total_pages: z.int().min(0),
  newest_run: z.int().min(0).describe("The newest run there was; see `up_to_run`."),
};

export const runListSchema = z
  .object({
    runs: z.array(runSchema),
    ...paging,
    applied_filters: z.array(context).nullable().describe("The filters that were obeyed."),
  })
  .meta({ id: "RunList" });

export const usageRunSchema = z
  .object({
    id: z.int(),
    workflow_id: z.int().describe("0 where no workflow answered."),
    workflow_name: z.string().nullable(),
    name: z.string(),
    created_at: z.string(),
    dograh_token_usage: z.number().describe("Always 0: nothing here is paid by tokens."),
    call_duration_seconds: z.int().min(0).describe("0 until the call is over."),
    ...recordings,
    phone_number: z.string().describe("Whoever is on the phone."),
    caller_number: z.string(),
    called_number: z.string(),
    call_type: z.enum(["inbound", "outbound"]),
    mode: z.string(),
    disposition: z.enum(OUTCOMES).nullable(),
    initial_context: initialContextSchema,
    gathered_context: gatheredContextSchema,
    charge_usd: z.number().nullable(),
    call_sid: callSidSchema,
    state: stateSchema,
    outcome_text: outcomeTextSchema,
    ended_by: endedBySchema,
  })
  .meta({ id: "UsageRun" });

export const usageListSchema = z
  .object({
    runs: z.array(usageRunSchema),
    total_dograh_tokens: z.number(),
    total_duration_seconds: z.int().min(0).describe("Of all runs that match, not of this page alone."),
    ...paging,
  })
  .meta({ id: "UsageList" });
