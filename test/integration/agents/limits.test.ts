// How long a call waits for a WebSocket agent that doesn't speak, for anyone to speak, and at all; small limits, as
// settings of the workflow.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { encode } from "../../../src/twin/mulaw.ts";
import { readWav } from "../../../src/twin/wav.ts";
import { farewell, recordAfter, startAgentStory, told } from "../../support/agentStory.ts";
import { counted } from "../../support/counts.ts";
import { returned, returnedCodes } from "../../support/returned.ts";
import { align, levelDb, tone, toneDb } from "../../support/sound.ts";
import { allFree, until } from "../../support/until.ts";

const story = await startAgentStory({
  slow: { settings: { first_speech_timeout_ms: 300, max_silence_ms: 0 } },
  silent: { settings: { first_speech_timeout_ms: 0, max_silence_ms: 700 } },
  both: { settings: { first_speech_timeout_ms: 300, max_silence_ms: 600 } },
  short: { settings: { max_duration_ms: 1_200 } },
});

/** What the gateway says by itself, as samples of the telephone. */
function prompt(name: "comfort" | "apology"): Int16Array {
  const wav = readFileSync(new URL(`../../../src/media/recordings/${name}.wav`, import.meta.url));
  const { rateHz, channels } = readWav(wav);
  assert.equal(rateHz, 8_000);
  return channels[0]!;
}

/** How like a prompt what was sent is; 1 is the same. */
function alikeness(heard: Int16Array, name: "comfort" | "apology"): number {
  const said = prompt(name).subarray(0, 8_000);
  return heard.length < said.length ? 0 : align(said, heard.subarray(0, said.length + 800)).alike;
}

describe("a call with a WebSocket agent", { concurrency: true }, () => {
  it("that says nothing at first comforts the caller once, and goes on", async (t) => {
    const { call, stream, agent } = await story.talk("slow");
    const comfortMs = prompt("comfort").length / 8;
    await stream.hasPlayed(comfortMs - 20);
    const quiet = stream.nowMs + 700;
    await stream.until("more than the timeout again", () => stream.nowMs > quiet || undefined);
    assert.ok(stream.playedMs < comfortMs + 20, "it is said once");
    const alike = alikeness(returned(stream), "comfort");
    t.diagnostic(`${alike.toFixed(3)} alike the recording`);
    assert.ok(alike > 0.95, `${alike} alike`);
    const before = returnedCodes(stream).length;
    agent.say(encode(tone(700, 400)));
    agent.send({ type: "hang_up" });
    await call.ended;
    assert.ok(toneDb(returned(stream).subarray(before), 700) > -14, "the agent is heard as ever");
    const record = await recordAfter(story, call);
    assert.equal(record.outcome, "agent_hung_up");
    assert.deepEqual(
      told(record, "prompt").map(({ prompt }) => prompt),
      ["comfort"],
    );
    assert.ok((told(record, "first_audio")[0]!.sinceStreamMs as number) >= 300);
  });

  it("on which nobody speaks ends with an apology, said once", async (t) => {
    const { call, stream, agent } = await story.talk("silent");
    const spoken = tone(350, 900, -15);
    stream.say(spoken); // while the caller speaks it isn't silent
    await call.ended;
    const apologyMs = prompt("apology").length / 8;
    assert.ok(Math.abs(stream.playedMs - apologyMs) <= 20, `${stream.playedMs} ms played`);
    assert.ok(alikeness(returned(stream), "apology") > 0.95);
    const record = await recordAfter(story, call);
    assert.deepEqual([record.outcome, record.isApologized], ["silence", true]);
    assert.deepEqual(farewell(call), ["Hangup"], "nothing is said twice");
    const [said] = call.timeline.events.filter(({ kind }) => kind === "media");
    const saidMs = said!.atMs - stream.startedMs!;
    t.diagnostic(`the apology began ${saidMs.toFixed(0)} ms after the stream`);
    assert.ok(saidMs >= 900 + 600 && saidMs <= 900 + 700 + 2_000);
    await until("the agent's server to see the end", () => agent.closed !== undefined);
    assert.deepEqual(agent.messages.at(-1), { type: "ended", reason: "silence" });
  });

  it("comforts first and apologizes later where it has both limits", async () => {
    const { call } = await story.talk("both");
    await call.ended;
    const record = await recordAfter(story, call);
    assert.equal(record.outcome, "silence");
    assert.deepEqual(
      told(record, "prompt").map(({ prompt }) => prompt),
      ["comfort", "apology"],
    );
    assert.deepEqual(farewell(call), ["Hangup"]);
  });

  it("ends at its longest time, whoever speaks", async (t) => {
    const { call, stream, agent } = await story.talk("short");
    agent.say(encode(tone(700, 5_000)));
    await call.ended;
    const record = await recordAfter(story, call);
    t.diagnostic(`ended with ${stream.playedMs.toFixed(0)} ms played`);
    assert.equal(record.outcome, "max_duration");
    assert.ok(stream.playedMs >= 900 && stream.playedMs <= 4_000);
    assert.ok(levelDb(stream.played(0, stream.nowMs)) > -30);
    assert.deepEqual(farewell(call), ["Hangup"]);
  });
});

describe("after all of them", () => {
  it("nothing is held, and what the gateway said is counted", async () => {
    await allFree(story);
    assert.equal(await counted(story.gateway, "prompts_total", { prompt: "comfort" }), 2);
    assert.equal(await counted(story.gateway, "prompts_total", { prompt: "apology" }), 2);
    assert.equal(await counted(story.gateway, "calls_ended_total", { reason: "silence" }), 2);
  });
});
