// One call with its surroundings, its agent and its stream played by the test.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type AgentRateHz, FRAME_MS } from "../../../../src/domain/audio.ts";
import type { EndReason } from "../../../../src/domain/endings.ts";
import { RecordKind } from "../../../../src/lane/lane.ts";
import type { CallTicket } from "../../../../src/lane/ticket.ts";
import { Call } from "../../../../src/media/pipeline/call.ts";
import {
  mediaMessage,
  message,
  type RememberingAgent,
  type Sent,
  startMessage,
  surroundings,
  ticket,
} from "./surroundings.ts";

export interface Options {
  readonly rateHz?: AgentRateHz;
  /** What the agent does when it is told something. */
  readonly react?: (event: string, agent: RememberingAgent) => void;
  readonly ticket?: Partial<CallTicket>;
}

export type Rigged = ReturnType<typeof call>;

export function call(t: TestContext, options: Options = {}) {
  const { rateHz = 8_000, react = () => {} } = options;
  const made = surroundings({ rateHz, react: (event) => react(event, made.agent()) });
  t.after(() => made.close());
  const one = new Call(ticket(options.ticket), made.around);
  let frames = 0;
  /** What Twilio has taken of what it was sent, until when it plays that, and the marks it has not come to. */
  let reached = 0;
  let playheadMs = 0;
  const waiting: { readonly mark: { readonly name: string }; dueMs: number }[] = [];
  return {
    ...made,
    call: one,
    started(): void {
      one.receive(startMessage());
    },
    dtmf: (digit: string) => one.receive(message("dtmf", { track: "inbound_track", digit })),
    /** Ticks, as the host does: an ending that a tick finds is made. */
    passes(ms: number): void {
      for (let n = 0; n < ms; n++) {
        made.clock.advance(1);
        const reason = one.tick(made.clock.nowMs());
        if (reason !== undefined) one.end(reason);
        made.records();
      }
    },
    /** Twilio sends back every mark it was sent. */
    marksComeBack(): void {
      for (const { mark } of made.sent()) if (mark !== undefined) one.receive(message("mark", mark));
    },
    /** Twilio plays what it was sent, as it comes, and sends back the marks that it has come to. */
    marksPlayed(): void {
      const nowMs = made.clock.nowMs();
      for (const { kind, text } of made.records().slice(reached)) {
        reached++;
        if (kind !== RecordKind.media && kind !== RecordKind.control) continue;
        const { event, media, mark } = JSON.parse(text) as Sent;
        if (media !== undefined)
          playheadMs = Math.max(playheadMs, nowMs) + Buffer.from(media.payload, "base64").length / 8;
        if (event === "mark") waiting.push({ mark: mark!, dueMs: Math.max(playheadMs, nowMs) });
        if (event !== "clear") continue;
        playheadMs = nowMs;
        for (const one of waiting) one.dueMs = nowMs;
      }
      while ((waiting[0]?.dueMs ?? Number.POSITIVE_INFINITY) <= nowMs)
        one.receive(message("mark", waiting.shift()!.mark));
    },
    /** The caller is heard, or is silent, for so long; time passes with it, and the agent's own ticks. */
    hears(voice: number, ms: number): void {
      for (let n = 0; n < ms / FRAME_MS; n++) {
        one.receive(mediaMessage(frames++, voice));
        this.passes(FRAME_MS);
      }
    },
    isOver(reason: EndReason): void {
      assert.deepEqual(
        made.reports.map((report) => report.reason),
        [reason],
      );
      assert.equal(made.agent().told.filter((event) => event === "ended").length, 1);
      assert.equal(made.agent().told.at(-1), "ended");
      assert.equal(made.converters.freed, made.converters.made);
    },
  };
}
