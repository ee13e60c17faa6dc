// Waiting for what a test can see but is not told of.
import { setTimeout as delay } from "node:timers/promises";
import type { Story } from "./gateway.ts";

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

/** Resolves once no call holds anything: not a slot, a task, a worker's memory or a socket. */
export function allFree({ held }: Pick<Story, "held">): Promise<void> {
  return until("every call to be put away", () => {
    const { ticking: _, ...resources } = held(); // the tick lingers, so as not to start for every call
    return Object.values(resources).every((number) => number === 0);
  });
}
