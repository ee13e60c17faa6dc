// A call's transcript as text: who said what, a line each, in order. Of the agent's words only those that were heard.
import type { CallLogEvent } from "../log/records.ts";
import { inOrder } from "../log/timeline.ts";

/** Empty when nothing was said, or nobody wrote it down. */
export function transcriptOf(events: readonly CallLogEvent[]): string {
  const lines = inOrder(events).filter(({ kind }) => kind === "transcript" || kind === "utterance");
  // Who has its utterances' texts needs no other word for what it said.
  const hasUtterances = lines.some(({ kind, facts }) => kind === "utterance" && isText(facts?.text));
  return lines
    .map(({ kind, facts = {} }) => {
      if (kind === "utterance") return line("agent", facts.heardText);
      if (facts.role === "caller") return line("caller", facts.text);
      return hasUtterances ? "" : line("agent", facts.text);
    })
    .join("");
}

function line(who: "caller" | "agent", said: unknown): string {
  return isText(said) ? `${who}: ${said.trim().replace(/\s+/g, " ")}\n` : "";
}

function isText(said: unknown): said is string {
  return typeof said === "string" && said.trim() !== "";
}
