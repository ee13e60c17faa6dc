// The scrape.
import { Encoded, type Operation, operation } from "../http/operation.ts";
import type { Metrics } from "./metrics.ts";

export function metricsOperations(metrics: Metrics): readonly Operation[] {
  const { contentType } = metrics.registry;
  return [
    operation({
      method: "GET",
      path: "/metrics",
      access: "metrics",
      tag: "Metrics",
      summary: "All metrics, for Prometheus.",
      answer: contentType,
      run: async () => new Encoded(contentType, await metrics.registry.metrics()),
    }),
  ];
}
