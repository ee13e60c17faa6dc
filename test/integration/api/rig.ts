// The API on a free port: real routes, keys, store and directory, without calls.
import { createSecretKey, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Clock, systemClock } from "../../../src/domain/clock.ts";
import { type Operation, routesOf } from "../../../src/http/operation.ts";
import { loadAgentReaders } from "../../../src/media/agents/readers.ts";
import { Directory } from "../../../src/numbers/directory.ts";
import { apiKeyOperations } from "../../../src/organization/apiKeyOperations.ts";
import { ApiKeys, type MetricsDoor } from "../../../src/organization/apiKeys.ts";
import { preferencesOperations } from "../../../src/organization/preferencesOperations.ts";
import { openStore, type Store } from "../../../src/store/store.ts";
import { workflowOperations } from "../../../src/workflows/workflowOperations.ts";
import { ApiClient } from "../../support/api.ts";
import { API_KEY } from "../../support/gateway.ts";
import { startFront } from "../front/rig.ts";

export interface ApiRigOptions {
  readonly clock?: Clock;
  readonly environmentKey?: string | undefined;
  readonly metrics?: MetricsDoor;
  readonly operations?: readonly Operation[];
}

export interface ApiRig {
  readonly origin: string;
  readonly client: ApiClient;
  readonly store: Store;
  readonly keys: ApiKeys;
  readonly directory: Directory;
  /** What was answered with a 500. */
  readonly errors: readonly unknown[];
  /** Everything the database has on disk. */
  bytes(): Buffer;
}

export async function startApi(t: TestContext, options: ApiRigOptions = {}): Promise<ApiRig> {
  const { clock = systemClock, metrics } = options;
  const folder = mkdtempSync(join(tmpdir(), "linecard-api-"));
  const store = await openStore(join(folder, "linecard.db"), createSecretKey(randomBytes(32)));
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const agentTypes = await loadAgentReaders([]);
  const directory = new Directory({ configurations: [], numbers: [], workflows: [] }, agentTypes, true);
  const environmentKey = "environmentKey" in options ? options.environmentKey : API_KEY;
  const keys = await ApiKeys.load(store, clock, environmentKey, metrics);
  const operations = [
    ...apiKeyOperations(keys),
    ...workflowOperations({ store, directory, clock, agentTypes }),
    ...preferencesOperations({ store }),
    ...(options.operations ?? []),
  ];
  const { port, errors } = await startFront(t, { routes: routesOf(operations, keys.authenticate), clock });
  const origin = `http://127.0.0.1:${port}`;
  return {
    origin,
    client: new ApiClient(origin),
    store,
    keys,
    directory,
    errors,
    bytes: () => Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name)))),
  };
}
