// What an agent says over a connection that is ready, taken in its order and obeyed on the call's line: its audio as
// far as there is room and it is not of a cut utterance, and no more of anything than one agent may send.

import { FRAME_MS } from "../../../domain/audio.ts";
import type { News } from "../../../lane/news.ts";
import type { AudioFormat, Cut, Line } from "../port.ts";
import { Allowance } from "./allowance.ts";
import { audioOf, bytesPerFrame } from "./audio.ts";
import type { Cuts } from "./cuts.ts";
import * as protocol from "./protocol.ts";
import type { Refusals } from "./refusals.ts";
import type { AgentSocket } from "./socket.ts";

/** Speech that may wait to be sent before the agent's socket is not read from, and at which it is read again. */
const PAUSE_AT_MS = 29_900; // a little less than a call holds, so that nothing of it is dropped
const RESUME_AT_MS = 25_000;
/** Text beyond this ends the call; audio beyond it is read no faster. */
const TEXTS = { perS: 100, burst: 300 };
const AUDIOS = { perS: 1_000, burst: 2_000 };
/** Audio of a cut utterance is only thrown away, and what comes after it is waited for. */
const STALE_COST = 0.1;
/** Messages' worth of audio that is taken at once after a rest. */
const REST_AUDIOS = 50;
/** Faults beyond this are counted, and not answered. */
const ANSWERS = { perS: 10, burst: 20 };
const ERROR_TEXT_MAX = 500;

export interface ConversationParts {
  readonly line: Line;
  readonly socket: AgentSocket;
  readonly speaks: AudioFormat;
  readonly cuts: Cuts;
  readonly refusals: Refusals;
  /** For an utterance that the agent gives no id. */
  readonly utteranceId: () => string;
  /** It sends far more than an agent may. */
  readonly flooded: (why: string) => void;
}

interface Message {
  readonly bytes: Buffer;
  readonly isBinary: boolean;
}

export class Conversation {
  /** The agent has hung up, or given up: its going away is no loss. */
  hasEnded = false;
  readonly #parts: ConversationParts;
  readonly #frameBytes: number;
  readonly #texts = new Allowance(TEXTS);
  readonly #audios = new Allowance(AUDIOS);
  readonly #answers = new Allowance(ANSWERS);
  /** Read before the pause took hold: what one read of the socket holds, at most. */
  #inbox: Message[] = [];
  #isPaused = false;

  constructor(parts: ConversationParts) {
    this.#parts = parts;
    this.#frameBytes = bytesPerFrame(parts.speaks);
  }

  /** Its socket is not read from. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Everything that has come is said and done. */
  get isDone(): boolean {
    return this.#inbox.length === 0;
  }

  received(bytes: Buffer, isBinary: boolean): void {
    const nowMs = this.#parts.line.nowMs();
    if (!isBinary && !this.#texts.take(nowMs)) return this.#flooded();
    const message = { bytes, isBinary };
    const left = this.#isPaused ? message : this.#take(message, nowMs);
    if (left !== undefined) this.#inbox.push(left);
  }

  pinged(): void {
    if (!this.#texts.take(this.#parts.line.nowMs())) this.#flooded();
  }

  tick(nowMs: number): void {
    if (!this.#isPaused) return;
    if (this.#parts.line.queuedMs >= RESUME_AT_MS || this.#audios.left(nowMs) < REST_AUDIOS) return;
    this.#isPaused = false;
    const inbox = this.#inbox;
    this.#inbox = [];
    let at = 0;
    while (at < inbox.length && !this.#isPaused) {
      const left = this.#take(inbox[at]!, nowMs);
      if (left === undefined) at++;
      else inbox[at] = left;
    }
    this.#inbox = inbox.slice(at);
    if (!this.#isPaused) this.#parts.socket.resume();
  }

  /** The caller spoke over the agent. */
  interrupted(cut: Cut): void {
    const { cuts, line, socket } = this.#parts;
    cuts.interrupted(line.nowMs());
    socket.sendText(protocol.interrupted(cut, cuts.number));
  }

  /** Returns what of a message can't be taken now. */
  #take(message: Message, nowMs: number): Message | undefined {
    if (message.isBinary) return this.#hear(message.bytes, nowMs);
    this.#obey(protocol.readMessage(message.bytes));
    return undefined;
  }

  #hear(bytes: Buffer, nowMs: number): Message | undefined {
    const { line, speaks, cuts, refusals } = this.#parts;
    if (speaks.encoding === "pcm16" && bytes.length % Int16Array.BYTES_PER_ELEMENT !== 0) {
      this.#refuse("malformed", "a message of pcm16 must have an even number of bytes", "audio");
      return undefined;
    }
    const isStale = !cuts.admits(nowMs);
    if (!this.#audios.take(nowMs, isStale ? STALE_COST : 1)) {
      this.#pause();
      return { bytes, isBinary: true };
    }
    if (isStale) {
      refusals.add("stale_audio", bytes.length / this.#frameBytes);
      return undefined;
    }
    const queuedMs = line.queuedMs;
    const room = Math.max(0, Math.floor((PAUSE_AT_MS - queuedMs) / FRAME_MS)) * this.#frameBytes;
    if (bytes.length > 0) line.say(audioOf(bytes.subarray(0, room), speaks));
    if (bytes.length <= room) return undefined;
    this.#pause({ kind: "agent_paused", queuedMs: Math.round(line.queuedMs) });
    return { bytes: bytes.subarray(room), isBinary: true };
  }

  #flooded(): void {
    this.#parts.flooded(`its server sends more than ${TEXTS.perS} messages a second`);
  }

  #pause(news?: News): void {
    this.#isPaused = true;
    this.#parts.socket.pause();
    if (news !== undefined) this.#parts.line.tell(news);
  }

  #obey(message: protocol.FromAgent | protocol.Malformed): void {
    const { line, cuts, socket, utteranceId } = this.#parts;
    switch (message.type) {
      case "utterance_start":
        if (cuts.utteranceStarts(message.interruption))
          line.beginUtterance(message.id ?? utteranceId(), message.text);
        return;
      case "utterance_end":
        if (cuts.utteranceEnds()) line.endUtterance(message.text);
        return;
      case "mark":
        // What it stands behind will not be heard, so neither will it.
        if (!cuts.isStale()) line.mark(message.name);
        return;
      case "clear": {
        cuts.cleared();
        const cut = line.clear();
        return socket.sendText(protocol.interrupted(cut, cuts.number));
      }
      case "transcript":
        return line.transcript(message.role, message.text);
      case "hang_up":
        this.hasEnded = true;
        return line.hangUp(message.when);
      case "error": {
        const text = message.message.slice(0, ERROR_TEXT_MAX);
        line.tell({ kind: "agent_error", text });
        if (!message.isFatal) return;
        this.hasEnded = true;
        return line.fail("the agent gave up; what it said of that is in the call's record");
      }
      case "send_digits":
      case "transfer":
        return this.#refuse("not_supported", `${message.type} is not supported`, message.type);
      case "ready":
        return this.#refuse("malformed", "ready is said once on a connection", "ready");
      case "malformed":
        return this.#refuse("malformed", message.why, message.of);
    }
  }

  #refuse(code: "malformed" | "not_supported", why: string, of: string | null): void {
    const { refusals, socket, line } = this.#parts;
    refusals.add(code);
    if (this.#answers.take(line.nowMs())) socket.sendText(protocol.error(code, why, of));
  }
}
