// Every metric of calls and of what is around them: its name, help and buckets. What calls tell of their agents, what
// media workers count and what the process uses stand in files beside this one. No label is a call, a number or an
// account, and no value is kept anywhere else.
import type { Counter, Histogram, Registry } from "prom-client";
import type { Clock, Stop } from "../domain/clock.ts";
import { OUTCOMES, type Outcome, STREAM_VIOLATIONS } from "../domain/endings.ts";
import type { News } from "../lane/news.ts";
import type { WorkerDeath } from "../pool/mediaPool.ts";
import { agentMetrics } from "./agentMetrics.ts";
import { type Lag, LoopLag } from "./loopLag.ts";
import { type MediaSources, viewMedia } from "./mediaMetrics.ts";
import { viewProcess } from "./processMetrics.ts";
import { Registrar } from "./registrar.ts";

/** What labels can be that belong to other folders. */
export interface MetricLabels {
  readonly webhookAnswers: readonly string[];
  readonly streamRefusals: readonly string[];
  readonly submissionResults: readonly string[];
  readonly restRequests: readonly string[];
  readonly restFailures: readonly string[];
  readonly syncResults: readonly string[];
}

/** What is looked at to decide whether another call is taken, each as a share of its hard threshold. */
export const PRESSURE_SIGNALS = ["calls", "loop", "lane", "playout", "memory"] as const;

/** How admission stands: 0 open, 1 no calls out, 2 no calls at all. */
export interface AdmissionState {
  readonly level: 0 | 1 | 2;
  /** By signal; 1 is at the hard threshold. */
  readonly pressure: Readonly<Record<string, number>>;
}

/** What a scrape looks at. All of it is in memory; nothing here waits. */
export interface MetricSources extends MediaSources {
  callsLive(): number;
  /** Outbound calls that nobody talks on yet. */
  callsDialling(): number;
  /** Phone numbers by how they stand with Twilio. */
  numbersBySync(): Readonly<Record<string, number>>;
  /** Call records that wait to be written. */
  recordsWaiting(): number;
  readonly callsMax: number;
  /** Files and sockets that the process may have open; undefined where the system doesn't tell. */
  readonly descriptorsMax?: number | undefined;
  sockets(): { readonly media: number; readonly connections: number };
  isDraining(): boolean;
  /** Without it everything is admitted. */
  admission?(): AdmissionState;
}

/** Where a fault of ours was contained. */
const FAULT_PLACES = ["http", "socket", "front", "sync"] as const;
type FaultPlace = (typeof FAULT_PLACES)[number];

/** Why a connection was closed as it came. */
const CONNECTION_REFUSALS = ["limit", "address"] as const;
export type ConnectionRefusal = (typeof CONNECTION_REFUSALS)[number];

const WORKER_DEATHS = ["stuck", "exit", "memory"] as const satisfies readonly WorkerDeath[];

/** Codes that media sockets close with; any other counts as `other`. */
const CLOSE_CODES = ["1000", "1001", "1006", "1008", "1009", "1011", "other"] as const;

/** Twilio waits up to 15 s; a good answer takes a millisecond. */
const WEBHOOK_BUCKETS_S = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];
const WAIT_BUCKETS_S = [0.001, 0.01, 0.05, 0.1, 0.5, 1, 5];
const TALK_BUCKETS_S = [1, 5, 15, 30, 60, 180, 600, 1_800, 3_600];
/** A scrape is built on the front thread: from 20 ms on a caller's frame waits for it. */
const RENDER_BUCKETS_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];

/** Each sample wakes an idle process, so there are no more than show which share of the time the loop is held up. */
const LOOP_SAMPLE_MS = 250;
/** Samples that "lately" means: a minute of them. */
const LOOP_SAMPLES = 60_000 / LOOP_SAMPLE_MS;
/** A healthy loop is late by what a timer is coarse, a millisecond; from 20 ms on a caller's frame waits. */
const LOOP_BUCKETS_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

export class Metrics {
  /** Counts what a worker tells of a call. */
  readonly told: (news: News) => void;
  readonly #make = new Registrar();
  readonly #clock: Clock;
  readonly #ended: Counter<"direction" | "reason">;
  readonly #answers: Counter<"answer">;
  readonly #webhooks: Histogram;
  readonly #refused: Counter<"reason">;
  readonly #violations: Counter<"violation">;
  readonly #silences: Counter;
  readonly #lateStatuses: Counter;
  readonly #closed: Counter<"code">;
  readonly #deaths: Counter<"why">;
  readonly #downTime: Counter;
  readonly #replaced: Counter;
  readonly #waits: Histogram;
  readonly #talked: Histogram;
  readonly #faults: Counter<"where">;
  readonly #loopDelay: Histogram;
  readonly #renders: Histogram;
  readonly #connectionsRefused: Counter<"reason">;
  readonly #syncs: Counter<"result">;
  readonly #submissions: Counter<"result">;
  readonly #restErrors: Counter<"request" | "kind">;
  readonly #loopLag = new LoopLag(LOOP_SAMPLES);
  #socketDrops = 0;

  constructor(labels: MetricLabels, clock: Clock) {
    const make = this.#make;
    this.#clock = clock;
    this.#ended = make.counter("calls_ended_total", "Calls that ended or were refused, by why.", {
      direction: ["inbound", "outbound"],
      reason: OUTCOMES,
    });
    this.#answers = make.counter("webhook_answers_total", "What Twilio's webhooks were answered.", {
      answer: labels.webhookAnswers,
    });
    this.#webhooks = make.histogram(
      "webhook_duration_seconds",
      "From a webhook's last byte to its answer.",
      WEBHOOK_BUCKETS_S,
    );
    this.#refused = make.counter("stream_refused_total", "Media upgrades that were refused, by why.", {
      reason: labels.streamRefusals,
    });
    this.#violations = make.counter(
      "stream_violations_total",
      "What accepted streams did against the contract.",
      { violation: STREAM_VIOLATIONS },
    );
    this.#silences = make.counter(
      "stream_silent_total",
      "Streams that were given up: silent and without an answer to a ping, or not read from.",
    );
    this.#lateStatuses = make.counter(
      "call_status_late_total",
      "Status callbacks that came after a later one of their call. The record is the same in any order.",
    );
    this.#closed = make.counter(
      "media_sockets_closed_total",
      "Media sockets that closed, by WebSocket close code; 1006 is a connection that broke off.",
      { code: CLOSE_CODES },
    );
    this.#connectionsRefused = make.counter(
      "connections_refused_total",
      "Connections closed as they came: too many at all (limit), or too many of one address that ask nothing (address).",
      { reason: CONNECTION_REFUSALS },
    );
    this.#deaths = make.counter(
      "worker_deaths_total",
      "Media workers that died or were killed: stuck in a loop, out of memory, or gone by themselves (exit).",
      { why: WORKER_DEATHS },
    );
    this.#downTime = make.counter("pool_down_seconds_total", "Time without any media worker.");
    this.#replaced = make.counter(
      "calls_replaced_total",
      "Calls that went on in another worker after a death.",
    );
    this.#waits = make.histogram(
      "call_wait_seconds",
      "Time a call waited for a media worker.",
      WAIT_BUCKETS_S,
    );
    this.#talked = make.histogram(
      "call_duration_seconds",
      "From a stream's start to the call's end.",
      TALK_BUCKETS_S,
    );
    this.#faults = make.counter("faults_total", "Faults of ours that were contained.", {
      where: FAULT_PLACES,
    });
    this.#submissions = make.counter("outbound_submissions_total", "What came of asking Twilio for calls.", {
      result: labels.submissionResults,
    });
    this.#restErrors = make.counter("twilio_api_errors_total", "Requests to Twilio's REST API that failed.", {
      request: labels.restRequests,
      kind: labels.restFailures,
    });
    this.#syncs = make.counter(
      "number_sync_total",
      "Looks at numbers at Twilio, by how they stood after it.",
      { result: labels.syncResults },
    );
    this.#loopDelay = make.histogram(
      "event_loop_delay_seconds",
      "How late the front thread came to a timer, sampled four times a second.",
      LOOP_BUCKETS_S,
    );
    this.#renders = make.histogram(
      "metrics_render_seconds",
      "How long building an answer to a scrape took, on the front thread.",
      RENDER_BUCKETS_S,
    );
    this.told = agentMetrics(make);
  }

  get registry(): Registry {
    return this.#make.registry;
  }

  /** Adds what is read at scrape time, and begins to sample the event loop. Once; the result ends the sampling. */
  watch(sources: MetricSources): Stop {
    const make = this.#make;
    const admission = (): AdmissionState => sources.admission?.() ?? { level: 0, pressure: {} };
    make.gauge(
      "calls_live",
      "Calls that hold a slot: reserved, talking, or being put away.",
      sources.callsLive,
    );
    make.gauge("calls_max", "Calls that are admitted at most.", () => sources.callsMax);
    make.gauge(
      "calls_dialling",
      "Outbound calls from their intent until someone talks on them.",
      sources.callsDialling,
    );
    make.gauge(
      "call_records_waiting",
      "Call records that wait to be written, for up to a second those of calls that go on. Many more than there are calls: the database can't write.",
      sources.recordsWaiting,
    );
    make.gauge(
      "admission_level",
      "What is admitted: 0 everything, 1 no calls out, 2 no calls at all: callers hear busy.",
      () => admission().level,
    );
    make.view(
      "admission_pressure",
      "How near each signal is to its limit; at 1 no call is admitted.",
      "gauge",
      () => {
        const { pressure } = admission();
        return PRESSURE_SIGNALS.map((signal) => ({ value: pressure[signal] ?? 0, labels: { signal } }));
      },
    );
    make.gauge("draining", "1 from the signal to stop until the end: no new calls are taken.", () =>
      Number(sources.isDraining()),
    );
    make.view("numbers", "Phone numbers by how their webhooks stand with Twilio.", "gauge", () =>
      Object.entries(sources.numbersBySync()).map(([sync, value]) => ({ value, labels: { sync } })),
    );
    make.gauge("media_sockets", "Open media sockets.", () => sources.sockets().media);
    make.gauge("connections", "Open connections of any kind.", () => sources.sockets().connections);
    viewMedia(make, sources, () => this.#socketDrops);
    viewProcess(make, this.#clock, sources.descriptorsMax);
    return this.#sample(sources);
  }

  /** The text of a scrape. */
  async render(): Promise<string> {
    const startedMs = this.#clock.nowMs();
    const text = await this.registry.metrics();
    this.#renders.observe((this.#clock.nowMs() - startedMs) / 1_000);
    return text;
  }

  webhookAnswered(answer: string, tookMs: number): void {
    this.#answers.inc({ answer });
    this.#webhooks.observe(tookMs / 1_000);
  }

  callEnded(direction: "inbound" | "outbound", reason: Outcome, talkedMs: number): void {
    this.#ended.inc({ direction, reason });
    if (talkedMs > 0) this.#talked.observe(talkedMs / 1_000);
  }

  streamRefused(reason: string): void {
    this.#refused.inc({ reason });
  }

  streamViolated(violation: string): void {
    this.#violations.inc({ violation });
  }

  /** A stream was given up: nothing came and no ping was answered, or nobody reads it. */
  streamSilent(): void {
    this.#silences.inc();
  }

  statusLate(): void {
    this.#lateStatuses.inc();
  }

  mediaSocketClosed(code: number): void {
    const known = CLOSE_CODES.find((each) => each === String(code));
    this.#closed.inc({ code: known ?? "other" });
  }

  workerDied(why: WorkerDeath): void {
    this.#deaths.inc({ why });
  }

  numbersSynced(result: string, numbers = 1): void {
    this.#syncs.inc({ result }, numbers);
  }

  callReplaced(): void {
    this.#replaced.inc();
  }

  callWaited(ms: number): void {
    this.#waits.observe(ms / 1_000);
  }

  fault(where: FaultPlace): void {
    this.#faults.inc({ where });
  }

  /** A media socket did not take a frame: its reader is slow. */
  socketDropped(frames: number): void {
    this.#socketDrops += frames;
  }

  /** Twilio was asked for a call, or found to have one. */
  submitted(result: string): void {
    this.#submissions.inc({ result });
  }

  /** A request to Twilio's REST API. */
  restFailed(request: string, kind: string): void {
    this.#restErrors.inc({ request, kind });
  }

  connectionRefused(reason: ConnectionRefusal): void {
    this.#connectionsRefused.inc({ reason });
  }

  /** How late the front thread was in the last minute. */
  loopLag(): Lag {
    return this.#loopLag.read();
  }

  #sample(sources: MetricSources): Stop {
    let sampledMs = this.#clock.nowMs();
    return this.#clock.every(LOOP_SAMPLE_MS, () => {
      const nowMs = this.#clock.nowMs();
      const lateMs = Math.max(0, nowMs - sampledMs - LOOP_SAMPLE_MS);
      this.#loopDelay.observe(lateMs / 1_000);
      this.#loopLag.add(lateMs);
      if (sources.pool().workers === 0) this.#downTime.inc((nowMs - sampledMs) / 1_000);
      sampledMs = nowMs;
    });
  }
}
