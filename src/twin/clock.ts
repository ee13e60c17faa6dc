// Time, and everything that waits for it. One ticker serves all calls of a twin; each computes what is due from
// the monotonic clock, so a late tick catches up and nothing drifts.
import assert from "node:assert/strict";

export type Stop = () => void;

export interface TwinClock {
  /** Milliseconds on a monotonic clock with an arbitrary origin, with fractions. */
  nowMs(): number;
  /** Milliseconds since the epoch, for what is written into messages. */
  wallMs(): number;
  /** Calls `tick` about every `periodMs` until stopped; keeps the process alive meanwhile. */
  every(periodMs: number, tick: () => void): Stop;
}

export const realClock: TwinClock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  every(periodMs, tick) {
    const timer = setInterval(tick, periodMs);
    return () => clearInterval(timer);
  },
};

/** Fine enough for marks to come back when their audio ends, coarse enough to cost nothing. */
export const TICK_MS = 5;

/** One period shared by whoever joins; it runs only while someone has. */
export class Ticker {
  readonly clock: TwinClock;
  readonly #members = new Set<(nowMs: number) => void>();
  readonly #periodMs: number;
  #stop: Stop | undefined;

  constructor(clock: TwinClock, periodMs = TICK_MS) {
    this.clock = clock;
    this.#periodMs = periodMs;
  }

  /** Calls `tick` with the time every period until the returned function is called. */
  join(tick: (nowMs: number) => void): Stop {
    assert(!this.#members.has(tick), "a tick joins once");
    this.#members.add(tick);
    this.#stop ??= this.clock.every(this.#periodMs, () => this.#tick());
    return () => {
      this.#members.delete(tick);
      if (this.#members.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
    };
  }

  #tick(): void {
    const nowMs = this.clock.nowMs();
    for (const tick of this.#members) tick(nowMs);
  }
}

/** How long a condition is waited for unless the waiter says otherwise. */
export const WAIT_MS = 5_000;

interface Waiter {
  /** Settles its promise and returns true, or returns false: not yet. */
  readonly settled: (nowMs: number) => boolean;
  readonly reject: (reason: string) => void;
}

/** Conditions that someone awaits: looked at whenever something happened, and on every tick. */
export class Waits {
  readonly #ticker: Ticker;
  readonly #waiters = new Set<Waiter>();
  #leave: Stop | undefined;
  #over: string | undefined;

  constructor(ticker: Ticker) {
    this.#ticker = ticker;
  }

  /**
   * What `probe` finds, as soon as it finds something.
   * Rejects after `timeoutMs`, or when nothing can happen any more; `what` completes "waited … for".
   */
  until<Found>(what: string, probe: () => Found | undefined, timeoutMs = WAIT_MS): Promise<Found> {
    const { promise, resolve, reject } = Promise.withResolvers<Found>();
    const sinceMs = this.#ticker.clock.nowMs();
    const rejectWith = (reason: string) => reject(new Error(`waited for ${what}, but ${reason}`));
    const settled = (nowMs: number) => {
      const found = probe();
      if (found !== undefined) resolve(found);
      else if (nowMs - sinceMs >= timeoutMs) rejectWith(`it did not come within ${timeoutMs} ms`);
      else return false;
      return true;
    };
    if (settled(sinceMs)) return promise;
    if (this.#over === undefined) this.#await({ settled, reject: rejectWith });
    else rejectWith(this.#over);
    return promise;
  }

  /** Something happened: looks at every condition. */
  check(nowMs = this.#ticker.clock.nowMs()): void {
    for (const waiter of this.#waiters) if (waiter.settled(nowMs)) this.#forget(waiter);
  }

  /** Nothing will happen any more: what has not come by now is rejected, and so is every later wait. */
  end(reason: string): void {
    this.check();
    this.#over ??= reason;
    for (const waiter of this.#waiters) {
      this.#forget(waiter);
      waiter.reject(reason);
    }
  }

  #await(waiter: Waiter): void {
    this.#waiters.add(waiter);
    this.#leave ??= this.#ticker.join((nowMs) => this.check(nowMs));
  }

  #forget(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    if (this.#waiters.size > 0) return;
    this.#leave?.();
    this.#leave = undefined;
  }
}
