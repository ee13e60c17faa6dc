// What an agent is, to the rest of Linecard, and what a call offers it. Agents are written against this file
// alone and can be run in a test without a gateway.
import type { AgentRateHz, CARRIER_RATE_HZ } from "../../domain/audio.ts";
import type { EndReason } from "../../domain/endings.ts";
import type { AccountSid, CallSid, RunId } from "../../domain/ids.ts";
import type { News } from "../../lane/news.ts";

/** One channel: signed 16-bit samples, or the telephone network's own codes, which are passed through as they are. */
export type AudioFormat =
  | { readonly encoding: "pcm16"; readonly rateHz: AgentRateHz }
  | { readonly encoding: "mulaw"; readonly rateHz: typeof CARRIER_RATE_HZ };

/** In an agent's own format: samples of `pcm16`, codes of `mulaw`. */
export type Audio = Int16Array | Uint8Array;

/** What an agent may know of the call it answers. */
export interface CallFacts {
  readonly callSid: CallSid;
  readonly accountSid: AccountSid;
  readonly run: RunId;
  readonly direction: "inbound" | "outbound";
  readonly from: string;
  readonly to: string;
  /** Which workflow answers, in which version. */
  readonly workflow: { readonly id: number; readonly name: string; readonly version: number };
  /** What the workflow's version holds for every call, and what whoever placed this call wants known. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Set when this agent takes over from one whose worker died. */
  readonly resumed: Resumption | undefined;
}

/** Where an agent's replacement goes on. */
export interface Resumption {
  /** Milliseconds of speech the caller had heard in the whole call. */
  readonly heardMs: number;
  /** What the agent before had left behind; empty when nothing. */
  readonly resumeId: string;
}

/** An utterance that was cut, as far as it was heard. */
export interface Cut {
  readonly by: "caller" | "agent";
  /** The agent's id of the utterance that was being heard; undefined when none was. */
  readonly utterance: string | undefined;
  /** Of that utterance. */
  readonly heardMs: number;
  /** As much of its text as the heard part of its audio holds, by length. */
  readonly heardText: string;
}

/** The call, as the agent's hands reach it. Every method does nothing once the call is over. */
export interface Line {
  /**
   * Audio flows from now on, in these formats: first what the caller has said meanwhile, two seconds of it at most.
   * May be called again, after `hold` or with other formats.
   */
  ready(hears: AudioFormat, speaks: AudioFormat): void;
  /** The agent can take no audio for now: the caller's newest two seconds are kept until it is ready again. */
  hold(): void;
  /**
   * What is said from here on is one utterance. Audio that belongs to none is an utterance with a made-up id, which is
   * over after half a second without more.
   */
  beginUtterance(id: string, text: string): void;
  /**
   * Speaks: any amount of audio in the agent's own format, in order; it may come before the stream does. Returns how
   * many samples were taken; the rest would have overfilled the call's queue of speech and is dropped and counted.
   */
  say(audio: Audio): number;
  /** The utterance is complete: what remains of the last frame is padded and sent, with a mark behind it. */
  endUtterance(text?: string): void;
  /** Has `marked` called with this name once all that was said before it is heard; never, if that is unsaid. */
  mark(name: string): void;
  /** Unsays what the caller has not heard. */
  clear(): Cut;
  /** Milliseconds of speech that wait to be sent. */
  readonly queuedMs: number;
  /** Milliseconds of speech the caller has heard in the whole call. */
  readonly heardMs: number;
  /** A line of the conversation, for the call's record. */
  transcript(role: "caller" | "agent", text: string): void;
  /** Ends the call, after what was said has been heard or at once. */
  hangUp(when: "heard" | "now"): void;
  /** The agent cannot go on; `why` is for the operator. The caller hears an apology. */
  fail(why: string): void;
  /** Up to 48 ASCII characters a replacement agent needs to find this one's session again. */
  leaveBehind(resumeId: string): void;
  /** For the call's record and the metrics. */
  tell(news: News): void;
  /** On the clock that all threads share. */
  nowMs(): number;
}

export interface Agent {
  /** The stream is up: the caller can hear. Called once. */
  started(): void;
  /** Caller's audio in the agent's format, one frame of 20 ms. It is the call's: copy what you keep. */
  hear(frame: Audio): void;
  /** The caller pressed a key. */
  dtmf(digit: string): void;
  /** All that was said before this mark of the agent's has been heard: `heardMs` of the utterance it stands in. */
  marked(name: string, heardMs: number): void;
  /** The caller spoke over the agent: what was not heard is unsaid. What still comes of it is not to be said. */
  interrupted(cut: Cut): void;
  /** Called about every 20 ms from the agent's making on, for whatever it waits for. One that waits for nothing has none. */
  tick?(nowMs: number): void;
  /** The call is over; free everything. Called exactly once, also when `started` never was. */
  ended(reason: EndReason): void;
}

/** What the front thread knows of a kind of agent: how its settings are read. */
export interface AgentReader<Settings> {
  /** As in a workflow's definition. */
  readonly type: string;
  /** Settings that are sealed where they are stored and masked where they are shown. */
  readonly secrets?: readonly string[];
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
