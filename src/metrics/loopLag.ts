// How late the front thread came to its timer lately, for whoever decides whether this process takes more calls.

export interface Lag {
  readonly p95Ms: number;
  readonly maxMs: number;
}

/** The newest samples; older ones are forgotten. */
export class LoopLag {
  readonly #samples: Float64Array;
  #count = 0;

  constructor(samplesMax: number) {
    this.#samples = new Float64Array(samplesMax);
  }

  add(lateMs: number): void {
    this.#samples[this.#count++ % this.#samples.length] = lateMs;
  }

  /** Zeros when nothing was sampled. */
  read(): Lag {
    const known = this.#samples.slice(0, this.#count).sort();
    if (known.length === 0) return { p95Ms: 0, maxMs: 0 };
    // The smallest that at least 95 % of the samples don't exceed.
    return { p95Ms: known[Math.ceil(known.length * 0.95) - 1]!, maxMs: known.at(-1)! };
  }
}
