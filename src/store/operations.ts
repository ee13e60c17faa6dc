// Every operation of the store, by feature. They run in the store's thread, one after the other; the front thread
// sees them as promises (store.ts).

import { recordStore } from "../calls/log/records.store.ts";
import { runStore } from "../calls/log/runs.store.ts";
import { idempotencyStore } from "../calls/outbound/idempotency.store.ts";
import { configurationStore } from "../numbers/configurations/configurations.store.ts";
import { numberStore } from "../numbers/numbers.store.ts";
import { apiKeyStore } from "../organization/apiKeys.store.ts";
import { preferencesStore } from "../organization/preferences.store.ts";
import { workflowStore } from "../workflows/workflows.store.ts";
import { metaStore } from "./meta.store.ts";
import type { Db } from "./open.ts";
import type { Vault } from "./vault.ts";

/** Prepares every feature's statements. */
export function prepareOperations(db: Db, vault: Vault) {
  return {
    meta: metaStore(db),
    apiKeys: apiKeyStore(db),
    preferences: preferencesStore(db),
    workflows: workflowStore(db, vault),
    configurations: configurationStore(db, vault),
    numbers: numberStore(db),
    records: recordStore(db),
    idempotency: idempotencyStore(db),
    runs: runStore(db, vault),
  };
}

export type Operations = ReturnType<typeof prepareOperations>;
