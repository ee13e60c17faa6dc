// How hard a server is tried: at a call's beginning, while it rings, and in mid-call, while the caller waits. Pure.

export interface Patience {
  /** When it is tried, after the beginning; a try that takes longer puts the next one off. */
  readonly atMs: readonly number[];
  /** How long after the beginning a connection still counts. */
  readonly openWithinMs: number;
  /** By when the server's `ready` must be there. */
  readyByMs(beganMs: number, openedMs: number): number;
}

export const FIRST: Patience = {
  atMs: [0, 100, 400, 1_100, 2_500],
  openWithinMs: 3_000,
  readyByMs: (_beganMs, openedMs) => openedMs + 3_000,
};

export const AGAIN: Patience = {
  atMs: [0, 200, 600, 1_200],
  openWithinMs: 2_000,
  readyByMs: (beganMs) => beganMs + 2_000,
};

/** When to try next after so many tries; undefined: no more. */
export function nextTryMs(
  patience: Patience,
  beganMs: number,
  tries: number,
  nowMs: number,
): number | undefined {
  const atMs = patience.atMs[tries];
  if (atMs === undefined || nowMs >= beganMs + patience.openWithinMs) return undefined;
  return Math.max(nowMs, beganMs + atMs);
}
