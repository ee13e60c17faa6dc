// docs/metrics.md, made from the metrics themselves: it can't be out of date while its test passes.
import type { MetricObjectWithValues, MetricValue } from "prom-client";
import { newMetrics } from "../../src/composition/newMetrics.ts";
import type { Clock } from "../../src/domain/clock.ts";
import { WorkerCounts } from "../../src/lane/counts.ts";
import { SyncTally } from "../../src/numbers/sync/syncTally.ts";

type Family = MetricObjectWithValues<MetricValue<string>>;

const INTRODUCTION = `# Metrics

\`GET /metrics\` gives all of them in Prometheus' text format. It wants \`METRICS_TOKEN\` or an API key as
\`Authorization: Bearer …\`, unless \`HOST\` and \`PUBLIC_BASE_URL\` are both loopback. Every series is there from the start,
at 0, and no label is a call, a number or an account: their number doesn't grow. Dashboards and alerts over them are in
[grafana/](../grafana/compose.yaml).

This page is made by \`npm run generate\` from the code.

| Metric | Type | Labels | What it is |
| --- | --- | --- | --- |
`;

const STILL: Clock = { nowMs: () => 0, wallMs: () => 0, every: () => () => {} };

/** The page, whole. */
export async function metricsPage(): Promise<string> {
  const metrics = newMetrics(STILL);
  metrics.watch({
    workerCounts: () => new WorkerCounts(),
    pool: () => ({ workers: 0, callsWaiting: 0, laneDepthMs: 0, laneDrops: 0 }),
    callsLive: () => 0,
    callsDialling: () => 0,
    numbersBySync: () => new SyncTally(STILL).counts(),
    recordsWaiting: () => 0,
    callsMax: 0,
    descriptorsMax: 0,
    sockets: () => ({ media: 0, connections: 0 }),
    isDraining: () => false,
  });
  const families = (await metrics.registry.getMetricsAsJSON()) as Family[];
  return INTRODUCTION + families.map(row).join("");
}

function row({ name, type, help, values }: Family): string {
  return `| \`${name}\` | ${type}${bounds(values)} | ${labels(values)} | ${help} |\n`;
}

/** From the lowest bound to the highest. */
function bounds(values: Family["values"]): string {
  const finite = values.map(({ labels: { le } }) => Number(le)).filter(Number.isFinite);
  if (finite.length === 0) return "";
  return `, ${seconds(Math.min(...finite))} to ${seconds(Math.max(...finite))}`;
}

function seconds(s: number): string {
  return s < 1 ? `${s * 1_000} ms` : `${s} s`;
}

function labels(values: Family["values"]): string {
  const known = new Map<string, Set<string>>();
  for (const [label, value] of values.flatMap((each) => Object.entries(each.labels))) {
    if (label === "le") continue;
    known.set(label, (known.get(label) ?? new Set()).add(String(value)));
  }
  return [...known].map(([label, each]) => `\`${label}\`: ${[...each].join(", ")}`).join("<br>");
}
