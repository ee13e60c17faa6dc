// The API's operations that place calls: the Call button's, the public triggers, and a run made to be dialled later.
import { z } from "zod";
import { GatewayError } from "../../domain/errors.ts";
import { ConfigurationId, NumberId, RunId, WorkflowId } from "../../domain/ids.ts";
import {
  contextSchema,
  idSchema,
  moment,
  momentSchema,
  type Operation,
  operation,
} from "../../http/operation.ts";
import type { Workflow } from "../../workflows/workflow.ts";
import { refusalError } from "./outbound.ts";
import { type CallAnswer, Placing, type PlacingParts } from "./placing.ts";

export type OutboundParts = PlacingParts;

const NAME_MAX = 255;
const MODE_MAX = 64;
const id = z.int().min(1);
const ADDRESS_MAX = 255;

const runFields = {
  workflow_run_id: z.int(),
  workflow_run_name: z.string(),
  call_sid: z
    .string()
    .nullable()
    .describe("Twilio's id of the call; null while it has none or is not known yet."),
  message: z.string().describe("How it stands with the call, for the person who asked for it."),
};
const initiateSchema = z
  .strictObject({
    workflow_id: id,
    workflow_run_id: id.nullish().describe("A run that was made before and not dialled yet."),
    phone_number: z
      .string()
      .max(ADDRESS_MAX)
      .nullish()
      .describe("In E.164; else the preferences' test number."),
    telephony_configuration_id: id.nullish(),
    from_phone_number_id: id
      .nullish()
      .describe("The caller ID; else the account's default, else any active number."),
  })
  .meta({ id: "CallToInitiate" });
const triggerSchema = z
  .strictObject({
    phone_number: z.string().min(1).max(ADDRESS_MAX),
    initial_context: contextSchema.nullish().describe("What the agent is told on this call."),
    telephony_configuration_id: id.nullish(),
    from_phone_number_id: id.nullish(),
  })
  .meta({ id: "CallToTrigger" });
const headers = z.object({
  "idempotency-key": z
    .string()
    .optional()
    .describe(
      "1 to 255 printable ASCII characters, such as a UUID. A request that comes again with its key within a day places no other call and is told of the first; one that says something else is refused with 409.",
    ),
});
const initiatedSchema = z.object(runFields).meta({ id: "InitiatedCall" });
const triggeredSchema = z
  .object({ status: z.literal("initiated"), ...runFields })
  .meta({ id: "TriggeredCall" });
const newRunSchema = z
  .strictObject({ mode: z.string().min(1).max(MODE_MAX), name: z.string().trim().min(1).max(NAME_MAX) })
  .meta({ id: "RunToMake" });
const runSchema = z
  .object({
    id: z.int(),
    workflow_id: z.int(),
    name: z.string(),
    mode: z.string(),
    created_at: momentSchema,
    definition_id: z.int(),
    initial_context: z.record(z.string(), z.unknown()).nullable(),
  })
  .meta({ id: "NewRun" });

const tag = "Calls";
const errors = [400, 404, 409, 429, 502, 503];
/** Triggers by a workflow's UUID. Those under `test` do the same: there is no draft that they could use instead. */
const TRIGGERS = [
  ["/api/v1/public/agent/{uuid}", "uuid"],
  ["/api/v1/public/agent/test/{uuid}", "uuid"],
  ["/api/v1/public/agent/workflow/{workflow_uuid}", "workflow_uuid"],
  ["/api/v1/public/agent/test/workflow/{workflow_uuid}", "workflow_uuid"],
] as const;

export function outboundOperations(parts: OutboundParts): readonly Operation[] {
  const { directory, records, calls, clock } = parts;
  const placing = new Placing(parts);

  const workflowOf = (workflow: Workflow | undefined): Workflow => {
    if (workflow === undefined) throw new GatewayError("NOT_FOUND", "Workflow not found");
    return workflow;
  };

  const initiate = operation({
    method: "POST",
    path: "/api/v1/telephony/initiate-call",
    tag,
    summary: "Places a call that a workflow's agent talks on.",
    headers,
    body: initiateSchema,
    answer: initiatedSchema,
    errors,
    run: async ({ headers, body, caller }) => {
      const { workflow_run_id: run } = body;
      const placed = await placing.place({
        ...askedBy(headers, caller.keyId),
        ...lineOf(body),
        workflow: workflowOf(directory.workflow(WorkflowId(body.workflow_id))),
        destination: body.phone_number ?? undefined,
        run: run == null ? undefined : RunId(run),
      });
      return answerOf(placed);
    },
  });

  const triggers = TRIGGERS.map(([path, name]) =>
    operation({
      method: "POST",
      path,
      tag,
      summary: "Places a call to a number that the workflow with this UUID talks to.",
      params: z.object({ [name]: z.string().max(ADDRESS_MAX) }),
      headers,
      body: triggerSchema,
      answer: triggeredSchema,
      errors,
      run: async ({ params, headers, body, caller }) => {
        const workflow = workflowOf(directory.workflowOf(params[name] as string));
        if (workflow.status === "archived")
          throw new GatewayError("NOT_FOUND", "Workflow not found: it is archived");
        const placed = await placing.place({
          ...askedBy(headers, caller.keyId),
          ...lineOf(body),
          workflow,
          destination: body.phone_number,
          initialContext: body.initial_context ?? undefined,
        });
        return { status: "initiated" as const, ...answerOf(placed) };
      },
    }),
  );

  const makeRun = operation({
    method: "POST",
    path: "/api/v1/workflow/{workflow_id}/runs",
    tag,
    summary: "Makes a run of a workflow that initiate-call can dial later.",
    params: z.object({ workflow_id: idSchema }),
    body: newRunSchema,
    answer: runSchema,
    errors: [404, 503],
    run: async ({ params, body: { name, mode } }) => {
      const workflow = workflowOf(directory.workflow(WorkflowId(params.workflow_id)));
      // A record more would be one more that can't be written.
      if (calls.refusal() === "log_full") throw refusalError("log_full");
      const atMs = clock.wallMs();
      const facts = {
        ...{ callSid: undefined, accountSid: undefined, configurationId: undefined, numberId: undefined },
        ...{ direction: "outbound" as const, from: "", to: "" },
        workflowId: workflow.id,
        workflowVersion: workflow.version,
        definitionId: workflow.definitionId,
      };
      const run = records.open(facts, atMs, { state: "created", name, mode });
      await records.committed();
      return {
        id: run,
        workflow_id: workflow.id,
        name,
        mode,
        created_at: moment(atMs),
        definition_id: workflow.definitionId,
        initial_context: null,
      };
    },
  });

  return [initiate, ...triggers, makeRun];
}

function askedBy(given: z.output<typeof headers>, keyId: Parameters<Placing["place"]>[0]["keyId"]) {
  return { keyId, idempotencyKey: given["idempotency-key"] };
}

function lineOf(body: {
  readonly telephony_configuration_id?: number | null | undefined;
  readonly from_phone_number_id?: number | null | undefined;
}) {
  const { telephony_configuration_id: configuration, from_phone_number_id: number } = body;
  return {
    configurationId: configuration == null ? undefined : ConfigurationId(configuration),
    numberId: number == null ? undefined : NumberId(number),
  };
}

function answerOf({ run, name, callSid, message }: CallAnswer) {
  return { message, workflow_run_id: run, workflow_run_name: name, call_sid: callSid };
}
