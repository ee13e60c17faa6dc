// Who sits where in a worker, and when each wants to be looked at next: a worker with a thousand calls looks at the few
// that are due. Knows slots and times, nothing of calls.

export class Seats<Seat> {
  readonly #bySlot: (Seat | undefined)[];
  /**
   * By slot: Infinity for one that wants nothing, NaN for a free one, which is never due nor gets to be. In a row, so
   * that looking through all of them costs next to nothing.
   */
  readonly #dueMs: Float64Array;
  /** Behind the highest slot taken since the worker was empty. */
  #end = 0;
  #taken = 0;

  constructor(slots: number) {
    this.#bySlot = new Array<Seat | undefined>(slots).fill(undefined);
    this.#dueMs = new Float64Array(slots).fill(Number.NaN);
  }

  get isEmpty(): boolean {
    return this.#taken === 0;
  }

  at(slot: number): Seat | undefined {
    return this.#bySlot[slot];
  }

  /** Of a free slot. It is due at once. */
  take(slot: number, seat: Seat): void {
    this.#bySlot[slot] = seat;
    this.#dueMs[slot] = Number.NEGATIVE_INFINITY;
    this.#taken++;
    this.#end = Math.max(this.#end, slot + 1);
  }

  leave(slot: number): void {
    this.#bySlot[slot] = undefined;
    this.#dueMs[slot] = Number.NaN;
    this.#taken--;
    if (this.#taken === 0) this.#end = 0;
  }

  dueMs(slot: number): number {
    return this.#dueMs[slot]!;
  }

  /** It is looked at now, and wants nothing more until it says so. */
  rest(slot: number): void {
    this.#dueMs[slot] = Number.POSITIVE_INFINITY;
  }

  /** It wants to be looked at by then at the latest. */
  wakeBy(slot: number, dueMs: number): void {
    if (dueMs < this.#dueMs[slot]!) this.#dueMs[slot] = dueMs;
  }

  /** The first slot that is due from `slot` on, or -1. */
  nextDue(slot: number, nowMs: number): number {
    const dueMs = this.#dueMs;
    const end = this.#end;
    for (let at = slot; at < end; at++) if (dueMs[at]! <= nowMs) return at;
    return -1;
  }
}
