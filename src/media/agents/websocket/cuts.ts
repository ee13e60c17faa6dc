// Which of an agent's audio is still to be said after the caller has spoken over it. The agent hears of that only a
// while later, so audio of the cut utterance keeps coming, and nothing in the bytes says whose they are.
//
// Said again is what comes after the agent has begun something new: an `utterance_start` that was not written before
// it knew, the end of the cut utterance, or its own `clear`. An agent that names no utterances has begun something
// new when its audio has paused for a second; and since one that sends audio all the time, silence too, never does,
// its audio counts as new after three seconds.

/** A pause in the audio of an agent that names no utterances, after which it says something new. */
const QUIET_MS = 1_000;
/** Longest that audio of such an agent is dropped. */
const UNNAMED_MS = 3_000;

type State =
  | { readonly name: "current" }
  /** In an utterance that the agent has begun and not ended. */
  | { readonly name: "cut_utterance" }
  | { readonly name: "cut_audio"; readonly sinceMs: number; readonly lastMs: number };

const CURRENT: State = { name: "current" };
const CUT_UTTERANCE: State = { name: "cut_utterance" };

export class Cuts {
  /** The caller's interruptions on this connection. */
  number = 0;
  #state: State = CURRENT;
  #isInUtterance = false;

  /** The caller spoke over the agent. */
  interrupted(nowMs: number): void {
    this.number++;
    this.#state = this.#isInUtterance ? CUT_UTTERANCE : { name: "cut_audio", sinceMs: nowMs, lastMs: nowMs };
  }

  /** Another utterance begins; false: it was written before the agent knew of the newest interruption. */
  utteranceStarts(interruption: number | undefined): boolean {
    this.#isInUtterance = true;
    const isCurrent = interruption === undefined || interruption >= this.number;
    this.#state = isCurrent ? CURRENT : CUT_UTTERANCE;
    return isCurrent;
  }

  /** The utterance is complete; false: it is one that was cut. */
  utteranceEnds(): boolean {
    const isCurrent = this.#state.name === "current";
    this.#isInUtterance = false;
    this.#state = CURRENT;
    return isCurrent;
  }

  /** Whatever follows is new: the agent itself has unsaid what it said, or another connection takes its place. */
  cleared(): void {
    this.#isInUtterance = false;
    this.#state = CURRENT;
  }

  /** Whether what comes now belongs to what was cut. */
  isStale(): boolean {
    return this.#state.name !== "current";
  }

  /** Audio has come; true: it is to be said. */
  admits(nowMs: number): boolean {
    const state = this.#state;
    if (state.name === "cut_audio") {
      const isNew = nowMs - state.lastMs >= QUIET_MS || nowMs - state.sinceMs >= UNNAMED_MS;
      this.#state = isNew ? CURRENT : { ...state, lastMs: nowMs };
    }
    return this.#state.name === "current";
  }
}
