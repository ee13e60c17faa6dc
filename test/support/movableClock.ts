// A clock whose hands a test may move while everything keeps ticking in real time.
import { type Clock, type Stop, systemClock } from "../../src/domain/clock.ts";

export class MovableClock implements Clock {
  #aheadMs = 0;
  #wallAheadMs = 0;
  /** The ticks of every running period. */
  readonly #ticks = new Set<() => void>();

  nowMs(): number {
    return systemClock.nowMs() + this.#aheadMs;
  }

  wallMs(): number {
    return systemClock.wallMs() + this.#wallAheadMs;
  }

  every(periodMs: number, tick: () => void): Stop {
    const own = () => tick(); // a tick may run on two periods
    this.#ticks.add(own);
    const stop = systemClock.every(periodMs, own);
    return () => {
      stop();
      this.#ticks.delete(own);
    };
  }

  /** Moves monotonic time on; resolves once everything that ticks has seen it, however far apart its ticks are. */
  async advance(ms: number): Promise<void> {
    this.#aheadMs += ms;
    for (const tick of [...this.#ticks]) if (this.#ticks.has(tick)) tick();
    await new Promise((done) => setImmediate(done));
  }

  /** Sets the wall clock forward, or back, as an administrator would. */
  jump(ms: number): void {
    this.#wallAheadMs += ms;
  }
}
