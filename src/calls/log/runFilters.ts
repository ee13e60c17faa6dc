// What a list of calls may be narrowed by, as the API takes it: JSON of filters and moments in, conditions out. How a
// condition becomes SQL is runs.store.ts's to say.
import { z } from "zod";
import { type FieldFault, FieldsInvalid, GatewayError } from "../../domain/errors.ts";
import { faultsOf } from "../../http/operation.ts";

/** One thing that must hold for a call to be listed. Bounds are inclusive, and an absent one is none. */
export type RunCondition =
  | { readonly is: "received"; readonly fromMs?: number; readonly toMs?: number }
  | { readonly is: "duration"; readonly minS?: number; readonly maxS?: number } // holds for calls that are over
  | { readonly is: "outcome"; readonly anyOf: readonly string[] }
  | { readonly is: "over"; readonly over: boolean }
  | { readonly is: "run"; readonly run: number }
  | { readonly is: "up_to_run"; readonly run: number }
  | { readonly is: "workflow"; readonly workflowId: number } // NO_WORKFLOW for calls without one
  | { readonly is: "caller" | "called"; readonly contains: string }
  | { readonly is: "direction"; readonly direction: "inbound" | "outbound" }
  | { readonly is: "channel"; readonly channel: Channel }
  | { readonly is: "never" };

export const CHANNELS = ["telephony", "web", "chat"] as const;
export type Channel = (typeof CHANNELS)[number];
/** The modes of runs that are no phone calls; every other mode is one of telephony. */
export const MODES_OF: Readonly<Record<Exclude<Channel, "telephony">, readonly string[]>> = {
  web: ["webrtc", "smallwebrtc"],
  chat: ["textchat"],
};

/** Stands for a workflow's id where a call was refused before one was found; real ids begin at 1. */
export const NO_WORKFLOW = 0;

const FILTERS_MAX = 20;
const CODES_MAX = 100;
const TEXT_MAX = 255;
const DAY_MS = 86_400_000;

/** Which end of a range a moment is: a day without a time means its first, or its last, millisecond. */
export type Edge = "from" | "to";

/**
 * ISO 8601 as milliseconds since the epoch: a date, or a date and a time, UTC where no offset is given.
 * Undefined when it is none.
 */
export function readMoment(text: string, edge: Edge): number | undefined {
  const [, day, time, zone] =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(
      text.trim(),
    ) ?? [];
  if (day === undefined) return undefined;
  const midnightMs = Date.parse(`${day}T00:00:00Z`);
  // Date.parse takes the 31st of February for the 3rd of March.
  if (Number.isNaN(midnightMs) || !new Date(midnightMs).toISOString().startsWith(day)) return undefined;
  if (time === undefined) return edge === "from" ? midnightMs : midnightMs + DAY_MS - 1;
  const offset = (zone ?? "Z").toUpperCase().replace(/^([+-]\d{2})(\d{2})$/, "$1:$2");
  const atMs = Date.parse(`${day}T${time}${offset}`);
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** A moment in a query or a filter. */
export function momentReader(edge: Edge) {
  return z.string().transform((text, context) => {
    const atMs = readMoment(text, edge);
    if (atMs !== undefined) return atMs;
    const message = "a date or date and time in ISO 8601 is wanted, such as 2026-04-01T00:00:00Z";
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });
}

/** One attribute that may be filtered by. */
interface Attribute {
  readonly type: string;
  /** Reads the filter's value; nothing where the value leaves everything in. */
  readonly value: z.ZodType<RunCondition | undefined>;
}

const bound = z.number().nullish();
const range = z.object({ min: bound, max: bound });
const text = z.object({ value: z.string().max(TEXT_MAX) });
const whole = z.object({ value: z.int().min(0) });
const choice = z.object({ status: z.string().max(TEXT_MAX) });

const dispositionCode: Attribute = {
  type: "multiSelect",
  value: z
    .object({ codes: z.array(z.string().max(TEXT_MAX)).max(CODES_MAX) })
    .transform(({ codes }) => (codes.length === 0 ? undefined : { is: "outcome" as const, anyOf: codes })),
};
const duration: Attribute = {
  type: "numberRange",
  value: range.transform(({ min, max }) => ({
    is: "duration" as const,
    ...(min != null && { minS: min }),
    ...(max != null && { maxS: max }),
  })),
};
const address = (is: "caller" | "called"): Attribute => ({
  type: "text",
  value: text.transform(({ value }) => {
    const contains = asStored(value.trim());
    return contains === "" ? undefined : { is, contains };
  }),
});

const OF_WORKFLOW: Readonly<Record<string, Attribute>> = {
  dateRange: {
    type: "dateRange",
    value: z
      .object({ from: momentReader("from").nullish(), to: momentReader("to").nullish() })
      .transform(({ from, to }) => received(from, to)),
  },
  dispositionCode,
  duration,
  status: {
    type: "radio",
    value: z
      .object({ status: z.enum(["completed", "in_progress"]) })
      .transform(({ status }) => ({ is: "over" as const, over: status === "completed" })),
  },
  // No agent here is paid by tokens: every call has used none.
  tokenUsage: {
    type: "numberRange",
    value: range.transform(({ min, max }) =>
      (min ?? 0) <= 0 && (max ?? 0) >= 0 ? undefined : { is: "never" as const },
    ),
  },
};

const OF_USAGE: Readonly<Record<string, Attribute>> = {
  runId: { type: "number", value: whole.transform(({ value }) => ({ is: "run" as const, run: value })) },
  workflowId: {
    type: "number",
    value: whole.transform(({ value }) => ({ is: "workflow" as const, workflowId: value })),
  },
  // There are no campaigns, so no call is of any.
  campaignId: { type: "number", value: whole.transform(() => ({ is: "never" as const })) },
  callerNumber: address("caller"),
  calledNumber: address("called"),
  dispositionCode,
  duration,
  callDirection: {
    type: "radio",
    value: choice.transform(({ status }) =>
      status === "inbound" || status === "outbound"
        ? { is: "direction" as const, direction: status }
        : undefined,
    ),
  },
  callChannel: {
    type: "radio",
    value: choice.transform(({ status }) => {
      const channel = CHANNELS.find((each) => each === status);
      return channel && { is: "channel" as const, channel };
    }),
  },
};

export const WORKFLOW_ATTRIBUTES = Object.keys(OF_WORKFLOW);
export const USAGE_ATTRIBUTES = Object.keys(OF_USAGE);

const filterSchema = z.object({
  attribute: z.string().max(TEXT_MAX),
  type: z.string().max(TEXT_MAX).nullish(),
  value: z.unknown().optional(),
});
const filtersSchema = z.array(filterSchema).max(FILTERS_MAX);
type Filter = z.output<typeof filterSchema>;

export interface ReadFilters {
  readonly conditions: readonly RunCondition[];
  /** The filters that were obeyed, as they came; null when there are none. */
  readonly applied: readonly Record<string, unknown>[] | null;
}

/**
 * The `filters` of one workflow's runs. Throws FieldsInvalid for what can't be read, and GatewayError FORBIDDEN for
 * an attribute that these lists can't be filtered by.
 */
export function readWorkflowFilters(given: string | undefined): ReadFilters {
  const filters = parseFilters(given);
  const unknown = filters.find(({ attribute }) => !Object.hasOwn(OF_WORKFLOW, attribute));
  if (unknown !== undefined) {
    const known = WORKFLOW_ATTRIBUTES.join(", ");
    const message = `runs can't be filtered by ${JSON.stringify(unknown.attribute)}; known are ${known}`;
    throw new GatewayError("FORBIDDEN", message);
  }
  return readFilters(filters, OF_WORKFLOW, ({ type }, wanted) => [
    { path: ["type"], message: `${wanted} is wanted here, not ${JSON.stringify(type)}`, type: "type" },
  ]);
}

/** The `filters` of the usage lists, where unknown attributes and types are passed over. Throws FieldsInvalid. */
export function readUsageFilters(given: string | undefined): ReadFilters {
  return readFilters(parseFilters(given), OF_USAGE, () => []);
}

/** The condition that both moments make; undefined when neither is given. */
export function received(
  fromMs: number | null | undefined,
  toMs: number | null | undefined,
): RunCondition | undefined {
  if (fromMs == null && toMs == null) return undefined;
  return { is: "received", ...(fromMs != null && { fromMs }), ...(toMs != null && { toMs }) };
}

const WHERE = ["query", "filters"] as const;

function parseFilters(given: string | undefined): readonly Filter[] {
  if (given === undefined) return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(given);
  } catch {
    const message = 'JSON is wanted, such as [{"attribute": "duration", "value": {"min": 60}}]';
    throw new FieldsInvalid([{ path: WHERE, message, type: "json_invalid" }]);
  }
  const read = filtersSchema.safeParse(parsed ?? []);
  if (!read.success) throw new FieldsInvalid(faultsOf(read.error, ...WHERE));
  return read.data;
}

function readFilters(
  filters: readonly Filter[],
  attributes: Readonly<Record<string, Attribute>>,
  otherType: (filter: Filter, wanted: string) => readonly FieldFault[],
): ReadFilters {
  const faults: FieldFault[] = [];
  const conditions: RunCondition[] = [];
  const applied: Record<string, unknown>[] = [];
  for (const [index, filter] of filters.entries()) {
    if (!Object.hasOwn(attributes, filter.attribute)) continue;
    const { type, value } = attributes[filter.attribute]!;
    if (filter.type != null && filter.type !== type) {
      for (const fault of otherType(filter, type))
        faults.push({ ...fault, path: [...WHERE, index, ...fault.path] });
      continue;
    }
    const read = value.safeParse(filter.value);
    if (!read.success) faults.push(...faultsOf(read.error, ...WHERE, index, "value"));
    else if (read.data !== undefined) conditions.push(read.data);
    applied.push(filter);
  }
  if (faults.length > 0) throw new FieldsInvalid(faults);
  return { conditions, applied: applied.length === 0 ? null : applied };
}

/** A part of a number may be typed as numbers are written; stored numbers have no such marks. */
function asStored(typed: string): string {
  return /^[+\d\s().-]+$/.test(typed) ? typed.replace(/[\s().-]/g, "") : typed;
}
