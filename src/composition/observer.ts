// What calls, workers and the call log tell, made into metrics and log lines. No line holds a secret, a digit or a
// whole number, and what strangers can cause at will is written seldom and counted always.
import type { Logger } from "pino";
import type { CallLogObserver } from "../calls/log/callLog.ts";
import type { CallLabel, CallObserver } from "../calls/observer.ts";
import type { DialObserver } from "../calls/outbound/dialObserver.ts";
import type { RecordingsObserver } from "../calls/recordings/folder.ts";
import type { Clock } from "../domain/clock.ts";
import { END_REASONS } from "../domain/endings.ts";
import type { News } from "../lane/news.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { SyncObserver } from "../numbers/sync/sync.ts";
import type { MediaPoolObserver } from "../pool/mediaPool.ts";
import { CHECK_ACCOUNT } from "./newMetrics.ts";

/** The same warning about what strangers do is written once in so long. */
const SELDOM_MS = 10_000;
const SELDOM_MAX = 1_000;

/** `onAnsweredCallEnded`: Twilio is about to ask what comes after the stream. */
export function observeCalls(
  metrics: Metrics,
  log: Logger,
  clock: Clock,
  onAnsweredCallEnded: () => void,
): CallObserver & DialObserver & MediaPoolObserver {
  const seldom = newSeldom(clock);
  return {
    webhookAnswered: (answer, tookMs) => metrics.webhookAnswered(answer, tookMs),
    ended({ callSid, run }, direction, outcome, talkedMs, error) {
      metrics.callEnded(direction, outcome, talkedMs);
      if ((END_REASONS as readonly string[]).includes(outcome)) onAnsweredCallEnded();
      const facts = { callSid, run, direction, outcome, talkedMs: Math.round(talkedMs) };
      if (error === undefined) log.info(facts, "call ended");
      else log.error({ ...facts, error }, "call ended by an error");
    },
    submitted(run, result) {
      metrics.submitted(result);
      const isWell = result === "placed" || result === "found_placed";
      log[isWell ? "info" : "warn"]({ run, result }, "Twilio was asked for a call");
    },
    restFailed(request, kind) {
      metrics.restFailed(request, kind);
      seldom(`rest ${request} ${kind}`, () => log.warn({ request, kind }, "a request to Twilio failed"));
    },
    replaced({ callSid, run }) {
      metrics.callReplaced();
      log.warn({ callSid, run }, "call moved to another worker");
    },
    told(call, news) {
      metrics.told(news);
      logNews(log, seldom, call, news);
    },
    streamRefused(reason) {
      metrics.streamRefused(reason);
      seldom(`stream ${reason}`, () => log.warn({ reason }, "media upgrade refused"));
    },
    streamViolated({ callSid, run }, violation) {
      metrics.streamViolated(violation);
      const say = () => log.warn({ callSid, run, violation }, "stream broke the contract");
      seldom(`${callSid} ${violation}`, say);
    },
    streamSilent({ callSid, run }) {
      metrics.streamSilent();
      log.warn({ callSid, run }, "a stream was given up: silent and without an answer, or not read from");
    },
    statusLate: () => metrics.statusLate(),
    framesRefused: (frames) => metrics.socketDropped(frames),
    hint: (what, remedy) => seldom(what, () => log.warn({ remedy }, what)),
    workerDied(threadId, calls, why) {
      metrics.workerDied(why);
      log.error({ threadId, calls, why }, "media worker died; its calls move to another");
    },
    waited: (ms) => metrics.callWaited(ms),
    stray(error) {
      log.error({ error }, "an error in a media worker that no call could be blamed for");
    },
  };
}

/** What of a call's news an operator acts on. An agent that fails every call says so once in a while. */
function logNews(log: Logger, seldom: Seldom, { callSid, run }: CallLabel, news: News): void {
  switch (news.kind) {
    case "agent_connect_failed": {
      const { failure, detail } = news;
      const say = () => log.warn({ callSid, run, failure, detail }, "a try to reach an agent failed");
      return seldom(`agent ${failure} ${detail}`, say);
    }
    case "agent_dropped": {
      const { code, result, awayMs } = news;
      const facts = { callSid, run, code, result, awayMs: Math.round(awayMs) };
      const say = () => log.warn(facts, "an agent's connection broke off in mid-call");
      return seldom(`agent dropped ${code} ${result}`, say);
    }
    case "agent_behind": {
      const facts = { callSid, run, behindMs: Math.round(news.behindMs) };
      const say = () => log.warn(facts, "an agent reads too slowly: the caller's oldest audio was dropped");
      return seldom(`behind ${run}`, say);
    }
    case "playout_stalled": {
      const facts = { callSid, run, behindMs: Math.round(news.behindMs) };
      const say = () => log.warn(facts, "Twilio takes audio and confirms none of it");
      return seldom(`stalled ${run}`, say);
    }
    case "recording": {
      if (news.state !== "failed") return;
      const facts = { callSid, run, lastedMs: Math.round(news.lastedMs), why: news.why };
      return log.warn(facts, "a recording failed; the call goes on");
    }
  }
}

/** What is done with the files of recorded calls. */
export function observeRecordings(log: Logger): RecordingsObserver {
  return {
    recordingsTended: (deleted, repaired) =>
      log.info({ deleted, repaired }, "recordings past their date deleted, unfinished ones made whole"),
    recordingsUntended: (error) =>
      log.warn({ err: error }, "the folder of recordings can't be looked after; tried again in an hour"),
  };
}

/** The call log's word to the operator. */
export function observeCallLog(log: Logger): CallLogObserver {
  return {
    onStalled: (why, waiting) => log.error({ why, waiting }, "the call log can't be written; calls go on"),
    onResumed: () => log.info("the call log is written again"),
    onRefused: (run) => log.error({ run }, "the database refuses this call's record"),
  };
}

/** How numbers come to stand with Twilio. */
export function observeNumbers(metrics: Metrics, log: Logger, clock: Clock): SyncObserver {
  const seldom = newSeldom(clock);
  return {
    settled({ numberId, configurationId, lastDigits, result }) {
      metrics.numbersSynced(result);
      const facts = { numberId, configurationId, number: `…${lastDigits}`, result };
      const isWell = result === "in_sync" || result === "none" || result === "pending";
      // An account's thousands mostly come out alike; how many of them, the metrics tell.
      const say = () =>
        log[isWell ? "info" : "warn"](facts, "a number's webhooks at Twilio, and perhaps others alike");
      seldom(`${configurationId} ${result}`, say);
    },
    confirmed: (numbers) => metrics.numbersSynced("in_sync", numbers),
    checkFailed(configurationId, { kind, twilioCode }) {
      metrics.restFailed(CHECK_ACCOUNT, kind);
      log.warn({ configurationId, kind, twilioCode }, "an account's numbers could not be looked at");
    },
    fault(error) {
      metrics.fault("sync");
      log.error({ err: error }, "a number could not be kept in step with Twilio");
    },
  };
}

type Seldom = (what: string, say: () => void) => void;

/** Says the same thing once in a while. Strangers can cause some of them at will; the metrics count every one. */
function newSeldom(clock: Clock): Seldom {
  const saidMs = new Map<string, number>();
  return (what, say) => {
    const nowMs = clock.nowMs();
    if (nowMs - (saidMs.get(what) ?? Number.NEGATIVE_INFINITY) < SELDOM_MS) return;
    if (saidMs.size >= SELDOM_MAX) saidMs.clear();
    saidMs.set(what, nowMs);
    say();
  };
}
