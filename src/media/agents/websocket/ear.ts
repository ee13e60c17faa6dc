// How the caller's audio gets to an agent's server, and whether the server still takes it: gone deaf, it gets none
// until it has caught up, and the call keeps the newest for it.
import { FRAME_MS } from "../../../domain/audio.ts";
import type { Audio } from "../port.ts";
import { bytesPerFrame, Earpiece } from "./audio.ts";
import type { Ready } from "./protocol.ts";
import { Pulse } from "./pulse.ts";
import type { AgentSocket } from "./socket.ts";

/** A server that has not answered a ping for this long, or for whom so much waits here, is behind. */
const BEHIND_MS = 2_000;
/** Without an answer for this long it is lost. */
export const DEAF_MS = 5_000;

export class Ear {
  readonly #socket: AgentSocket;
  readonly #earpiece: Earpiece;
  readonly #bufferMax: number;
  readonly #pulse: Pulse;
  #isBehind = false;

  constructor(socket: AgentSocket, { hears, framesPerMessage }: Ready, nowMs: number) {
    this.#socket = socket;
    this.#earpiece = new Earpiece(hears, framesPerMessage);
    this.#bufferMax = bytesPerFrame(hears) * (BEHIND_MS / FRAME_MS);
    this.#pulse = new Pulse(nowMs);
  }

  hear(frame: Audio): void {
    if (this.#isBehind) return;
    const message = this.#earpiece.take(frame);
    if (message !== undefined) this.#socket.sendAudio(message);
  }

  /**
   * Looks after it; called all the time. `isRead`: whether anything that the server sends is read just now.
   * Returns what has changed, or by how many milliseconds it has fallen behind.
   */
  look(nowMs: number, isRead: boolean): "caught_up" | "lost" | { readonly behindMs: number } | undefined {
    const pulse = this.#pulse;
    if (!isRead) pulse.restart(nowMs); // its pongs are not read either
    const payload = isRead ? pulse.due(nowMs) : undefined;
    if (payload !== undefined) this.#socket.ping(payload);
    const silentMs = pulse.silentMs(nowMs);
    if (silentMs >= DEAF_MS) return "lost";
    const { bufferedBytes } = this.#socket;
    if (!this.#isBehind) {
      if (silentMs < BEHIND_MS && bufferedBytes <= this.#bufferMax) return undefined;
      this.#isBehind = true;
      return { behindMs: Math.max(silentMs, BEHIND_MS) };
    }
    if (silentMs >= BEHIND_MS || bufferedBytes > this.#bufferMax / 2) return undefined;
    this.#isBehind = false;
    return "caught_up";
  }

  ponged(payload: string): void {
    this.#pulse.ponged(payload);
  }

  /** Nothing could be read for so long, through no fault of the server's. */
  excuse(ms: number): void {
    this.#pulse.excuse(ms);
  }
}
