// What a call takes along from a workflow, for tests that have none.
import type { AgentSettings } from "../../src/domain/agentSettings.ts";
import type { CallBrief } from "../../src/domain/brief.ts";
import { WorkflowId } from "../../src/domain/ids.ts";

/** A workflow with this agent and nothing else. */
export function briefing(agent: AgentSettings): CallBrief {
  const workflow = { id: WorkflowId(1), name: "Any", version: 1 };
  return { workflow, agent, recording: undefined, variables: {}, parameters: {} };
}
