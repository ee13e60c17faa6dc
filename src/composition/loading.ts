// What a start takes from the store into memory.
import { CallLog, type CallLogObserver } from "../calls/log/callLog.ts";
import type { CallRecord } from "../calls/log/records.ts";
import type { Clock } from "../domain/clock.ts";
import type { DefinitionId } from "../domain/ids.ts";
import type { AgentReaders } from "../media/agents/readers.ts";
import { type Answerer, Directory } from "../numbers/directory.ts";
import type { Store } from "../store/store.ts";

/** Records of past calls: Twilio may still ask about them. */
const RECORDS_KEPT = 1_000;

export async function loadDirectory(
  store: Store,
  types: AgentReaders,
  takesDemo: boolean,
): Promise<Directory> {
  const [configurations, numbers, workflows] = await Promise.all([
    store.configurations.all(),
    store.numbers.all(),
    store.workflows.all(),
  ]);
  return new Directory({ configurations, numbers, workflows }, types, takesDemo);
}

export async function loadCallLog(store: Store, clock: Clock, observer: CallLogObserver): Promise<CallLog> {
  const [lastRun, records] = await Promise.all([
    store.records.lastRun(),
    store.records.current(RECORDS_KEPT),
  ]);
  return new CallLog(store.records, { lastRun, records }, clock, observer);
}

/** Who talks on calls that were not over when the gateway went away, each in the version it began with. */
export async function loadAnswerers(
  store: Store,
  directory: Directory,
  open: readonly CallRecord[],
): Promise<ReadonlyMap<DefinitionId, Answerer>> {
  const answerers = new Map<DefinitionId, Answerer>();
  const ids = new Set(open.map(({ definitionId }) => definitionId).filter((id) => id !== undefined));
  for (const id of ids) {
    const version = await store.workflows.version(id);
    const answerer = version && directory.answererIn(version);
    if (answerer !== undefined && "brief" in answerer) answerers.set(id, answerer);
  }
  return answerers;
}
