import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CallLogEvent } from "../../../../src/calls/log/records.ts";
import { transcriptOf } from "../../../../src/calls/recordings/transcript.ts";

const said = (role: "caller" | "agent", text: string): CallLogEvent => ({
  atMs: 0,
  kind: "transcript",
  facts: { role, text },
});
const utterance = (text: string, heardText = text): CallLogEvent => ({
  atMs: 0,
  kind: "utterance",
  facts: {
    id: "u",
    generatedMs: 0,
    sentMs: 0,
    heardMs: 0,
    isInterrupted: text !== heardText,
    text,
    heardText,
  },
});

describe("a transcript", () => {
  it("has who said what, a line each, and of the agent's words those that were heard", () => {
    const events: CallLogEvent[] = [
      { atMs: 0, kind: "received" },
      utterance("Good morning.\nWhat can I do?"),
      said("caller", "  A table, please. "),
      said("agent", "the same, once more"),
      utterance("For how many people would that be?", "For how many"),
      said("caller", "Two."),
      utterance("Never heard", ""),
      { atMs: 0, kind: "ended" },
    ];
    assert.equal(
      transcriptOf(events),
      "agent: Good morning. What can I do?\ncaller: A table, please.\nagent: For how many\ncaller: Two.\n",
    );
  });

  it("has an agent's own word for what it said when its utterances have no text, and is empty without words", () => {
    const events = [utterance(""), said("agent", "Hello."), said("caller", "Hi.")];
    assert.equal(transcriptOf(events), "agent: Hello.\ncaller: Hi.\n");
    assert.equal(transcriptOf([utterance(""), said("caller", " ")]), "");
    assert.equal(transcriptOf([]), "");
  });
});
