// Time comes in through the door: nothing but main.ts and media/worker.ts makes a clock.

/** Cancels what returned it. Calling it twice is harmless. */
export type Stop = () => void;

/**
 * Before any time that `nowMs` shows. A small integer, which an object's field holds in itself: for a fraction or an
 * infinity V8 makes another object, and what is looked at for every frame of every call is to lie close together.
 * Whole milliseconds are small integers for 24 days; a process that is older pays for them as for fractions.
 */
export const LONG_AGO_MS = -(2 ** 30);

export interface Clock {
  /** Milliseconds since the process began, with fractions, on a monotonic clock that all its threads share. */
  nowMs(): number;
  /** Milliseconds since the epoch. Only for what leaves the process: token expiry, records, logs. */
  wallMs(): number;
  /** Calls `tick` about every `periodMs` until stopped. A running period keeps the process alive. */
  every(periodMs: number, tick: () => void): Stop;
}

/**
 * What to add to a thread's own clock, which is cheap but counts from the thread's birth, to be on the shared one's
 * axis. The thread may be held up between two readings, and would then be wrong for as long as it lives, so the
 * readings that lie closest together decide.
 */
export function threadOriginMs(readOwnMs: () => number, readSharedMs: () => number): number {
  let originMs = 0;
  let closestMs = Number.POSITIVE_INFINITY;
  for (let reading = 0; reading < 16; reading++) {
    const beforeMs = readOwnMs();
    const sharedMs = readSharedMs();
    const apartMs = readOwnMs() - beforeMs;
    if (apartMs >= closestMs) continue;
    closestMs = apartMs;
    originMs = sharedMs - beforeMs - apartMs / 2;
  }
  return originMs;
}

const originMs = threadOriginMs(
  () => performance.now(),
  () => process.uptime() * 1_000,
);

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
