// Deadlines of requests in flight, on one timer that runs only while there are any.
import type { Clock, Stop } from "../domain/clock.ts";

export interface Deadline {
  /** On the clock's monotonic time. May be moved while it is held. */
  atMs: number;
  /** Called once, at most a sweep late; must not throw. */
  readonly expire: () => void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #sweepMs: number;
  readonly #held = new Set<Deadline>();
  #stop: Stop | undefined;

  constructor(clock: Clock, sweepMs: number) {
    this.#clock = clock;
    this.#sweepMs = sweepMs;
  }

  hold(afterMs: number, expire: () => void): Deadline {
    const deadline = { atMs: this.#clock.nowMs() + afterMs, expire };
    this.#held.add(deadline);
    this.#stop ??= this.#clock.every(this.#sweepMs, () => this.#sweep());
    return deadline;
  }

  /** Brings a deadline forward; never puts it off. */
  hasten(deadline: Deadline, afterMs: number): void {
    deadline.atMs = Math.min(deadline.atMs, this.#clock.nowMs() + afterMs);
  }

  release(deadline: Deadline): void {
    this.#held.delete(deadline);
  }

  /** Forgets all of them. */
  stop(): void {
    this.#held.clear();
    this.#stop?.();
    this.#stop = undefined;
  }

  // The timer outlives the last deadline by one sweep, so that a busy server does not make one per request.
  #sweep(): void {
    if (this.#held.size === 0) return this.stop();
    const nowMs = this.#clock.nowMs();
    for (const deadline of this.#held) {
      if (deadline.atMs > nowMs) continue;
      this.#held.delete(deadline);
      deadline.expire();
    }
  }
}
