// Who is at the other end of a number that is called: picks up or doesn't, speaks, listens, and hangs up.
import { readFileSync } from "node:fs";
import type { Stop, Ticker } from "../clock.ts";
import { levelDbfs } from "../level.ts";
import { toTelephone } from "../resample.ts";
import type { TwinStream } from "../stream.ts";
import { FRAME_MS } from "../track.ts";
import { readWav } from "../wav.ts";

/** The recordings that come with the twin. */
export type Recording = "hello" | "question" | "stop";

export interface Talking {
  /** What is said when the stream begins: a recording, 16-bit samples at 8 kHz, or nothing. "question" by default. */
  readonly says?: Recording | Int16Array | "";
  /** Hangs up once nothing was heard for this long; 2,000 by default, Infinity: never. */
  readonly quietMs?: number;
  /** Hangs up this long after picking up, in any case. */
  readonly hangUpAfterMs?: number;
}

export type Person =
  | (Talking & {
      readonly does: "answers";
      /** After it began to ring; 500 by default. */
      readonly afterMs?: number;
      /** False: a trial account's notice is heard, but no key pressed. */
      readonly pressesKey?: boolean;
    })
  | (Talking & {
      readonly does: "machine";
      readonly afterMs?: number;
      /** What detection says, if the call asks for it; machine_start by default. */
      readonly answeredBy?: string;
      /** How long detection takes; 1,500 by default. */
      readonly detectionMs?: number;
    })
  | { readonly does: "busy"; readonly afterMs?: number }
  /** Lets it ring until the call's Timeout, until a carrier gives up before that, or until a test picks up. */
  | { readonly does: "nobody"; readonly afterMs?: number }
  /** The network can't reach it. */
  | {
      readonly does: "unreachable";
      readonly afterMs?: number;
      readonly sipResponseCode?: number;
      readonly errorCode?: number;
      readonly errorMessage?: string;
    };

export const PERSON_HELP =
  "answers[:ms], listens[:ms] (answers without speaking), busy[:ms], nobody[:ms], machine[:answered_by] or unreachable[:sip code]";

/** A person in a word, as the command line and the control surface have it; undefined for what is none. */
export function readPerson(text: string): Person | undefined {
  const [, word, detail] = /^([a-z]+)(?::(\w+))?$/.exec(text) ?? [];
  const number = detail === undefined ? undefined : Number(detail);
  if (number !== undefined && !Number.isInteger(number) && word !== "machine") return undefined;
  switch (word) {
    case "answers":
      return { does: "answers", ...(number !== undefined && { afterMs: number }) };
    case "listens":
      return { does: "answers", says: "", ...(number !== undefined && { afterMs: number }) };
    case "machine":
      return { does: "machine", ...(detail !== undefined && { answeredBy: detail }) };
    case "busy":
    case "nobody":
      return { does: word, ...(number !== undefined && { afterMs: number }) };
    case "unreachable":
      return { does: "unreachable", ...(number !== undefined && { sipResponseCode: number }) };
    default:
      return undefined;
  }
}

/** Quieter than this is silence. */
const QUIET_DBFS = -50;
const LISTEN_EVERY_MS = 50;
const QUIET_MS = 2_000;
const recordings = new Map<Recording, Int16Array>();

function speechOf(says: Recording | Int16Array | ""): Int16Array {
  if (says === "") return new Int16Array(0);
  if (says instanceof Int16Array) return says;
  const known =
    recordings.get(says) ??
    toTelephone(readWav(readFileSync(new URL(`../recordings/${says}.wav`, import.meta.url))));
  recordings.set(says, known);
  return known;
}

/** Speaks on a stream and listens, until it has been quiet for long enough; then `hangUp` is called, once. */
export function talk(stream: TwinStream, talking: Talking, ticker: Ticker, hangUp: () => void): void {
  const { says = "question", quietMs = QUIET_MS } = talking;
  let lastHeardMs: number | undefined;
  let listenedMs = 0;
  let nextMs = 0;
  const leave: Stop = ticker.join((nowMs) => {
    if (nowMs < nextMs || stream.startedMs === undefined) return;
    nextMs = nowMs + LISTEN_EVERY_MS;
    if (lastHeardMs === undefined) {
      stream.say(speechOf(says));
      listenedMs = lastHeardMs = stream.nowMs;
    }
    if (!stream.saidAll) lastHeardMs = stream.nowMs;
    for (; listenedMs + FRAME_MS <= stream.nowMs; listenedMs += FRAME_MS) {
      if (levelDbfs(stream.played(listenedMs, listenedMs + FRAME_MS)) > QUIET_DBFS) {
        lastHeardMs = Math.max(lastHeardMs, listenedMs + FRAME_MS);
      }
    }
    if (stream.nowMs - lastHeardMs < quietMs) return;
    leave();
    hangUp();
  });
  void stream.ended.then(leave);
}
