// A clock that stands still until a test moves it.
import type { TwinClock } from "../../../src/twin/clock.ts";

interface Period {
  readonly ms: number;
  nextMs: number;
  readonly tick: () => void;
}

export class FakeClock implements TwinClock {
  #nowMs = 1_000; // an arbitrary origin that isn't zero, as a monotonic clock's
  readonly #periods = new Set<Period>();

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Date.UTC(2026, 0, 1) + this.#nowMs;
  }

  every(ms: number, tick: () => void): () => void {
    const period = { ms, nextMs: this.#nowMs + ms, tick };
    this.#periods.add(period);
    return () => this.#periods.delete(period);
  }

  /** How many periods run. */
  get running(): number {
    return this.#periods.size;
  }

  /** Moves on, with every tick at its time. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#periods].sort((a, b) => a.nextMs - b.nextMs);
      if (next === undefined || next.nextMs > untilMs) break;
      this.#nowMs = next.nextMs;
      next.nextMs += next.ms;
      next.tick();
    }
    this.#nowMs = untilMs;
  }

  /** Moves on with a single late tick at the end, as on a machine that was busy. */
  stall(ms: number): void {
    this.#nowMs += ms;
    for (const period of this.#periods) {
      period.nextMs = this.#nowMs + period.ms;
      period.tick();
    }
  }
}
