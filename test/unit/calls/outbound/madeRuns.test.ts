// Runs that are made to be dialled later, while the call log can't be written.
import assert from "node:assert/strict";
import { it } from "node:test";
import { BACKLOG_MAX, CallLog } from "../../../../src/calls/log/callLog.ts";
import type { CallFacts } from "../../../../src/calls/log/records.ts";
import { type OutboundParts, outboundOperations } from "../../../../src/calls/outbound/outboundOperations.ts";
import { GatewayError } from "../../../../src/domain/errors.ts";
import { DefinitionId, WorkflowId } from "../../../../src/domain/ids.ts";
import { Directory } from "../../../../src/numbers/directory.ts";
import { ManualClock } from "../../../support/manualClock.ts";
import { MemoryKeeper } from "../../../support/memoryKeeper.ts";

const FACTS: CallFacts = {
  ...{ callSid: undefined, accountSid: undefined, configurationId: undefined, numberId: undefined },
  ...{ direction: "outbound", from: "", to: "" },
  ...{ workflowId: undefined, workflowVersion: undefined, definitionId: undefined },
};

it("a client that asks again and again for runs leaves no more of them in memory than the log may keep", async () => {
  const clock = new ManualClock();
  const keeper = new MemoryKeeper();
  const observer = { onStalled() {}, onResumed() {}, onRefused() {} };
  const records = new CallLog(keeper, { lastRun: 0, records: [] }, clock, observer);
  const workflow = {
    ...{ id: WorkflowId(1), uuid: "u", name: "w", status: "active" as const, version: 1 },
    ...{ definitionId: DefinitionId(1), definition: {}, secrets: {}, templateContextVariables: undefined },
  };
  const directory = new Directory(
    { configurations: [], numbers: [], workflows: [workflow] },
    new Map(),
    false,
  );
  const parts = {
    ...{ clock, records, directory },
    calls: { refusal: () => (records.isFull ? "log_full" : undefined), size: 0 },
  } as unknown as OutboundParts;
  const makeRun = outboundOperations(parts).find(({ path }) => path.endsWith("/runs"))!;
  const make = async () =>
    makeRun.run({ params: { workflow_id: 1 }, body: { name: "n", mode: "m" } } as never);

  keeper.broken = "no disk";
  for (let n = 0; n < BACKLOG_MAX - 10; n++) records.open(FACTS, 0);
  for (let n = 0; n < 60; n++) {
    await assert.rejects(make(), (error) => error instanceof GatewayError);
  }
  assert.equal(records.backlog, BACKLOG_MAX);
  await assert.rejects(make(), { code: "NOT_NOW" });
  keeper.broken = undefined;
  await records.committed();
  assert.equal(((await make()) as { id: number }).id, BACKLOG_MAX + 1);
});
