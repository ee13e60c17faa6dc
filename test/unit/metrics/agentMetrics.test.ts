import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { News } from "../../../src/lane/news.ts";
import { agentMetrics } from "../../../src/metrics/agentMetrics.ts";
import { Registrar } from "../../../src/metrics/registrar.ts";
import { Scrape } from "../../support/prometheus.ts";

/** What stands above 0 once this was told, without buckets. */
async function after(...told: readonly News[]): Promise<Record<string, number>> {
  const make = new Registrar();
  const tell = agentMetrics(make);
  for (const news of told) tell(news);
  const { families } = new Scrape(await make.registry.metrics());
  const samples = [...families.values()].flatMap((family) => family.samples);
  return Object.fromEntries(
    samples
      .filter(({ name, value }) => value > 0 && !name.endsWith("_bucket"))
      .map(({ name, labels, value }) => [[name.slice(9), ...Object.values(labels)].join(" "), value]),
  );
}

const recording = { kind: "recording", file: "a.wav", lastedMs: 60_000 } as const;
const utterance = { kind: "utterance", id: "1", generatedMs: 500, sentMs: 500, heardMs: 480 } as const;
const words = { text: "good morning", heardText: "good" };

describe("what a call's worker tells", () => {
  const connected = { kind: "agent_connected", tries: 1, isResumed: false } as const;

  it("counts how agents were reached, or not", async () => {
    const counted = await after(
      { ...connected, tookMs: 250, hears: "mulaw/8000", speaks: "mulaw/8000", path: "passthrough" },
      { ...connected, tookMs: 750, hears: "mulaw/8000", speaks: "pcm/24000", path: "mixed" },
      { kind: "agent_connect_failed", failure: "dns", detail: "nobody.example" },
      { kind: "agent_dropped", code: 1006, result: "failed", awayMs: 2_000 },
      { kind: "agent_refused", what: "stale_audio", count: 7 },
      { kind: "agent_refused", what: "malformed", count: 1 },
      { kind: "agent_error", text: "out of credit" },
      { kind: "agent_paused", queuedMs: 30_000 },
      { kind: "agent_behind", behindMs: 2_000 },
    );
    assert.deepEqual(counted, {
      agent_connect_seconds_sum: 1,
      agent_connect_seconds_count: 2,
      "agent_formats_total passthrough": 1,
      "agent_formats_total mixed": 1,
      "agent_connect_failures_total dns": 1,
      "agent_drops_total failed": 1,
      "agent_messages_refused_total stale_audio": 7,
      "agent_messages_refused_total malformed": 1,
      agent_errors_total: 1,
      agent_pauses_total: 1,
      agent_behind_total: 1,
    });
  });

  it("shows where a turn's time goes, in seconds", async () => {
    const counted = await after(
      { kind: "turn", agentMs: 500, forwardMs: 2, heardMs: 625 },
      { kind: "turn", agentMs: 1_500, forwardMs: 2, heardMs: 1_625 },
      { kind: "first_audio", sinceTaskMs: 1_500, sinceStreamMs: 750 },
      { kind: "interrupted", by: "caller", droppedMs: 1_000, tookMs: 125 },
      { kind: "interrupted", by: "agent", droppedMs: 1_000, tookMs: 0 },
    );
    assert.deepEqual(counted, {
      turn_agent_seconds_sum: 2,
      turn_agent_seconds_count: 2,
      turn_forward_seconds_sum: 0.004,
      turn_forward_seconds_count: 2,
      turn_heard_seconds_sum: 2.25,
      turn_heard_seconds_count: 2,
      "first_audio_seconds_sum webhook": 1.5,
      "first_audio_seconds_count webhook": 1,
      "first_audio_seconds_sum stream": 0.75,
      "first_audio_seconds_count stream": 1,
      "interruptions_total caller": 1,
      "interruptions_total agent": 1,
      interruption_seconds_sum: 0.125,
      interruption_seconds_count: 1,
    });
  });

  it("counts speech, prompts and recordings, and nothing of what was said", async () => {
    const speech = { levelDb: -20, floorDb: -60, thresholdDb: -45, isAgentSpeaking: true };
    const counted = await after(
      { kind: "speech_started", ...speech, isInterrupting: true },
      { kind: "speech_stopped", levelDb: -20, floorDb: -60, lastedMs: 800 },
      { kind: "transcript", role: "caller", text: "good morning" },
      { ...utterance, ...words, isInterrupted: true },
      { ...utterance, ...words, isInterrupted: false },
      { kind: "prompt", prompt: "apology", why: "agent_failed" },
      { kind: "playout_stalled", behindMs: 4_000 },
      { ...recording, state: "started", droppedMs: 0 },
      { ...recording, state: "finished", droppedMs: 1_500 },
    );
    assert.deepEqual(counted, {
      "speech_started_total true": 1,
      "utterances_total true": 1,
      "utterances_total false": 1,
      "prompts_total apology": 1,
      playout_stalls_total: 1,
      "recordings_total started": 1,
      "recordings_total finished": 1,
      recording_dropped_seconds_total: 1.5,
    });
  });
});
