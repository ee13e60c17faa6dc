// What every part knows of an agent's settings; the rest of them is between a workflow and the agent's own type.

/** When the caller may interrupt: always, once the first thing said was heard, or never. */
export const INTERRUPTIONS = ["on", "after_greeting", "off"] as const;
export type Interruption = (typeof INTERRUPTIONS)[number];

/** An agent's settings as its type has read them, defaults filled in. */
export interface AgentSettings {
  readonly type: string;
  /** Of a call, from its stream's start on; 0: no limit. */
  readonly max_duration_ms: number;
  /** From the stream's start until the agent is first heard; 0, or none: no limit. */
  readonly first_speech_timeout_ms?: number;
  /** While neither side speaks; 0, or none: no limit. */
  readonly max_silence_ms?: number;
  /** Of those agents that can be interrupted. */
  readonly interruption?: Interruption;
}
