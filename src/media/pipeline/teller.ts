// One call's way to tell the front thread what happens: JSON in the lane, in order with the call's audio, and bounded.
import type { WorkerCounts } from "../../lane/counts.ts";
import { type LaneEnd, RecordKind } from "../../lane/lane.ts";
import { NEWS_BYTES_MAX, NEWS_MAX, type News, type ToldNews } from "../../lane/news.ts";
import type { CallTicket } from "../../lane/ticket.ts";

const UTF8 = new TextEncoder();

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
    const told: ToldNews = { atMs, news };
    const bytes = UTF8.encode(JSON.stringify(told));
    const isMuch = this.#told >= NEWS_MAX || this.#toldBytes + bytes.length > NEWS_BYTES_MAX;
    if (isMuch) return this.#counts.add("newsDropped");
    this.#told++;
    this.#toldBytes += bytes.length;
    const { slot, epoch } = this.#ticket;
    this.#lane.write(RecordKind.news, slot, epoch, bytes);
  }
}
