// Every operation of the API, in one list: what is served and what is described are made from it.
import { readFileSync } from "node:fs";
import type { LiveCalls } from "../calls/live/liveCalls.ts";
import type { CallLog } from "../calls/log/callLog.ts";
import { runOperations } from "../calls/log/runOperations.ts";
import { downloadOperations } from "../calls/recordings/downloadOperations.ts";
import type { RecordingsFolder } from "../calls/recordings/folder.ts";
import type { RunLinks } from "../calls/recordings/links.ts";
import type { Clock } from "../domain/clock.ts";
import { withOpenApi } from "../http/openapi.ts";
import type { Operation } from "../http/operation.ts";
import type { AgentReaders } from "../media/agents/readers.ts";
import { healthOperations } from "../metrics/healthOperations.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { metricsOperations } from "../metrics/metricsOperations.ts";
import type { Directory } from "../numbers/directory.ts";
import { apiKeyOperations } from "../organization/apiKeyOperations.ts";
import type { ApiKeys } from "../organization/apiKeys.ts";
import { preferencesOperations } from "../organization/preferencesOperations.ts";
import type { Store } from "../store/store.ts";
import { workflowOperations } from "../workflows/workflowOperations.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};

export interface ApiParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly directory: Directory;
  readonly records: CallLog;
  readonly calls: LiveCalls;
  readonly folder: RecordingsFolder;
  readonly links: RunLinks;
  readonly keys: ApiKeys;
  readonly metrics: Metrics;
  readonly agentTypes: AgentReaders;
  readonly publicBase: () => string;
  /** Those that need more than this file knows of. */
  readonly more: readonly Operation[];
}

export function apiOperations(parts: ApiParts): readonly Operation[] {
  const { calls, metrics, keys, publicBase } = parts;
  const operations = [
    ...workflowOperations(parts),
    ...runOperations(parts),
    ...downloadOperations(parts),
    ...parts.more,
    ...preferencesOperations(parts),
    ...apiKeyOperations(keys),
    ...healthOperations({
      version,
      publicBase,
      callsLive: () => calls.size,
      isDraining: () => calls.isDraining,
      loopLag: () => metrics.loopLag(),
    }),
    ...metricsOperations(metrics),
  ];
  return withOpenApi(operations, {
    title: "Linecard",
    version,
    description: "Configures Linecard, places calls, and reads the call log.",
    serverUrl: publicBase,
  });
}
