// Every metric: its name, help and buckets, in one place. No label is a call, a number or an account. What the
// media workers count is read out of their shared memory when someone asks, and never before.
import { existsSync, readdirSync } from "node:fs";
import {
  Counter,
  Gauge,
  Histogram,
  type Metric,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from "prom-client";
import type { Clock, Stop } from "../domain/clock.ts";
import { DIAL_ENDINGS, END_REASONS, type Outcome, REFUSALS, STREAM_VIOLATIONS } from "../domain/endings.ts";
import { type CountName, LATENESS_BOUNDS_MS, type WorkerCounts } from "../lane/counts.ts";
import { type Lag, LoopLag } from "./loopLag.ts";

/** What a scrape looks at. All of it is in memory; nothing here waits. */
export interface MetricSources {
  workerCounts(): WorkerCounts;
  pool(): {
    readonly workers: number;
    readonly callsWaiting: number;
    readonly laneDepthMs: number;
    readonly laneDrops: number;
  };
  callsLive(): number;
  /** Outbound calls that nobody talks on yet. */
  callsDialling(): number;
  /** Phone numbers by how they stand with Twilio. */
  numbersBySync(): Readonly<Record<string, number>>;
  /** Call records that wait to be written. */
  recordsWaiting(): number;
  readonly callsMax: number;
  sockets(): { readonly media: number; readonly connections: number };
}

/** Where a fault of ours was contained. */
const FAULT_PLACES = ["http", "socket", "front", "sync"] as const;
type FaultPlace = (typeof FAULT_PLACES)[number];

/** Fates of frames that worker threads count; `direction` is the caller's: in from the caller, out to them. */
const FRAME_FATES: readonly (readonly [direction: "in" | "out", fate: string, count: CountName])[] = [
  ["in", "heard", "framesHeard"],
  ["in", "concealed", "framesConcealed"],
  ["in", "late", "framesLate"],
  ["out", "sent", "framesSent"],
  ["out", "dropped_queue", "framesDroppedQueue"],
  ["out", "dropped_clear", "framesDroppedClear"],
  ["out", "dropped_lane", "framesDroppedLane"],
];

/** Twilio waits up to 15 s; a good answer takes a millisecond. */
const WEBHOOK_BUCKETS_S = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];
const WAIT_BUCKETS_S = [0.001, 0.01, 0.05, 0.1, 0.5, 1, 5];
const TALK_BUCKETS_S = [1, 5, 15, 30, 60, 180, 600, 1_800, 3_600];

/** Each sample wakes an idle process, so there are no more than show which share of the time the loop is held up. */
const LOOP_SAMPLE_MS = 250;
/** Samples that "lately" means: a minute of them. */
const LOOP_SAMPLES = 60_000 / LOOP_SAMPLE_MS;
/** A healthy loop is late by what a timer is coarse, a millisecond; from 20 ms on a caller's frame waits. */
const LOOP_BUCKETS_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

/** One entry per open descriptor, where the system tells. */
const DESCRIPTORS = "/proc/self/fd";

export class Metrics {
  readonly registry = new Registry();
  readonly #ended: Counter<"direction" | "reason">;
  readonly #answers: Counter<"answer">;
  readonly #webhooks: Histogram;
  readonly #refused: Counter<"reason">;
  readonly #violations: Counter<"violation">;
  readonly #deaths: Counter<"why">;
  readonly #replaced: Counter;
  readonly #waits: Histogram;
  readonly #talked: Histogram;
  readonly #faults: Counter<"where">;
  readonly #loopDelay: Histogram;
  readonly #connectionsRefused: Counter;
  readonly #syncs: Counter<"result">;
  readonly #submissions: Counter<"result">;
  readonly #restErrors: Counter<"request" | "kind">;
  readonly #loopLag = new LoopLag(LOOP_SAMPLES);
  #socketDrops = 0;

  constructor(answers: readonly string[], refusals: readonly string[]) {
    const registers = [this.registry];
    const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
      new Counter({ name: `linecard_${name}`, help, labelNames, registers });
    this.#ended = counter("calls_ended_total", "Calls that ended or were refused, by why.", [
      "direction",
      "reason",
    ]);
    this.#answers = counter("webhook_answers_total", "What Twilio's webhooks were answered.", ["answer"]);
    this.#refused = counter("stream_refused_total", "Media upgrades that were refused, by why.", ["reason"]);
    this.#violations = counter("stream_violations_total", "What accepted streams did against the contract.", [
      "violation",
    ]);
    this.#deaths = counter("worker_deaths_total", "Media workers that died or were killed.", ["why"]);
    this.#replaced = counter("calls_replaced_total", "Calls that went on in another worker after a death.");
    this.#faults = counter("faults_total", "Faults of ours that were contained.", ["where"]);
    this.#submissions = counter("outbound_submissions_total", "What came of asking Twilio for calls.", [
      "result",
    ]);
    this.#restErrors = counter("twilio_api_errors_total", "Requests to Twilio's REST API that failed.", [
      "request",
      "kind",
    ]);
    this.#connectionsRefused = counter("connections_refused_total", "Connections closed at the limit.");
    this.#syncs = counter("number_sync_total", "Looks at numbers at Twilio, by how they stood after it.", [
      "result",
    ]);
    const histogram = (name: string, help: string, buckets: number[]) =>
      new Histogram({ name: `linecard_${name}`, help, buckets, registers });
    this.#webhooks = histogram(
      "webhook_duration_seconds",
      "From a webhook's last byte to its answer.",
      WEBHOOK_BUCKETS_S,
    );
    this.#waits = histogram("call_wait_seconds", "Time a call waited for a media worker.", WAIT_BUCKETS_S);
    this.#talked = histogram(
      "call_duration_seconds",
      "From a stream's start to the call's end.",
      TALK_BUCKETS_S,
    );
    this.#loopDelay = histogram(
      "event_loop_delay_seconds",
      "How late the front thread came to a timer, sampled four times a second.",
      LOOP_BUCKETS_S,
    );
    for (const answer of answers) this.#answers.inc({ answer }, 0);
    for (const reason of refusals) this.#refused.inc({ reason }, 0);
    for (const violation of STREAM_VIOLATIONS) this.#violations.inc({ violation }, 0);
    for (const reason of [...END_REASONS, ...REFUSALS]) this.#ended.inc({ direction: "inbound", reason }, 0);
    for (const reason of [...END_REASONS, ...DIAL_ENDINGS])
      this.#ended.inc({ direction: "outbound", reason }, 0);
    for (const why of ["stuck", "exit"]) this.#deaths.inc({ why }, 0);
    for (const where of FAULT_PLACES) this.#faults.inc({ where }, 0);
  }

  /** Adds what is read at scrape time, and begins to sample the event loop. Once; the result ends the sampling. */
  watch(sources: MetricSources, clock: Clock): Stop {
    const registers = [this.registry];
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name: `linecard_${name}`,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    gauge("calls_live", "Calls that hold a slot: reserved, talking, or being put away.", sources.callsLive);
    gauge("calls_max", "Calls that are admitted at most.", () => sources.callsMax);
    gauge(
      "calls_waiting",
      "Calls that have no media worker. Above 0 a caller hears nothing.",
      () => sources.pool().callsWaiting,
    );
    gauge(
      "calls_dialling",
      "Outbound calls from their intent until someone talks on them.",
      sources.callsDialling,
    );
    gauge(
      "call_records_waiting",
      "Call records that wait to be written. More than a few for long: the database can't write.",
      sources.recordsWaiting,
    );
    this.#view("numbers", "Phone numbers by how their webhooks stand with Twilio.", "gauge", () =>
      Object.entries(sources.numbersBySync()).map(([sync, value]) => ({ value, labels: { sync } })),
    );
    gauge("workers", "Media workers up.", () => sources.pool().workers);
    gauge(
      "lane_depth_seconds",
      "Age of the oldest audio a worker has not taken.",
      () => sources.pool().laneDepthMs / 1_000,
    );
    gauge("media_sockets", "Open media sockets.", () => sources.sockets().media);
    gauge("connections", "Open connections of any kind.", () => sources.sockets().connections);
    const total = (name: string, help: string, count: CountName) =>
      this.#view(name, help, "counter", () => [{ value: sources.workerCounts().get(count), labels: {} }]);
    total("messages_malformed_total", "Stream messages that could not be read.", "messagesMalformed");
    total("resyncs_total", "Jumps of a caller's media clock that were followed.", "resyncs");
    total("underruns_total", "Times an agent's audio ran dry between two frames.", "underruns");
    total("marks_total", "Marks Twilio sent back for audio that was heard.", "marksEchoed");
    total("stray_errors_total", "Exceptions in a worker that no call could be blamed for.", "strayErrors");
    total("call_errors_total", "Exceptions in one call's own code.", "callErrors");
    this.#view("frames_total", "20 ms frames by direction and fate.", "counter", () => {
      const counts = sources.workerCounts();
      const cells = FRAME_FATES.map(([direction, fate, count]) => ({
        value: counts.get(count),
        labels: { direction, fate },
      }));
      return [
        ...cells,
        { value: sources.pool().laneDrops, labels: { direction: "in", fate: "dropped_lane" } },
        { value: this.#socketDrops, labels: { direction: "out", fate: "dropped_socket" } },
      ];
    });
    this.#viewLateness(sources);
    this.#viewProcess(gauge, clock);
    return this.#sampleLoop(clock);
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

  workerDied(why: string): void {
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
  socketDropped(): void {
    this.#socketDrops++;
  }

  /** Twilio was asked for a call, or found to have one. */
  submitted(result: string): void {
    this.#submissions.inc({ result });
  }

  /** A request to Twilio's REST API. */
  restFailed(request: string, kind: string): void {
    this.#restErrors.inc({ request, kind });
  }

  connectionRefused(): void {
    this.#connectionsRefused.inc();
  }

  /** How late the front thread was in the last minute. */
  loopLag(): Lag {
    return this.#loopLag.read();
  }

  // prom-client has such metrics too, but some with a label per kind of handle, so that series come and go, and its
  // watch of the event loop wakes an idle process fifty times a second.
  #viewProcess(gauge: (name: string, help: string, read: () => number) => Gauge, clock: Clock): void {
    const startedS = clock.wallMs() / 1_000 - process.uptime();
    gauge("process_start_time_seconds", "When the process started, since the epoch.", () => startedS);
    gauge("process_resident_memory_bytes", "Memory of the process, all threads.", process.memoryUsage.rss);
    gauge(
      "process_heap_used_bytes",
      "JavaScript heap in use on the front thread.",
      () => process.memoryUsage().heapUsed,
    );
    if (existsSync(DESCRIPTORS)) {
      const open = () => readdirSync(DESCRIPTORS).length - 1; // less the one that reads
      gauge("process_open_fds", "Open file descriptors.", open);
    }
    this.#view("process_cpu_seconds_total", "CPU time of the process, all threads.", "counter", () => {
      const { user, system } = process.cpuUsage();
      return [{ value: (user + system) / 1e6, labels: {} }];
    });
  }

  #sampleLoop(clock: Clock): Stop {
    let dueMs = clock.nowMs() + LOOP_SAMPLE_MS;
    return clock.every(LOOP_SAMPLE_MS, () => {
      const nowMs = clock.nowMs();
      const lateMs = Math.max(0, nowMs - dueMs);
      this.#loopDelay.observe(lateMs / 1_000);
      this.#loopLag.add(lateMs);
      dueMs = nowMs + LOOP_SAMPLE_MS;
    });
  }

  #viewLateness(sources: MetricSources): void {
    this.#view("playout_lateness_seconds", "How late an agent's frames were sent.", "histogram", (name) => {
      const counts = sources.workerCounts();
      const cells: MetricValue<string>[] & { metricName?: string }[] = [];
      let seen = 0;
      for (const [bucket, frames] of counts.lateness().entries()) {
        seen += frames;
        const bound = LATENESS_BOUNDS_MS[bucket];
        const le = bound === undefined ? "+Inf" : bound / 1_000;
        cells.push(cell(`${name}_bucket`, seen, { le }));
      }
      cells.push(cell(`${name}_sum`, counts.get("latenessSumMs") / 1_000, {}));
      cells.push(cell(`${name}_count`, seen, {}));
      return cells;
    });
  }

  /** A metric whose values are somebody else's memory. */
  #view(
    suffix: string,
    help: string,
    type: "counter" | "gauge" | "histogram",
    read: (name: string) => MetricValue<string>[],
  ): void {
    const name = `linecard_${suffix}`;
    const get = async () =>
      ({ name, help, type, aggregator: "sum", values: read(name) }) as unknown as MetricObjectWithValues<
        MetricValue<string>
      >;
    this.registry.registerMetric({ name, get, reset() {} } as unknown as Metric);
  }
}

function cell(
  metricName: string,
  value: number,
  labels: Record<string, string | number>,
): MetricValue<string> {
  return { metricName, value, labels } as MetricValue<string>;
}
