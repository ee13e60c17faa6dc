// How long a call waits for someone to say something. Pure: it is told what was heard and when, and asked what to do.

export interface Limits {
  /** From the stream's start until the agent is first heard; 0: no limit. */
  readonly firstSpeechTimeoutMs: number;
  /** While neither side speaks; 0: no limit. */
  readonly maxSilenceMs: number;
  /** Of the whole call, from the stream's start; 0: no limit. */
  readonly maxDurationMs: number;
}

export class Patience {
  readonly #limits: Limits;
  readonly #startedMs: number;
  #hasAgentSpoken: boolean;
  #hasComforted = false;
  /** Until when someone has been heard. */
  #heardUntilMs: number;

  /** `hasAgentSpoken`: in what went before, of a call that is taken over. */
  constructor(limits: Limits, startedMs: number, nowMs: number, hasAgentSpoken: boolean) {
    this.#limits = limits;
    this.#startedMs = startedMs;
    this.#heardUntilMs = nowMs;
    this.#hasAgentSpoken = hasAgentSpoken;
  }

  /** The agent's audio will have been played by then. */
  agentHeardUntil(ms: number): void {
    this.#hasAgentSpoken = true;
    this.#heardUntilMs = Math.max(this.#heardUntilMs, ms);
  }

  callerHeardAt(nowMs: number): void {
    this.#heardUntilMs = Math.max(this.#heardUntilMs, nowMs);
  }

  /** What the agent had still to say is unsaid. */
  cut(nowMs: number): void {
    this.#heardUntilMs = nowMs;
  }

  /** What the call has had enough of. `comfort` is said once. */
  at(nowMs: number): "comfort" | "silence" | "max_duration" | undefined {
    const { firstSpeechTimeoutMs, maxSilenceMs, maxDurationMs } = this.#limits;
    const talkedMs = nowMs - this.#startedMs;
    if (maxDurationMs > 0 && talkedMs >= maxDurationMs) return "max_duration";
    if (maxSilenceMs > 0 && nowMs - this.#heardUntilMs >= maxSilenceMs) return "silence";
    if (this.#hasAgentSpoken || this.#hasComforted || firstSpeechTimeoutMs === 0) return undefined;
    if (talkedMs < firstSpeechTimeoutMs) return undefined;
    this.#hasComforted = true;
    return "comfort";
  }
}
