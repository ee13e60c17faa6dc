// The shapes of workflows on the API, both ways. What a definition may hold its agent's type decides.
import { z } from "zod";
import { contextSchema, moment, momentSchema, nameSchema } from "../http/operation.ts";
import type { AgentReaders } from "../media/agents/readers.ts";
import { joined, masked, parted } from "./agentSecrets.ts";
import { readDefinition } from "./workflow.ts";
import type { ListedWorkflow, StoredWorkflow } from "./workflows.store.ts";

export const STATUSES = ["active", "archived"] as const;
/** The contract's: 20 minutes. Where an agent's own limit is meant there is its `max_duration_ms`. */
const CALL_DURATION_MAX_S = 1_200;
const TEXT_CHAT_TIMEOUT_S = { min: 60, max: 10_500 };

const jsonObject = z.record(z.string(), z.unknown());
const numberSchema = z.number().min(0);

/** As clients send it back with a workflow. What it doesn't name is kept as well. */
const configurationsSchema = z
  .looseObject({
    ambient_noise_configuration: z
      .looseObject({ enabled: z.boolean().optional(), volume: numberSchema.optional() })
      .optional(),
    max_call_duration: z.int().positive().max(CALL_DURATION_MAX_S).optional(),
    max_user_idle_timeout: numberSchema.optional(),
    smart_turn_stop_secs: numberSchema.optional(),
    turn_start_strategy: z.enum(["default", "min_words", "provisional_vad"]).optional(),
    turn_start_min_words: z.int().min(0).optional(),
    provisional_vad_pause_secs: numberSchema.optional(),
    turn_stop_strategy: z.enum(["transcription", "turn_analyzer"]).optional(),
    dictionary: z.string().optional(),
    context_compaction_enabled: z.boolean().optional(),
    text_chat_inactivity_timeout_seconds: z
      .int()
      .min(TEXT_CHAT_TIMEOUT_S.min)
      .max(TEXT_CHAT_TIMEOUT_S.max)
      .optional(),
  })
  .meta({
    id: "WorkflowConfigurations",
    description:
      "Kept with the version for the clients that use it; how a call is led the agent's own settings say.",
  });

const DEFINITION_WORDS = [
  'Which agent answers, and its settings: `{"agent": {"type": "echo", "rate_hz": 16000}}`.',
  "`agent` also has `max_duration_ms` (an hour; 0: no limit) and, for every type but echo, `first_speech_timeout_ms`",
  "(5,000) and `max_silence_ms` (30,000), 0 for none.",
  "Secrets, such as `agent_secret`, are answered as masks: a mask that is sent back keeps what is stored; null, or",
  "leaving the setting out, takes it away.",
  "`recording` has `enabled` (false), `announcement` (true) and `retention_days` (30; 1 to 3,650).",
].join(" ");

/** What a request to make a workflow, and one to change it, may hold. */
export function workflowRequests(agentTypes: AgentReaders) {
  const definition = jsonObject
    .superRefine((given, context) => {
      const sent = parted(given, agentTypes);
      const read = readDefinition(joined(sent), agentTypes);
      if (!("problems" in read)) return;
      for (const { path, message } of read.problems) {
        const [block, setting = ""] = path;
        // What a mask stands for is known, and read, where it is saved.
        if (block === "agent" && Object.hasOwn(sent.masks, setting)) continue;
        context.addIssue({ code: "custom", path: [...path], message });
      }
    })
    .meta({ description: DEFINITION_WORDS });
  return {
    toMake: z
      .strictObject({ name: nameSchema, workflow_definition: definition })
      .meta({ id: "WorkflowToMake" }),
    changes: z
      .strictObject({
        name: nameSchema.nullish(),
        workflow_definition: definition.nullish(),
        template_context_variables: contextSchema.nullish().describe("What the agent is told on every call."),
        workflow_configurations: configurationsSchema.nullish(),
      })
      .meta({ id: "WorkflowChanges", description: "What is left out, or null, stays as it is." }),
  };
}

export const statusSchema = z.strictObject({ status: z.enum(STATUSES) }).meta({ id: "WorkflowStatus" });

/** `active`, `archived`, or both with a comma between. */
export const statusFilterSchema = z
  .string()
  .transform((text) => text.split(",").map((part) => part.trim()))
  .pipe(z.array(z.enum(STATUSES)));

const listed = {
  id: z.int(),
  name: z.string(),
  status: z.enum(STATUSES),
  created_at: momentSchema,
  total_runs: z.int().min(0).describe("Calls it has answered or placed, in all its versions."),
  workflow_uuid: z.string().describe("Names it in the address that places a call for it."),
};

export const listedWorkflowSchema = z.object(listed).meta({ id: "ListedWorkflow" });

export const workflowSchema = z
  .object({
    ...listed,
    workflow_definition: jsonObject.describe(
      "As it was saved, its secrets as masks: **** and the last four characters.",
    ),
    current_definition_id: z.int().describe("Of this version, among those of all workflows."),
    template_context_variables: jsonObject.nullable(),
    call_disposition_codes: z.null(),
    workflow_configurations: jsonObject.nullable(),
    version_number: z.int().min(1),
    version_status: z.literal("published").describe("A version is live as soon as it is saved."),
  })
  .meta({ id: "Workflow", description: "A workflow in its newest version." });

export const workflowCountSchema = z
  .object({ total: z.int(), active: z.int(), archived: z.int() })
  .meta({ id: "WorkflowCount" });

export const validationSchema = z
  .object({
    is_valid: z.boolean(),
    errors: z.array(
      z.object({
        kind: z.literal("workflow"),
        id: z.null(),
        field: z.string().describe("Dotted, from the definition on: `agent.rate_hz`."),
        message: z.string(),
      }),
    ),
  })
  .meta({ id: "WorkflowValidation" });

export function listedWorkflow(stored: ListedWorkflow): z.input<typeof listedWorkflowSchema> {
  const { id, name, status, createdAtMs, totalRuns, uuid } = stored;
  return { id, name, status, created_at: moment(createdAtMs), total_runs: totalRuns, workflow_uuid: uuid };
}

export function workflowAnswer(stored: StoredWorkflow): z.input<typeof workflowSchema> {
  return {
    ...listedWorkflow(stored),
    workflow_definition: masked(stored) as Record<string, unknown>,
    current_definition_id: stored.definitionId,
    template_context_variables: stored.templateContextVariables ?? null,
    call_disposition_codes: null,
    workflow_configurations: stored.workflowConfigurations ?? null,
    version_number: stored.version,
    version_status: "published",
  };
}
