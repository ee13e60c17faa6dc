// What a record becomes by Twilio's words on a call, whatever order they come in.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readCallStatus, reportOf } from "../../../../src/calls/log/callStatus.ts";
import { type CallRecord, type CallRecords, newRecord } from "../../../../src/calls/log/records.ts";
import { hearStatus } from "../../../../src/calls/log/status.ts";
import { inOrder, isOverAtTwilio, TRIAL } from "../../../../src/calls/log/timeline.ts";
import type { Outcome } from "../../../../src/domain/endings.ts";
import { AccountSid, CallSid, RunId } from "../../../../src/domain/ids.ts";
import { parseForm } from "../../../../src/twilio/forms.ts";
import { rfc2822 } from "../../../../src/twin/params.ts";

const RUN = RunId(1);
const BEGAN_MS = Date.parse("2026-03-01T12:00:00Z");

/** One record, kept the way the call log keeps it: a repeated line is one line. */
function keeper(isTrial = false) {
  const facts = {
    callSid: CallSid("CA1"),
    accountSid: AccountSid("AC1"),
    configurationId: undefined,
    direction: "outbound" as const,
    from: "+12025550100",
    to: "+14155550100",
    numberId: undefined,
    workflowId: undefined,
    workflowVersion: undefined,
    definitionId: undefined,
  };
  const opened = { ...newRecord(RUN, facts, BEGAN_MS, { state: "placed" }), submittedAtMs: BEGAN_MS };
  let record: CallRecord = opened;
  const events = [
    ...(isTrial ? [{ atMs: BEGAN_MS, kind: "queued" as const, detail: `${TRIAL}: what it means` }] : []),
  ];
  const endings: Outcome[] = [];
  /** How many lines stood in the timeline as each late one came. */
  const late: number[] = [];
  const records = {
    get: () => ({ ...record, events }),
    update(_run: RunId, progress: object) {
      record = { ...record, ...progress };
      if (record.outcome !== undefined) record = { ...record, state: "ended" };
    },
    append(_run: RunId, event: CallRecord["events"][number]) {
      const isKnown = events.some(
        (known: CallRecord["events"][number]) =>
          known.kind === event.kind && known.detail === event.detail && known.sequence === event.sequence,
      );
      if (!isKnown) events.push(event as never);
    },
  } as unknown as CallRecords;
  const parts = {
    records,
    calls: { find: () => undefined },
    observer: {
      ended: (_call: object, _direction: string, outcome: Outcome) => endings.push(outcome),
      statusLate: () => late.push(events.length),
    },
    clock: { nowMs: () => 0, wallMs: () => BEGAN_MS + 3_600_000, every: () => () => {} },
  };
  return { parts, endings, late, record: () => records.get(RUN)! };
}

interface Said {
  readonly CallStatus: string;
  readonly [name: string]: string;
}

/** A call's callbacks as Twilio numbers them, one every five seconds. */
function callbacks(statuses: readonly string[], last: Readonly<Record<string, string>> = {}): Said[] {
  return statuses.map((CallStatus, index) => ({
    CallStatus,
    SequenceNumber: String(index),
    Timestamp: rfc2822(BEGAN_MS + (index + 1) * 5_000),
    ...(index === statuses.length - 1 && last),
  }));
}

const LIVES: readonly { readonly said: Said[]; readonly outcome: Outcome }[] = [
  { said: callbacks(["initiated", "ringing", "in-progress", "completed"]), outcome: "no_stream" },
  { said: callbacks(["initiated", "ringing", "busy"], { SipResponseCode: "486" }), outcome: "busy" },
  {
    said: callbacks(["initiated", "ringing", "no-answer"], { SipResponseCode: "487" }),
    outcome: "no_answer",
  },
  { said: callbacks(["initiated", "ringing", "canceled"]), outcome: "canceled" },
  {
    said: callbacks(["initiated", "failed"], { SipResponseCode: "404", ErrorCode: "21214" }),
    outcome: "dial_failed",
  },
];

function hear(kept: ReturnType<typeof keeper>, said: readonly Said[]): void {
  for (const params of said) {
    const report = readCallStatus(parseForm(Buffer.from(new URLSearchParams(params).toString())));
    assert(report !== undefined);
    hearStatus(kept.parts, RUN, report);
  }
}

/** What of a record must not depend on the order. */
function facts(record: CallRecord) {
  const { events: _, ...rest } = record;
  const told = inOrder(record.events.filter(({ kind }) => kind === "call_status"));
  return { ...rest, told: told.map(({ detail, sequence }) => [sequence, detail]) };
}

describe("callbacks delivered one to five times in any order", () => {
  it("make the same record, 1,000 times", () => {
    const delivery = fc.nat(LIVES.length - 1).chain((life) =>
      fc.tuple(
        fc.constant(life),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 4, maxLength: 4 }).chain((times) =>
          fc.shuffledSubarray(
            LIVES[life]!.said.flatMap((said, index) => Array.from({ length: times[index]! }, () => said)),
            { minLength: LIVES[life]!.said.reduce((sum, _, index) => sum + times[index]!, 0) },
          ),
        ),
      ),
    );
    fc.assert(
      fc.property(delivery, ([life, said]) => {
        const { said: inTurn, outcome } = LIVES[life]!;
        const right = keeper();
        hear(right, inTurn);
        const kept = keeper();
        hear(kept, said);
        assert.deepEqual(facts(kept.record()), facts(right.record()));
        assert.deepEqual(kept.endings, [outcome]);
        assert(isOverAtTwilio(kept.record()));
      }),
      { numRuns: 1_000 },
    );
  });

  it("change no state by what comes late, and keep it all the same", () => {
    const kept = keeper();
    const [, ringing, answered] = callbacks(["initiated", "ringing", "in-progress"]);
    hear(kept, [answered!]);
    assert.equal(kept.record().state, "answered");
    hear(kept, [ringing!]);
    const { state, ringingAtMs, answeredAtMs } = kept.record();
    assert.deepEqual([state, ringingAtMs, answeredAtMs], ["answered", BEGAN_MS + 10_000, BEGAN_MS + 15_000]);
    assert.deepEqual(
      inOrder(kept.record().events).map(({ detail }) => detail),
      ["ringing", "in-progress"],
    );
  });
});

describe("what a call's worker told", () => {
  it("stands at its own time, and callbacks where Twilio has them", () => {
    const told = (atMs: number) => ({ atMs, kind: "transcript", facts: { text: `${atMs}` } }) as const;
    const said = (atMs: number, sequence: number) => ({ atMs, kind: "call_status", sequence }) as const;
    const ended = { atMs: 40, kind: "ended" } as const;
    const events = [said(10, 1), said(20, 0), told(15), told(30), ended, told(25), told(41)];
    const inTime = [told(15), said(20, 0), said(10, 1), told(25), told(30), ended, told(41)];
    assert.deepEqual(inOrder(events), inTime);
  });
});

describe("callbacks out of order", () => {
  it("are counted, those that are repeats or in their order are not", () => {
    const [initiated, ringing, answered, completed] = LIVES[0]!.said;
    const kept = keeper();
    hear(kept, [initiated!, answered!, answered!, initiated!]);
    assert.deepEqual(kept.late, []);
    hear(kept, [completed!, ringing!, ringing!]);
    assert.equal(kept.late.length, 1);
  });
});

describe("a call that ended", () => {
  it("says Twilio's codes in words", () => {
    const kept = keeper();
    hear(kept, LIVES[4]!.said);
    const { twilioCode, endedBy, endedAtMs, events } = kept.record();
    assert.deepEqual([twilioCode, endedBy, endedAtMs], [21214, "twilio", BEGAN_MS + 10_000]);
    assert.match(
      events.find(({ kind }) => kind === "ended")!.detail!,
      /^dial_failed: Twilio can't reach .* does not exist/,
    );
  });

  it("on a trial account, without a key pressed, says that one is to be pressed", () => {
    const kept = keeper(true);
    hear(kept, LIVES[0]!.said);
    assert.match(kept.record().events.at(-1)!.detail!, /^no_stream: On a trial account .* press a key/);
  });

  it("on a trial account after ten minutes was cut by Twilio", () => {
    const kept = keeper(true);
    hear(kept, callbacks(["initiated", "ringing", "in-progress", "completed"], { CallDuration: "600" }));
    assert.equal(kept.record().twilioCode, 13805);
    assert(kept.record().events.some(({ detail }) => detail?.includes("ten minutes")));
    const paid = keeper();
    hear(paid, callbacks(["completed"], { CallDuration: "600" }));
    assert.equal(paid.record().twilioCode, undefined);
  });

  it("never rang before Twilio was asked, nor after now, whatever its clock says", () => {
    const kept = keeper();
    hear(kept, [{ CallStatus: "ringing", Timestamp: rfc2822(BEGAN_MS - 60_000), SequenceNumber: "1" }]);
    assert.equal(kept.record().ringingAtMs, BEGAN_MS);
    hear(kept, [{ CallStatus: "in-progress", Timestamp: rfc2822(BEGAN_MS + 9e9), SequenceNumber: "2" }]);
    assert.equal(kept.record().answeredAtMs, BEGAN_MS + 3_600_000);
  });

  it("is told by REST as by a callback", () => {
    const kept = keeper();
    const call = {
      ...{ sid: CallSid("CA1"), to: "", from: "", direction: "outbound-api", answeredBy: undefined },
      ...{ createdAtMs: BEGAN_MS, startedAtMs: BEGAN_MS, endedAtMs: BEGAN_MS + 7_000, durationS: 0 },
    };
    hearStatus(kept.parts, RUN, reportOf({ ...call, status: "busy" })!);
    assert.deepEqual([kept.record().outcome, kept.record().endedAtMs], ["busy", BEGAN_MS + 7_000]);
    assert.equal(reportOf({ ...call, status: undefined }), undefined);
  });
});

describe("parameters", () => {
  it("that hold no known status are no report", () => {
    assert.equal(readCallStatus(parseForm(Buffer.from("CallStatus=dreaming"))), undefined);
    assert.equal(readCallStatus(parseForm(Buffer.from(""))), undefined);
  });
});
