// The heard ledger: which of an agent's utterances stands where in the audio that goes to the caller, and so how much
// of each was generated, sent and heard. Pure bookkeeping over positions; what has been heard it is told.
import assert from "node:assert/strict";
import type { News } from "../../lane/news.ts";

/** Speech is about this fast: tells how much audio a text will be that is still being spoken. 15 characters a second. */
const MS_PER_CHARACTER = 65;
/** What of an utterance may be unheard with its text still heard to the end: two frames, as marks are that coarse. */
const WHOLE_WITHIN_MS = 40;
/** Of one agent; more are not remembered, the newest first, and never come back. */
const MARKS_MAX = 200;
const NO_MARKS: readonly HeardMark[] = [];
const NO_UTTERANCES: readonly Utterance[] = [];

/** One utterance that is over, as it is told. */
export type Utterance = Omit<Extract<News, { readonly kind: "utterance" }>, "kind">;

interface Entry {
  readonly id: string;
  readonly isNamed: boolean;
  text: string;
  /** Positions in the track's generation: of its first audio, once it has some, and of its last. */
  startMs: number;
  endMs: number;
  /** Audio the agent gave, of which the queue may have refused some. */
  givenMs: number;
  isComplete: boolean;
}

interface AgentMark {
  readonly name: string;
  readonly positionMs: number;
  /** The utterance it stands in; undefined when the agent has said none. */
  readonly entry: Entry | undefined;
}

/** A mark of the agent's that was heard, `heardMs` into its utterance. */
export interface HeardMark {
  readonly name: string;
  readonly heardMs: number;
}

/** What of the agent's own is not said by the agent: prompts leave gaps between its utterances. */
export class HeardLedger {
  /** Those that are not over, in order; the last one may still grow. */
  #entries: Entry[] = [];
  #marks: AgentMark[] = [];
  /** The utterance begun last, over or not. */
  #newest: Entry | undefined;
  #madeUp = 0;
  #isFirstOver = false;

  /** Whether the first thing the agent said has been heard, or cut. */
  get isGreeted(): boolean {
    return this.#isFirstOver;
  }

  /** Whether there is an utterance that may still grow. */
  get isOpen(): boolean {
    return this.#newest?.isComplete === false;
  }

  /** Whether one that may still grow has audio. */
  get isGrowing(): boolean {
    return this.isOpen && this.#newest!.givenMs > 0;
  }

  /** Whether the agent has begun an utterance and not ended it. One that it never named may be over, unsaid. */
  get isMidUtterance(): boolean {
    return this.isOpen && this.#newest!.isNamed;
  }

  begin(id: string, text: string, positionMs: number): void {
    this.complete(positionMs);
    this.#push(id, text, positionMs, true);
  }

  /** The agent said `givenMs` more, which end at `positionMs`, having begun at `fromMs`. */
  grew(givenMs: number, fromMs: number, positionMs: number): void {
    if (!this.isOpen) this.#push(`unnamed-${++this.#madeUp}`, "", fromMs, false);
    const entry = this.#newest!;
    if (entry.givenMs === 0) entry.startMs = fromMs; // what the gateway said since it was begun is none of it
    entry.givenMs += givenMs;
    entry.endMs = positionMs;
  }

  /** The open utterance is complete; `text`, where given, is all of its words. */
  complete(positionMs: number, text?: string): void {
    const entry = this.#newest;
    if (entry === undefined || entry.isComplete) return;
    entry.isComplete = true;
    if (entry.givenMs > 0) entry.endMs = positionMs;
    if (text !== undefined) entry.text = text;
  }

  /** The utterance that is being heard at this position, or the last one before it. */
  at(
    heardMs: number,
  ): { readonly id: string; readonly heardMs: number; readonly heardText: string } | undefined {
    const entry = this.#entries.findLast(({ startMs }) => startMs <= heardMs) ?? this.#entries[0];
    if (entry === undefined) return undefined;
    const heard = heardOf(entry, heardMs);
    return { id: entry.id, heardMs: heard, heardText: heardTextOf(entry, heard) };
  }

  /** False when there are too many already. */
  mark(name: string, positionMs: number): boolean {
    if (this.#marks.length >= MARKS_MAX) return false;
    this.#marks.push({ name, positionMs, entry: this.#newest });
    return true;
  }

  /** Takes out the marks that have been heard, in order. */
  marksUpTo(heardMs: number): readonly HeardMark[] {
    if (this.#marks.length === 0) return NO_MARKS;
    const heard = this.#marks.findIndex(({ positionMs }) => positionMs > heardMs);
    return this.#marks
      .splice(0, heard < 0 ? this.#marks.length : heard)
      .map(({ name, positionMs, entry }) => ({
        name,
        heardMs: entry === undefined ? 0 : Math.round(heardOf(entry, positionMs)),
      }));
  }

  /**
   * Takes out the utterances that were heard to their end. One that is complete and has no audio waits for nobody: so
   * there are never more of them than the queue of speech has frames.
   */
  over(sentMs: number, heardMs: number): readonly Utterance[] {
    const isOver = (entry: Entry): boolean => entry.isComplete && (heardMs >= entry.endMs || isEmpty(entry));
    if (!this.#entries.some(isOver)) return NO_UTTERANCES;
    const over = this.#entries.filter(isOver);
    this.#entries = this.#entries.filter((entry) => !over.includes(entry));
    return this.#tellOf(over, sentMs, heardMs);
  }

  #push(id: string, text: string, startMs: number, isNamed: boolean): void {
    this.#newest = { id, isNamed, text, startMs, endMs: startMs, givenMs: 0, isComplete: false };
    this.#entries.push(this.#newest);
  }

  #tellOf(entries: readonly Entry[], sentMs: number, heardMs: number): readonly Utterance[] {
    if (!entries.every(isEmpty)) this.#isFirstOver = true;
    return entries.map((entry) => utteranceOf(entry, sentMs, heardMs));
  }

  /** All that is not over is cut at these positions, and so are its marks; positions begin anew. */
  cut(sentMs: number, heardMs: number): readonly Utterance[] {
    const cut = this.#entries;
    this.#entries = [];
    this.#marks = [];
    this.#newest = undefined;
    return this.#tellOf(cut, sentMs, heardMs);
  }
}

function utteranceOf(entry: Entry, sentMs: number, heardMs: number): Utterance {
  const sent = heardOf(entry, sentMs);
  const heard = heardOf(entry, heardMs);
  assert(heard <= sent, "nothing is heard that was not sent");
  return {
    id: entry.id,
    generatedMs: Math.round(entry.givenMs),
    sentMs: Math.round(sent),
    heardMs: Math.round(heard),
    isInterrupted: !entry.isComplete || (heardMs < entry.endMs && !isEmpty(entry)),
    text: entry.text,
    heardText: heardTextOf(entry, heard),
  };
}

function isEmpty({ startMs, endMs }: Entry): boolean {
  return endMs <= startMs;
}

/** How much of an utterance lies before this position. Silence that fills its last frame is none of it. */
function heardOf({ startMs, endMs, givenMs }: Entry, positionMs: number): number {
  return Math.min(clamp(positionMs - startMs, 0, endMs - startMs), givenMs);
}

/**
 * As much of the text as the heard part of the audio holds, by length, back to the last whole word. An estimate: how
 * long each word took nobody has said. Of an utterance whose audio is still coming its length is estimated too.
 */
function heardTextOf({ text, givenMs, isComplete }: Entry, heardMs: number): string {
  const wholeMs = isComplete ? givenMs : Math.max(givenMs, text.length * MS_PER_CHARACTER);
  if (heardMs >= wholeMs - WHOLE_WITHIN_MS) return wholeMs > 0 ? text : "";
  const characters = Math.floor((text.length * heardMs) / wholeMs);
  if (/\s/.test(text[characters] ?? " ")) return text.slice(0, characters).trimEnd();
  return text.slice(0, characters).replace(/\S*$/, "").trimEnd();
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
