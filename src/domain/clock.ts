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

/**
 * What to add to `performance.now()`, which is cheap but counts from its own thread's birth, to be on the axis all
 * threads share. The thread may be held up between two readings, and would then be wrong for as long as it lives, so
 * the readings that lie closest together decide.
 */
function threadOriginMs(): number {
  let originMs = 0;
  let closestMs = Number.POSITIVE_INFINITY;
  for (let reading = 0; reading < 16; reading++) {
    const beforeMs = performance.now();
    const sharedMs = Number(process.hrtime.bigint()) / 1e6;
    const apartMs = performance.now() - beforeMs;
    if (apartMs >= closestMs) continue;
    closestMs = apartMs;
    originMs = sharedMs - beforeMs - apartMs / 2;
  }
  return originMs;
}

const originMs = threadOriginMs();

/** The global is looked up anew at each use. */
const clock = performance;

export const systemClock: Clock = {
  nowMs: () => originMs + clock.now(),
  wallMs: () => Date.now(),
  every(periodMs, tick) {
    const timer = setInterval(tick, periodMs);
    return () => clearInterval(timer);
  },
};
