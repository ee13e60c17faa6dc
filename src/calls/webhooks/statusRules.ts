// What Twilio tells us about calls and streams as they go on, and asks when a stream is over. All of it may come late,
// twice, in any order, or about a call that only the store still knows.
import type { CallSid, RunId } from "../../domain/ids.ts";
import { param } from "../../twilio/forms.ts";
import { isTerminal, readStreamStatus } from "../../twilio/voiceWebhook.ts";
import { readCallStatus, type StatusReport } from "../log/callStatus.ts";
import type { CallRecord } from "../log/records.ts";
import { hearStatus } from "../log/status.ts";
import { answerAfter, sayGoodbye } from "./farewell.ts";
import { type OutboundRuleParts, placedRecord } from "./outboundRules.ts";
import { type Asked, isAnothersCall, type Rule } from "./twilioDoor.ts";

/** The status callback that a call we placed was given. */
export function runStatusRule(parts: OutboundRuleParts): Rule {
  const { dialer } = parts;
  const hear = (asked: Asked, report: StatusReport) => {
    if (dialer.named(asked.run, asked.webhook.callSid)) heard(parts, asked.run, report);
  };
  return (asked) => {
    const report = readCallStatus(asked.params);
    const record = placedRecord(parts, asked);
    if (record === "forbidden") return { answer: "forbidden" };
    if (report === undefined) return { answer: "noted" };
    if (record !== undefined) hear(asked, report);
    else {
      later(parts, asked.run, (stored) => {
        if (stored.direction === "outbound" && !isAnothersCall(stored, asked.webhook)) hear(asked, report);
      });
    }
    return { answer: "noted" };
  };
}

/** The number's status callback, which names no run: at the end of calls to it. */
export function numberStatusRule(parts: OutboundRuleParts): Rule {
  const { records } = parts;
  return ({ webhook, params }) => {
    const report = readCallStatus(params);
    if (report === undefined) return { answer: "noted" };
    const record = records.find(webhook.callSid);
    if (record !== undefined) heard(parts, record.run, report);
    else {
      later(parts, webhook.callSid, (stored) => {
        if (!isAnothersCall(stored, webhook)) heard(parts, stored.run, report);
      });
    }
    return { answer: "noted" };
  };
}

/** Asked when a stream is over: what comes next. */
export function afterStreamRule(parts: OutboundRuleParts): Rule {
  const { calls, records } = parts;
  return ({ webhook, run }) => {
    const call = calls.find(webhook.callSid);
    if (call?.run === run) {
      call.apply(isTerminal(webhook.callStatus) ? { type: "caller_left" } : { type: "stream_over" });
    }
    const record = records.get(run);
    // A run nobody knows is one that a restart has forgotten: the caller is still owed a word.
    if (record?.callSid !== webhook.callSid || record.outcome === undefined) return sayGoodbye("apologize");
    return answerAfter({ ...record, outcome: record.outcome });
  };
}

/** Twilio's side of a stream. */
export function streamStatusRule(parts: OutboundRuleParts): Rule {
  const { records, clock } = parts;
  return ({ webhook, params, run }) => {
    const record = records.get(run);
    const status = readStreamStatus(params);
    if (record?.callSid === webhook.callSid && status !== undefined) {
      const words = status.error === undefined ? status.event : `${status.event}: ${status.error}`;
      records.append(run, { atMs: clock.wallMs(), kind: "stream_status", detail: words });
    }
    return { answer: "noted" };
  };
}

/** Twilio could not get TwiML from us. Why, it says in a code, which the record keeps. */
export function fallbackRule(parts: OutboundRuleParts): Rule {
  const { records, clock, observer } = parts;
  return ({ webhook, params }) => {
    const record = records.find(webhook.callSid);
    const code = param(params, "ErrorCode") ?? "";
    const words = /^\d{1,6}$/.test(code) ? code : "no code";
    if (record !== undefined) {
      records.append(record.run, { atMs: clock.wallMs(), kind: "fallback", detail: words });
    }
    observer.hint(
      `Twilio asked for the fallback (${words})`,
      "look the code up in Twilio's error dictionary; it could not get an answer from the webhook",
    );
    return sayGoodbye("apologize");
  };
}

function heard(parts: OutboundRuleParts, run: RunId, report: StatusReport): void {
  if (hearStatus(parts, run, report)) parts.dialer.over(run);
}

/** Looks in the store for a call that is long over, without keeping Twilio waiting; what is nowhere is nobody's. */
function later(parts: OutboundRuleParts, key: RunId | CallSid, then: (stored: CallRecord) => void): void {
  if (Number.isNaN(key)) return;
  parts.records
    .recall(key)
    .then((stored) => stored !== undefined && then(stored))
    .catch(() => {}); // the store can't be asked now: a late word on a call that is over is not worth more
}
