// Records of calls as tests of the call log want them: by hand, and many at random.
import fc from "fast-check";
import type { RecordChange } from "../../../../src/calls/log/records.store.ts";
import { type CallRecord, endedByOf, newRecord } from "../../../../src/calls/log/records.ts";
import { OUTCOMES, type Outcome } from "../../../../src/domain/endings.ts";
import {
  AccountSid,
  CallSid,
  ConfigurationId,
  DefinitionId,
  NumberId,
  RunId,
  WorkflowId,
} from "../../../../src/domain/ids.ts";
import type { Store } from "../../../../src/store/store.ts";

/** 2026-04-01T00:00:00Z. */
export const EPOCH_MS = 1_775_001_600_000;

/** An inbound call of workflow 1, a minute after the run before it; over after 10 s, 8 of them talked. */
export function storedRun(run: number, changes: Partial<CallRecord> = {}): CallRecord {
  const atMs = EPOCH_MS + run * 60_000;
  const facts = {
    callSid: CallSid(`CA${String(run).padStart(32, "0")}`),
    accountSid: AccountSid(`AC${"0".repeat(32)}`),
    configurationId: ConfigurationId(1),
    direction: "inbound" as const,
    from: "+12025550150",
    to: "+12025550100",
    numberId: NumberId(1),
    workflowId: WorkflowId(1),
    workflowVersion: 1,
    definitionId: DefinitionId(1),
  };
  const whole = {
    ...newRecord(RunId(run), facts, atMs),
    state: "ended" as const,
    startedAtMs: atMs + 2_000,
    endedAtMs: atMs + 10_000,
    outcome: "caller_hung_up" as const,
    endedBy: "caller" as const,
    ...changes,
  };
  return whole;
}

/** Writes them as the call log does, in batches. */
export async function saveRuns(store: Store, records: Iterable<CallRecord>): Promise<void> {
  let batch: RecordChange[] = [];
  for (const { events, ...record } of records) {
    batch.push({ record, firstOrdinal: 0, events });
    if (batch.length < 1_000) continue;
    await store.records.save(batch);
    batch = [];
  }
  await store.records.save(batch);
}

const NUMBERS = ["+12025550100", "+12025550101", "+4930123456", "anonymous", "sip:a_b%@example.com", ""];

/** A record with this run: live or over, of any workflow or none, with many values that are equal. */
export function anyRun(run: number): fc.Arbitrary<CallRecord> {
  return fc
    .record({
      minute: fc.integer({ min: 0, max: 20 }),
      ringMs: fc.constantFrom(0, 400, 12_000),
      talkMs: fc.constantFrom(-5_000, 0, 499, 500, 1_499, 60_000, 61_000, 3_600_000),
      started: fc.boolean(),
      outcome: fc.option(fc.constantFrom<Outcome>(...OUTCOMES), { nil: undefined }),
      direction: fc.constantFrom("inbound" as const, "outbound" as const),
      from: fc.constantFrom(...NUMBERS),
      to: fc.constantFrom(...NUMBERS),
      mode: fc.constantFrom("twilio", "smallwebrtc", "textchat", "other"),
      workflow: fc.constantFrom(undefined, 1, 2),
    })
    .map(({ minute, ringMs, talkMs, started, outcome, workflow, ...rest }) => {
      const receivedAtMs = EPOCH_MS + minute * 60_000;
      const startedAtMs = started ? receivedAtMs + ringMs : undefined;
      return storedRun(run, {
        ...rest,
        receivedAtMs,
        startedAtMs,
        endedAtMs: outcome && receivedAtMs + ringMs + talkMs,
        outcome,
        endedBy: outcome && endedByOf(outcome, rest.direction),
        state: outcome === undefined ? "ringing" : "ended",
        workflowId: workflow === undefined ? undefined : WorkflowId(workflow),
      });
    });
}
