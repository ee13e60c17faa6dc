// What Twilio is told when a call that we placed was answered, and what it tells us about who answered. Only the run's
// own call is ever talked on: a second one for the same run is hung up.

import { answeredByIn, isFurther } from "../log/callStatus.ts";
import { closeRecord } from "../log/ending.ts";
import type { CallRecord } from "../log/records.ts";
import { wasHangUpAsked } from "../log/timeline.ts";
import type { Dialer } from "../outbound/dialer.ts";
import { answerAfter, refuseAnswered, sayGoodbye } from "./farewell.ts";
import { connectTwiml, type InboundParts } from "./inboundRules.ts";
import { type Asked, isAnothersCall, type Rule } from "./twilioDoor.ts";

export interface OutboundRuleParts extends InboundParts {
  readonly dialer: Dialer;
}

/** The run's record, when it is a placed call of the account that asks; `forbidden` when it is another's. */
export function placedRecord(
  { records }: Pick<OutboundRuleParts, "records">,
  { run, webhook }: Asked,
): CallRecord | "forbidden" | undefined {
  const record = records.get(run);
  if (record === undefined) return undefined;
  if (record.direction !== "outbound" || isAnothersCall(record, webhook)) return "forbidden";
  return record;
}

/** The webhook that a call asks for its TwiML once someone has picked up. */
export function answerRule(parts: OutboundRuleParts): Rule {
  const { calls, records, dialer, clock } = parts;
  const connect = connectTwiml(parts.publicBase);
  return (asked) => {
    const record = placedRecord(parts, asked);
    if (record === "forbidden") return { answer: "forbidden" };
    // Someone has picked up, so that they are owed a word: nobody knows any more what the call was for.
    if (record === undefined) return sayGoodbye("apologize");
    const { run } = asked;
    const { callSid, accountSid } = asked.webhook;
    if (!dialer.named(run, callSid)) return sayGoodbye("hang_up");
    const known = calls.find(run);
    if (known !== undefined && known.state.name !== "ended") return { twiml: known.twiml, answer: "repeat" };
    if (record.outcome !== undefined)
      return answerAfter({ ...record, outcome: record.outcome, direction: "outbound" });

    records.update(run, {
      ...(isFurther("answered", record.state) && { state: "answered" }),
      ...(record.answeredAtMs === undefined && { answeredAtMs: clock.wallMs() }),
    });
    if (wasHangUpAsked(record)) {
      closeRecord(parts, run, { outcome: "operator_hung_up" });
      return sayGoodbye("hang_up");
    }
    const answerer = dialer.answererOf(run);
    const refusal = answerer === undefined ? "workflow_missing" : calls.refusal("answered");
    if (answerer === undefined || refusal !== undefined) {
      closeRecord(parts, run, { outcome: refusal!, endedBy: "gateway" });
      return refuseAnswered();
    }
    const { from, to, initialContext: parameters = {} } = record;
    const facts = { run, callSid, accountSid, direction: "outbound", from, to } as const;
    const live = calls.admit(facts, { ...answerer.brief, parameters }, connect);
    return { twiml: live.twiml, answer: "connect" };
  };
}

/** Machine detection's word, told while the call is already joined. What follows from it is the agent's business. */
export function machineRule(parts: OutboundRuleParts): Rule {
  const { records, dialer, clock } = parts;
  return (asked) => {
    const record = placedRecord(parts, asked);
    if (record === "forbidden") return { answer: "forbidden" };
    const answeredBy = answeredByIn(asked.params);
    if (record === undefined || answeredBy === undefined) return { answer: "noted" };
    if (!dialer.named(asked.run, asked.webhook.callSid)) return { answer: "noted" };
    if (record.answeredBy === answeredBy) return { answer: "noted" };
    records.update(asked.run, { answeredBy });
    records.append(asked.run, { atMs: clock.wallMs(), kind: "answering_machine", detail: answeredBy });
    return { answer: "noted" };
  };
}
