// What operators rely on, asked of Prometheus itself: our metrics' names, and whether every panel of the dashboards
// shows something and every alert finds what it asks about, once there were calls. The gateway is real, its calls come from the offline Twilio.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { WRONG_SIGNATURE } from "../../src/twin/webhook.ts";
import { ECHO_NUMBER, type Story, startStory } from "../support/gateway.ts";
import { tone } from "../support/sound.ts";
import { until } from "../support/until.ts";
import { GRAFANA, PrometheusServer, promtool, type Rule } from "./prometheus.ts";

const UNKNOWN_NUMBER = "+12025550177";
/** Scrapes that a rate over `WINDOW` wants to have seen. */
const SCRAPES = 12;
const WINDOW = "10s";

/** What Grafana puts in the place of its variables. */
const VARIABLES: readonly (readonly [variable: string, value: string])[] = [
  ["$__rate_interval", WINDOW],
  ["$__range", WINDOW],
  ["$instance", ".*"],
];

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const files = readdirSync(join(GRAFANA, "dashboards"));
const dashboards = files.map((file) => {
  const { title, panels } = JSON.parse(readFileSync(join(GRAFANA, "dashboards", file), "utf8")) as {
    title: string;
    panels: Panel[];
  };
  return { title, panels: panels.filter(({ type }) => type !== "row") };
});

/** An hour of a gateway's life in a few seconds. */
async function live({ twilio, gateway }: Story): Promise<void> {
  const echo = async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const stream = await call.connect();
    stream.say(tone(440, 600));
    await stream.hasPlayed(600);
    await call.hangUp();
    await call.settled();
  };
  await Promise.all([echo(), echo(), twilio.dial({ to: UNKNOWN_NUMBER })]);
  await twilio.dial({ to: ECHO_NUMBER, signing: WRONG_SIGNATURE });
  await until("the calls to be over", () => gateway.calls.size === 0);
}

const story = await startStory();
const prometheus = await PrometheusServer.start(new URL(story.origin).host);
// Some calls before most scrapes and some between them, as a rate wants to see a change.
await live(story);
const scrapes = async () =>
  Number((await prometheus.query('count_over_time(up{job="linecard"}[1m])'))[0]?.value[1] ?? 0);
await until("the first scrapes", async () => (await scrapes()) >= 2, 20_000);
await live(story);
await until("enough scrapes", async () => (await scrapes()) >= SCRAPES, 30_000);

describe("Prometheus, watching a gateway with calls", () => {
  it("finds it up, and nothing to complain of in its metrics' names", async () => {
    const [up] = await prometheus.query('up{job="linecard"}');
    assert.equal(up?.value[1], "1");
    await promtool(["check", "metrics"], await (await fetch(`${story.origin}/metrics`)).text());
  });

  for (const { title, panels } of dashboards) {
    it(`has something for every panel of "${title}"`, async () => {
      assert.ok(panels.length > 10, `${panels.length} panels`);
      for (const panel of panels) {
        const where = `${title}: ${panel.title}`;
        assert.match(panel.description ?? "", /\.$/, `${where} explains itself`);
        assert.ok(panel.targets !== undefined && panel.targets.length > 0, where);
        for (const { expr } of panel.targets) {
          const query = VARIABLES.reduce((text, [name, value]) => text.replaceAll(name, value), expr);
          assert.ok(!query.includes("$"), `${where}: ${query}`);
          await prometheus.query(query);
          const unfiltered = query.replace(/ > 0$/, "");
          assert.notEqual(
            (await prometheus.query(unfiltered)).length,
            0,
            `${where}: nothing for ${unfiltered}`,
          );
        }
      }
    });
  }

  it("reads every alert, finds all that it asks about, and is not alarmed", async () => {
    let alerts: readonly Rule[] = [];
    await until("every alert to have been looked at", async () => {
      alerts = await prometheus.alerts();
      return alerts.every(({ health }) => health !== "unknown");
    });
    assert.ok(alerts.length > 15, `${alerts.length} alerts`);
    for (const { name, query, labels, annotations, health } of alerts) {
      assert.equal(health, "ok", name);
      assert.match(labels.severity ?? "", /^(critical|warning)$/, name);
      assert.deepEqual(Object.keys(annotations).sort(), ["first_step", "impact", "summary"], name);
      for (const text of Object.values(annotations)) assert.match(text, /[.?]$/, `${name}: ${text}`);
      for (const selector of selectorsIn(query))
        assert.notEqual((await prometheus.query(selector)).length, 0, `${name}: nothing for ${selector}`);
    }
    const firing = await prometheus.query('ALERTS{alertstate="firing"}');
    assert.deepEqual(
      firing.map(({ metric }) => metric.alertname),
      [],
    );
  });
});

/** Every selector of a query, and one for each value that a label may have in it: a mistyped one selects nothing. */
function selectorsIn(query: string): string[] {
  const selectors = query.match(/\b(?:linecard_\w+|up)(?:\{[^}]*\})?/g) ?? [];
  return selectors.flatMap((selector) => {
    const choice = /(=~|!~)"([^"]*\|[^"]*)"/.exec(selector);
    if (choice === null) return [selector];
    const values = choice[2]!.split("|");
    return values.map((value) => selector.replace(choice[0], `=~"${value}"`));
  });
}
