// One thing to be done later, on the twin's clock.
import type { Stop, Ticker } from "../clock.ts";

/** Does it once, `delayMs` from now at the earliest, unless it is stopped before. */
export function after(ticker: Ticker, delayMs: number, run: () => void): Stop {
  const dueMs = ticker.clock.nowMs() + delayMs;
  const stop = ticker.join((nowMs) => {
    if (nowMs < dueMs) return;
    stop();
    run();
  });
  return stop;
}
