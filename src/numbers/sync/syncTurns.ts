// Who may ask Twilio about which number, and when: one at a time for each number, so that the newest order is the
// last one done; and few at a time for what nobody waits for.
import type { NumberId } from "../../domain/ids.ts";

/** Beside what users wait for. Twilio takes more, but answers its own users' requests more slowly then. */
const BACKGROUND_MAX = 4;

export class Turns {
  readonly #last = new Map<NumberId, Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** Whether somebody has or awaits a turn with this number. */
  isBusy(id: NumberId): boolean {
    return this.#last.has(id);
  }

  /** After everything that was asked for this number before. */
  async take<Value>(id: NumberId, act: () => Promise<Value>): Promise<Value> {
    const before = this.#last.get(id);
    const turn = before === undefined ? act() : before.then(act, act);
    this.#last.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(id) === turn) this.#last.delete(id);
    }
  }

  /** The same, once there is room. As many may wait as there are numbers. */
  async takeInBackground<Value>(id: NumberId, act: () => Promise<Value>): Promise<Value> {
    if (this.#running < BACKGROUND_MAX) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await this.take(id, act);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
