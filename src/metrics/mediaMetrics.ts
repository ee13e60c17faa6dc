// What the media workers count in their shared memory, and how the pool stands, shown when someone asks and never
// before: no metric object is touched on the audio path.
import type { MetricValue } from "prom-client";
import { type CountName, LATENESS_BOUNDS_MS, type WorkerCounts } from "../lane/counts.ts";
import { cell, type Registrar } from "./registrar.ts";

/** How the pool of media workers stands. */
export interface PoolState {
  readonly workers: number;
  readonly callsWaiting: number;
  readonly laneDepthMs: number;
  readonly laneDrops: number;
}

export interface MediaSources {
  workerCounts(): WorkerCounts;
  pool(): PoolState;
}

/** Fates of frames that worker threads count; `direction` is the caller's: in from the caller, out to them. */
const FRAME_FATES: readonly (readonly [direction: "in" | "out", fate: string, count: CountName])[] = [
  ["in", "heard", "framesHeard"],
  ["in", "concealed", "framesConcealed"],
  ["in", "late", "framesLate"],
  ["in", "dropped_agent", "framesDroppedAgent"],
  ["out", "sent", "framesSent"],
  ["out", "dropped_queue", "framesDroppedQueue"],
  ["out", "dropped_clear", "framesDroppedClear"],
  ["out", "dropped_lane", "framesDroppedLane"],
];

/** `socketDrops`: frames that media sockets did not take. */
export function viewMedia(make: Registrar, sources: MediaSources, socketDrops: () => number): void {
  const { gauge, total } = {
    gauge: make.gauge.bind(make),
    total: (name: string, help: string, count: CountName) =>
      make.view(name, help, "counter", () => [{ value: sources.workerCounts().get(count), labels: {} }]),
  };
  gauge(
    "calls_waiting",
    "Calls that have no media worker. Above 0 a caller hears nothing.",
    () => sources.pool().callsWaiting,
  );
  gauge("workers", "Media workers up.", () => sources.pool().workers);
  gauge(
    "lane_depth_seconds",
    "Age of the oldest audio a worker has not taken.",
    () => sources.pool().laneDepthMs / 1_000,
  );
  total("messages_malformed_total", "Stream messages that could not be read.", "messagesMalformed");
  total("resyncs_total", "Jumps of a caller's media clock that were followed.", "resyncs");
  total("underruns_total", "Times an agent's audio ran dry between two frames.", "underruns");
  total("marks_total", "Marks Twilio sent back for audio that was heard.", "marksEchoed");
  total("stray_errors_total", "Exceptions in a worker that no call could be blamed for.", "strayErrors");
  total("call_errors_total", "Exceptions in one call's own code.", "callErrors");
  total(
    "news_dropped_total",
    "Entries left out of calls' timelines because a call had told more than it may.",
    "newsDropped",
  );
  make.view("frames_total", "20 ms frames by direction and fate.", "counter", () => {
    const counts = sources.workerCounts();
    const cells = FRAME_FATES.map(([direction, fate, count]) => ({
      value: counts.get(count),
      labels: { direction, fate },
    }));
    return [
      ...cells,
      { value: sources.pool().laneDrops, labels: { direction: "in", fate: "dropped_lane" } },
      { value: socketDrops(), labels: { direction: "out", fate: "dropped_socket" } },
    ];
  });
  viewLateness(make, sources);
}

function viewLateness(make: Registrar, sources: MediaSources): void {
  make.view("playout_lateness_seconds", "How late an agent's frames were sent.", "histogram", (name) => {
    const counts = sources.workerCounts();
    const cells: MetricValue<string>[] = [];
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
