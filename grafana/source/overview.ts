// Are callers well? What someone on call looks at first.
import { MappingType } from "@grafana/grafana-foundation-sdk/dashboard";
import { END_REASONS, type EndReason } from "../../src/domain/endings.ts";
import { dashboard, graph, quantiles, stat } from "./panels.ts";
import { inRange, of, perMinute, quantile, seen, total } from "./queries.ts";

/** Endings that the caller heard an apology for, and that are somebody's fault. */
const FAILURES = [
  "no_stream",
  "media_lost",
  "protocol_error",
  "agent_failed",
  "call_error",
  "worker_lost",
] as const satisfies readonly EndReason[];
const FAILED = `reason=~"${FAILURES.join("|")}"`;
/** All that were answered: refusals are no failures, and would hide them. */
const ANSWERED = `reason=~"${END_REASONS.join("|")}"`;
const LOST_IN = 'direction="in", fate=~"late|dropped_.*"';
const LOST_OUT = 'direction="out", fate=~"dropped_queue|dropped_lane|dropped_socket"';

const LEVELS = {
  0: { text: "open", color: "green" },
  1: { text: "no calls out", color: "orange" },
  2: { text: "callers hear busy", color: "red" },
};

export const overview = (): string =>
  dashboard("linecard-overview", "Linecard: overview", "Are callers well?", [
    {
      title: "Now",
      panels: [
        stat(
          "Live calls",
          { description: "Calls that hold a slot: reserved, talking, or being put away.", unit: "short" },
          `sum(${of("calls_live")})`,
        ),
        stat(
          "Of the limit",
          {
            description: "Live calls of CALLS_MAX. At 100 % the next caller hears busy: add a gateway.",
            unit: "percentunit",
            warnAt: 0.8,
            badAt: 0.95,
          },
          `sum(${of("calls_live")}) / sum(${of("calls_max")})`,
        ),
        stat(
          "Admission",
          {
            description:
              "The worst of all gateways. When not open, the pressure below says which signal is at its limit.",
            unit: "short",
            warnAt: 1,
            badAt: 2,
            mappings: [{ type: MappingType.ValueToText, options: LEVELS }],
          },
          `max(${of("admission_level")})`,
        ),
        stat(
          "Failed calls",
          {
            description:
              "Of the answered calls that ended in this time, those that ended by a fault: ours, the agent's or the network's.",
            unit: "percentunit",
            warnAt: 0.01,
            badAt: 0.05,
          },
          `${inRange("calls_ended_total", FAILED)} / clamp_min(${inRange("calls_ended_total", ANSWERED)}, 1)`,
        ),
        stat(
          "Media workers",
          {
            description: "Media workers up, on all gateways. A dead one is replaced within a second.",
            unit: "short",
          },
          `sum(${of("workers")})`,
        ),
        stat(
          "Worker deaths",
          {
            description: "In this time. Their calls went on in another worker; the log says why each died.",
            unit: "short",
            warnAt: 1,
            badAt: 3,
          },
          inRange("worker_deaths_total"),
        ),
      ],
    },
    {
      title: "Calls",
      panels: [
        graph(
          "Live calls against the limit",
          { description: "Calls by gateway, and how many all of them admit together.", unit: "short" },
          ["{{instance}}", `sum by (instance) (${of("calls_live")})`],
          ["limit", `sum(${of("calls_max")})`],
        ),
        graph(
          "Calls that ended, by reason",
          {
            description:
              "A minute. caller_hung_up and agent_hung_up are good endings; number_unknown and the like were refused and never answered.",
            unit: "cpm",
            isStacked: true,
          },
          ["{{direction}} {{reason}}", seen(perMinute("calls_ended_total", "direction, reason"))],
        ),
        graph(
          "Failed calls",
          {
            description:
              "Share of the answered calls that ended. The reasons beside it say whose fault: agent_failed is the agent's, media_lost the network's or Twilio's, call_error and worker_lost ours.",
            unit: "percentunit",
            warnAt: 0.01,
            badAt: 0.05,
          },
          [
            "failed",
            `${total("calls_ended_total", "", FAILED)} / clamp_min(${total("calls_ended_total", "", ANSWERED)}, 0.001)`,
          ],
        ),
      ],
    },
    {
      title: "Webhooks and admission",
      panels: [
        quantiles(
          "Webhook latency",
          {
            description:
              "From a webhook's last byte to its answer. Milliseconds are normal; Twilio gives up after 15 s.",
            warnAt: 0.1,
            badAt: 1,
          },
          "webhook_duration_seconds",
        ),
        graph(
          "Webhook answers",
          {
            description:
              "A minute. forbidden: signatures don't fit, mostly because PUBLIC_BASE_URL is not exactly what Twilio calls. busy: full or shutting down.",
            unit: "cpm",
            isStacked: true,
          },
          ["{{answer}}", seen(perMinute("webhook_answers_total", "answer"))],
        ),
        graph(
          "Admission pressure",
          {
            description:
              "How near each signal is to its limit, on the worst gateway. At 100 % no call is admitted until it has been lower for a while.",
            unit: "percentunit",
            warnAt: 0.8,
            badAt: 1,
          },
          ["{{signal}}", `max by (signal) (${of("admission_pressure")})`],
        ),
      ],
    },
    {
      title: "What callers hear",
      panels: [
        graph(
          "Frames lost or late",
          {
            description:
              "20 ms pieces of audio that callers or agents missed, of all of them. Above 0.1 % people notice.",
            unit: "percentunit",
            warnAt: 0.001,
            badAt: 0.01,
          },
          [
            "from callers",
            `${total("frames_total", "", LOST_IN)} / clamp_min(${total("frames_total", "", 'direction="in"')}, 1)`,
          ],
          [
            "to callers",
            `${total("frames_total", "", LOST_OUT)} / clamp_min(${total("frames_total", "", 'direction="out"')}, 1)`,
          ],
        ),
        graph(
          "Turn latency",
          {
            description:
              "From the end of the caller's speech until they hear the answer. From a second on a pause is felt; the telephony dashboard shows whose share is how large.",
            unit: "s",
            warnAt: 1,
            badAt: 3,
          },
          ["p50", quantile(0.5, "turn_heard_seconds")],
          ["p95", quantile(0.95, "turn_heard_seconds")],
        ),
        graph(
          "Worker deaths and moved calls",
          {
            description:
              "A minute. A call that moves has a gap of at most a second. stuck: an agent's code held its thread for half a second.",
            unit: "cpm",
          },
          ["{{why}}", perMinute("worker_deaths_total", "why")],
          ["calls moved", perMinute("calls_replaced_total")],
        ),
      ],
    },
  ]);
