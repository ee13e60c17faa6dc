// `kill -9` at random points, while calls come and are placed. `npm run soak` does it 200 times.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { describe, it } from "node:test";
import { figuresOf, killAgainAndAgain } from "../../support/killing.ts";

const ROUNDS = 8;
/** On a machine that is busy with other things, fewer have to do. */
const WITHIN_MS = 75_000;
const ROUNDS_MIN = 3;

describe("a gateway that is killed under load", () => {
  it("loses no record that anyone was told of, and calls nobody twice", async (t) => {
    const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
    t.diagnostic(`SEED=${seed}`);
    const result = await killAgainAndAgain(t, { rounds: ROUNDS, withinMs: WITHIN_MS, seed });
    t.diagnostic(figuresOf(result));
    const { lost, dialledTwice, unrecorded } = result;
    assert.deepEqual({ lost, dialledTwice, unrecorded }, { lost: 0, dialledTwice: 0, unrecorded: 0 });
    assert.ok(result.rounds >= ROUNDS_MIN, `only ${result.rounds} rounds in time`);
    for (const what of [
      "inboundAnswered",
      "outboundAnswered",
      "askedAgain",
      "promised",
      "dialled",
      "closedAsLost",
    ] as const)
      assert.ok(result[what] > 0, `${what}: there was something to lose`);
  });
});
