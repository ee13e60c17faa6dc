// Words of Twilio on calls that are long over: only the store still knows them, and nobody waits for it.
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { CallLog } from "../../../../src/calls/log/callLog.ts";
import { type CallDirection, type CallRecord, newRecord } from "../../../../src/calls/log/records.ts";
import type { OutboundRuleParts } from "../../../../src/calls/webhooks/outboundRules.ts";
import { numberStatusRule, runStatusRule } from "../../../../src/calls/webhooks/statusRules.ts";
import type { Asked } from "../../../../src/calls/webhooks/twilioDoor.ts";
import { AccountSid, CallSid, RunId } from "../../../../src/domain/ids.ts";
import { parseForm } from "../../../../src/twilio/forms.ts";
import { readVoiceWebhook } from "../../../../src/twilio/voiceWebhook.ts";
import { ManualClock } from "../../../support/manualClock.ts";

const RUN = RunId(7);
const CALL_SID = CallSid("CA7");

function stored(direction: CallDirection): CallRecord {
  const facts = {
    ...{
      callSid: CALL_SID,
      accountSid: AccountSid("AC1"),
      configurationId: undefined,
      direction,
      from: "",
      to: "",
    },
    ...{ numberId: undefined, workflowId: undefined, workflowVersion: undefined, definitionId: undefined },
  };
  return { ...newRecord(RUN, facts, 1, { state: "ended" }), outcome: "caller_hung_up" };
}

let record: CallRecord | undefined;
let isBroken: boolean;
let over: RunId[];
let log: CallLog;
let parts: OutboundRuleParts;
beforeEach(() => {
  record = stored("outbound");
  isBroken = false;
  over = [];
  const ask = async () => {
    if (isBroken) throw new Error("the disk is gone");
    return record;
  };
  const clock = new ManualClock();
  log = new CallLog({ save: async () => [], get: ask, find: ask }, { lastRun: 7, records: [] }, clock, {
    onStalled() {},
    onResumed() {},
    onRefused() {},
  });
  parts = {
    records: log,
    clock,
    calls: { find: () => undefined },
    dialer: {
      named: (run: RunId, callSid: CallSid) => log.get(run)?.callSid === callSid,
      over: (run: RunId) => over.push(run),
    },
    observer: { ended() {} },
  } as unknown as OutboundRuleParts;
});

function asked(run: number, changes: Readonly<Record<string, string>> = {}): Asked {
  const said = {
    AccountSid: "AC1",
    CallSid: CALL_SID,
    CallStatus: "completed",
    SequenceNumber: "3",
    ...changes,
  };
  const params = parseForm(Buffer.from(new URLSearchParams(said).toString()));
  return { params, webhook: readVoiceWebhook(params)!, run: RunId(run) };
}
/** What the store was asked for has come. */
const settled = () => new Promise((resolve) => setImmediate(resolve));
const told = () => log.get(RUN)?.events.map(({ detail, sequence }) => [detail, sequence]);

describe("a late status callback", () => {
  it("of a run is noted at once, and written down when the store has found it", async () => {
    assert.deepEqual(runStatusRule(parts)(asked(RUN)), { answer: "noted" });
    assert.equal(told(), undefined);
    await settled();
    assert.deepEqual([told(), over], [[["completed", 3]], [RUN]]);
    assert.equal(log.get(RUN)!.outcome, "caller_hung_up");
  });

  it("of a number is written down with the call that has its CallSid", async () => {
    record = stored("inbound");
    assert.deepEqual(numberStatusRule(parts)(asked(Number.NaN)), { answer: "noted" });
    await settled();
    assert.deepEqual(told(), [["completed", 3]]);
  });

  it("of another account, another call, or another kind of call is not", async () => {
    runStatusRule(parts)(asked(RUN, { AccountSid: "AC2" }));
    runStatusRule(parts)(asked(RUN, { CallSid: "CA8" }));
    numberStatusRule(parts)(asked(RUN, { AccountSid: "AC2" }));
    await settled();
    assert.deepEqual([told() ?? [], over], [[], []]);
    assert.deepEqual(runStatusRule(parts)(asked(RUN, { AccountSid: "AC2" })), { answer: "forbidden" });
    record = stored("inbound");
    runStatusRule(parts)(asked(8));
    await settled();
    assert.deepEqual(over, []);
  });

  it("of no run, or while the store can't be asked, is noted all the same", async () => {
    record = undefined;
    assert.deepEqual(runStatusRule(parts)(asked(RUN)), { answer: "noted" });
    isBroken = true;
    assert.deepEqual(runStatusRule(parts)(asked(9)), { answer: "noted" });
    assert.deepEqual(numberStatusRule(parts)(asked(9)), { answer: "noted" });
    await settled();
    assert.deepEqual(over, []);
  });
});
