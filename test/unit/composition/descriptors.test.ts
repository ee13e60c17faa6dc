import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { descriptorLimit, limitIn, socketBudget } from "../../../src/composition/descriptors.ts";

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             127235               127235               processes
Max open files            1024                 524288               files
`;

describe("the process's descriptors", () => {
  it("are read where the system tells of them", () => {
    assert.equal(limitIn(LIMITS), 1_024);
    assert.equal(limitIn(LIMITS.replace("1024  ", "unlimited")), undefined);
    const limit = descriptorLimit();
    assert.ok(limit === undefined || limit > 100);
  });

  it("are enough for three a call, or the operator is told what to do", () => {
    assert.deepEqual(socketBudget(1_000, 3_700), { connections: 1_500, warning: undefined });
    assert.deepEqual(socketBudget(1_000, undefined), { connections: 1_500, warning: undefined });
    const { connections, warning } = socketBudget(1_000, 1_024);
    assert.equal(connections, 274);
    assert.match(warning ?? "", /may open 1024 files .*ulimit -n 3700.* CALLS_MAX to 108\.$/);
  });

  it("are never all accepted away, however few there are", () => {
    for (let descriptors = 0; descriptors < 5_000; descriptors++) {
      const { connections, warning } = socketBudget(1_000, descriptors);
      assert.ok(connections >= 1 && connections <= 1_500);
      assert.ok(descriptors < 300 || connections < descriptors - 200);
      assert.equal(warning === undefined, descriptors >= 3_700);
    }
  });
});
