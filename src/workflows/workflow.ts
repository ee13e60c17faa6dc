// A workflow says which agent answers. This file reads its definition; who stores it is not its business.
import type { AgentSettings } from "../domain/agentSettings.ts";
import type { DefinitionId, WorkflowId } from "../domain/ids.ts";
import type { FieldProblem } from "../media/agents/port.ts";
import type { AgentReaders } from "../media/agents/readers.ts";

/** A workflow in its newest version, as routing and dialling need it. */
export interface Workflow {
  readonly id: WorkflowId;
  /** In the addresses of public triggers. */
  readonly uuid: string;
  readonly name: string;
  readonly status: "active" | "archived";
  /** Counts up with every update; a call keeps and records the one it began with. */
  readonly version: number;
  /** Of this version, over all workflows. */
  readonly definitionId: DefinitionId;
  /** `{"agent": {"type": …, …settings}}`, as it was saved. */
  readonly definition: unknown;
}

/** Reads a workflow's definition; problems name their field, as in `["agent", "rate_hz"]`. */
export function readDefinition(
  definition: unknown,
  types: AgentReaders,
): { readonly agent: AgentSettings } | { readonly problems: readonly FieldProblem[] } {
  const agent = isRecord(definition) ? definition.agent : undefined;
  if (!isRecord(agent))
    return { problems: [{ path: ["agent"], message: "an object with a type is wanted" }] };
  const type = typeof agent.type === "string" ? types.get(agent.type) : undefined;
  if (type === undefined) {
    const known = [...types.keys()].join(", ");
    return { problems: [{ path: ["agent", "type"], message: `unknown agent type; known are ${known}` }] };
  }
  const read = type.parse(agent);
  if ("settings" in read) return { agent: read.settings };
  return { problems: read.problems.map(({ path, message }) => ({ path: ["agent", ...path], message })) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
