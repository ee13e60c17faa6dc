// What becomes of open records at a start, state by state.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  CALL_STATES,
  type CallDirection,
  type CallRecord,
  type CallState,
  newRecord,
} from "../../../../src/calls/log/records.ts";
import { afterRestart } from "../../../../src/calls/outbound/restart.ts";
import { AccountSid, CallSid, RunId } from "../../../../src/domain/ids.ts";

const NOW_MS = Date.parse("2026-03-01T12:00:00Z");

function open(direction: CallDirection, state: CallState, submittedAgoMs?: number, sid = "CA1"): CallRecord {
  const callSid = sid === "" ? undefined : CallSid(sid);
  const facts = {
    ...{ callSid, accountSid: AccountSid("AC1"), configurationId: undefined, direction, from: "", to: "" },
    ...{ numberId: undefined, workflowId: undefined, workflowVersion: undefined, definitionId: undefined },
  };
  const submittedAtMs = submittedAgoMs === undefined ? undefined : NOW_MS - submittedAgoMs;
  return { ...newRecord(RunId(1), facts, NOW_MS - 1_000, { state }), submittedAtMs };
}
const kindOf = (record: CallRecord) => afterRestart(record, NOW_MS).kind;

describe("an outbound call that was not over", () => {
  it("goes on from where it was, or is lost", () => {
    const kinds = CALL_STATES.filter((state) => state !== "ended").map((state) => [
      state,
      kindOf(open("outbound", state, 10_000)),
    ]);
    assert.deepEqual(Object.fromEntries(kinds), {
      created: "keep",
      queued: "lost",
      submitting: "settle",
      placed: "follow",
      ringing: "follow",
      answered: "lost",
    });
  });

  it("is not followed once it can't ring any more, or has no id to ask for", () => {
    assert.equal(kindOf(open("outbound", "ringing", 149_000)), "follow");
    assert.equal(kindOf(open("outbound", "ringing", 151_000)), "lost");
    assert.equal(kindOf(open("outbound", "placed", 10_000, "")), "lost");
    assert.equal(kindOf(open("outbound", "ringing")), "lost");
  });

  it("is settled however long ago it was asked for", () => {
    assert.equal(kindOf(open("outbound", "submitting", 86_400_000, "")), "settle");
  });
});

describe("an inbound call that was not over", () => {
  it("is lost, and says why", () => {
    for (const state of ["ringing", "answered"] as const) {
      const life = afterRestart(open("inbound", state), NOW_MS);
      assert(life.kind === "lost" && /\.$/.test(life.words));
    }
  });
});
