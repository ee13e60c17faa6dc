// One call's way to tell the front thread what happens: JSON in the lane, in order with the call's audio, and bounded.
import type { WorkerCounts } from "../../lane/counts.ts";
import { type LaneEnd, RecordKind } from "../../lane/lane.ts";
import { NEWS_BYTES_MAX, NEWS_MAX, type News, type NewsKind, type ToldNews } from "../../lane/news.ts";
import type { CallTicket } from "../../lane/ticket.ts";

const UTF8 = new TextEncoder();

/** What is told oftenest and missed least has half of the room… */
const SPEECH: ReadonlySet<NewsKind> = new Set(["speech_started", "speech_stopped"]);
const SPEECH_MAX = NEWS_MAX / 2;
/** …and what fails, or ends something, has room of its own at the last. */
const FATEFUL: ReadonlySet<NewsKind> = new Set([
  "recording",
  "prompt",
  "playout_stalled",
  "agent_connect_failed",
  "agent_dropped",
]);
const FATEFUL_RESERVE = 100;

export class Teller {
  readonly #ticket: CallTicket;
  readonly #lane: LaneEnd;
  readonly #counts: WorkerCounts;
  #told = 0;
  #toldBytes = 0;

  constructor(ticket: CallTicket, lane: LaneEnd, counts: WorkerCounts) {
    this.#ticket = ticket;
    this.#lane = lane;
    this.#counts = counts;
  }

  tell(news: News, atMs: number): void {
    if (this.#told >= this.#mostFor(news.kind)) return this.#counts.add("newsDropped");
    const told: ToldNews = { atMs, news };
    const bytes = UTF8.encode(JSON.stringify(told));
    const isLong = !FATEFUL.has(news.kind) && this.#toldBytes + bytes.length > NEWS_BYTES_MAX;
    if (isLong) return this.#counts.add("newsDropped");
    this.#told++;
    this.#toldBytes += bytes.length;
    const { slot, epoch } = this.#ticket;
    this.#lane.write(RecordKind.news, slot, epoch, bytes);
  }

  #mostFor(kind: NewsKind): number {
    if (SPEECH.has(kind)) return SPEECH_MAX;
    return FATEFUL.has(kind) ? NEWS_MAX : NEWS_MAX - FATEFUL_RESERVE;
  }
}
