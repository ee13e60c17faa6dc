// The audio's path inside the gateway, and what it costs.
import { dashboard, graph, heatmap, quantiles, stat } from "./panels.ts";
import { inRange, of, perMinute, rate, total } from "./queries.ts";

export const mediaEngine = (): string =>
  dashboard("linecard-media-engine", "Linecard: media engine", "Does audio go through in time?", [
    {
      title: "Now",
      panels: [
        stat(
          "Calls waiting for a worker",
          { description: "Above 0 a caller hears nothing.", unit: "short", badAt: 1 },
          `sum(${of("calls_waiting")})`,
        ),
        stat("Workers", { description: "Media workers up.", unit: "short" }, `sum(${of("workers")})`),
        stat(
          "Without any worker",
          {
            description: "Time in this range in which a gateway had no media worker at all.",
            unit: "s",
            badAt: 0.5,
          },
          inRange("pool_down_seconds_total"),
        ),
        stat(
          "Oldest untaken audio",
          { description: "On the worst worker. Normal is about 1 ms.", unit: "s", warnAt: 0.02, badAt: 0.1 },
          `max(${of("lane_depth_seconds")})`,
        ),
        stat(
          "Media sockets",
          { description: "Open streams of Twilio's.", unit: "short" },
          `sum(${of("media_sockets")})`,
        ),
        stat(
          "Draining",
          {
            description: "Gateways that were told to stop and wait for their calls to end.",
            unit: "short",
            warnAt: 1,
          },
          `sum(${of("draining")})`,
        ),
      ],
    },
    {
      title: "Frames",
      panels: [
        graph(
          "From callers, by fate",
          {
            description:
              "20 ms frames a second, 50 for each call. concealed: silence where audio was missing. late: came after its time. dropped_lane: a worker is behind. dropped_agent: the agent was not ready or reads too slowly.",
            unit: "cps",
          },
          ["{{fate}}", total("frames_total", "fate", 'direction="in"')],
        ),
        graph(
          "To callers, by fate",
          {
            description:
              "20 ms frames a second. dropped_clear: what was unsaid, as it should be. dropped_queue: the agent is too far ahead. dropped_lane: the front thread is behind. dropped_socket: Twilio reads too slowly.",
            unit: "cps",
          },
          ["{{fate}}", total("frames_total", "fate", 'direction="out"')],
        ),
        graph(
          "Small faults",
          {
            description:
              "A minute. underruns: an agent's audio ran dry in mid-utterance. resyncs: jumps of Twilio's media clock. malformed: stream messages that could not be read. stalls: Twilio confirmed nothing it was sent.",
            unit: "cpm",
          },
          ["underruns", perMinute("underruns_total")],
          ["resyncs", perMinute("resyncs_total")],
          ["malformed", perMinute("messages_malformed_total")],
          ["stalls", perMinute("playout_stalls_total")],
        ),
      ],
    },
    {
      title: "In time",
      panels: [
        heatmap(
          "Playout lateness",
          {
            description: "How late frames were sent, of all that were. Dark above 20 ms: callers hear gaps.",
            unit: "s",
          },
          `sum by (le) (${rate("playout_lateness_seconds_bucket")})`,
        ),
        quantiles(
          "Playout lateness",
          {
            description: "How late frames were sent. Up to 200 ms are bridged by what Twilio has in store.",
            warnAt: 0.02,
            badAt: 0.1,
          },
          "playout_lateness_seconds",
        ),
        quantiles(
          "Event-loop delay",
          {
            description:
              "How late the front thread came to a timer. From 20 ms on frames wait: fewer calls per gateway, or more cores.",
            warnAt: 0.01,
            badAt: 0.02,
          },
          "event_loop_delay_seconds",
        ),
        graph(
          "Oldest untaken audio",
          {
            description:
              "Age of the oldest audio that a worker has not taken, on each gateway's worst worker. At 500 ms it is dropped.",
            unit: "s",
            warnAt: 0.02,
            badAt: 0.1,
          },
          ["{{instance}}", `max by (instance) (${of("lane_depth_seconds")})`],
        ),
        graph(
          "Workers and waiting calls",
          { description: "A call that waits for a worker is dead air.", unit: "short" },
          ["workers {{instance}}", `sum by (instance) (${of("workers")})`],
          ["calls waiting", `sum(${of("calls_waiting")})`],
        ),
        quantiles(
          "Waiting for a worker",
          { description: "How long a call waited for a worker when it was placed.", badAt: 0.5 },
          "call_wait_seconds",
        ),
      ],
    },
    {
      title: "The process",
      panels: [
        graph(
          "CPU",
          { description: "Cores in use, all threads. One is the front thread's.", unit: "short" },
          ["{{instance}}", `sum by (instance) (${rate("process_cpu_seconds_total")})`],
        ),
        graph(
          "Memory",
          {
            description:
              "Resident memory, and the front thread's JavaScript heap. It settles under even load.",
            unit: "bytes",
          },
          ["resident {{instance}}", `sum by (instance) (${of("process_resident_memory_bytes")})`],
          ["heap {{instance}}", `sum by (instance) (${of("process_heap_used_bytes")})`],
        ),
        graph(
          "File descriptors",
          {
            description:
              "Of those that may be open. At the limit nobody can connect: raise LimitNOFILE or ulimit -n.",
            unit: "percentunit",
            warnAt: 0.7,
            badAt: 0.85,
            max: 1,
          },
          [
            "{{instance}}",
            `sum by (instance) (${of("process_open_fds")}) / sum by (instance) (${of("process_max_fds")})`,
          ],
        ),
        graph(
          "Faults of ours",
          {
            description:
              "A minute, each with a line in the log. They are contained, and every one is a bug worth reporting.",
            unit: "cpm",
          },
          ["{{where}}", perMinute("faults_total", "where")],
          ["one call's code", perMinute("call_errors_total")],
          ["nobody's", perMinute("stray_errors_total")],
        ),
        quantiles(
          "Building a scrape",
          { description: "On the front thread: what Prometheus costs callers.", warnAt: 0.02, badAt: 0.05 },
          "metrics_render_seconds",
        ),
        graph(
          "Marks heard",
          {
            description:
              "A minute. Twilio confirms every 200 ms that audio was heard: about 300 for each agent that speaks.",
            unit: "cpm",
          },
          ["marks", perMinute("marks_total")],
        ),
      ],
    },
  ]);
