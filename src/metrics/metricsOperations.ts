// The scrape.
import { Encoded, type Operation, operation } from "../http/operation.ts";
import type { Metrics } from "./metrics.ts";

export function metricsOperations(metrics: Metrics): readonly Operation[] {
  const { registry } = metrics;
  return [
    operation({
      method: "GET",
      path: "/metrics",
      access: "metrics",
      tag: "Health",
      summary: "Everything that is counted and measured, for Prometheus.",
      answer: registry.contentType,
      run: async () => new Encoded(registry.contentType, await metrics.render()),
    }),
  ];
}
