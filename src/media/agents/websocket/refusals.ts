// What of an agent's messages was not obeyed, in sums: told at once when it begins, and then once a second at most,
// since an agent that sends nonsense sends a lot of it.
import type { AgentMessageRefusal, News } from "../../../lane/news.ts";

const EVERY_MS = 1_000;

export class Refusals {
  readonly #counts = new Map<AgentMessageRefusal, number>();
  #toldMs = Number.NEGATIVE_INFINITY;

  add(what: AgentMessageRefusal, count = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + count);
  }

  /** Called all the time. */
  tell(nowMs: number, tell: (news: News) => void): void {
    if (this.#counts.size === 0 || nowMs - this.#toldMs < EVERY_MS) return;
    this.#toldMs = nowMs;
    for (const [what, count] of this.#counts) tell({ kind: "agent_refused", what, count: Math.ceil(count) });
    this.#counts.clear();
  }
}
