// Whose turn it is: what the caller's speech means for the agent's, and how long the agent takes to answer. Takes
// the detector's decisions and positions in the agent's audio; says when to interrupt, and does not do it.

import type { Interruption } from "../../domain/agentSettings.ts";
import { FRAME_MS } from "../../domain/audio.ts";
import type { News } from "../../lane/news.ts";

/** What of the agent's side counts when the caller begins to speak. */
export interface AgentSide {
  /** Whether something it said is still to be heard, or to be said. */
  readonly isSpeaking: boolean;
  /** Whether the first thing it said has been heard, or cut. */
  readonly isGreeted: boolean;
}

/** One answer of the agent's, from the end of the caller's speech on. */
interface Answer {
  readonly endedMs: number;
  /** When its first byte came, and where in the agent's audio it stands. */
  readonly cameMs: number;
  readonly positionMs: number;
  sentMs: number | undefined;
}

export class Turns {
  readonly #policy: Interruption;
  readonly #tell: (news: News) => void;
  /** When the caller's last speech ended, as long as nobody has answered it. */
  #endedMs: number | undefined;
  #answer: Answer | undefined;

  constructor(policy: Interruption, tell: (news: News) => void) {
    this.#policy = policy;
    this.#tell = tell;
  }

  /** The caller speaks. True when the agent is to be interrupted. */
  callerStarted(agent: AgentSide): boolean {
    this.#endedMs = undefined;
    if (!agent.isSpeaking) return false;
    return this.#policy === "on" || (this.#policy === "after_greeting" && agent.isGreeted);
  }

  /** The caller has spoken, until `endedMs`. While the agent is speaking that asks for no answer. */
  callerStopped(endedMs: number, agent: AgentSide): void {
    if (!agent.isSpeaking) this.#endedMs = endedMs;
  }

  /** The agent said something that begins at this position. */
  agentSpoke(nowMs: number, positionMs: number): void {
    if (this.#endedMs === undefined) return;
    this.#answer = { endedMs: this.#endedMs, cameMs: nowMs, positionMs, sentMs: undefined };
    this.#endedMs = undefined;
  }

  /** So much has been handed over, and heard. */
  progressed(nowMs: number, sentMs: number, confirmedMs: number): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    if (sentMs > answer.positionMs) answer.sentMs ??= nowMs;
    if (confirmedMs <= answer.positionMs || answer.sentMs === undefined) return;
    this.#answer = undefined;
    this.#tell({
      kind: "turn",
      agentMs: Math.round(answer.cameMs - answer.endedMs),
      forwardMs: Math.round((answer.sentMs - answer.cameMs) * 10) / 10,
      // The mark comes back when the frame has been played; it began one frame before.
      heardMs: Math.round(nowMs - FRAME_MS - answer.endedMs),
    });
  }

  /** Positions begin anew: what was being answered is unsaid. */
  cleared(): void {
    this.#answer = undefined;
  }
}
