// One call's way to tell the front thread what happens: JSON in the lane, in order with the call's audio, and bounded.
import type { WorkerCounts } from "../../lane/counts.ts";
import { type LaneEnd, RecordKind } from "../../lane/lane.ts";
import { NEWS_MAX, type News, type ToldNews } from "../../lane/news.ts";
import type { CallTicket } from "../../lane/ticket.ts";

const UTF8 = new TextEncoder();

export class Teller {
  readonly #ticket: CallTicket;
  readonly #lane: LaneEnd;
  readonly #counts: WorkerCounts;
  #told = 0;

  constructor(ticket: CallTicket, lane: LaneEnd, counts: WorkerCounts) {
    this.#ticket = ticket;
    this.#lane = lane;
    this.#counts = counts;
  }

  tell(news: News, atMs: number): void {
    if (this.#told >= NEWS_MAX) return this.#counts.add("newsDropped");
    this.#told++;
    const { slot, epoch } = this.#ticket;
    const told: ToldNews = { atMs, news };
    this.#lane.write(RecordKind.news, slot, epoch, UTF8.encode(JSON.stringify(told)));
  }
}
