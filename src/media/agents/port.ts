// What an agent is, to the rest of Linecard, and what a call offers it. Agents are written against this file
// alone and can be run in a test without a gateway.
import type { AgentRateHz } from "../../domain/audio.ts";
import type { AccountSid, CallSid, RunId } from "../../domain/ids.ts";

/** Signed 16-bit samples, one channel. */
export interface AudioFormat {
  readonly encoding: "pcm16";
  readonly rateHz: AgentRateHz;
}

/** What an agent may know of the call it answers. */
export interface CallFacts {
  readonly callSid: CallSid;
  readonly accountSid: AccountSid;
  readonly run: RunId;
  readonly direction: "inbound" | "outbound";
  readonly from: string;
  readonly to: string;
  /** Set when this agent takes over from one whose worker died: milliseconds the caller had heard, and the id
   * that agent had left behind (empty when none). */
  readonly resumed: { readonly heardMs: number; readonly resumeId: string } | undefined;
}

/** The call, as the agent's hands reach it. Every method does nothing once the call is over. */
export interface Line {
  /**
   * Speaks: samples in the agent's own format, any number of them, in order. Returns how many were taken;
   * the rest would have overfilled the call's queue of speech and is dropped and counted.
   */
  say(samples: Int16Array): number;
  /** The utterance is complete: what remains of the last frame is padded and sent, with a mark behind it. */
  endUtterance(): void;
  /** Unsays what the caller has not heard. Returns the milliseconds that were heard. */
  clear(): number;
  /** Ends the call, after what was said has been heard or at once. */
  hangUp(when: "heard" | "now"): void;
  /** The agent cannot go on; `why` is for the operator. The caller hears an apology. */
  fail(why: string): void;
  /** Up to 48 ASCII characters a replacement agent needs to find this one's session again. */
  leaveBehind(resumeId: string): void;
}

export interface Agent {
  readonly hears: AudioFormat;
  readonly speaks: AudioFormat;
  /** The stream is up: the caller can hear. Called once. */
  started(): void;
  /** One 20 ms frame of the caller, in the agent's format. The samples are the call's: copy what you keep. */
  hear(frame: Int16Array): void;
  /** The caller pressed a key. */
  dtmf(digit: string): void;
  /** A mark was heard: everything said until it began, `heardMs` in all since the last clear. */
  marked(heardMs: number): void;
  /** The call is over; free everything. Called exactly once, also when `started` never was. */
  ended(): void;
}

/** What the front thread knows of a kind of agent: how its settings are read. */
export interface AgentReader<Settings> {
  /** As in a workflow's definition. */
  readonly type: string;
  /** Checks a definition's `agent` object, defaults filled in; a problem names its field. */
  parse(
    agent: Readonly<Record<string, unknown>>,
  ): { settings: Settings } | { problems: readonly FieldProblem[] };
}

/** What a worker knows of it: how one is made. In a module apart from the reader, whose checks no worker needs. */
export interface AgentMaker<Settings> {
  readonly type: string;
  /**
   * Begins to make the agent ready; called while Twilio is still being answered. The line may be used once
   * this has returned.
   */
  create(settings: Settings, line: Line, facts: CallFacts): Agent;
}

/** A kind of agent in one module, as operators add them. */
export interface AgentType<Settings> extends AgentReader<Settings>, AgentMaker<Settings> {}

export interface FieldProblem {
  /** Path inside the `agent` object, such as `["rate_hz"]`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}
