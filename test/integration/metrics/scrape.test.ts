// The scrape, as Prometheus sees it: what there is, what it says after calls of known kinds, who may have it, and that
// no call makes it grow.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CALLER, VOICE_PATH } from "../../../src/twin/call.ts";
import { inboundParams } from "../../../src/twin/params.ts";
import type { TwinStream } from "../../../src/twin/stream.ts";
import { WRONG_SIGNATURE } from "../../../src/twin/webhook.ts";
import {
  ACCOUNT_SID,
  ECHO_NUMBER,
  type Story,
  startStory,
  TEST_AGENT_NUMBER,
} from "../../support/gateway.ts";
import { Scrape } from "../../support/prometheus.ts";
import { tone } from "../../support/sound.ts";
import { until } from "../../support/until.ts";

const UNKNOWN_NUMBER = "+12025550177";

async function scrape({ origin }: Story): Promise<Scrape> {
  const response = await fetch(`${origin}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  return new Scrape(await response.text());
}

/** What checks and dashboards rely on: name, type and labels. */
const FAMILIES: readonly (readonly [name: string, type: string, labels: readonly string[]])[] = [
  ["calls_live", "gauge", []],
  ["calls_max", "gauge", []],
  ["calls_ended_total", "counter", ["direction", "reason"]],
  ["call_duration_seconds", "histogram", []],
  ["call_wait_seconds", "histogram", []],
  ["calls_waiting", "gauge", []],
  ["webhook_answers_total", "counter", ["answer"]],
  ["webhook_duration_seconds", "histogram", []],
  ["stream_refused_total", "counter", ["reason"]],
  ["stream_violations_total", "counter", ["violation"]],
  ["frames_total", "counter", ["direction", "fate"]],
  ["playout_lateness_seconds", "histogram", []],
  ["lane_depth_seconds", "gauge", []],
  ["worker_deaths_total", "counter", ["why"]],
  ["calls_replaced_total", "counter", []],
  ["workers", "gauge", []],
  ["event_loop_delay_seconds", "histogram", []],
  ["marks_total", "counter", []],
  ["faults_total", "counter", ["where"]],
  ["call_errors_total", "counter", []],
  ["messages_malformed_total", "counter", []],
  ["media_sockets", "gauge", []],
  ["connections", "gauge", []],
  ["connections_refused_total", "counter", ["reason"]],
  ["process_cpu_seconds_total", "counter", []],
  ["process_resident_memory_bytes", "gauge", []],
];

/** That these are all of them, but for at most ten. */
function assertAlmost(some: number, all: number): void {
  assert.ok(some <= all && some > all - 10, `${some} of ${all}`);
}

describe("the scrape", () => {
  it("has every metric from the start, with its help, its type and all its series", async () => {
    const story = await startStory({ env: { CALLS_MAX: "25" } });
    const read = await scrape(story);
    const { families } = read;
    for (const [name, type, labels] of FAMILIES) {
      const family = families.get(`linecard_${name}`);
      assert.ok(family, `there is no linecard_${name}`);
      assert.equal(family.type, type, name);
      assert.match(family.help, /^[A-Z0-9].*\.$/, `${name} is explained in a sentence`);
      assert.ok(family.samples.length > 0, `${name} has values before anything happened`);
      for (const sample of family.samples) {
        const own = Object.keys(sample.labels).filter((label) => label !== "le");
        assert.deepEqual(own.sort(), labels, name);
        if (type === "counter" && !name.startsWith("process_")) assert.equal(sample.value, 0, name);
      }
    }
    for (const name of families.keys()) assert.match(name, /^linecard_/);
    const fates = families
      .get("linecard_frames_total")!
      .samples.map(({ labels }) => `${labels.direction} ${labels.fate}`)
      .sort();
    assert.deepEqual(fates, [
      ...["in concealed", "in dropped_agent", "in dropped_lane", "in heard", "in late"],
      ...["out dropped_clear", "out dropped_lane", "out dropped_queue", "out dropped_socket"],
      ...["out sent"],
    ]);
    assert.equal(read.value("calls_max"), 25);
    assert.equal(read.value("workers"), 2);
    await until("the event loop to be looked at", async () => {
      return (await scrape(story)).value("event_loop_delay_seconds_count") > 0;
    });
  });

  it("counts what happened", async () => {
    const story = await startStory();
    const { gateway, twilio, origin } = story;
    const publicBase = gateway.settings.publicBase.href;

    const call = await twilio.dial({ to: ECHO_NUMBER });
    assert.equal((await scrape(story)).value("calls_live"), 1);
    const stream = await call.connect();
    assert.equal((await scrape(story)).value("media_sockets"), 1);
    stream.say(tone(440, 500));
    await stream.hasPlayed(800);
    assert.equal((await call.repeatWebhook()).status, 200);
    const used = new URL(stream.facts.publicUrl).pathname;
    await call.hangUp();
    await call.settled();

    const silent = await twilio.dial({ to: TEST_AGENT_NUMBER });
    const keys = await silent.connect();
    keys.press("1");
    await keys.hasPlayed(300);
    keys.press("*");
    await keys.next("clear");
    keys.press("3");
    assert.equal((await silent.ended).how, "agent");
    await silent.settled();

    for (let times = 0; times < 3; times++) await twilio.dial({ to: UNKNOWN_NUMBER });
    await twilio.dial({ to: ECHO_NUMBER, signing: WRONG_SIGNATURE });
    await twilio.dial({ to: ECHO_NUMBER, signing: "missing" });
    const streamBase = publicBase.replace(/^http/, "ws");
    for (const path of ["/media/", "/media/nonsense", used])
      assert.equal((await twilio.openStream({ url: streamBase + path }).ended).opened, false);
    const origins = await twilio.openStream({ url: streamBase + used }, { headers: { Origin: origin } })
      .ended;
    assert.equal(origins.opened, false);
    await until("both calls to be over", () => gateway.calls.size === 0);

    const after = await scrape(story);
    const counts = (name: string, label: string): Record<string, number> =>
      Object.fromEntries(
        after.families
          .get(`linecard_${name}`)!
          .samples.filter(({ value }) => value > 0)
          .map(({ labels, value }) => [labels[label]!, value]),
      );
    assert.deepEqual(counts("webhook_answers_total", "answer"), {
      connect: 2,
      repeat: 1,
      reject: 3,
      forbidden: 2,
      hang_up: 2, // after each stream
      noted: 4 + keys.complaints.length, // each stream's beginning and end, and that we closed one
    });
    assert.equal(after.value("webhook_duration_seconds_count"), after.total("webhook_answers_total"));
    assert.deepEqual(counts("calls_ended_total", "reason"), {
      caller_hung_up: 1,
      agent_hung_up: 1,
      number_unknown: 3,
    });
    assert.deepEqual(counts("stream_refused_total", "reason"), {
      token_absent: 1,
      token_malformed: 1,
      token_used: 1,
      origin: 1,
    });
    assert.equal(after.value("call_duration_seconds_count"), 2);
    assert.equal(after.value("call_wait_seconds_count"), 2);
    for (const name of [
      "calls_live",
      "calls_waiting",
      "media_sockets",
      "faults_total",
      "worker_deaths_total",
    ])
      assert.equal(after.total(name), 0, name);

    const frames = (direction: "in" | "out", fate: string) =>
      after.value("frames_total", { direction, fate });
    const framesOf = ({ received }: TwinStream) =>
      received.reduce(
        (frames, { message }) =>
          frames +
          (message?.event === "media" ? Buffer.from(message.media.payload, "base64").length / 160 : 0),
        0,
      );
    // One fate for each; the last few are still on their way when a call ends.
    const came = frames("in", "heard") + frames("in", "late") + frames("in", "dropped_lane");
    const wentOut = frames("out", "sent");
    const arrived = framesOf(stream) + framesOf(keys);
    assertAlmost(came, stream.framesSent + keys.framesSent);
    assertAlmost(arrived, wentOut);
    // A second of tone, less what had been sent when it was unsaid.
    assert.equal(frames("out", "dropped_clear"), 50 - framesOf(keys));
    const echoedAsHeard = [call, silent]
      .flatMap(({ timeline }) => timeline.events)
      .filter((event) => event.kind === "mark" && event.by === "twilio" && !event.cleared).length;
    assert.ok(after.value("marks_total") > 0 && after.value("marks_total") <= echoedAsHeard);
    assert.equal(after.value("playout_lateness_seconds_count"), wentOut);
    assert.equal(after.value("playout_lateness_seconds_bucket", { le: "+Inf" }), wentOut);
    assert.ok(after.value("playout_lateness_seconds_sum") >= 0);
  });

  it("does not grow with calls, and names none of them", async (t) => {
    const story = await startStory();
    const { gateway, twilio } = story;
    const url = gateway.settings.publicBase.href + VOICE_PATH;
    const answered = await twilio.dial({ to: ECHO_NUMBER });
    await (await answered.connect()).hasPlayed(100);
    await answered.hangUp();

    const before = await scrape(story);
    const names: string[] = [ACCOUNT_SID, ECHO_NUMBER, CALLER, UNKNOWN_NUMBER, answered.sid];
    const refuse = async (n: number) => {
      const callSid = `CA${n.toString(16).padStart(32, "0")}`;
      const [from, to] = [`+1415555${1_000 + n}`, `+1202555${1_000 + n}`];
      names.push(callSid, from, to);
      const { status } = await twilio.post(
        url,
        inboundParams({ accountSid: ACCOUNT_SID, callSid, from, to }),
      );
      assert.equal(status, 200);
    };
    const ways = Array.from({ length: 10 }, async (_, way) => {
      for (let n = way; n < 500; n += 10) await refuse(n);
    });
    await Promise.all(ways);

    const after = await scrape(story);
    assert.deepEqual(after.series, before.series);
    t.diagnostic(`${after.series.length} series`);
    assert.equal(after.value("calls_ended_total", { direction: "inbound", reason: "number_unknown" }), 500);
    const text = await (await fetch(`${story.origin}/metrics`)).text();
    for (const name of names) assert.ok(!text.includes(name.replace("+", "")), name);
  });
});

describe("who may scrape", () => {
  const METRICS_TOKEN = "the token of Prometheus";
  const LINECARD_API_KEY = "an API key of at least 32 characters";

  async function status(story: Story, headers: Record<string, string> = {}): Promise<number> {
    const response = await fetch(`${story.origin}/metrics`, { headers });
    const text = await response.text();
    if (response.status === 401) {
      assert.equal(response.headers.get("www-authenticate"), "Bearer");
      assert.deepEqual(Object.keys(JSON.parse(text)), ["detail"]);
    } else {
      assert.equal(new Scrape(text).value("workers"), 1);
    }
    return response.status;
  }

  it("is whoever has a token or a key, once strangers can reach it", async () => {
    const env = {
      PUBLIC_BASE_URL: "https://gw.example.com",
      HOST: "127.0.0.1",
      METRICS_TOKEN,
      LINECARD_API_KEY,
    };
    const story = await startStory({ env: { ...env, MEDIA_WORKERS: "1" } });
    const refused: Record<string, string>[] = [
      {},
      { Authorization: "Bearer wrong" },
      { Authorization: METRICS_TOKEN },
      { Authorization: `Basic ${METRICS_TOKEN}` },
      { Authorization: `Bearer ${METRICS_TOKEN}x` },
      { "X-API-Key": "" },
      { "X-API-Key": LINECARD_API_KEY.slice(1) },
    ];
    for (const headers of refused) assert.equal(await status(story, headers), 401, JSON.stringify(headers));
    const admitted: Record<string, string>[] = [
      { Authorization: `Bearer ${METRICS_TOKEN}` },
      { Authorization: `bearer ${LINECARD_API_KEY}` },
      { "X-API-Key": LINECARD_API_KEY },
    ];
    for (const headers of admitted) assert.equal(await status(story, headers), 200, JSON.stringify(headers));
    for (const path of ["/livez", "/readyz", "/"])
      assert.equal((await fetch(story.origin + path)).status, 200, `${path} is open to all`);
  });

  it("is nobody, where strangers can reach it and there is no token and no key", async () => {
    const env = { PUBLIC_BASE_URL: "https://gw.example.com", HOST: "127.0.0.1", MEDIA_WORKERS: "1" };
    const story = await startStory({ env });
    for (const headers of [{}, { Authorization: "Bearer " }, { "X-API-Key": "undefined" }])
      assert.equal(await status(story, headers), 401);
  });

  it("is anyone on this machine, where nobody else can reach it", async () => {
    const story = await startStory({ env: { METRICS_TOKEN, MEDIA_WORKERS: "1" } });
    assert.equal(await status(story), 200);
  });
});
