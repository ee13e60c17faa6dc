import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadAgentMakers } from "../../../../src/media/agents/makers.ts";
import { loadAgentReaders } from "../../../../src/media/agents/readers.ts";
import { agentSettings, bareSettings, NO_SILENCE_LIMITS } from "../../../../src/media/agents/settings.ts";

const TEST_AGENT = new URL("../../../support/testAgent.ts", import.meta.url).href;
const HOUR_MS = 3_600_000;

describe("the types of agent", () => {
  it("can all be made that can be named", async () => {
    const [makers, readers] = [await loadAgentMakers([]), await loadAgentReaders([])];
    assert.ok(readers.has("echo"));
    assert.deepEqual([...makers.keys()], [...readers.keys()]);
    for (const [name, { type }] of [...makers, ...readers]) assert.equal(type, name);
  });

  for (const load of [loadAgentReaders, loadAgentMakers]) {
    it(`are also those of the modules that are named: ${load.name}`, async () => {
      const types = await load([TEST_AGENT]);
      const builtIn = await load([]);
      assert.deepEqual([...types.keys()], [...builtIn.keys(), "test"]);
    });

    it(`cannot be loaded from a module that is not there: ${load.name}`, async () => {
      await assert.rejects(load([new URL("./nowhere.ts", import.meta.url).href]), {
        code: "ERR_MODULE_NOT_FOUND",
      });
    });
  }
});

describe("what all agents' settings have in common", () => {
  const { parse } = agentSettings("any", {});

  it("is how long a call may last: an hour by default, a day at most, 0 for no limit", () => {
    const maxOf = (agent: Record<string, unknown>) => {
      const read = parse({ type: "any", ...agent });
      return "settings" in read ? read.settings.max_duration_ms : read.problems.map(({ path }) => path);
    };
    assert.equal(maxOf({}), HOUR_MS);
    assert.equal(maxOf({ max_duration_ms: 0 }), 0);
    assert.equal(maxOf({ max_duration_ms: 24 * HOUR_MS }), 24 * HOUR_MS);
    for (const wrong of [24 * HOUR_MS + 1, -1, 1.5, "1000", null])
      assert.deepEqual(maxOf({ max_duration_ms: wrong }), [["max_duration_ms"]]);
  });

  const limits = ["first_speech_timeout_ms", "max_silence_ms"] as const;
  for (const [limit, usualMs] of [
    ["first_speech_timeout_ms", 5_000],
    ["max_silence_ms", 30_000],
  ] as const) {
    it(`is how long there may be silence: ${limit}, an hour at most, 0 for no limit`, () => {
      const limitOf = (agent: Record<string, unknown>) => {
        const read = parse({ type: "any", ...agent });
        return "settings" in read ? read.settings[limit] : read.problems.map(({ path }) => path);
      };
      assert.equal(limitOf({}), usualMs);
      assert.equal(limitOf({ [limit]: 0 }), 0);
      assert.equal(limitOf({ [limit]: HOUR_MS }), HOUR_MS);
      for (const wrong of [HOUR_MS + 1, -1, 1.5, "1000", null])
        assert.deepEqual(limitOf({ [limit]: wrong }), [[limit]]);
    });
  }

  it("has no limit for silence in a type that says so", () => {
    const quiet = agentSettings("quiet", NO_SILENCE_LIMITS).parse({ type: "quiet", max_silence_ms: 9 });
    assert.ok("settings" in quiet);
    assert.deepEqual([quiet.settings.first_speech_timeout_ms, quiet.settings.max_silence_ms], [0, 9]);
  });

  it("has no such setting in a type with nothing to say", () => {
    const bare = bareSettings("bare", {});
    const read = bare.parse({ type: "bare" });
    assert.deepEqual(read, { settings: { type: "bare", max_duration_ms: HOUR_MS } });
    for (const limit of limits) assert.ok("problems" in bare.parse({ type: "bare", [limit]: 1 }));
  });

  it("is that no field is taken that nobody knows", () => {
    const read = parse({ type: "any", max_duration: 5 });
    assert.ok("problems" in read);
    assert.deepEqual(
      read.problems.map(({ path }) => path),
      [["max_duration"]],
    );
  });
});
