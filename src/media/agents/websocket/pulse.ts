// Whether an agent's server still reads. The kernels on both sides hold minutes of audio before a socket feels it, so
// only an answer tells: one ping at a time, behind the audio that was sent before it.

const EVERY_MS = 500;

export class Pulse {
  #number = 0;
  #sentMs: number;
  #isAnswered = true;

  constructor(nowMs: number) {
    this.#sentMs = nowMs;
  }

  /** What to ping with now, if it is time. */
  due(nowMs: number): string | undefined {
    if (!this.#isAnswered || nowMs - this.#sentMs < EVERY_MS) return undefined;
    this.#sentMs = nowMs;
    this.#isAnswered = false;
    this.#number++;
    return String(this.#number);
  }

  ponged(payload: string): void {
    if (payload === String(this.#number)) this.#isAnswered = true;
  }

  /** For how long the newest ping has had no answer. */
  silentMs(nowMs: number): number {
    return this.#isAnswered ? 0 : nowMs - this.#sentMs;
  }

  /** No answer could be read until now, which is no fault of the server's. */
  restart(nowMs: number): void {
    this.#sentMs = nowMs;
  }

  /** Nor could it for so long. */
  excuse(ms: number): void {
    this.#sentMs += ms;
  }
}
