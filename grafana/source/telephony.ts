// What lies outside: agents on one side, Twilio on the other.
import { dashboard, graph, quantiles } from "./panels.ts";
import { of, perMinute, quantile, seen } from "./queries.ts";

/** The median, and what one in twenty exceeds. */
const share = (legend: string, name: string): readonly [string, string][] => [
  [`${legend} p50`, quantile(0.5, name)],
  [`${legend} p95`, quantile(0.95, name)],
];

export const telephony = (): string =>
  dashboard("linecard-telephony", "Linecard: telephony and agents", "Whose fault is it?", [
    {
      title: "Agents",
      panels: [
        graph(
          "Failed tries to reach agents",
          {
            description:
              "A minute, by why; a call makes a few before it gives up. dns, refused, timeout, tls: the network or the agent's server. status and protocol: it answers, but not as an agent. address: the workflow names a host that is not allowed. breaker: not tried after many failures.",
            unit: "cpm",
          },
          ["{{failure}}", perMinute("agent_connect_failures_total", "failure")],
        ),
        quantiles(
          "Time to reach an agent",
          {
            description: "From the first try until it was ready. It is dialled while Twilio still connects.",
            warnAt: 1,
            badAt: 3,
          },
          "agent_connect_seconds",
        ),
        graph(
          "Agents that broke off",
          {
            description:
              "A minute, in mid-call. reconnected: the caller heard a pause. failed: the caller heard an apology.",
            unit: "cpm",
          },
          ["{{result}}", perMinute("agent_drops_total", "result")],
        ),
        graph(
          "Agents that misbehave",
          {
            description:
              "A minute. paused: sends far faster than it is heard, and is made to wait. behind: reads too slowly. error: what it says of itself. The rest are messages that were not obeyed.",
            unit: "cpm",
          },
          ["paused", perMinute("agent_pauses_total")],
          ["behind", perMinute("agent_behind_total")],
          ["error", perMinute("agent_errors_total")],
          ["{{what}}", perMinute("agent_messages_refused_total", "what", 'what!="stale_audio"')],
        ),
        graph(
          "Interruptions",
          { description: "A minute: who unsaid an agent's words.", unit: "cpm" },
          ["{{by}}", perMinute("interruptions_total", "by")],
          ["utterances cut", perMinute("utterances_total", "", 'is_interrupted="true"')],
          ["utterances heard", perMinute("utterances_total", "", 'is_interrupted="false"')],
        ),
        graph(
          "Audio formats",
          {
            description:
              "Agents that became ready, a minute. transcoded ones cost about twice the CPU of passthrough.",
            unit: "cpm",
            isStacked: true,
          },
          ["{{path}}", perMinute("agent_formats_total", "path")],
        ),
      ],
    },
    {
      title: "Turns: where the time goes",
      panels: [
        graph(
          "The agent's share",
          {
            description: "From the end of the caller's speech to the first byte of the answer.",
            unit: "s",
            warnAt: 1,
            badAt: 3,
          },
          ...share("agent", "turn_agent_seconds"),
        ),
        graph(
          "The gateway's share",
          {
            description:
              "From that byte until the first frame is on its way. Up to 20 ms; above, see the media engine.",
            unit: "s",
            warnAt: 0.02,
            badAt: 0.05,
          },
          ...share("forward", "turn_forward_seconds"),
        ),
        graph(
          "The whole turn",
          {
            description:
              "Until the caller heard it, as Twilio's marks say: both shares and the way to Twilio.",
            unit: "s",
            warnAt: 1,
            badAt: 3,
          },
          ...share("heard", "turn_heard_seconds"),
        ),
        graph(
          "First words",
          {
            description: "Until the agent's first frame, since the webhook and since the stream began.",
            unit: "s",
            warnAt: 2,
            badAt: 5,
          },
          ["p50 since {{since}}", quantile(0.5, "first_audio_seconds", "since")],
          ["p95 since {{since}}", quantile(0.95, "first_audio_seconds", "since")],
        ),
        graph(
          "Until an interrupted agent falls silent",
          {
            description:
              "From the first sound of a caller who interrupts until the clear is on its way: as long as it takes to be sure that it is speech.",
            unit: "s",
            warnAt: 0.3,
            badAt: 0.5,
          },
          ...share("clear", "interruption_seconds"),
        ),
        graph(
          "What the gateway says itself",
          {
            description:
              "A minute. comfort: the agent keeps the caller waiting. apology: the call can't go on. Speech that callers began stands beside it.",
            unit: "cpm",
          },
          ["{{prompt}}", perMinute("prompts_total", "prompt")],
          [
            "callers' speech, interrupting: {{is_interrupting}}",
            perMinute("speech_started_total", "is_interrupting"),
          ],
        ),
      ],
    },
    {
      title: "Twilio: calls out and numbers",
      panels: [
        graph(
          "Calls asked for",
          {
            description:
              "A minute, by what came of it. unknown: Twilio didn't answer, and is asked what it knows; nobody is dialled twice. Callbacks out of order do no harm.",
            unit: "cpm",
          },
          ["{{result}}", perMinute("outbound_submissions_total", "result")],
          ["callbacks out of order", perMinute("call_status_late_total")],
          ["being dialled now", `sum(${of("calls_dialling")})`],
        ),
        graph(
          "Failed requests to Twilio's API",
          {
            description:
              "A minute. credentials: the token was changed at Twilio. suspended: the account. rate_limited: more than it allows. The rest is the network.",
            unit: "cpm",
          },
          ["{{request}} {{kind}}", seen(perMinute("twilio_api_errors_total", "request, kind"))],
        ),
        graph(
          "Numbers by how they stand",
          {
            description:
              "Webhooks of phone numbers at Twilio. drifted: somebody else's address stands there. failed: the API says why and what to do.",
            unit: "short",
            isStacked: true,
          },
          ["{{sync}}", `sum by (sync) (${of("numbers")})`],
        ),
        graph(
          "Looks at numbers",
          { description: "A minute, by how the number stood after it.", unit: "cpm" },
          ["{{result}}", seen(perMinute("number_sync_total", "result"))],
        ),
        graph(
          "Call records waiting",
          {
            description:
              "For the database. Those of live calls wait for up to a second; many more than there are calls: it can't write. At 5,000 callers hear busy.",
            unit: "short",
            badAt: 2_500,
          },
          ["{{instance}}", `sum by (instance) (${of("call_records_waiting")})`],
        ),
        quantiles(
          "How long people talk",
          { description: "From a stream's start to the call's end." },
          "call_duration_seconds",
        ),
      ],
    },
    {
      title: "Twilio: streams and strangers",
      panels: [
        graph(
          "Streams refused",
          {
            description:
              "Upgrades a minute, by why. signature: STREAM_BASE_URL or PUBLIC_BASE_URL is not what Twilio calls. token_expired: Twilio came late. Strangers cause the rest.",
            unit: "cpm",
          },
          ["{{reason}}", perMinute("stream_refused_total", "reason")],
        ),
        graph(
          "Broken contracts",
          {
            description:
              "A minute: what accepted streams did that Twilio's don't. silent: gone without a word.",
            unit: "cpm",
          },
          ["{{violation}}", perMinute("stream_violations_total", "violation")],
          ["silent", perMinute("stream_silent_total")],
        ),
        graph(
          "Sockets closed",
          {
            description:
              "Media sockets a minute, by close code. 1006: broke off, the network or Twilio. 1008: we closed it for a broken contract. 1009: too large a message. 1011: a fault of ours.",
            unit: "cpm",
            isStacked: true,
          },
          ["{{code}}", perMinute("media_sockets_closed_total", "code")],
        ),
        graph(
          "Connections refused",
          {
            description:
              "A minute. limit: too many at all. address: too many of one address that ask nothing.",
            unit: "cpm",
          },
          ["{{reason}}", perMinute("connections_refused_total", "reason")],
          ["open now", `sum(${of("connections")})`],
        ),
        graph(
          "Recordings",
          {
            description: "A minute. failed: the disk; calls go on without.",
            unit: "cpm",
          },
          ["{{state}}", perMinute("recordings_total", "state")],
        ),
        graph(
          "Missing from recordings",
          { description: "Seconds of audio a minute that the disk was too slow for.", unit: "s" },
          ["missing", perMinute("recording_dropped_seconds_total")],
        ),
      ],
    },
  ]);
