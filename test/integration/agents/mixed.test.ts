// Calls with all kinds of agents at once, while workers die: a sample of what test/soak/mixed.ts does at length.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mixedInWords, runMixed } from "../../support/mixedCalls.ts";

/** Of a call that moves, on a machine that others use. */
const GAP_MS = 4 * 1_000;

describe("twenty-four calls with four kinds of agents", () => {
  it("go on while a worker dies every two seconds, each with its own audio and nobody else's", async (t) => {
    const mixed = await runMixed({ calls: 24, forMs: 10_000, workers: 4, callMs: 9_000 });
    t.diagnostic(mixedInWords(mixed));
    assert.deepEqual(mixed.lost, []);
    assert.deepEqual(mixed.foreign, []);
    assert.ok(mixed.kills >= 2 && mixed.moved >= 4);
    assert.ok(Math.max(...mixed.gapsMs) <= GAP_MS);
    assert.ok(mixed.frames > 24 * 100, `${mixed.frames} frames came back`);
  });
});
