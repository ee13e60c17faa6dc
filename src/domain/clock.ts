// Time comes in through the door: nothing but main.ts and media/worker.ts makes a clock.

/** Cancels what returned it. Calling it twice is harmless. */
export type Stop = () => void;

export interface Clock {
  /** Milliseconds, with fractions, on a monotonic clock that all threads of the process share. */
  nowMs(): number;
  /** Milliseconds since the epoch. Only for what leaves the process: token expiry, records, logs. */
  wallMs(): number;
  /** Calls `tick` about every `periodMs` until stopped. A running period keeps the process alive. */
  every(periodMs: number, tick: () => void): Stop;
}

// `performance.now()` is cheap but counts from its own thread's birth; the offset puts every thread on one axis.
const threadOriginMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** The global is looked up anew at each use. */
const clock = performance;

export const systemClock: Clock = {
  nowMs: () => threadOriginMs + clock.now(),
  wallMs: () => Date.now(),
  every(periodMs, tick) {
    const timer = setInterval(tick, periodMs);
    return () => clearInterval(timer);
  },
};
