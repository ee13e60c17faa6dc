import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { loadAgentReaders } from "../../../src/media/agents/readers.ts";
import { readDefinition } from "../../../src/workflows/workflow.ts";

const types = await loadAgentReaders([]);
const read = (definition: unknown) => readDefinition(definition, types);
const pathsOf = (definition: unknown): string[] => {
  const result = read(definition);
  assert.ok("problems" in result, JSON.stringify(definition));
  for (const { message } of result.problems) assert.ok(message.length > 0);
  return result.problems.map(({ path }) => path.join("."));
};

describe("a workflow's definition", () => {
  it("is its agent's settings, with the defaults filled in", () => {
    assert.deepEqual(read({ agent: { type: "echo" } }), {
      agent: { type: "echo", rate_hz: 16_000, max_duration_ms: 3_600_000 },
      recording: undefined,
    });
    assert.deepEqual(read({ agent: { type: "echo", rate_hz: 48_000, max_duration_ms: 0 } }), {
      agent: { type: "echo", rate_hz: 48_000, max_duration_ms: 0 },
      recording: undefined,
    });
  });

  it("may say more than who answers", () => {
    assert.ok("agent" in read({ agent: { type: "echo" }, nodes: [], edges: [] }));
  });

  it("is refused, naming the field, when it names no agent that there is", () => {
    for (const definition of [
      undefined,
      null,
      "echo",
      1,
      [],
      [{ agent: { type: "echo" } }],
      {},
      { agent: null },
      { agent: "echo" },
      { agent: [] },
    ]) {
      assert.deepEqual(pathsOf(definition), ["agent"]);
    }
    for (const type of [undefined, null, 1, "", "Echo", "echo ", "toString", "__proto__", ["echo"], {}]) {
      assert.deepEqual(pathsOf({ agent: { type } }), ["agent.type"]);
    }
    const unknown = read({ agent: { type: "nobody" } });
    assert.match(JSON.stringify(unknown), /known are .*echo/);
  });

  it("is refused, naming every field, when its agent's settings are wrong", () => {
    for (const rate_hz of [0, -1, 11_025, "16000", null, 16_000.5]) {
      assert.deepEqual(pathsOf({ agent: { type: "echo", rate_hz } }), ["agent.rate_hz"]);
    }
    for (const max_duration_ms of [-1, 0.5, "1", null, 86_400_001, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.deepEqual(pathsOf({ agent: { type: "echo", max_duration_ms } }), ["agent.max_duration_ms"]);
    }
    assert.deepEqual(pathsOf({ agent: { type: "echo", rate_hz: 1, max_duration_ms: -1 } }), [
      "agent.max_duration_ms",
      "agent.rate_hz",
    ]);
    assert.equal(
      pathsOf({ agent: { type: "echo", rate: 8_000 } }).length,
      1,
      "a misspelt setting is no setting",
    );
  });

  it("may have its calls recorded: announced, and for 30 days, unless it says otherwise", () => {
    const recordingOf = (recording: unknown) => {
      const result = read({ agent: { type: "echo" }, recording });
      assert.ok("agent" in result, JSON.stringify(result));
      return result.recording;
    };
    for (const off of [undefined, {}, { enabled: false }, { enabled: false, announcement: true }])
      assert.equal(recordingOf(off), undefined);
    assert.deepEqual(recordingOf({ enabled: true }), { announcement: true, retentionDays: 30 });
    assert.deepEqual(recordingOf({ enabled: true, announcement: false, retention_days: 3_650 }), {
      announcement: false,
      retentionDays: 3_650,
    });
  });

  it("is refused, naming every field, when it says wrongly how calls are recorded, off or on", () => {
    const pathsIn = (recording: unknown) => pathsOf({ agent: { type: "echo" }, recording });
    for (const block of [null, true, "on", [], 30]) assert.deepEqual(pathsIn(block), ["recording"]);
    for (const enabled of [true, false]) {
      for (const retention_days of [0, -1, 3_651, 1.5, "30", null])
        assert.deepEqual(pathsIn({ enabled, retention_days }), ["recording.retention_days"]);
      for (const announcement of ["yes", 1, null])
        assert.deepEqual(pathsIn({ enabled, announcement }), ["recording.announcement"]);
      assert.deepEqual(pathsIn({ enabled, anouncement: true }), ["recording.anouncement"], "a misspelt one");
    }
    assert.deepEqual(pathsIn({ enabled: "true" }), ["recording.enabled"]);
    assert.deepEqual(pathsOf({ agent: { type: "nobody" }, recording: { days: 1 } }), [
      "agent.type",
      "recording.days",
    ]);
  });

  it("is read or refused, whatever it is", () => {
    const agents = fc.record({ type: fc.oneof(fc.constant("echo"), fc.anything()), rate_hz: fc.anything() });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.record({ agent: agents, recording: fc.anything() }, { requiredKeys: ["agent"] }),
        ),
        (definition) => {
          const result = read(definition);
          if ("agent" in result) assert.equal(result.agent.type, "echo");
          else
            assert.ok(
              result.problems.every(({ path: [block] }) => block === "agent" || block === "recording"),
            );
        },
      ),
    );
  });
});
