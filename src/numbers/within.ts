// Waiting no longer than somebody else's patience lasts.
import type { Clock } from "../domain/clock.ts";

/** What the promise gives, or "late" when it takes longer than that. It goes on all the same. */
export async function within<Value>(
  clock: Clock,
  ms: number,
  promise: Promise<Value>,
): Promise<Value | "late"> {
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const stop = clock.every(ms, () => resolve("late"));
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop();
  }
}
