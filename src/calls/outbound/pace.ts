// Takes turns at one account: Twilio dials about one call a second for each and keeps the rest waiting where we can't
// see or stop them, so they wait here.
import type { Clock, Stop } from "../../domain/clock.ts";

/** Does it once, `delayMs` from now. */
export function once(clock: Clock, delayMs: number, act: () => void): Stop {
  const stop = clock.every(Math.max(1, delayMs), () => {
    stop();
    act();
  });
  return stop;
}

export class Pace {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #waiting = new Set<() => void>();
  #nextMs = Number.NEGATIVE_INFINITY;
  #stop: Stop | undefined;

  /** A turn every `everyMs`. */
  constructor(clock: Clock, everyMs: number) {
    this.#clock = clock;
    this.#everyMs = everyMs;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0 && this.#clock.nowMs() >= this.#nextMs;
  }

  /** `turn` is called when it is its turn, perhaps at once; the result leaves the queue. */
  join(turn: () => void): Stop {
    // A turn of its own: the same function could join twice.
    const own = () => turn();
    this.#waiting.add(own);
    this.#next();
    return () => this.#waiting.delete(own);
  }

  /** Nobody gets a turn any more. */
  close(): void {
    this.#waiting.clear();
    this.#stop?.();
    this.#stop = undefined;
  }

  #next(): void {
    if (this.#stop !== undefined || this.#waiting.size === 0) return;
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#nextMs) {
      this.#stop = once(this.#clock, this.#nextMs - nowMs, () => {
        this.#stop = undefined;
        this.#next();
      });
      return;
    }
    const [turn] = this.#waiting;
    this.#waiting.delete(turn!);
    this.#nextMs = nowMs + this.#everyMs;
    turn!();
    this.#next();
  }
}
