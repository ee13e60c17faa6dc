import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../../src/domain/clock.ts";
import { END_REASONS, REFUSALS } from "../../../src/domain/endings.ts";
import { LATENESS_BOUNDS_MS, WorkerCounts } from "../../../src/lane/counts.ts";
import { type MetricSources, Metrics } from "../../../src/metrics/metrics.ts";
import { Scrape } from "../../support/prometheus.ts";

/** A clock that stands still until told, and what it is asked to call. */
class StillClock implements Clock {
  atMs = 5_000;
  readonly periods: { readonly periodMs: number; readonly tick: () => void }[] = [];

  nowMs(): number {
    return this.atMs;
  }

  wallMs(): number {
    return 1_800_000_000_000;
  }

  every(periodMs: number, tick: () => void) {
    const period = { periodMs, tick };
    this.periods.push(period);
    return () => {
      this.periods.splice(this.periods.indexOf(period), 1);
    };
  }
}

const LABELS = {
  webhookAnswers: ["connect", "reject"],
  streamRefusals: ["framing", "token_used"],
  submissionResults: ["placed", "refused"],
  restRequests: ["create_call", "check_account"],
  restFailures: ["credentials", "unreachable"],
  syncResults: ["in_sync", "drifted"],
};

function watched(changes: Partial<MetricSources> = {}) {
  const clock = new StillClock();
  const metrics = new Metrics(LABELS, clock);
  const sources: MetricSources = {
    workerCounts: () => new WorkerCounts(),
    pool: () => ({ workers: 2, callsWaiting: 0, laneDepthMs: 0, laneDrops: 0 }),
    callsLive: () => 0,
    callsDialling: () => 0,
    recordsWaiting: () => 0,
    numbersBySync: () => ({ in_sync: 3, failed: 1 }),
    callsMax: 10,
    sockets: () => ({ media: 0, connections: 0 }),
    isDraining: () => false,
    ...changes,
  };
  const stop = metrics.watch(sources);
  return { metrics, clock, stop, scrape: async () => new Scrape(await metrics.render()) };
}

describe("the metrics", () => {
  it("add up what all workers counted, those that died too", async () => {
    const total = new WorkerCounts();
    for (const [heard, late] of [
      [5, 1],
      [7, 0],
    ] as const) {
      const worker = new WorkerCounts();
      worker.add("framesHeard", heard);
      worker.add("framesLate", late);
      total.absorb(worker);
    }
    const pool = () => ({ workers: 1, callsWaiting: 3, laneDepthMs: 250, laneDrops: 9 });
    const read = await watched({ workerCounts: () => total, pool }).scrape();
    assert.equal(read.value("frames_total", { direction: "in", fate: "heard" }), 12);
    assert.equal(read.value("frames_total", { direction: "in", fate: "late" }), 1);
    assert.equal(read.value("frames_total", { direction: "in", fate: "dropped_lane" }), 9);
    assert.equal(read.value("frames_total", { direction: "out", fate: "dropped_lane" }), 0);
    assert.equal(read.value("calls_waiting"), 3);
    assert.equal(read.value("lane_depth_seconds"), 0.25);
  });

  it("remember how late the front thread was in the last minute", () => {
    const { metrics, clock } = watched();
    assert.deepEqual(metrics.loopLag(), { p95Ms: 0, maxMs: 0 });
    const ticks = (number: number, lateMs: number) => {
      for (let n = 0; n < number; n++) {
        clock.atMs += 250 + lateMs;
        for (const { tick } of clock.periods) tick();
      }
    };
    ticks(1, 500);
    ticks(239, 2);
    assert.deepEqual(metrics.loopLag(), { p95Ms: 2, maxMs: 500 });
    ticks(1, 0);
    assert.deepEqual(metrics.loopLag(), { p95Ms: 2, maxMs: 2 }, "the sample before that minute is forgotten");
  });

  it("put each late frame into every bucket it fits", async () => {
    const counts = new WorkerCounts();
    const bounds = [...LATENESS_BOUNDS_MS];
    for (const boundMs of bounds) counts.sent(1, boundMs); // on a bound is within it
    counts.sent(1, 0);
    counts.sent(1, 10_000);
    const read = await watched({ workerCounts: () => counts }).scrape();
    const bucket = (le: string) => read.value("playout_lateness_seconds_bucket", { le });
    for (const [index, boundMs] of bounds.entries()) assert.equal(bucket(String(boundMs / 1_000)), index + 2);
    assert.equal(bucket("+Inf"), bounds.length + 2);
    assert.equal(read.value("playout_lateness_seconds_count"), bounds.length + 2);
    const sumMs = bounds.reduce((sum, boundMs) => sum + boundMs, 10_000);
    assert.equal(read.value("playout_lateness_seconds_sum"), sumMs / 1_000);
  });

  it("count each ending under its own reason, and the length only of calls that were answered", async () => {
    const { metrics, scrape } = watched();
    for (const reason of [...END_REASONS, ...REFUSALS]) metrics.callEnded("inbound", reason, 0);
    metrics.callEnded("inbound", "agent_failed", 61_000);
    const read = await scrape();
    for (const reason of [...END_REASONS, ...REFUSALS]) {
      const times = reason === "agent_failed" ? 2 : 1;
      assert.equal(read.value("calls_ended_total", { direction: "inbound", reason }), times);
    }
    assert.equal(read.value("call_duration_seconds_count"), 1);
    assert.equal(read.value("call_duration_seconds_sum"), 61);
    assert.equal(read.value("call_duration_seconds_bucket", { le: "60" }), 0);
    assert.equal(read.value("call_duration_seconds_bucket", { le: "180" }), 1);
  });

  it("add up the time without any worker, and show how admission stands", async () => {
    let workers = 2;
    const pool = () => ({ workers, callsWaiting: 0, laneDepthMs: 0, laneDrops: 0 });
    const admission = () => ({ level: 1 as const, pressure: { calls: 0.9, loop: 1.2 } });
    const { clock, scrape } = watched({ pool, admission, isDraining: () => true });
    const pass = (ms: number) => {
      clock.atMs += ms;
      for (const { tick } of clock.periods) tick();
    };
    pass(250);
    workers = 0;
    pass(250);
    pass(750);
    workers = 1;
    pass(250);
    const read = await scrape();
    assert.equal(read.value("pool_down_seconds_total"), 1);
    assert.equal(read.value("admission_level"), 1);
    assert.equal(read.value("draining"), 1);
    const pressure = (signal: string) => read.value("admission_pressure", { signal });
    assert.deepEqual(["calls", "loop", "lane", "playout", "memory"].map(pressure), [0.9, 1.2, 0, 0, 0]);
    const open = await watched().scrape();
    assert.equal(
      open.total("admission_level") + open.total("admission_pressure") + open.total("draining"),
      0,
    );
  });

  it("count closed sockets by the codes that mean something, and all others together", async () => {
    const { metrics, scrape } = watched();
    for (const code of [1000, 1006, 1006, 1005, 4000]) metrics.mediaSocketClosed(code);
    const read = await scrape();
    const closed = (code: string) => read.value("media_sockets_closed_total", { code });
    assert.deepEqual(["1000", "1001", "1006", "other"].map(closed), [1, 0, 2, 2]);
  });

  it("take milliseconds and show seconds", async () => {
    const { metrics, scrape } = watched();
    metrics.webhookAnswered("connect", 3);
    metrics.callWaited(40);
    const read = await scrape();
    assert.equal(read.value("webhook_duration_seconds_sum"), 0.003);
    assert.equal(read.value("call_wait_seconds_sum"), 0.04);
    assert.equal(read.value("process_start_time_seconds") < 1_800_000_000, true);
  });

  it("show how late the event loop came to a timer, until they are told to stop", async () => {
    const { clock, stop, scrape } = watched();
    const [sampler, ...others] = clock.periods;
    assert.equal(others.length, 0);
    const turn = (lateMs: number) => {
      clock.atMs += sampler!.periodMs + lateMs;
      sampler!.tick();
    };
    turn(0);
    turn(300);
    turn(0); // what was late once does not count twice
    turn(-2); // a timer that is early is on time
    const read = await scrape();
    assert.equal(read.value("event_loop_delay_seconds_count"), 4);
    assert.equal(read.value("event_loop_delay_seconds_sum"), 0.3);
    assert.equal(read.value("event_loop_delay_seconds_bucket", { le: "0.2" }), 3);
    stop();
    assert.deepEqual(clock.periods, []);
  });
});
