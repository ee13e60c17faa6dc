// A body that is read while it is sent, to a peer that takes it as fast as it likes: one piece is on its way, and the
// next is read once that is gone. Knows when the peer is gone, and touches nothing of uWebSockets.js's after that.
import assert from "node:assert/strict";
import type { Clock } from "../domain/clock.ts";
import type { BodySource } from "../http/http.ts";
import type { NativeResponse } from "./uws.ts";

/**
 * uWebSockets.js cuts a connection ten seconds after the last try to send, and says that there is room only when a third
 * of what the kernel holds is free: megabytes, which a slow reader takes longer for. So it is tried again meanwhile…
 */
const RETRY_MS = 4_000;
/** …unless the peer has taken nothing for so long. */
const PATIENCE_MS = 30_000;

export class Pouring {
  readonly #native: NativeResponse;
  readonly #source: BodySource;
  readonly #clock: Clock;
  /** How much the peer had taken when it was last seen to take any. */
  #taken = 0;
  #takenMs: number;
  #isGone = false;
  /** Waits for the peer to take more: told how many bytes of the body have been taken. */
  #wake: ((taken: number) => void) | undefined;

  /** The response's head has been written. `source` has a byte at least. */
  constructor(native: NativeResponse, source: BodySource, clock: Clock) {
    this.#native = native;
    this.#source = source;
    this.#clock = clock;
    this.#takenMs = clock.nowMs();
    native.onWritable((taken) => {
      this.#wake?.(taken);
      return true;
    });
  }

  /** Resolves once everything was sent, or the peer is gone. When the source fails the connection is cut. */
  async run(): Promise<void> {
    const { bytes } = this.#source;
    const stop = this.#clock.every(RETRY_MS, () => this.#tryAgain());
    try {
      for (let sent = 0; sent < bytes && !this.#isGone; ) {
        const piece = await this.#source.read();
        assert(piece.length > 0 && sent + piece.length <= bytes, "a body is as long as it was said to be");
        await this.#send(piece, sent);
        sent += piece.length;
      }
    } catch (error) {
      if (!this.#isGone) this.#native.close();
      throw error;
    } finally {
      stop();
      await this.#source.close();
    }
  }

  /** The peer is gone. */
  abort(): void {
    this.#isGone = true;
    this.#wake?.(0);
  }

  #tryAgain(): void {
    if (this.#isGone || this.#wake === undefined) return;
    const nowMs = this.#clock.nowMs();
    const taken = this.#native.getWriteOffset();
    if (taken > this.#taken) {
      this.#taken = taken;
      this.#takenMs = nowMs;
    }
    if (nowMs - this.#takenMs < PATIENCE_MS) this.#wake(taken);
  }

  async #send(piece: Uint8Array, start: number): Promise<void> {
    const native = this.#native;
    let taken = start;
    while (!this.#isGone && taken < start + piece.length) {
      let isTaken = false;
      native.cork(() => {
        [isTaken] = native.tryEnd(piece.subarray(taken - start), this.#source.bytes);
      });
      if (isTaken) return;
      const { promise, resolve } = Promise.withResolvers<number>();
      this.#wake = resolve;
      taken = await promise;
      this.#wake = undefined;
    }
  }
}
