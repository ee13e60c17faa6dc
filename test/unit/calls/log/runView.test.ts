import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { CallRecord } from "../../../../src/calls/log/records.ts";
import { runDetailSchema, usageRunSchema } from "../../../../src/calls/log/runSchemas.ts";
import { callDurationS, runAnswer, runDetail, usageRun } from "../../../../src/calls/log/runView.ts";
import { ConfigurationId } from "../../../../src/domain/ids.ts";
import { anyRun, EPOCH_MS, storedRun } from "./storedRuns.ts";

const SEED = 20_260_403;
const LIVE = { outcome: undefined, endedBy: undefined, endedAtMs: undefined };
const outbound = (changes: Partial<CallRecord> = {}) =>
  storedRun(1, { direction: "outbound", from: "+12025550100", to: "+14155550123", ...changes });

describe("a run as it is shown", () => {
  it("has the shape that is promised, whatever the record", (t) => {
    t.diagnostic(`seed ${SEED}`);
    fc.assert(
      fc.property(anyRun(7), (record) => {
        const nowMs = EPOCH_MS + 3_600_000;
        runDetailSchema.strict().parse(runDetail(record, nowMs));
        usageRunSchema.strict().parse(usageRun(record, null));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it("tells of a live call how long it has rung and is talked so far, and no duration yet", () => {
    const ringing = storedRun(1, { ...LIVE, state: "ringing", startedAtMs: undefined });
    const rung = runAnswer(ringing, ringing.receivedAtMs + 700);
    assert.deepEqual(
      [rung.ringing_ms, rung.talking_ms, rung.usage_info, rung.answered_at],
      [700, 0, null, null],
    );
    const talking = storedRun(1, LIVE);
    const talked = runAnswer(talking, talking.startedAtMs! + 1_234);
    assert.deepEqual([talked.ringing_ms, talked.talking_ms, talked.usage_info], [2_000, 1_234, null]);
    assert.equal(talked.answered_at, new Date(talking.startedAtMs!).toISOString());
  });

  it("knows no ringing of an outbound call that has not rung, and counts it from Twilio's word on", () => {
    const atMs = EPOCH_MS;
    assert.equal(runAnswer(outbound({ ...LIVE, startedAtMs: undefined }), atMs).ringing_ms, null);
    const answered = outbound({ ringingAtMs: atMs, answeredAtMs: atMs + 4_000, startedAtMs: atMs + 4_500 });
    assert.equal(runAnswer(answered, atMs).ringing_ms, 4_000);
    const busy = outbound({
      ringingAtMs: atMs,
      startedAtMs: undefined,
      endedAtMs: atMs + 900,
      outcome: "busy",
    });
    const { ringing_ms, talking_ms, usage_info } = runAnswer(busy, atMs);
    assert.deepEqual([ringing_ms, talking_ms, usage_info], [900, 0, { call_duration_seconds: 0 }]);
  });

  it("has no negative times, though the clock was set back", () => {
    const record = storedRun(1, { startedAtMs: EPOCH_MS, endedAtMs: EPOCH_MS - 5_000 });
    const shown = runAnswer(record, EPOCH_MS - 10_000);
    assert.deepEqual([shown.ringing_ms, shown.talking_ms, callDurationS(record)], [0, 0, 0]);
  });

  it("gives whole seconds to the nearest", () => {
    const durations = [0, 499, 500, 1_499, 1_500].map((ms) =>
      callDurationS({ startedAtMs: EPOCH_MS, endedAtMs: EPOCH_MS + ms }),
    );
    assert.deepEqual(durations, [0, 0, 1, 1, 2]);
  });

  it("keeps what the API's caller gave, which never passes for what is known of the call", () => {
    const initialContext = {
      name: "Ada",
      caller_number: "+19999999999",
      direction: "inbound",
      provider: "none",
    };
    const record = outbound({
      initialContext,
      configurationId: ConfigurationId(3),
      answeredBy: "machine_start",
    });
    const { initial_context, gathered_context } = runAnswer(record, EPOCH_MS);
    assert.deepEqual(initial_context, {
      name: "Ada",
      caller_number: "+12025550100",
      called_number: "+14155550123",
      phone_number: "+14155550123",
      direction: "outbound",
      provider: "twilio",
      telephony_configuration_id: 3,
      from_phone_number_id: 1,
    });
    assert.equal(gathered_context?.answered_by, "machine_start");
  });
});
