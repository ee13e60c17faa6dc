// An agent run as agents are meant to be: against the port alone, without a gateway.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AccountSid, CallSid, RunId } from "../../../../src/domain/ids.ts";
import { echoMaker } from "../../../../src/media/agents/echo/echo.ts";
import { echoReader } from "../../../../src/media/agents/echo/settings.ts";
import type { Audio, AudioFormat, CallFacts, Cut, Line } from "../../../../src/media/agents/port.ts";

const FACTS: CallFacts = {
  callSid: CallSid("CA1"),
  accountSid: AccountSid("AC1"),
  run: RunId(1),
  direction: "inbound",
  from: "+14155550142",
  to: "+12025550100",
  workflow: { id: 1, name: "Echo", version: 1 },
  variables: {},
  parameters: {},
  resumed: undefined,
};

class RecordingLine implements Line {
  readonly formats: (readonly [hears: AudioFormat, speaks: AudioFormat])[] = [];
  readonly said: number[][] = [];
  readonly other: string[] = [];
  readonly queuedMs = 0;
  readonly heardMs = 0;

  ready(hears: AudioFormat, speaks: AudioFormat): void {
    this.formats.push([hears, speaks]);
  }

  say(samples: Audio): number {
    this.said.push([...samples]);
    return samples.length;
  }

  endUtterance(): void {
    this.other.push("endUtterance");
  }

  clear(): Cut {
    this.other.push("clear");
    return { by: "agent", utterance: undefined, heardMs: 0, heardText: "" };
  }

  nowMs(): number {
    return 0;
  }

  hangUp(): void {
    this.other.push("hangUp");
  }

  fail(): void {
    this.other.push("fail");
  }

  leaveBehind(): void {
    this.other.push("leaveBehind");
  }

  hold(): void {
    this.other.push("hold");
  }

  beginUtterance(): void {
    this.other.push("beginUtterance");
  }

  mark(): void {
    this.other.push("mark");
  }

  transcript(): void {
    this.other.push("transcript");
  }

  tell(): void {
    this.other.push("tell");
  }
}

function settingsOf(agent: Record<string, unknown>) {
  const read = echoReader.parse(agent);
  assert.ok("settings" in read, JSON.stringify(read));
  return read.settings;
}

describe("the echo agent", () => {
  it("hears and speaks at the rate it was set to, 16 kHz by default", () => {
    const rateOf = (agent: Record<string, unknown>) => {
      const line = new RecordingLine();
      echoMaker.create(settingsOf(agent), line, FACTS).started();
      assert.equal(line.formats.length, 1);
      const [hears, speaks] = line.formats[0]!;
      assert.deepEqual(hears, speaks);
      return hears.rateHz;
    };
    assert.equal(rateOf({ type: "echo" }), 16_000);
    for (const rateHz of [8_000, 16_000, 24_000, 48_000])
      assert.equal(rateOf({ type: "echo", rate_hz: rateHz }), rateHz);
  });

  it("says what it hears, at once, and nothing else", () => {
    const line = new RecordingLine();
    const agent = echoMaker.create(settingsOf({ type: "echo" }), line, FACTS);
    agent.started();
    const frame = Int16Array.of(1, 2, 3);
    agent.hear(frame);
    frame.fill(9); // the call's own buffer, used again for the next frame
    agent.hear(frame);
    agent.dtmf("1");
    agent.marked("mark", 20);
    agent.ended("caller_hung_up");
    assert.deepEqual(line.said, [
      [1, 2, 3],
      [9, 9, 9],
    ]);
    assert.deepEqual(line.other, []);
  });

  it("names the field that is wrong in its settings", () => {
    for (const [agent, path] of [
      [{ type: "echo", rate_hz: 11_025 }, ["rate_hz"]],
      [{ type: "echo", rate_hz: "16000" }, ["rate_hz"]],
      [{ type: "echo", max_duration_ms: -1 }, ["max_duration_ms"]],
      [{ type: "echo", volume: 11 }, ["volume"]],
      [{ type: "parrot" }, ["type"]],
    ] as const) {
      const read = echoReader.parse(agent);
      assert.ok("problems" in read, JSON.stringify(agent));
      assert.deepEqual(
        read.problems.map((problem) => problem.path),
        [path],
      );
    }
  });
});
