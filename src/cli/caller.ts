// The person on the telephone, as far as the command line plays one: speaks, presses keys, listens, and hangs up
// when nothing more is heard.

import type { TwinCall } from "../twin/call.ts";
import { levelDbfs } from "../twin/level.ts";
import type { TwinStream } from "../twin/stream.ts";
import { FRAME_MS } from "../twin/track.ts";
import { UsageError } from "./arguments.ts";

/** Quieter than this is silence. */
const QUIET_DBFS = -50;
const DIGIT_EVERY_MS = 250;
const PAUSE_MS = 500;

export interface Script {
  /** 16-bit samples at 8 kHz. */
  readonly speech: Int16Array;
  readonly keys: readonly Key[];
  /** How long nothing may be heard, after everything was said and pressed, before the caller hangs up. */
  readonly quietMs: number;
  /** The longest call, from its webhook on. */
  readonly limitMs: number;
}

export interface Key {
  readonly digit: string;
  /** After the speech began. */
  readonly afterMs: number;
}

/** When the keys of a `--digits` text are pressed: every 250 ms, with half a second more for each `w`. */
export function planKeys(text: string): Key[] {
  if (!/^[0-9*#A-Dw]*$/.test(text))
    throw new UsageError(`--digits may hold 0-9, *, #, A-D and w, not ${text}`);
  const keys: Key[] = [];
  let afterMs = 0;
  for (const symbol of text) {
    afterMs += symbol === "w" ? PAUSE_MS : DIGIT_EVERY_MS;
    if (symbol !== "w") keys.push({ digit: symbol, afterMs });
  }
  return keys;
}

/** Plays the script on one call; its `tick` must be called every few dozen milliseconds until the call has ended. */
export class Caller {
  /** True once the limit has ended the call. */
  reachedLimit = false;
  readonly #call: TwinCall;
  readonly #script: Script;
  readonly #keys: Key[];
  #begunMs: number | undefined;
  #busyUntilMs = 0;
  #listenedMs = 0;

  constructor(call: TwinCall, script: Script) {
    this.#call = call;
    this.#script = script;
    this.#keys = [...script.keys];
  }

  tick(): void {
    const nowMs = this.#call.timeline.nowMs();
    if (nowMs >= this.#script.limitMs && !this.reachedLimit) {
      this.reachedLimit = true;
      void this.#call.hangUp();
    }
    const { stream } = this.#call;
    if (stream?.startedMs === undefined) return;
    this.#speak(stream, nowMs);
    this.#listen(stream, nowMs);
    if (nowMs - this.#busyUntilMs >= this.#script.quietMs) void this.#call.hangUp();
  }

  #speak(stream: TwinStream, nowMs: number): void {
    if (this.#begunMs === undefined) {
      stream.say(this.#script.speech);
      this.#begunMs = this.#listenedMs = nowMs;
    }
    while (this.#keys.length > 0 && nowMs >= this.#begunMs + this.#keys[0]!.afterMs) {
      stream.press(this.#keys.shift()!.digit);
    }
    if (!stream.saidAll || this.#keys.length > 0) this.#busyUntilMs = nowMs;
  }

  #listen(stream: TwinStream, nowMs: number): void {
    for (; this.#listenedMs + FRAME_MS <= nowMs; this.#listenedMs += FRAME_MS) {
      const untilMs = this.#listenedMs + FRAME_MS;
      if (levelDbfs(stream.played(this.#listenedMs, untilMs)) > QUIET_DBFS)
        this.#busyUntilMs = Math.max(this.#busyUntilMs, untilMs);
    }
  }
}
