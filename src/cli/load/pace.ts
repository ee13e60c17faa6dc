// The beat of a load run: every call has its turn once in 20 ms, and between two beats the thread sleeps.
//
// It sleeps on purpose, instead of waiting for sockets: what arrives meanwhile is read in one go, so there is one
// wake-up per millisecond and not one per message. Wake-ups are most of what a load generator costs on a machine that
// it shares with the gateway. The price: an echo may be seen up to a millisecond late.
import { FRAME_MS } from "../../twin/track.ts";

const SLEEP_MS = 1;
const NEVER_WOKEN = new Int32Array(new SharedArrayBuffer(4));

/** Something with a turn: `tick` is called in every 20 ms, at `phaseMs` (a whole number below 20) of the clock or after. */
export interface Turn {
  readonly phaseMs: number;
  tick(nowMs: number): void;
}

/** Gives turns until the returned function is called. Turns missed by more than 20 ms are given once. */
export function pace(turns: readonly Turn[], nowMs: () => number): () => void {
  const slots = Array.from({ length: FRAME_MS }, (_, slot) =>
    turns.filter(({ phaseMs }) => phaseMs === slot),
  );
  let stopped = false;
  let slot = Math.floor(nowMs());
  const beat = () => {
    if (stopped) return;
    const now = nowMs();
    slot = Math.max(slot, Math.floor(now) - FRAME_MS);
    for (; slot <= now; slot++) for (const turn of slots[slot % FRAME_MS]!) turn.tick(now);
    Atomics.wait(NEVER_WOKEN, 0, 0, SLEEP_MS);
    setImmediate(beat);
  };
  beat();
  return () => {
    stopped = true;
  };
}
