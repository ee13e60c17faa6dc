// A clock that stands still until a test moves it. Ticks happen inside `advance`, one millisecond after the other.
import type { Clock, Stop } from "../../src/domain/clock.ts";

interface Period {
  readonly everyMs: number;
  readonly tick: () => void;
  dueMs: number;
}

export class ManualClock implements Clock {
  #nowMs = 1_000;
  readonly #periods = new Set<Period>();

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  every(periodMs: number, tick: () => void): Stop {
    const period = { everyMs: periodMs, tick, dueMs: this.#nowMs + periodMs };
    this.#periods.add(period);
    return () => this.#periods.delete(period);
  }

  advance(ms: number): void {
    for (let passed = 0; passed < ms; passed++) {
      this.#nowMs++;
      for (const period of [...this.#periods]) {
        if (this.#nowMs < period.dueMs) continue;
        period.dueMs += period.everyMs;
        period.tick();
      }
    }
  }

  /** Periods that are running. */
  get running(): number {
    return this.#periods.size;
  }
}
