// What a call takes along from its workflow: who answers, how, and what they are told.
import type { AgentSettings } from "./agentSettings.ts";
import type { WorkflowId } from "./ids.ts";

/** How a call's audio is kept. */
export interface RecordingSettings {
  /** Whether the caller is told before anything is kept. */
  readonly announcement: boolean;
  readonly retentionDays: number;
}

/** A workflow's version, as all its calls get it. */
export interface WorkflowBrief {
  readonly workflow: { readonly id: WorkflowId; readonly name: string; readonly version: number };
  /** With its secrets in clear: they are so in memory and nowhere else. */
  readonly agent: AgentSettings;
  /** Undefined: nothing is kept. */
  readonly recording: RecordingSettings | undefined;
  /** What its agent is told on every call. */
  readonly variables: Readonly<Record<string, unknown>>;
}

export interface CallBrief extends WorkflowBrief {
  /** What the agent is told by whoever placed this call; empty for one that came in. */
  readonly parameters: Readonly<Record<string, unknown>>;
}
