// How much of something an agent may do: so many a second, with a burst on top. A token bucket.

export class Allowance {
  readonly #perMs: number;
  readonly #burst: number;
  #left: number;
  #atMs = 0;

  constructor({ perS, burst }: { readonly perS: number; readonly burst: number }) {
    this.#perMs = perS / 1_000;
    this.#burst = burst;
    this.#left = burst;
  }

  /** Takes one, or something that costs less, if there is as much. */
  take(nowMs: number, cost = 1): boolean {
    if (this.left(nowMs) < cost) return false;
    this.#left -= cost;
    return true;
  }

  left(nowMs: number): number {
    this.#left = Math.min(this.#burst, this.#left + Math.max(0, nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    return this.#left;
  }
}
