import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Narrator } from "../../../src/cli/words.ts";
import type { CallEvent } from "../../../src/twin/timeline.ts";

function told(events: CallEvent[]): string[] {
  const lines: string[] = [];
  const narrator = new Narrator((line) => lines.push(line));
  for (const event of events) narrator.tell(event);
  narrator.finish();
  return lines;
}

describe("a timeline in words", () => {
  it("tells a run of audio and its marks in one line, and a later run in another", () => {
    const media = (atMs: number): CallEvent => ({ atMs, kind: "media", ms: 20, playsAtMs: atMs + 1 });
    const lines = told([
      media(100),
      { atMs: 101, kind: "mark", by: "gateway", name: "1" },
      media(120),
      { atMs: 122, kind: "mark", by: "twilio", name: "1", cleared: false },
      media(5_000),
      { atMs: 5_010, kind: "clear", droppedMs: 9.6 },
    ]);
    assert.deepEqual(lines, [
      "    100 ms  the agent's audio: 40 ms in 2 messages and 1 mark, played from 101 ms on",
      "   5000 ms  the agent's audio: 20 ms in 1 message, played from 5001 ms on",
      "   5010 ms  clear: 10 ms of waiting audio dropped",
    ]);
  });

  it("tells what was obeyed and how it ended", () => {
    const lines = told([
      { atMs: 0, kind: "webhook", to: "http://h", status: 0, tookMs: 3 },
      {
        atMs: 1,
        kind: "twiml",
        verbs: [{ verb: "Say", text: "Sorry." }, { verb: "Pause", lengthS: 2 }, { verb: "Hangup" }],
      },
      { atMs: 2, kind: "upgrade", status: 403 },
      { atMs: 3, kind: "close", by: "network", code: 1006, reason: "" },
    ]);
    assert.deepEqual(
      lines.map((line) => line.slice(12)),
      [
        "the webhook was not answered in 3 ms",
        "TwiML: say “Sorry.”, then pause for 2 s, then hang up",
        "the upgrade was answered with 403",
        "the stream is closed by a broken connection (1006)",
      ],
    );
  });
});
