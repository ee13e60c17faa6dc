// Whether Twilio has ceased to play what it is sent, while the caller is still heard. When nothing comes at all it is we
// who stood still, or the network that is gone, which others notice. It is told the time, and ends nothing.

/** Twilio confirms nothing for so long while it is heard: nobody hears the agent any more. */
const STALL_MS = 5_000;
/** It is heard: a frame of the caller's came this lately. */
const ALIVE_MS = 200;

export class Stalls {
  #heardMs = 0;
  #lookedMs = 0;
  /** Of the stall that is going on, as much as the caller was heard in. */
  #stalledMs = 0;

  /**
   * Nothing has been confirmed for `unconfirmedMs`, and the caller has been heard since this was asked last, or not. True
   * once that has lasted too long; asked at least every `ALIVE_MS`.
   */
  isLost(nowMs: number, unconfirmedMs: number, hasHeard: boolean): boolean {
    const sinceMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    if (hasHeard) this.#heardMs = nowMs;
    if (unconfirmedMs <= sinceMs) this.#stalledMs = 0;
    else if (nowMs - this.#heardMs < ALIVE_MS) this.#stalledMs += Math.min(sinceMs, ALIVE_MS);
    return this.#stalledMs >= STALL_MS;
  }
}
