import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AccountSid, ConfigurationId, NumberId, WorkflowId } from "../../../src/domain/ids.ts";
import { loadAgentReaders } from "../../../src/media/agents/readers.ts";
import { type DirectoryContents, type PhoneNumber, RoutingSnapshot } from "../../../src/numbers/routing.ts";
import type { Workflow } from "../../../src/workflows/workflow.ts";

const types = await loadAgentReaders([]);
const [ONE, TWO, STRANGER] = ["AC1", "AC2", "AC3"].map(AccountSid) as [AccountSid, AccountSid, AccountSid];
const ADDRESS = "+12025550100";

const configuration = (id: number, accountSid: AccountSid, ...authTokens: string[]) => ({
  id: ConfigurationId(id),
  name: `Configuration ${id}`,
  accountSid,
  authTokens,
});
const number = (changes: Partial<PhoneNumber> = {}): PhoneNumber => ({
  id: NumberId(7),
  configurationId: ConfigurationId(1),
  address: ADDRESS,
  isActive: true,
  inboundWorkflowId: WorkflowId(3),
  ...changes,
});
const echo = (changes: Partial<Workflow> = {}): Workflow => ({
  id: WorkflowId(3),
  name: "Echo",
  status: "active",
  version: 5,
  definition: { agent: { type: "echo", rate_hz: 8_000 } },
  ...changes,
});
const snapshot = (contents: Partial<DirectoryContents>): RoutingSnapshot =>
  new RoutingSnapshot(
    {
      configurations: [configuration(1, ONE, "token one")],
      numbers: [number()],
      workflows: [echo()],
      ...contents,
    },
    types,
  );

describe("a route", () => {
  it("says which workflow answers, which version of it, and its agent with its defaults", () => {
    assert.deepEqual(snapshot({}).route(ONE, ADDRESS), {
      numberId: 7,
      workflowId: 3,
      workflowVersion: 5,
      agent: { type: "echo", rate_hz: 8_000, max_duration_ms: 3_600_000 },
    });
  });

  const refusals: [what: string, contents: Partial<DirectoryContents>, refusal: string][] = [
    ["no such number", { numbers: [] }, "number_unknown"],
    ["a number that is switched off", { numbers: [number({ isActive: false })] }, "number_inactive"],
    [
      "a number without a workflow",
      { numbers: [number({ inboundWorkflowId: undefined })] },
      "workflow_missing",
    ],
    ["a workflow that is gone", { workflows: [] }, "workflow_missing"],
    ["an archived workflow", { workflows: [echo({ status: "archived" })] }, "workflow_archived"],
    [
      "broken settings",
      { workflows: [echo({ definition: { agent: { type: "echo", rate_hz: 1 } } })] },
      "workflow_invalid",
    ],
    ["no definition at all", { workflows: [echo({ definition: undefined })] }, "workflow_invalid"],
    [
      "the first of several reasons",
      { numbers: [number({ isActive: false, inboundWorkflowId: undefined })] },
      "number_inactive",
    ],
  ];
  for (const [what, contents, refusal] of refusals) {
    it(`is refused for ${what}`, () => {
      const isKnown = refusal !== "number_unknown";
      const route = { numberId: isKnown ? 7 : undefined, refusal };
      assert.deepEqual(snapshot(contents).route(ONE, ADDRESS), route);
    });
  }

  it("belongs to its account: the same number of another account is another number", () => {
    const routing = snapshot({
      configurations: [configuration(1, ONE, "a"), configuration(2, TWO, "b")],
      numbers: [
        number(),
        number({ id: NumberId(8), configurationId: ConfigurationId(2), inboundWorkflowId: WorkflowId(4) }),
      ],
      workflows: [echo(), echo({ id: WorkflowId(4) })],
    });
    assert.equal(routing.route(ONE, ADDRESS).numberId, 7);
    assert.equal(routing.route(TWO, ADDRESS).numberId, 8);
    assert.deepEqual(routing.route(STRANGER, ADDRESS), { numberId: undefined, refusal: "number_unknown" });
  });

  it("is none for what is no telephone number, and for a number whose configuration is gone", () => {
    assert.deepEqual(snapshot({}).route(ONE, undefined), { numberId: undefined, refusal: "number_unknown" });
    const orphan = snapshot({ numbers: [number({ configurationId: ConfigurationId(9) })] });
    assert.deepEqual(orphan.route(ONE, ADDRESS), { numberId: undefined, refusal: "number_unknown" });
  });

  it("is never found under an address that is only like it", () => {
    const routing = snapshot({});
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.constantFrom("toString", "__proto__", `${ADDRESS} `, ` ${ADDRESS}`)),
        (address) => {
          fc.pre(address !== ADDRESS);
          assert.ok("refusal" in routing.route(ONE, address));
          assert.ok("refusal" in routing.route(AccountSid(address), ADDRESS));
        },
      ),
    );
  });
});

describe("the tokens of an account", () => {
  it("are those of every configuration that has it, and none for a stranger", () => {
    const configurations = [
      configuration(1, ONE, "a", "b"),
      configuration(2, TWO, "c"),
      configuration(3, ONE, "d"),
    ];
    const routing = snapshot({ configurations });
    assert.deepEqual(routing.tokensOf(ONE), ["a", "b", "d"]);
    assert.deepEqual(routing.tokensOf(TWO), ["c"]);
    for (const stranger of ["", "AC9", "toString", "__proto__"]) {
      assert.deepEqual(routing.tokensOf(AccountSid(stranger)), []);
    }
  });
});

describe("a snapshot", () => {
  it("stays what it was when what it was made from changes", () => {
    const numbers = [number()];
    const authTokens = ["a"];
    const contents = {
      configurations: [{ ...configuration(1, ONE), authTokens }],
      numbers,
      workflows: [echo()],
    };
    const routing = new RoutingSnapshot(contents, types);
    numbers.length = 0;
    authTokens.push("b");
    assert.ok("agent" in routing.route(ONE, ADDRESS));
    assert.deepEqual(routing.tokensOf(ONE), ["a"]);
  });
});
