// A hundred thousand hostile messages from both of a call's sides: a sample of test/soak/hostile.ts.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { describe, it } from "node:test";
import { hostileInWords, runHostile } from "../../support/hostile.ts";

/** Asked for are 50 ms; four times that, and what a machine without time adds. */
const LOOP_MS = 4 * 50;

describe("a hundred thousand hostile messages", () => {
  it("crash nothing, hold up nobody, and are answered with none", async (t) => {
    const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
    t.diagnostic(`SEED=${seed}`);
    const hostile = await runHostile({ messages: 100_000, seed });
    t.diagnostic(hostileInWords(hostile));
    assert.deepEqual(hostile.breaches.slice(0, 5), []);
    assert.equal(hostile.crashes, 0);
    assert.ok(hostile.isWhole && hostile.bystanderMs > 2_000, "the bystander's audio");
    assert.ok(hostile.malformed > 1_000 && hostile.refused > 1_000);
    assert.ok(hostile.loopMs <= Math.max(LOOP_MS, 4 * hostile.idleMs), `${hostile.loopMs} ms`);
  });
});
