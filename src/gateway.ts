// The whole gateway put together: configuration, calls, media pool, HTTP and sockets. main.ts runs one from the
// environment; tests run their own.
import type { Logger } from "pino";
import { CallLog } from "./calls/callLog.ts";
import { MEDIA_GAP_MS, PONG_MS } from "./calls/liveCall.ts";
import { LiveCalls } from "./calls/liveCalls.ts";
import { type CallObserver, WEBHOOK_ANSWERS } from "./calls/observer.ts";
import { STREAM_REFUSALS } from "./calls/stream.ts";
import { twilioRoutes } from "./calls/twilioRoutes.ts";
import { pageRoutes } from "./console/page.ts";
import type { Clock } from "./domain/clock.ts";
import { REFUSALS } from "./domain/endings.ts";
import { createFront, type Front } from "./front/server.ts";
import type { HttpRequest, Route } from "./http/http.ts";
import { createRouter } from "./http/router.ts";
import { type AgentReaders, loadAgentReaders } from "./media/agents/readers.ts";
import { Metrics } from "./metrics/metrics.ts";
import { metricsRoutes } from "./metrics/routes.ts";
import { Directory } from "./numbers/directory.ts";
import { MediaPool, type MediaPoolObserver } from "./pool/mediaPool.ts";
import { listeningOn, type Settings } from "./settings.ts";
import type { Store } from "./store/store.ts";

/** Bytes of a request's body, and of one stream message: Twilio's are under 4 KB and under 400 B. */
const BODY_BYTES = 64 * 1_024;
const MESSAGE_BYTES = 16 * 1_024;
const BODY_MS = 5_000;
/** Twilio gives up on a webhook after 15 s. */
const ANSWER_MS = 10_000;
/** What a media socket's reader may leave unread before frames are dropped: about 10 s of audio. */
const SEND_BUFFER_BYTES = 256 * 1_024;
/** The same warning about what strangers do is written once in so long. */
const SELDOM_MS = 10_000;
const SELDOM_MAX = 1_000;
/** Beside the media sockets: webhooks, scrapes, browsers, and strangers. */
const OTHER_CONNECTIONS = 500;
/** After a stream's end Twilio asks what comes next, over a new connection; without an answer the caller hears a fault. */
const FAREWELL_MS = 3_000;
const DRAIN_LOOK_MS = 50;
/** Records of past calls that a start takes into memory: Twilio may still ask about them. */
const RECORDS_KEPT = 1_000;
/** So long after the calls were cut nothing more is waited for. */
const HARD_STOP_MS = 5_000;

export interface GatewayParts {
  readonly settings: Settings;
  /** Open; closed with the gateway. */
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** URLs of modules with agent types beside the built-in ones. */
  readonly agentModules?: readonly string[];
  /** How long a stream may be silent, and a ping unanswered. */
  readonly silence?: { readonly mediaGapMs: number; readonly pongMs: number };
}

export interface Gateway {
  /** With the port and base it really has. */
  readonly settings: Settings;
  readonly calls: LiveCalls;
  readonly records: CallLog;
  readonly directory: Directory;
  readonly pool: MediaPool;
  readonly front: Front;
  readonly metrics: Metrics;
  /**
   * Takes no more calls, waits for those there are, cuts the rest after `timeoutMs`, and stops once Twilio had time
   * to ask what comes after the last of them. Resolves with how many were cut.
   */
  drain(timeoutMs: number): Promise<number>;
  /** Stops at once. */
  close(): Promise<void>;
}

/** Starts it; rejects with a GatewayError when it can't listen. */
export async function startGateway(parts: GatewayParts): Promise<Gateway> {
  const { clock, log } = parts;
  const agentModules = parts.agentModules ?? [];
  const agentTypes = await loadAgentReaders(agentModules);
  const directory = await loadDirectory(parts.store, agentTypes, parts.settings.publicBase.isLoopback);
  const metrics = new Metrics(WEBHOOK_ANSWERS, STREAM_REFUSALS);
  let farewellsUntilMs = 0;
  const observer = observe(metrics, log, clock, () => {
    farewellsUntilMs = clock.nowMs() + FAREWELL_MS;
  });
  const { callsMax, mediaWorkers } = parts.settings;
  const pool = await MediaPool.start({ workers: mediaWorkers, callsMax, clock, agentModules, observer });

  let { settings } = parts;
  const records = await loadCallLog(parts.store, clock, log);
  const { mediaGapMs, pongMs } = parts.silence ?? { mediaGapMs: MEDIA_GAP_MS, pongMs: PONG_MS };
  const calls = new LiveCalls({
    clock,
    directory,
    records,
    tasks: pool,
    observer,
    limits: { callsMax, mediaGapMs, pongMs },
    streamBase: () => settings.streamBase.streamHref,
  });

  const publicBase = () => settings.publicBase.href;
  const routes: Route[] = [
    ...twilioRoutes({ calls, records, directory, observer, clock, publicBase }),
    ...metricsRoutes(metrics, scrapeKeys(settings)),
    ...healthRoutes(calls, pool),
    ...pageRoutes({
      publicBase,
      callsLive: () => calls.size,
      isDraining: () => calls.isDraining,
    }),
  ];
  const router = createRouter(routes, {
    pathPrefix: settings.publicBase.prefix,
    onError: (error, { method, path }) => {
      metrics.fault("http");
      log.error({ err: error, method, path }, "a request failed in our own code");
    },
    onMethodNotAllowed: (request) => hintAtMethod(request, observer),
  });
  const front = createFront({
    router,
    door: calls.door,
    pathPrefix: settings.streamBase.prefix,
    limits: {
      bodyBytes: BODY_BYTES,
      bodyMs: BODY_MS,
      answerMs: ANSWER_MS,
      messageBytes: MESSAGE_BYTES,
      sendBufferBytes: SEND_BUFFER_BYTES,
      connections: callsMax + OTHER_CONNECTIONS,
    },
    clock,
    log: {
      onFault: (where, error) => {
        metrics.fault("socket");
        log.error({ err: error, where }, "a socket's handler failed in our own code");
      },
      onConnectionRefused: () => metrics.connectionRefused(),
    },
  });
  const sources = {
    workerCounts: () => pool.counts(),
    pool: () => pool.state(),
    callsLive: () => calls.size,
    callsMax,
    sockets: () => ({ media: front.sockets(), connections: front.connections() }),
  };
  const stopSampling = metrics.watch(sources, clock);

  let closing: Promise<void> | undefined;
  const close = () => {
    calls.cut();
    front.close();
    stopSampling();
    closing ??= pool
      .close()
      .then(() => records.committed().catch(() => {})) // told when it failed
      .then(() => {
        records.close();
        return parts.store.close();
      });
    return closing;
  };

  try {
    const { port } = await front.listen(settings.host, settings.port);
    settings = listeningOn(settings, port);
  } catch (error) {
    await close();
    throw error;
  }

  return {
    get settings() {
      return settings;
    },
    calls,
    records,
    directory,
    pool,
    front,
    metrics,
    close,
    async drain(timeoutMs) {
      const cut = await emptied(calls, clock, timeoutMs);
      await reached(clock, farewellsUntilMs);
      await close();
      return cut;
    },
  };
}

async function loadDirectory(store: Store, types: AgentReaders, takesDemo: boolean): Promise<Directory> {
  const [configurations, numbers, workflows] = await Promise.all([
    store.configurations.all(),
    store.numbers.all(),
    store.workflows.all(),
  ]);
  return new Directory({ configurations, numbers, workflows }, types, takesDemo);
}

async function loadCallLog(store: Store, clock: Clock, log: Logger): Promise<CallLog> {
  const [lastRun, records] = await Promise.all([
    store.records.lastRun(),
    store.records.current(RECORDS_KEPT),
  ]);
  return new CallLog(store.records, { lastRun, records }, clock, {
    onStalled: (why, waiting) => log.error({ why, waiting }, "the call log can't be written; calls go on"),
    onResumed: () => log.info("the call log is written again"),
    onRefused: (run) => log.error({ run }, "the database refuses this call's record"),
  });
}

/** Waits for the calls to end by themselves, and cuts those that have not by the deadline. */
async function emptied(calls: LiveCalls, clock: Clock, timeoutMs: number): Promise<number> {
  const startedMs = clock.nowMs();
  let cut = 0;
  const { promise: hardStop, resolve: stopHard } = Promise.withResolvers<void>();
  const stop = clock.every(DRAIN_LOOK_MS, () => {
    const overdueMs = clock.nowMs() - startedMs - timeoutMs;
    if (cut === 0 && overdueMs >= 0) cut = calls.cut();
    if (overdueMs >= HARD_STOP_MS) stopHard(); // a task that can't be told to end: closing the pool ends it
  });
  await Promise.race([calls.drain(), hardStop]);
  stop();
  return cut;
}

/** Resolves once the clock shows this time; at once when it does already. */
async function reached(clock: Clock, atMs: number): Promise<void> {
  if (clock.nowMs() >= atMs) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = clock.every(DRAIN_LOOK_MS, () => {
    if (clock.nowMs() >= atMs) resolve();
  });
  await promise;
  stop();
}

function observe(
  metrics: Metrics,
  log: Logger,
  clock: Clock,
  onAnsweredCallEnded: () => void,
): CallObserver & MediaPoolObserver {
  const saidMs = new Map<string, number>();
  // Strangers can cause these at will; the metrics count every one.
  const seldom = (what: string, say: () => void) => {
    const nowMs = clock.nowMs();
    if (nowMs - (saidMs.get(what) ?? Number.NEGATIVE_INFINITY) < SELDOM_MS) return;
    if (saidMs.size >= SELDOM_MAX) saidMs.clear();
    saidMs.set(what, nowMs);
    say();
  };
  return {
    webhookAnswered: (answer, tookMs) => metrics.webhookAnswered(answer, tookMs),
    ended({ callSid, run }, direction, outcome, talkedMs, error) {
      metrics.callEnded(direction, outcome, talkedMs);
      if (!(REFUSALS as readonly string[]).includes(outcome)) onAnsweredCallEnded();
      const facts = { callSid, run, direction, outcome, talkedMs: Math.round(talkedMs) };
      if (error === undefined) log.info(facts, "call ended");
      else log.error({ ...facts, error }, "call ended by an error");
    },
    replaced({ callSid, run }) {
      metrics.callReplaced();
      log.warn({ callSid, run }, "call moved to another worker");
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
    frameRefused: () => metrics.socketDropped(),
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

/** Alive: the event loop turns. Ready: a call that came now would be answered. */
function healthRoutes(calls: LiveCalls, pool: MediaPool): readonly Route[] {
  const ready: Route["handle"] = () => {
    const refusal = calls.refusal();
    const body = JSON.stringify({ ready: refusal === undefined, refusal, workers: pool.state().workers });
    return { status: refusal === undefined ? 200 : 503, body };
  };
  return [
    { method: "GET", path: "/livez", handle: () => ({ status: 200, body: JSON.stringify({ live: true }) }) },
    { method: "GET", path: "/readyz", handle: ready },
  ];
}

/** Undefined where anyone may scrape: nobody outside this machine can reach it. */
function scrapeKeys({ isLoopbackOnly, metricsToken, apiKey }: Settings): readonly string[] | undefined {
  if (isLoopbackOnly) return undefined;
  return [metricsToken, apiKey].filter((key) => key !== undefined);
}

function hintAtMethod({ method, path }: HttpRequest, observer: CallObserver): void {
  if (!path.startsWith("/api/v1/telephony/")) return;
  observer.hint(
    `${method} ${path} was refused`,
    "in Twilio's console, set the webhook's method to HTTP POST",
  );
}
