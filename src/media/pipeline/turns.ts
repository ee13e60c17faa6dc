// Whose turn it is: what the caller's speech means for the agent's, and how long the agent takes to answer. Takes
// the detector's decisions and positions in the agent's audio; says when to interrupt, and does not do it.

import type { Interruption } from "../../domain/agentSettings.ts";
import { FRAME_MS } from "../../domain/audio.ts";
import type { News } from "../../lane/news.ts";

/** What of the agent's side counts when the caller begins to speak, or ceases. */
export interface AgentSide {
  /** Whether something it said is still to be heard, or to be said. */
  readonly isSpeaking: boolean;
  /** Whether all of that is an utterance that has been begun and has no audio yet. */
  readonly isPreparing: boolean;
  /** Whether the first thing it said has been heard, or cut. */
  readonly isGreeted: boolean;
}

/** One answer of the agent's, from the end of the caller's speech on. */
interface Answer {
  /** Undefined while the caller still seems to speak: an end is noticed late, and a quick agent is quicker. */
  endedMs: number | undefined;
  /** When its first byte came, and where in the agent's audio it stands. */
  readonly cameMs: number;
  readonly positionMs: number;
  sentMs: number | undefined;
  heardAtMs: number | undefined;
}

/** A caller who goes on while the agent speaks is interrupting it after so much of both at once. */
const OVERLAP_FRAMES = 5;

export class Turns {
  readonly #policy: Interruption;
  readonly #tell: (news: News) => void;
  /** When the caller's last speech ended, as long as nobody has answered it. */
  #endedMs: number | undefined;
  #isCallerSpeaking = false;
  /** Loud frames of the caller's, less the quiet ones, since the agent began to speak beside it. */
  #overlapFrames = 0;
  /** One speech of the caller's cuts one of the agent's: else a noise that lasts would let it say nothing more. */
  #hasCut = false;
  #answer: Answer | undefined;

  constructor(policy: Interruption, tell: (news: News) => void) {
    this.#policy = policy;
    this.#tell = tell;
  }

  /** The caller speaks. True when the agent is to be interrupted. */
  callerStarted(agent: AgentSide): boolean {
    this.#endedMs = undefined;
    this.#isCallerSpeaking = true;
    this.#overlapFrames = 0;
    this.#hasCut = agent.isSpeaking && this.#mayCut(agent);
    return this.#hasCut;
  }

  /**
   * A frame of a caller who has spoken before the agent began to. Returns for how long both have spoken at once when
   * the agent is to be interrupted for it, else 0.
   */
  callerGoesOn(isLoud: boolean, agent: AgentSide): number {
    if (this.#hasCut || !agent.isSpeaking || !this.#mayCut(agent)) return 0;
    this.#overlapFrames = Math.max(0, this.#overlapFrames + (isLoud ? 1 : -1));
    if (this.#overlapFrames < OVERLAP_FRAMES) return 0;
    this.#overlapFrames = 0;
    this.#hasCut = true;
    return OVERLAP_FRAMES * FRAME_MS;
  }

  /**
   * The caller has spoken, until `endedMs`. While the agent is speaking that asks for no answer; an utterance that was
   * begun before the end was noticed is one.
   */
  callerStopped(endedMs: number, agent: AgentSide): void {
    this.#isCallerSpeaking = false;
    const early = this.#answer;
    if (early !== undefined && early.endedMs === undefined) {
      if (early.cameMs >= endedMs) {
        early.endedMs = endedMs;
        return this.#tellOnceHeard(early);
      }
      this.#answer = undefined; // it was said over the caller
    }
    if (!agent.isSpeaking || agent.isPreparing) this.#endedMs = endedMs;
  }

  /** The agent said something that begins at this position; so much of what it had said was heard. */
  agentSpoke(nowMs: number, positionMs: number, heardMs: number): void {
    const endedMs = this.#endedMs;
    const isBeginning = heardMs >= positionMs && this.#answer?.positionMs !== positionMs;
    if (endedMs === undefined && !(this.#isCallerSpeaking && isBeginning)) return;
    this.#answer = { endedMs, cameMs: nowMs, positionMs, sentMs: undefined, heardAtMs: undefined };
    this.#endedMs = undefined;
  }

  /** So much has been handed over, and heard. */
  progressed(nowMs: number, sentMs: number, confirmedMs: number): void {
    const answer = this.#answer;
    if (answer === undefined || sentMs <= answer.positionMs) return;
    answer.sentMs ??= nowMs;
    if (confirmedMs <= answer.positionMs) return;
    answer.heardAtMs ??= nowMs;
    this.#tellOnceHeard(answer);
  }

  /** Positions begin anew: what was being answered is unsaid. */
  cleared(): void {
    this.#answer = undefined;
  }

  #mayCut({ isGreeted }: AgentSide): boolean {
    return this.#policy === "on" || (this.#policy === "after_greeting" && isGreeted);
  }

  #tellOnceHeard({ endedMs, cameMs, sentMs, heardAtMs }: Answer): void {
    if (endedMs === undefined || sentMs === undefined || heardAtMs === undefined) return;
    this.#answer = undefined;
    this.#tell({
      kind: "turn",
      agentMs: Math.round(cameMs - endedMs),
      forwardMs: sentMs - cameMs,
      // The mark comes back when the frame has been played; it began one frame before.
      heardMs: Math.round(heardAtMs - FRAME_MS - endedMs),
    });
  }
}
