import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WEBHOOK_ANSWERS } from "../../../../src/calls/observer.ts";
import { answerAfter, refuse, sayGoodbye } from "../../../../src/calls/webhooks/farewell.ts";
import { DIAL_ENDINGS, OUTCOMES, type Outcome, REFUSALS } from "../../../../src/domain/endings.ts";
import { parseTwiml } from "../../../../src/twin/twiml.ts";

const verbsAfter = (outcome: Outcome): unknown => {
  const { twiml } = answerAfter({ outcome, direction: "inbound" });
  return parseTwiml(twiml).map((verb) => (verb.verb === "Reject" ? `Reject ${verb.reason}` : verb.verb));
};

/** What a caller is owed, outcome by outcome: a list of its own, so that a change here is meant. */
const OWED: Readonly<Record<Outcome, readonly string[]>> = {
  caller_hung_up: ["Hangup"],
  agent_hung_up: ["Hangup"],
  max_duration: ["Hangup"],
  no_stream: ["Say", "Hangup"],
  media_lost: ["Say", "Hangup"],
  protocol_error: ["Say", "Hangup"],
  agent_failed: ["Say", "Hangup"],
  call_error: ["Say", "Hangup"],
  worker_lost: ["Say", "Hangup"],
  silence: ["Say", "Hangup"],
  drained: ["Say", "Hangup"],
  operator_hung_up: ["Hangup"],
  lost: ["Say", "Hangup"],
  number_unknown: ["Reject rejected"],
  number_inactive: ["Reject rejected"],
  workflow_missing: ["Reject rejected"],
  workflow_archived: ["Reject rejected"],
  workflow_invalid: ["Reject rejected"],
  calls_at_limit: ["Reject busy"],
  draining: ["Reject busy"],
  no_worker: ["Reject busy"],
  overloaded: ["Reject busy"],
  log_full: ["Reject busy"],
  busy: ["Hangup"],
  no_answer: ["Hangup"],
  dial_failed: ["Hangup"],
  canceled: ["Hangup"],
  not_placed: ["Hangup"],
};

describe("what Twilio is told after a call", () => {
  it("is what the caller is owed for how it ended, the same every time", () => {
    for (const outcome of OUTCOMES) {
      assert.deepEqual(verbsAfter(outcome), OWED[outcome], outcome);
      assert.deepEqual(
        answerAfter({ outcome, direction: "inbound" }),
        answerAfter({ outcome, direction: "inbound" }),
      );
      assert.ok(WEBHOOK_ANSWERS.includes(answerAfter({ outcome, direction: "inbound" }).answer), outcome);
    }
  });

  it("is counted by what it says", () => {
    const answers = OUTCOMES.map((outcome) => [
      verbsAfter(outcome),
      answerAfter({ outcome, direction: "inbound" }).answer,
    ]);
    const byVerbs = new Map(answers.map(([verbs, answer]) => [String(verbs), answer]));
    assert.deepEqual(Object.fromEntries(byVerbs), {
      Hangup: "hang_up",
      "Say,Hangup": "apologize",
      "Reject rejected": "reject",
      "Reject busy": "busy",
    });
  });

  it("is the refusal itself when the call was refused, and the goodbye itself when it was not", () => {
    for (const refusal of REFUSALS)
      assert.deepEqual(answerAfter({ outcome: refusal, direction: "inbound" }), refuse(refusal));
    for (const ending of DIAL_ENDINGS)
      assert.deepEqual(answerAfter({ outcome: ending, direction: "inbound" }), sayGoodbye("hang_up"));
    assert.deepEqual(answerAfter({ outcome: "agent_hung_up", direction: "inbound" }), sayGoodbye("hang_up"));
    assert.deepEqual(answerAfter({ outcome: "media_lost", direction: "inbound" }), sayGoodbye("apologize"));
  });
});
