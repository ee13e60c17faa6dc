import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readMoment, readUsageFilters, readWorkflowFilters } from "../../../../src/calls/log/runFilters.ts";
import { FieldsInvalid, GatewayError } from "../../../../src/domain/errors.ts";

const workflow = (...filters: unknown[]) => readWorkflowFilters(JSON.stringify(filters)).conditions;
const usage = (...filters: unknown[]) => readUsageFilters(JSON.stringify(filters)).conditions;
/** Where the faults of refused filters are. */
function blamed(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof FieldsInvalid, String(error));
    return error.faults.map(({ path }) => path.join("."));
  }
  return [];
}

describe("moments", () => {
  it("are read as UTC unless they say otherwise", () => {
    const noon = Date.UTC(2026, 3, 1, 12);
    for (const text of [
      "2026-04-01T12:00:00Z",
      "2026-04-01T12:00",
      "2026-04-01 12:00:00.000",
      "2026-04-01T14:00:00+02:00",
      "2026-04-01T14:00:00+0200",
      "2026-04-01t12:00:00z",
    ])
      assert.equal(readMoment(text, "from"), noon, text);
  });

  it("without a time are the whole day", () => {
    assert.equal(readMoment("2026-04-01", "from"), Date.UTC(2026, 3, 1));
    assert.equal(readMoment("2026-04-01", "to"), Date.UTC(2026, 3, 2) - 1);
  });

  it("that no calendar has are none", () => {
    for (const text of [
      "2026-02-31",
      "2026-13-01",
      "2026-04-01T25:00",
      "yesterday",
      "1775001600000",
      "",
      "2026-04-01Z",
    ])
      assert.equal(readMoment(text, "from"), undefined, text);
  });
});

describe("filters of a workflow's runs", () => {
  it("become conditions, with their type or without", () => {
    const from = Date.UTC(2024, 0, 1);
    const to = Date.UTC(2024, 1, 1) - 1;
    assert.deepEqual(
      workflow(
        { attribute: "dateRange", value: { from: "2024-01-01", to: "2024-01-31" } },
        { attribute: "dispositionCode", type: "multiSelect", value: { codes: ["busy", "other"] } },
        { attribute: "duration", type: "numberRange", value: { min: 60, max: null } },
        { attribute: "status", type: "radio", value: { status: "in_progress" } },
        { attribute: "tokenUsage", type: "numberRange", value: { min: 1 } },
      ),
      [
        { is: "received", fromMs: from, toMs: to },
        { is: "outcome", anyOf: ["busy", "other"] },
        { is: "duration", minS: 60 },
        { is: "over", over: false },
        { is: "never" },
      ],
    );
    assert.deepEqual(workflow({ attribute: "tokenUsage", value: { min: 0, max: 10 } }), []);
    assert.deepEqual(workflow({ attribute: "dispositionCode", value: { codes: [] } }), []);
  });

  it("are given back as they came, and null where there are none", () => {
    const given = [{ attribute: "duration", type: "numberRange", value: { min: 1 } }];
    assert.deepEqual(readWorkflowFilters(JSON.stringify(given)).applied, given);
    assert.equal(readWorkflowFilters(undefined).applied, null);
    assert.equal(readWorkflowFilters("null").applied, null);
  });

  it("by any other attribute are forbidden, and those there are are named", () => {
    for (const attribute of ["callerNumber", "constructor", "__proto__", ""])
      assert.throws(
        () => readWorkflowFilters(`[{"attribute": ${JSON.stringify(attribute)}, "value": {}}]`),
        (error) =>
          error instanceof GatewayError &&
          error.code === "FORBIDDEN" &&
          error.message.includes("dispositionCode"),
      );
  });

  it("that can't be read are named, all of them", () => {
    assert.deepEqual(
      blamed(() => readWorkflowFilters("[{")),
      ["query.filters"],
    );
    assert.deepEqual(
      blamed(() => readWorkflowFilters("{}")),
      ["query.filters"],
    );
    assert.deepEqual(
      blamed(() => workflow(7)),
      ["query.filters.0"],
    );
    assert.deepEqual(
      blamed(() =>
        workflow(
          { attribute: "duration", value: { min: "60" } },
          { attribute: "dateRange", value: { from: "2024-02-31" } },
          { attribute: "status", value: { status: "done" } },
          { attribute: "dispositionCode", value: { codes: "busy" } },
          { attribute: "duration", type: "radio", value: {} },
          { attribute: "duration" },
        ),
      ),
      [
        "query.filters.0.value.min",
        "query.filters.1.value.from",
        "query.filters.2.value.status",
        "query.filters.3.value.codes",
        "query.filters.4.type",
        "query.filters.5.value",
      ],
    );
    const many = Array.from({ length: 21 }, () => ({ attribute: "duration", value: {} }));
    assert.deepEqual(
      blamed(() => workflow(...many)),
      ["query.filters"],
    );
  });
});

describe("filters of the usage lists", () => {
  it("become conditions", () => {
    assert.deepEqual(
      usage(
        { attribute: "runId", type: "number", value: { value: 5 } },
        { attribute: "workflowId", type: "number", value: { value: 7 } },
        { attribute: "callerNumber", type: "text", value: { value: " (202) 555-01 " } },
        { attribute: "calledNumber", type: "text", value: { value: "sip:a.b" } },
        { attribute: "callDirection", type: "radio", value: { status: "inbound" } },
        { attribute: "callDirection", type: "radio", value: { status: "all" } },
        { attribute: "callChannel", type: "radio", value: { status: "web" } },
        { attribute: "campaignId", type: "number", value: { value: 1 } },
      ),
      [
        { is: "run", run: 5 },
        { is: "workflow", workflowId: 7 },
        { is: "caller", contains: "20255501" },
        { is: "called", contains: "sip:a.b" },
        { is: "direction", direction: "inbound" },
        { is: "channel", channel: "web" },
        { is: "never" },
      ],
    );
  });

  it("pass over attributes and types they don't know, but not values", () => {
    const unknown = { attribute: "sentiment", type: "tags", value: { codes: ["good"] } };
    const odd = { attribute: "runId", type: "text", value: { value: "5" } };
    assert.deepEqual(readUsageFilters(JSON.stringify([unknown, odd])), { conditions: [], applied: null });
    assert.deepEqual(
      blamed(() => usage(unknown, { ...odd, type: "number" })),
      ["query.filters.1.value.value"],
    );
  });
});
