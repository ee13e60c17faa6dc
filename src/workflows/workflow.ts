// A workflow says which agent answers. This file reads its definition; who stores it is not its business.
import { z } from "zod";
import type { WorkflowBrief } from "../domain/brief.ts";
import type { DefinitionId, WorkflowId } from "../domain/ids.ts";
import type { FieldProblem } from "../media/agents/port.ts";
import type { AgentReaders } from "../media/agents/readers.ts";
import { problemsOf } from "../media/agents/settings.ts";
import type { PartedDefinition } from "./agentSecrets.ts";

/** A workflow in its newest version, as routing and dialling need it. */
export interface Workflow extends PartedDefinition {
  readonly id: WorkflowId;
  /** In the addresses of public triggers. */
  readonly uuid: string;
  readonly name: string;
  readonly status: "active" | "archived";
  /** Counts up with every update; a call keeps and records the one it began with. */
  readonly version: number;
  /** Of this version, over all workflows. */
  readonly definitionId: DefinitionId;
  /** `{"agent": {"type": …, …settings}, "recording": {…}}`, as it was saved, without its secrets. */
  readonly definition: unknown;
  readonly templateContextVariables: Readonly<Record<string, unknown>> | undefined;
}

const RETENTION_DAYS = { usual: 30, max: 3_650 };

/** The `recording` block of a definition. */
const recordingSchema = z
  .strictObject({
    enabled: z.boolean().default(false),
    announcement: z.boolean().default(true),
    retention_days: z.int().min(1).max(RETENTION_DAYS.max).default(RETENTION_DAYS.usual),
  })
  .optional();

export type ReadDefinition = Pick<WorkflowBrief, "agent" | "recording">;
type Problems = { readonly problems: readonly FieldProblem[] };

/** Reads a workflow's definition, with its secrets in it; problems name their field, as in `["agent", "rate_hz"]`. */
export function readDefinition(definition: unknown, types: AgentReaders): ReadDefinition | Problems {
  const blocks: Record<string, unknown> = isRecord(definition) ? definition : {};
  const agent = readAgent(blocks.agent, types);
  const recording = readRecording(blocks.recording);
  const problems = [agent, recording].flatMap((read) => ("problems" in read ? read.problems : []));
  if ("problems" in agent || "problems" in recording) return { problems };
  return { ...agent, ...recording };
}

function readAgent(given: unknown, types: AgentReaders): Pick<ReadDefinition, "agent"> | Problems {
  if (!isRecord(given))
    return { problems: [{ path: ["agent"], message: "an object with a type is wanted" }] };
  const type = typeof given.type === "string" ? types.get(given.type) : undefined;
  if (type === undefined) {
    const known = [...types.keys()].join(", ");
    return { problems: [{ path: ["agent", "type"], message: `unknown agent type; known are ${known}` }] };
  }
  const read = type.parse(given);
  return "settings" in read ? { agent: read.settings } : { problems: within("agent", read.problems) };
}

function readRecording(given: unknown): Pick<ReadDefinition, "recording"> | Problems {
  const read = recordingSchema.safeParse(given);
  if (!read.success) return { problems: within("recording", problemsOf(read.error)) };
  if (!read.data?.enabled) return { recording: undefined };
  const { announcement, retention_days: retentionDays } = read.data;
  return { recording: { announcement, retentionDays } };
}

function within(block: string, problems: readonly FieldProblem[]): readonly FieldProblem[] {
  return problems.map(({ path, message }) => ({ path: [block, ...path], message }));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
