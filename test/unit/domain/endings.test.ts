import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { END_REASONS, farewellOf, OUTCOMES, STREAM_VIOLATIONS } from "../../../src/domain/endings.ts";

describe("how a call ends", () => {
  it("is followed by nothing when it ended well, and by an apology whenever it did not", () => {
    const well = END_REASONS.filter((reason) => farewellOf(reason) === "hang_up");
    assert.deepEqual(well, ["caller_hung_up", "agent_hung_up", "max_duration", "operator_hung_up"]);
    for (const reason of END_REASONS) assert.match(farewellOf(reason), /^(hang_up|apologize)$/);
  });

  it("has one name for each reason, fit to label a metric", () => {
    for (const names of [OUTCOMES, STREAM_VIOLATIONS]) {
      assert.equal(new Set(names).size, names.length);
      for (const name of names) assert.match(name, /^[a-z]+(_[a-z]+)*$/);
    }
  });
});
