// The API's operations on workflows. What one has saved is in the directory before it is answered, so that the next
// call gets it; a call that runs keeps the version it began with.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../domain/clock.ts";
import { FieldsInvalid, GatewayError } from "../domain/errors.ts";
import { WorkflowId } from "../domain/ids.ts";
import { idSchema, type Operation, operation } from "../http/operation.ts";
import type { FieldProblem } from "../media/agents/port.ts";
import type { AgentReaders } from "../media/agents/readers.ts";
import type { Directory } from "../numbers/directory.ts";
import type { Store } from "../store/store.ts";
import { joined, type PartedDefinition, parted, unmasked } from "./agentSecrets.ts";
import { readDefinition } from "./workflow.ts";
import {
  listedWorkflow,
  listedWorkflowSchema,
  statusFilterSchema,
  statusSchema,
  validationSchema,
  workflowAnswer,
  workflowCountSchema,
  workflowRequests,
  workflowSchema,
} from "./workflowSchemas.ts";
import type { StoredWorkflow } from "./workflows.store.ts";

export interface WorkflowParts {
  readonly store: Pick<Store, "workflows">;
  readonly directory: Pick<Directory, "putWorkflow">;
  readonly clock: Clock;
  readonly agentTypes: AgentReaders;
}

const params = z.object({ workflow_id: idSchema });
const tag = "Workflows";

export function workflowOperations(parts: WorkflowParts): readonly Operation[] {
  const { directory, clock, agentTypes } = parts;
  const { workflows } = parts.store;
  const requests = workflowRequests(agentTypes);

  async function get(id: number): Promise<StoredWorkflow> {
    return found(await workflows.get(id));
  }
  /** What of a definition is stored, where `stored` is what its masks may stand for. Throws FieldsInvalid. */
  function kept(sent: unknown, stored: StoredWorkflow | undefined): PartedDefinition {
    const whole = unmasked(parted(sent, agentTypes), stored);
    if ("problems" in whole) throw definitionInvalid(whole.problems);
    // Again, now that it is known what its masks stand for.
    const read = readDefinition(joined(whole), agentTypes);
    if ("problems" in read) throw definitionInvalid(read.problems);
    return whole;
  }
  /** What was written is what routing sees: answers of the store come in the order it has written in. */
  async function written(write: Promise<StoredWorkflow | undefined>): Promise<StoredWorkflow> {
    const stored = found(await write);
    directory.putWorkflow(stored);
    return stored;
  }

  return [
    operation({
      method: "POST",
      path: "/api/v1/workflow/create/definition",
      tag,
      summary: "Makes a workflow, which can take calls at once.",
      body: requests.toMake,
      answer: workflowSchema,
      run: async ({ body: { name, workflow_definition: sent } }) => {
        const version = kept(sent, undefined);
        return workflowAnswer(
          await written(workflows.create(randomUUID(), name, version, Math.round(clock.wallMs()))),
        );
      },
    }),
    operation({
      method: "GET",
      path: "/api/v1/workflow/count",
      tag,
      summary: "Counts the workflows.",
      answer: workflowCountSchema,
      run: async () => {
        const { active, archived } = await workflows.counts();
        return { total: active + archived, active, archived };
      },
    }),
    operation({
      method: "GET",
      path: "/api/v1/workflow/fetch",
      tag,
      summary: "Lists the workflows, oldest first.",
      query: z.object({ status: statusFilterSchema.optional() }),
      answer: z.array(listedWorkflowSchema),
      run: async ({ query: { status: wanted } }) =>
        (await workflows.listed())
          .filter(({ status }) => wanted === undefined || wanted.includes(status))
          .map(listedWorkflow),
    }),
    operation({
      method: "GET",
      path: "/api/v1/workflow/fetch/{workflow_id}",
      tag,
      summary: "Gets a workflow in its newest version.",
      params,
      answer: workflowSchema,
      errors: [404],
      run: async ({ params }) => workflowAnswer(await get(params.workflow_id)),
    }),
    operation({
      method: "PUT",
      path: "/api/v1/workflow/{workflow_id}",
      tag,
      summary: "Saves a new version of a workflow; calls that begin from now on get it.",
      params,
      body: requests.changes,
      answer: workflowSchema,
      errors: [404],
      run: async ({ params, body }) => {
        const changes = {
          name: body.name ?? undefined,
          ...(body.workflow_definition && kept(body.workflow_definition, await get(params.workflow_id))),
          templateContextVariables: body.template_context_variables ?? undefined,
          workflowConfigurations: body.workflow_configurations ?? undefined,
        };
        // A version tells calls apart, so a request that names nothing makes none.
        if (Object.values(changes).every((change) => change === undefined)) {
          return workflowAnswer(await get(params.workflow_id));
        }
        const id = WorkflowId(params.workflow_id);
        return workflowAnswer(await written(workflows.update(id, changes, Math.round(clock.wallMs()))));
      },
    }),
    operation({
      method: "PUT",
      path: "/api/v1/workflow/{workflow_id}/status",
      tag,
      summary: "Archives a workflow, which then takes no calls, or makes it active again.",
      params,
      body: statusSchema,
      answer: workflowSchema,
      errors: [404],
      run: async ({ params, body }) =>
        workflowAnswer(await written(workflows.setStatus(WorkflowId(params.workflow_id), body.status))),
    }),
    operation({
      method: "POST",
      path: "/api/v1/workflow/{workflow_id}/validate",
      tag,
      summary: "Tells whether a workflow's definition can be run by the agents there are now.",
      params,
      answer: validationSchema,
      errors: [404],
      run: async ({ params }) => {
        const read = readDefinition(joined(await get(params.workflow_id)), agentTypes);
        const problems = "problems" in read ? read.problems : [];
        const errors = problems.map(({ path, message }) => ({
          kind: "workflow" as const,
          id: null,
          field: path.join("."),
          message,
        }));
        return { is_valid: errors.length === 0, errors };
      },
    }),
  ];
}

function definitionInvalid(problems: readonly FieldProblem[]): FieldsInvalid {
  return new FieldsInvalid(
    problems.map(({ path, message }) => ({ path: ["body", "workflow_definition", ...path], message })),
  );
}

function found(stored: StoredWorkflow | undefined): StoredWorkflow {
  if (stored === undefined) throw new GatewayError("NOT_FOUND", "Workflow not found");
  return stored;
}
