// What a call's worker tells of its agent and its turns, counted. Of what was said it keeps nothing.
import { assertNever } from "../domain/errors.ts";
import { AGENT_MESSAGE_REFUSALS, CONNECT_FAILURES, type News, PROMPTS } from "../lane/news.ts";
import type { Registrar } from "./registrar.ts";

const YES_NO = ["true", "false"] as const;

/** A vendor's handshake takes up to a second; what gives up does so in seconds. */
const CONNECT_BUCKETS_S = [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
/** People answer one another within 200 ms; from a second on a pause is felt. */
const TURN_BUCKETS_S = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10];
/** The gateway's own share, which calls count in whole milliseconds: a frame's time is 20 ms. */
const FORWARD_BUCKETS_S = [0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1];
const FIRST_AUDIO_BUCKETS_S = [0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20];
/** Being sure that it is speech takes a few frames. */
const INTERRUPTION_BUCKETS_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

/** The metrics of `told`. */
export function agentMetrics(make: Registrar): (news: News) => void {
  const connectFailures = make.counter(
    "agent_connect_failures_total",
    "Tries to reach an agent that failed, by why. A call makes a few before it gives up.",
    { failure: CONNECT_FAILURES },
  );
  const connectTime = make.histogram(
    "agent_connect_seconds",
    "From the first try to reach an agent until it was ready.",
    CONNECT_BUCKETS_S,
  );
  const formats = make.counter(
    "agent_formats_total",
    "Agents that became ready, by whether audio passes as Twilio sends it (passthrough), is decoded and resampled (transcoded), or one in each direction (mixed).",
    { path: ["passthrough", "transcoded", "mixed"] },
  );
  const drops = make.counter(
    "agent_drops_total",
    "Agents whose connection broke off in mid-call, by what the one try to find them again gave.",
    { result: ["reconnected", "failed"] },
  );
  const pauses = make.counter(
    "agent_pauses_total",
    "Times an agent was not read from because it was as far ahead as it may be.",
  );
  const behind = make.counter(
    "agent_behind_total",
    "Times an agent read so slowly that the caller's oldest audio was dropped.",
  );
  const refused = make.counter(
    "agent_messages_refused_total",
    "Agents' messages that were not obeyed, by why. Stale audio, of an utterance that was interrupted, is counted in frames.",
    { what: AGENT_MESSAGE_REFUSALS },
  );
  const errors = make.counter("agent_errors_total", "Errors that agents told of themselves.");
  const speechStarts = make.counter(
    "speech_started_total",
    "Times a caller began to speak, by whether that interrupted the agent.",
    { is_interrupting: YES_NO },
  );
  const interruptions = make.counter(
    "interruptions_total",
    "Times an agent's audio was unsaid, by who wanted it.",
    { by: ["caller", "agent"] },
  );
  const interruptionTime = make.histogram(
    "interruption_seconds",
    "From the first sound of a caller who interrupted until the clear was on its way to Twilio.",
    INTERRUPTION_BUCKETS_S,
  );
  const utterances = make.counter(
    "utterances_total",
    "Agents' utterances that are over, by whether they were cut.",
    { is_interrupted: YES_NO },
  );
  const turnAgent = make.histogram(
    "turn_agent_seconds",
    "From the end of the caller's speech to the first byte of the agent's answer: the agent's share of a turn.",
    TURN_BUCKETS_S,
  );
  const turnForward = make.histogram(
    "turn_forward_seconds",
    "From the first byte of an agent's answer until its first frame was handed to the socket's thread: the gateway's share of a turn.",
    FORWARD_BUCKETS_S,
  );
  const turnHeard = make.histogram(
    "turn_heard_seconds",
    "From the end of the caller's speech until the answer was heard: the whole turn.",
    TURN_BUCKETS_S,
  );
  const firstAudio = make.histogram(
    "first_audio_seconds",
    "Until the agent's first frame was handed over, since the webhook and since the stream's start.",
    FIRST_AUDIO_BUCKETS_S,
    { since: ["webhook", "stream"] },
  );
  const prompts = make.counter("prompts_total", "What the gateway itself said to callers.", {
    prompt: PROMPTS,
  });
  const stalls = make.counter("playout_stalls_total", "Times Twilio took audio and confirmed none of it.");
  const recordings = make.counter("recordings_total", "Recordings, by what became of them.", {
    state: ["started", "finished", "failed"],
  });
  const recordingDropped = make.counter(
    "recording_dropped_seconds_total",
    "Audio that is missing from recordings because the disk was behind.",
  );

  return (news) => {
    switch (news.kind) {
      case "agent_connected":
        connectTime.observe(news.tookMs / 1_000);
        return formats.inc({ path: news.path });
      case "agent_connect_failed":
        return connectFailures.inc({ failure: news.failure });
      case "agent_dropped":
        return drops.inc({ result: news.result });
      case "agent_paused":
        return pauses.inc();
      case "agent_behind":
        return behind.inc();
      case "agent_refused":
        return refused.inc({ what: news.what }, news.count);
      case "agent_error":
        return errors.inc();
      case "speech_started":
        return speechStarts.inc({ is_interrupting: String(news.isInterrupting) });
      case "interrupted":
        // What an agent unsays is cleared within the same turn of its thread.
        if (news.by === "caller") interruptionTime.observe(news.tookMs / 1_000);
        return interruptions.inc({ by: news.by });
      case "utterance":
        return utterances.inc({ is_interrupted: String(news.isInterrupted) });
      case "turn":
        turnAgent.observe(news.agentMs / 1_000);
        turnForward.observe(news.forwardMs / 1_000);
        return turnHeard.observe(news.heardMs / 1_000);
      case "first_audio":
        firstAudio.observe({ since: "webhook" }, news.sinceTaskMs / 1_000);
        return firstAudio.observe({ since: "stream" }, news.sinceStreamMs / 1_000);
      case "prompt":
        return prompts.inc({ prompt: news.prompt });
      case "playout_stalled":
        return stalls.inc();
      case "recording":
        recordings.inc({ state: news.state });
        return recordingDropped.inc(news.droppedMs / 1_000);
      case "speech_stopped":
      case "transcript":
        return; // for the call's record alone
      default:
        return assertNever(news);
    }
  };
}
