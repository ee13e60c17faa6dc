// Waiting for what a test can see but is not told of.
import { setTimeout as delay } from "node:timers/promises";

const LOOK_MS = 5;

/** Resolves once the condition holds; rejects with `what` when it does not within `withinMs`. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const latestMs = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > latestMs) throw new Error(`waited ${withinMs} ms for ${what}`);
    await delay(LOOK_MS);
  }
}
