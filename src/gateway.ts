// The whole gateway put together: configuration, calls, media pool, HTTP and sockets. main.ts runs one from the
// environment; tests run their own.
import type { Logger } from "pino";
import { MEDIA_GAP_MS, PONG_MS } from "./calls/live/liveCall.ts";
import { LiveCalls } from "./calls/live/liveCalls.ts";
import type { CallLog } from "./calls/log/callLog.ts";
import type { CallObserver } from "./calls/observer.ts";
import type { Dialer } from "./calls/outbound/dialer.ts";
import { RecordingsFolder } from "./calls/recordings/folder.ts";
import { RunLinks, withoutToken } from "./calls/recordings/links.ts";
import { plantedAt } from "./calls/webhooks/twilioPaths.ts";
import { twilioRoutes } from "./calls/webhooks/twilioRoutes.ts";
import { apiOperations } from "./composition/api.ts";
import { type DemoTwin, startDemoTwin } from "./composition/demoTwin.ts";
import { descriptorLimit, OTHER_CONNECTIONS, socketBudget } from "./composition/descriptors.ts";
import { emptied, reached } from "./composition/draining.ts";
import { loadAnswerers, loadCallLog, loadDirectory } from "./composition/loading.ts";
import { newMetrics } from "./composition/newMetrics.ts";
import { numbers } from "./composition/numbers.ts";
import { observeCallLog, observeCalls, observeNumbers, observeRecordings } from "./composition/observer.ts";
import { outbound } from "./composition/outbound.ts";
import { Overload } from "./composition/overload.ts";
import { pageRoutes } from "./console/page.ts";
import type { Clock } from "./domain/clock.ts";
import { createFront, type Front } from "./front/server.ts";
import type { HttpRequest, Route } from "./http/http.ts";
import { type Operation, routesOf } from "./http/operation.ts";
import { createRouter } from "./http/router.ts";
import type { Prompts } from "./lane/news.ts";
import { loadAgentReaders } from "./media/agents/readers.ts";
import { readPrompts } from "./media/recordings/recordings.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { accessBy } from "./numbers/access.ts";
import type { Directory } from "./numbers/directory.ts";
import { ApiKeys } from "./organization/apiKeys.ts";
import { MediaPool } from "./pool/mediaPool.ts";
import { listeningOn, type Settings } from "./settings.ts";
import type { Store } from "./store/store.ts";
import { loadTwilioRest } from "./twilio/rest.ts";

/** Bytes of a request's body, and of one stream message: Twilio's are under 4 KB and under 400 B. */
const BODY_BYTES = 64 * 1_024;
const MESSAGE_BYTES = 16 * 1_024;
const BODY_MS = 5_000;
/** Twilio gives up on a webhook after 15 s. */
const ANSWER_MS = 10_000;
/** What a media socket's reader may leave unread before frames are dropped: about 10 s of audio. */
const SEND_BUFFER_BYTES = 256 * 1_024;
/** Connections of one address that ask nothing: a webhook is asked as soon as its connection is there. */
const SILENT_PER_ADDRESS = 100;
/** After a stream's end Twilio asks what comes next, over a new connection; without an answer the caller hears a fault. */
const FAREWELL_MS = 3_000;

export interface GatewayParts {
  readonly settings: Settings;
  /** Open; closed with the gateway. */
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** The demo account's file: an offline Twilio is started for it, and ends with the gateway. */
  readonly demoAccountFile?: string | undefined;
  /** URLs of modules with agent types beside the built-in ones. */
  readonly agentModules?: readonly string[];
  /** What the gateway itself says to callers; by default the repository's recordings. */
  readonly prompts?: Prompts;
  /** How long a stream may be silent, and a ping unanswered. */
  readonly silence?: { readonly mediaGapMs: number; readonly pongMs: number };
  /** Calls placed a second at each Twilio account; 1 is what Twilio gives an account. */
  readonly callsPerS?: number;
  /** False: nobody is turned away for strain, on a machine whose strain is others' doing. */
  readonly heedsStrain?: boolean;
  /** How long one try of a request to Twilio may take. */
  readonly twilioTimeoutMs?: number;
}

export interface Gateway {
  /** With the port and base it really has. */
  readonly settings: Settings;
  readonly calls: LiveCalls;
  readonly dialer: Dialer;
  readonly records: CallLog;
  readonly directory: Directory;
  readonly keys: ApiKeys;
  /** What the API serves. */
  readonly operations: readonly Operation[];
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
  const { clock, log, store } = parts;
  const agentModules = parts.agentModules ?? [];
  const prompts = parts.prompts ?? readPrompts();
  const agentTypes = await loadAgentReaders(agentModules, { privateHosts: parts.settings.agentPrivateHosts });
  const directory = await loadDirectory(store, agentTypes, parts.settings.publicBase.isLoopback);
  const keys = await ApiKeys.load(store, clock, parts.settings.apiKey, {
    token: parts.settings.metricsToken,
    isOpen: parts.settings.isLoopbackOnly,
  });
  const metrics = newMetrics(clock);
  let farewellsUntilMs = 0;
  const observer = observeCalls(metrics, log, clock, () => {
    farewellsUntilMs = clock.nowMs() + FAREWELL_MS;
  });
  const { callsMax, mediaWorkers } = parts.settings;
  const { recordingsPath } = parts.settings;
  const [pool, rest, folder] = await Promise.all([
    MediaPool.start({
      ...{ workers: mediaWorkers, callsMax, clock, agentModules, prompts, observer },
      agentPrivateHosts: parts.settings.agentPrivateHosts,
      recordingsPath,
    }),
    loadTwilioRest({ clock, random: Math.random, timeoutMs: parts.twilioTimeoutMs }),
    RecordingsFolder.find(recordingsPath, clock, observeRecordings(log)),
  ]);
  const links = new RunLinks(await store.runs.linkKey());

  let { settings } = parts;
  const records = await loadCallLog(store, clock, observeCallLog(log));
  const { mediaGapMs, pongMs } = parts.silence ?? { mediaGapMs: MEDIA_GAP_MS, pongMs: PONG_MS };
  const overload = new Overload({
    clock,
    callsMax,
    callsLive: () => calls.size,
    laneDepthMs: () => pool.state().laneDepthMs,
    lateness: () => pool.counts().lateness(),
    residentBytes: process.memoryUsage.rss,
    isHeeded: parts.heedsStrain ?? true,
  });
  const calls: LiveCalls = new LiveCalls({
    clock,
    directory,
    records,
    tasks: pool,
    strength: overload,
    observer,
    limits: { callsMax, mediaGapMs, pongMs },
    streamBase: () => settings.streamBase.streamHref,
  });

  const publicBase = () => settings.publicBase.href;
  const { callsPerS } = parts;
  let demoTwin: DemoTwin | undefined;
  const access = accessBy({
    apiBaseUrl: settings.twilioApiBaseUrl,
    get demoApiBaseUrl() {
      return demoTwin?.url;
    },
  });
  const { dialer, operations: placing } = outbound({
    ...{ store, clock, directory, records, calls, rest, access, observer, settings, publicBase },
    ...(callsPerS !== undefined && { callsPerS }),
  });
  const telephony = numbers({
    ...{ store, clock, directory, rest, accessOf: access, publicBase },
    observer: observeNumbers(metrics, log, clock),
    voiceFallbackUrl: settings.voiceFallbackUrl,
  });
  const open = await store.records.current(0); // before any call can come
  const answerers = await loadAnswerers(store, directory, open);
  const operations = apiOperations({
    store,
    clock,
    directory,
    records,
    calls,
    folder,
    links,
    keys,
    metrics,
    agentTypes,
    publicBase,
    more: [...telephony.operations, ...placing],
  });
  const routes: Route[] = [
    ...twilioRoutes({ calls, dialer, records, directory, observer, clock, publicBase }),
    ...routesOf(operations, keys.authenticate),
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
      log.error({ err: error, method, path: withoutToken(path) }, "a request failed in our own code");
    },
    onMethodNotAllowed: (request) => hintAtMethod(request, observer),
  });
  const descriptorsMax = descriptorLimit();
  const budget = socketBudget(callsMax, descriptorsMax);
  if (budget.warning !== undefined) log.warn(budget.warning);
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
      // Where no more calls are taken, no room is kept for their sockets: strangers don't get it either.
      connections: () =>
        overload.isBusy ? Math.min(budget.connections, calls.size + OTHER_CONNECTIONS) : budget.connections,
      silent: { perAddress: SILENT_PER_ADDRESS, countsPrivate: false },
    },
    clock,
    log: {
      onFault: (where, error) => {
        metrics.fault("socket");
        log.error({ err: error, where }, "a socket's handler failed in our own code");
      },
      onConnectionRefused: (why) => metrics.connectionRefused(why),
      onSocketClosed: (code) => metrics.mediaSocketClosed(code),
    },
  });
  const sources = {
    workerCounts: () => pool.counts(),
    pool: () => pool.state(),
    callsLive: () => calls.size,
    callsDialling: () => dialer.pending,
    isDraining: () => calls.isDraining,
    recordsWaiting: () => records.backlog,
    callsMax,
    descriptorsMax,
    numbersBySync: () => telephony.counts(),
    sockets: () => ({ media: front.sockets(), connections: front.connections() }),
    admission: () => overload.read(),
  };
  const stopSampling = metrics.watch(sources);

  let closing: Promise<void> | undefined;
  const close = () => {
    dialer.stop();
    telephony.stop();
    folder.stop();
    demoTwin?.stop();
    calls.cut();
    front.close();
    stopSampling();
    overload.close();
    rest.close();
    closing ??= pool
      .close()
      .catch((error) => log.error({ err: error }, "the media workers did not end as they should"))
      .then(() => records.committed().catch(() => {})) // told when it failed
      .then(() => {
        records.close();
        return store.close();
      });
    return closing;
  };

  try {
    const { port } = await front.listen(settings.host, settings.port);
    settings = listeningOn(settings, port);
    if (parts.demoAccountFile !== undefined) {
      const gateway = `http://127.0.0.1:${port}`;
      const twin = { accountFile: parts.demoAccountFile, gateway, publicBase: publicBase() };
      demoTwin = await startDemoTwin(twin).catch((error: unknown) => {
        log.warn(
          { err: error },
          "the demo account has no Twilio: calls to it are answered, calls out are not placed",
        );
        return undefined;
      });
    }
    dialer.start(open, answerers);
    telephony.start();
    folder.start();
  } catch (error) {
    await close();
    throw error;
  }

  return {
    get settings() {
      return settings;
    },
    calls,
    dialer,
    records,
    directory,
    keys,
    operations,
    pool,
    front,
    metrics,
    close,
    async drain(timeoutMs) {
      const [cut] = await Promise.all([emptied(calls, clock, timeoutMs), dialer.drain()]);
      await reached(clock, farewellsUntilMs);
      await close();
      return cut;
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

/** Twilio's console knows GET as well. Of what strangers choose nothing is said, so that they can't fill the log. */
function hintAtMethod({ method, path }: HttpRequest, observer: CallObserver): void {
  const planted = plantedAt(path);
  if (method !== "GET" || planted === undefined) return;
  observer.hint(`GET ${planted} was refused`, "in Twilio's console, set the webhook's method to HTTP POST");
}
