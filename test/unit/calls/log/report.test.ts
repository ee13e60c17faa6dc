import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { line, REPORT_HEADER, reportLine } from "../../../../src/calls/log/report.ts";
import { parseCsv } from "./csv.ts";
import { EPOCH_MS, storedRun } from "./storedRuns.ts";

const SEED = 20_260_401;

describe("a line of CSV", () => {
  it("reads back as what was written, but for an apostrophe before what looks like a formula", (t) => {
    t.diagnostic(`seed ${SEED}`);
    const cell = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'=+-@",;\t\r\n '.split(""), "1", "a", "＝") }),
    );
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 5 }), (cells) => {
        const [read, ...more] = parseCsv(line(cells));
        assert.deepEqual(more, []);
        assert.equal(read!.length, cells.length);
        const bare = (text: string) => text.replaceAll("'", "");
        for (const [index, text] of read!.entries()) {
          assert.equal(bare(text), bare(cells[index]!));
          if (/^\+\d{1,15}$/.test(text)) continue;
          assert.doesNotMatch(text, /^\s*[=+\-@＝＋－＠]|^[\t\r\n]|[;\t\r\n] ?[=+\-@＝＋－＠]/);
          if (!/[=+\-@＝＋－＠]|^[\t\r\n]/.test(cells[index]!)) assert.equal(text, cells[index]);
        }
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  it("leaves telephone numbers as they are, and nothing else that begins with a plus sign", () => {
    assert.equal(
      line(["+12025550100", "+1+1", "+1 202", "+", "-1", "@a", "=1"]),
      "+12025550100,'+1+1,'+1 202,'+,'-1,'@a,'=1\r\n",
    );
  });

  it("keeps formulas out of cells that a semicolon makes in some countries, and long runs of tabs are no trouble", () => {
    assert.equal(line(["sip:a;=1@example.com", "ok; -)"]), '"sip:a;\'=1@example.com","ok;\' -)"\r\n');
    const startedMs = performance.now();
    line(["\t".repeat(60_000), " ".repeat(60_000)]);
    assert.ok(performance.now() - startedMs < 1_000);
  });

  it("quotes what would part cells or lines", () => {
    assert.equal(line(['a"b', "a,b", "a\r\nb", undefined, null, 7.4, ""]), '"a""b","a,b","a\r\nb",,,7,\r\n');
  });
});

describe("a run's line", () => {
  const asObject = (text: string) => {
    const [header, cells] = parseCsv(REPORT_HEADER + text);
    return Object.fromEntries(header!.map((name, index) => [name, cells![index]]));
  };

  it("has a cell under every header, times in UTC and Twilio's error in words", () => {
    const record = storedRun(7, {
      outcome: "dial_failed",
      endedBy: "twilio",
      twilioCode: 21215,
      digits: 3,
      initialContext: { name: '=HYPERLINK("http://x")' },
    });
    const cells = asObject(reportLine({ record, workflowName: "=cmd", nowMs: EPOCH_MS }));
    assert.equal(cells.run_id, "7");
    assert.equal(cells.workflow_name, "'=cmd");
    assert.equal(cells.caller_number, "+12025550150");
    assert.equal(cells.received_at, "2026-04-01T00:07:00.000Z");
    assert.equal(cells.call_duration_seconds, "8");
    assert.equal(cells.digits_pressed, "3");
    assert.equal(cells.outcome, "dial_failed");
    assert.equal(cells.twilio_error_code, "21215");
    assert.match(cells.twilio_error_text!, /permission/);
    assert.deepEqual(JSON.parse(cells.initial_context!), record.initialContext);
  });

  it("leaves empty what a live call has not got yet", () => {
    const live = storedRun(7, {
      outcome: undefined,
      endedBy: undefined,
      endedAtMs: undefined,
      startedAtMs: undefined,
    });
    const cells = asObject(reportLine({ record: live, workflowName: null, nowMs: live.receivedAtMs + 5 }));
    for (const name of ["answered_at", "ended_at", "call_duration_seconds", "outcome", "workflow_name"])
      assert.equal(cells[name], "", name);
    assert.equal(cells.ringing_ms, "5");
  });
});
