// How the calls of a gateway come to their end when it is asked to stop.
import type { LiveCalls } from "../calls/live/liveCalls.ts";
import type { Clock } from "../domain/clock.ts";

const DRAIN_LOOK_MS = 50;
/** So long after the calls were cut nothing more is waited for. */
const HARD_STOP_MS = 5_000;

/** Waits for the calls to end by themselves, and cuts those that have not by the deadline. */
export async function emptied(calls: LiveCalls, clock: Clock, timeoutMs: number): Promise<number> {
  const startedMs = clock.nowMs();
  let cut = 0;
  const { promise: hardStop, resolve: stopHard } = Promise.withResolvers<void>();
  const stop = clock.every(DRAIN_LOOK_MS, () => {
    const overdueMs = clock.nowMs() - startedMs - timeoutMs;
    if (cut === 0 && overdueMs >= 0) cut = calls.cut();
    if (overdueMs >= HARD_STOP_MS) stopHard(); // a task that can't be told to end: closing the pool ends it
  });
  await Promise.race([calls.drain(), hardStop]);
  stop();
  return cut;
}

/** Resolves once the clock shows this time; at once when it does already. */
export async function reached(clock: Clock, atMs: number): Promise<void> {
  if (clock.nowMs() >= atMs) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = clock.every(DRAIN_LOOK_MS, () => {
    if (clock.nowMs() >= atMs) resolve();
  });
  await promise;
  stop();
}
