// A clock whose hands a test may move while everything keeps ticking in real time.
import { type Clock, type Stop, systemClock } from "../../src/domain/clock.ts";

export class MovableClock implements Clock {
  #aheadMs = 0;
  #wallAheadMs = 0;
  /** For each running period, who waits for its next tick. */
  readonly #periods = new Set<(() => void)[]>();

  nowMs(): number {
    return systemClock.nowMs() + this.#aheadMs;
  }

  wallMs(): number {
    return systemClock.wallMs() + this.#wallAheadMs;
  }

  every(periodMs: number, tick: () => void): Stop {
    const waiting: (() => void)[] = [];
    const release = () => {
      for (const done of waiting.splice(0)) done();
    };
    this.#periods.add(waiting);
    const stop = systemClock.every(periodMs, () => {
      tick();
      release();
    });
    return () => {
      stop();
      this.#periods.delete(waiting);
      release();
    };
  }

  /** Moves monotonic time on; resolves once everything that ticks has seen it. */
  async advance(ms: number): Promise<void> {
    this.#aheadMs += ms;
    const seen = [...this.#periods].map((waiting) => new Promise<void>((done) => waiting.push(done)));
    await Promise.all(seen);
  }

  /** Sets the wall clock forward, or back, as an administrator would. */
  jump(ms: number): void {
    this.#wallAheadMs += ms;
  }
}
