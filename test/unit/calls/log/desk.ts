// A call log whose clock and keeper belong to the test.
import { CallLog } from "../../../../src/calls/log/callLog.ts";
import type { CallFacts, CallLogEvent } from "../../../../src/calls/log/records.ts";
import {
  AccountSid,
  CallSid,
  ConfigurationId,
  DefinitionId,
  NumberId,
  WorkflowId,
} from "../../../../src/domain/ids.ts";
import { ManualClock } from "../../../support/manualClock.ts";
import { MemoryKeeper } from "../../../support/memoryKeeper.ts";

export const facts = (n: number): CallFacts => ({
  callSid: CallSid(`CA${n}`),
  accountSid: AccountSid("AC1"),
  configurationId: ConfigurationId(1),
  direction: "inbound",
  from: "anonymous",
  to: "+12025550100",
  numberId: NumberId(1),
  workflowId: WorkflowId(1),
  workflowVersion: 1,
  definitionId: DefinitionId(1),
  stirVerstat: undefined,
  forwardedFrom: undefined,
  callerName: undefined,
});
export const event = (kind: CallLogEvent["kind"], detail?: string): CallLogEvent =>
  detail === undefined ? { atMs: 5, kind } : { atMs: 5, kind, detail };

export interface Desk {
  readonly log: CallLog;
  readonly keeper: MemoryKeeper;
  readonly clock: ManualClock;
  /** What the operator was told. */
  readonly told: string[];
}

export function desk(
  keeper = new MemoryKeeper(),
  known: ConstructorParameters<typeof CallLog>[1] = { lastRun: 0, records: [] },
): Desk {
  const clock = new ManualClock();
  const told: string[] = [];
  const log = new CallLog(keeper, known, clock, {
    onStalled: (why, waiting) => told.push(`stalled: ${why}, ${waiting}`),
    onResumed: () => told.push("resumed"),
    onRefused: (run) => told.push(`refused: ${run}`),
  });
  return { log, keeper, clock, told };
}
