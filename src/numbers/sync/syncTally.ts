// How all numbers stand with Twilio, counted in memory, and which of them are to be tried again when.
import type { Clock } from "../../domain/clock.ts";
import type { NumberId } from "../../domain/ids.ts";
import type { NumberSync } from "./syncState.ts";

export type SyncCounts = Readonly<Record<NumberSync["state"], number>>;

export class SyncTally {
  readonly #clock: Clock;
  readonly #states = new Map<NumberId, NumberSync["state"]>();
  readonly #dueMs = new Map<NumberId, number>();
  readonly #counts: Record<NumberSync["state"], number>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#counts = { none: 0, pending: 0, in_sync: 0, failed: 0, drifted: 0 };
  }

  /** The number stands so now. */
  note(id: NumberId, sync: NumberSync): void {
    this.forget(id);
    this.#states.set(id, sync.state);
    this.#counts[sync.state]++;
    if (sync.state !== "failed" || sync.retryAtMs === undefined) return;
    this.#dueMs.set(id, this.#clock.nowMs() + sync.retryAtMs - this.#clock.wallMs());
  }

  forget(id: NumberId): void {
    const known = this.#states.get(id);
    if (known !== undefined) this.#counts[known]--;
    this.#states.delete(id);
    this.#dueMs.delete(id);
  }

  /** Numbers whose time to be tried again has come; each is given once. */
  takeDue(): readonly NumberId[] {
    if (this.#dueMs.size === 0) return [];
    const nowMs = this.#clock.nowMs();
    const due = [...this.#dueMs].filter(([, dueMs]) => dueMs <= nowMs).map(([id]) => id);
    for (const id of due) this.#dueMs.delete(id);
    return due;
  }

  counts(): SyncCounts {
    return { ...this.#counts };
  }
}
