// What the gateway has counted, as a scrape would show it.
import assert from "node:assert/strict";
import type { Gateway } from "../../src/gateway.ts";

/** The sum of a metric's samples that have these labels. `name` is without the `linecard_` in front. */
export async function counted(
  gateway: Gateway,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const metric = gateway.metrics.registry.getSingleMetric(`linecard_${name}`);
  assert(metric, `there is no metric linecard_${name}`);
  const { values } = await metric.get();
  const wanted = Object.entries(labels);
  const ours = values.filter((sample) =>
    wanted.every(([label, value]) => (sample.labels as Record<string, unknown>)[label] === value),
  );
  return ours.reduce((sum, { value }) => sum + value, 0);
}
