import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AccountSid, ConfigurationId, DefinitionId, NumberId, WorkflowId } from "../../../src/domain/ids.ts";
import { loadAgentReaders } from "../../../src/media/agents/readers.ts";
import {
  type Configuration,
  Directory,
  type DirectoryContents,
  type PhoneNumber,
} from "../../../src/numbers/directory.ts";
import type { Workflow } from "../../../src/workflows/workflow.ts";

const types = await loadAgentReaders([]);
const [ONE, TWO, STRANGER] = ["AC1", "AC2", "AC3"].map(AccountSid) as [AccountSid, AccountSid, AccountSid];
const ADDRESS = "+12025550100";
const UNKNOWN = { refusal: "number_unknown" };

const configuration = (
  id: number,
  accountSid: AccountSid,
  authTokens: readonly string[] = [],
  changes: Partial<Configuration> = {},
): Configuration => ({
  id: ConfigurationId(id),
  name: `Configuration ${id}`,
  accountSid,
  authTokens,
  apiKey: undefined,
  region: undefined,
  edge: undefined,
  amdEnabled: false,
  isDefaultOutbound: false,
  isDemo: false,
  createdAtMs: id,
  ...changes,
});
const number = (changes: Partial<PhoneNumber> = {}): PhoneNumber => ({
  id: NumberId(7),
  configurationId: ConfigurationId(1),
  address: ADDRESS,
  type: "pstn",
  isActive: true,
  isDefaultCallerId: false,
  inboundWorkflowId: WorkflowId(3),
  ...changes,
});
const echo = (changes: Partial<Workflow> = {}): Workflow => ({
  id: WorkflowId(3),
  uuid: `uuid of ${changes.id ?? 3}`,
  name: "Echo",
  status: "active",
  version: 5,
  definitionId: DefinitionId(9),
  definition: { agent: { type: "echo", rate_hz: 8_000 } },
  secrets: {},
  templateContextVariables: undefined,
  ...changes,
});
const CONTENTS: DirectoryContents = {
  configurations: [configuration(1, ONE, ["token one"])],
  numbers: [number()],
  workflows: [echo()],
};
const directoryOf = (contents: Partial<DirectoryContents>, takesDemo = true): Directory =>
  new Directory({ ...CONTENTS, ...contents }, types, takesDemo);

describe("a route", () => {
  it("says which workflow answers, which version of it, and its agent with its defaults", () => {
    assert.deepEqual(directoryOf({}).route(ONE, ADDRESS), {
      configurationId: 1,
      numberId: 7,
      definitionId: 9,
      brief: {
        workflow: { id: 3, name: "Echo", version: 5 },
        agent: { type: "echo", rate_hz: 8_000, max_duration_ms: 3_600_000 },
        recording: undefined,
        variables: {},
      },
    });
  });

  it("says how its calls are recorded and what its agent is told on each", () => {
    const definition = { agent: { type: "echo" }, recording: { enabled: true, retention_days: 7 } };
    const workflow = echo({ definition, templateContextVariables: { company: "Linecard" } });
    const route = directoryOf({ workflows: [workflow] }).route(ONE, ADDRESS);
    assert.ok("brief" in route);
    assert.deepEqual(route.brief.recording, { announcement: true, retentionDays: 7 });
    assert.deepEqual(route.brief.variables, { company: "Linecard" });
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
      const route = isKnown ? { configurationId: 1, numberId: 7, refusal } : { refusal };
      assert.deepEqual(directoryOf(contents).route(ONE, ADDRESS), route);
    });
  }

  it("belongs to its account: the same number of another account is another number", () => {
    const directory = directoryOf({
      configurations: [configuration(1, ONE, ["a"]), configuration(2, TWO, ["b"])],
      numbers: [
        number(),
        number({ id: NumberId(8), configurationId: ConfigurationId(2), inboundWorkflowId: WorkflowId(4) }),
      ],
      workflows: [echo(), echo({ id: WorkflowId(4) })],
    });
    assert.equal(directory.route(ONE, ADDRESS).numberId, 7);
    assert.equal(directory.route(TWO, ADDRESS).numberId, 8);
    assert.deepEqual(directory.route(STRANGER, ADDRESS), UNKNOWN);
  });

  it("is none for what is no telephone number, and for a number whose configuration is gone", () => {
    assert.deepEqual(directoryOf({}).route(ONE, undefined), UNKNOWN);
    const orphan = directoryOf({ numbers: [number({ configurationId: ConfigurationId(9) })] });
    assert.deepEqual(orphan.route(ONE, ADDRESS), UNKNOWN);
  });

  it("is never found under an address that is only like it", () => {
    const directory = directoryOf({});
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.constantFrom("toString", "__proto__", `${ADDRESS} `, ` ${ADDRESS}`)),
        (address) => {
          fc.pre(address !== ADDRESS);
          assert.ok("refusal" in directory.route(ONE, address));
          assert.ok("refusal" in directory.route(AccountSid(address), ADDRESS));
        },
      ),
    );
  });
});

describe("the tokens of an account", () => {
  it("are those of every configuration that has it, and none for a stranger", () => {
    const configurations = [
      configuration(1, ONE, ["a", "b"]),
      configuration(2, TWO, ["c"]),
      configuration(3, ONE, ["d"]),
    ];
    const directory = directoryOf({ configurations });
    assert.deepEqual(directory.tokensOf(ONE), ["a", "b", "d"]);
    assert.deepEqual(directory.tokensOf(TWO), ["c"]);
    for (const stranger of ["", "AC9", "toString", "__proto__"]) {
      assert.deepEqual(directory.tokensOf(AccountSid(stranger)), []);
    }
  });
});

describe("a change", () => {
  it("of a number counts at once: its workflow, its being on, its going", () => {
    const directory = directoryOf({ workflows: [echo(), echo({ id: WorkflowId(4) })] });
    const workflowNow = () => {
      const route = directory.route(ONE, ADDRESS);
      return "brief" in route ? route.brief.workflow.id : route.refusal;
    };
    directory.putNumber(number({ inboundWorkflowId: WorkflowId(4) }));
    assert.equal(workflowNow(), 4);
    directory.putNumber(number({ inboundWorkflowId: undefined }));
    assert.equal(workflowNow(), "workflow_missing");
    directory.putNumber(number({ isActive: false }));
    assert.equal(workflowNow(), "number_inactive");
    directory.removeNumber(NumberId(7));
    assert.equal(workflowNow(), "number_unknown");
    directory.putNumber(number());
    assert.equal(workflowNow(), 3);
  });

  it("of a number's address leaves nothing at the old one", () => {
    const directory = directoryOf({});
    directory.putNumber(number({ address: "+12025550199" }));
    assert.deepEqual(directory.route(ONE, ADDRESS), UNKNOWN);
    assert.equal(directory.route(ONE, "+12025550199").numberId, 7);
  });

  it("of a workflow counts for every number that it answers", () => {
    const directory = directoryOf({
      numbers: [number(), number({ id: NumberId(8), address: "+12025550101" })],
    });
    directory.putWorkflow(echo({ version: 6, definitionId: DefinitionId(10) }));
    for (const address of [ADDRESS, "+12025550101"]) {
      const route = directory.route(ONE, address);
      assert.deepEqual("brief" in route && [route.brief.workflow.version, route.definitionId], [6, 10]);
    }
    directory.putWorkflow(echo({ status: "archived" }));
    assert.deepEqual(directory.route(ONE, ADDRESS), {
      configurationId: 1,
      numberId: 7,
      refusal: "workflow_archived",
    });
    assert.deepEqual(directory.answererOf(WorkflowId(3)), { refusal: "workflow_archived" });
    assert.deepEqual(directory.answererOf(WorkflowId(4)), { refusal: "workflow_missing" });
    assert.equal(directory.workflowOf("uuid of 3")?.id, 3);
    assert.equal(directory.workflowOf("uuid of 4"), undefined);
  });

  it("of a configuration's account takes its numbers along", () => {
    const directory = directoryOf({});
    directory.putConfiguration(configuration(1, TWO, ["token two"]));
    assert.deepEqual(directory.route(ONE, ADDRESS), UNKNOWN);
    assert.equal(directory.route(TWO, ADDRESS).numberId, 7);
    assert.deepEqual([directory.tokensOf(ONE), directory.tokensOf(TWO)], [[], ["token two"]]);
  });

  it("of a configuration's tokens leaves no old one", () => {
    const directory = directoryOf({});
    directory.putConfiguration(configuration(1, ONE, ["token two", "token three"]));
    assert.deepEqual(directory.tokensOf(ONE), ["token two", "token three"]);
    directory.removeConfiguration(ConfigurationId(1));
    assert.deepEqual(directory.tokensOf(ONE), []);
    assert.equal(directory.number(NumberId(7)), undefined, "its numbers go with it");
    assert.deepEqual([...directory.numbersOf(ConfigurationId(1))], []);
    directory.putNumber(number());
    assert.equal(directory.number(NumberId(7)), undefined, "and are nobody's without it");
  });

  it("makes one configuration the default, and one number of each the caller's", () => {
    const directory = directoryOf({
      configurations: [
        configuration(1, ONE, ["a"]),
        configuration(2, ONE, ["b"], { isDefaultOutbound: true }),
        configuration(3, TWO, ["c"]),
      ],
    });
    const inOrder = () => directory.configurations().map(({ id }) => id);
    assert.deepEqual(inOrder(), [2, 1, 3]);
    directory.putConfiguration(configuration(3, TWO, ["c"], { isDefaultOutbound: true }));
    assert.deepEqual(inOrder(), [3, 1, 2]);
    assert.equal(directory.configuration(ConfigurationId(2))?.isDefaultOutbound, false);
    assert.deepEqual(directory.tokensOf(ONE), ["a", "b"], "which changes nothing else");

    directory.putNumber(number({ isDefaultCallerId: true }));
    directory.putNumber(number({ id: NumberId(8), address: "+12025550101", isDefaultCallerId: true }));
    const defaults = [...directory.numbersOf(ConfigurationId(1))].filter(
      ({ isDefaultCallerId }) => isDefaultCallerId,
    );
    assert.deepEqual(
      defaults.map(({ id }) => id),
      [8],
    );
  });
});

describe("the demo account", () => {
  const configurations = [configuration(1, ONE, ["token one"], { isDemo: true })];

  it("counts while nobody else can reach us", () => {
    assert.equal(directoryOf({ configurations }, true).route(ONE, ADDRESS).numberId, 7);
  });

  it("is no account at all otherwise, and its numbers are nobody's", () => {
    const directory = directoryOf({ configurations }, false);
    assert.deepEqual(directory.tokensOf(ONE), []);
    assert.deepEqual(directory.route(ONE, ADDRESS), UNKNOWN);
    assert.deepEqual(directory.configurations(), []);
    directory.putConfiguration(configurations[0]!);
    directory.putNumber(number());
    assert.deepEqual(directory.tokensOf(ONE), []);
    assert.deepEqual(directory.route(ONE, ADDRESS), UNKNOWN);
  });
});

describe("a directory", () => {
  it("stays what it was when what it was made from changes", () => {
    const numbers = [number()];
    const configurations = [configuration(1, ONE, ["a"])];
    const directory = directoryOf({ configurations, numbers });
    numbers.length = 0;
    configurations.length = 0;
    assert.ok("brief" in directory.route(ONE, ADDRESS));
    assert.deepEqual(directory.tokensOf(ONE), ["a"]);
  });

  // What the database would hold after each change: its rules are unique names of numbers within an account, one
  // default, and that what belongs to something goes with it.
  interface Book {
    readonly configurations: Map<ConfigurationId, Configuration>;
    readonly numbers: Map<NumberId, PhoneNumber>;
    readonly workflows: Map<WorkflowId, Workflow>;
  }
  type Change = (book: Book, directory: Directory) => void;

  const accountOf = ({ configurations }: Book, { configurationId }: PhoneNumber) =>
    configurations.get(configurationId)?.accountSid;
  /** Whether the database would take it: each account has an address once. */
  const isUnique = (book: Book, wanted: PhoneNumber): boolean =>
    [...book.numbers.values()].every(
      (other) =>
        other.id === wanted.id ||
        other.address !== wanted.address ||
        accountOf(book, other) !== accountOf(book, wanted),
    );

  const someNumber = fc.record({
    id: fc.integer({ min: 1, max: 5 }).map(NumberId),
    configurationId: fc.integer({ min: 1, max: 3 }).map(ConfigurationId),
    address: fc.constantFrom("+12025550100", "+12025550101", "sip:a@example.com"),
    isActive: fc.boolean(),
    isDefaultCallerId: fc.boolean(),
    inboundWorkflowId: fc.option(fc.integer({ min: 1, max: 3 }).map(WorkflowId), { nil: undefined }),
  });
  const changes: fc.Arbitrary<Change> = fc.oneof(
    fc
      .record({
        id: fc.integer({ min: 1, max: 3 }),
        accountSid: fc.constantFrom(ONE, TWO),
        token: fc.constantFrom("a", "b"),
        isDefaultOutbound: fc.boolean(),
      })
      .map(
        ({ id, accountSid, token, isDefaultOutbound }): Change =>
          (book, directory) => {
            const changed = configuration(id, accountSid, [token], { isDefaultOutbound });
            const before = book.configurations.get(changed.id);
            book.configurations.set(changed.id, changed);
            const moved = [...book.numbers.values()].filter((each) => each.configurationId === changed.id);
            if (!moved.every((each) => isUnique(book, each))) {
              if (before === undefined) book.configurations.delete(changed.id);
              else book.configurations.set(changed.id, before);
              return;
            }
            if (isDefaultOutbound) {
              for (const other of book.configurations.values())
                if (other.id !== changed.id)
                  book.configurations.set(other.id, { ...other, isDefaultOutbound: false });
            }
            directory.putConfiguration(changed);
          },
      ),
    fc.integer({ min: 1, max: 3 }).map(
      (id): Change =>
        (book, directory) => {
          book.configurations.delete(ConfigurationId(id));
          for (const each of book.numbers.values())
            if (each.configurationId === id) book.numbers.delete(each.id);
          directory.removeConfiguration(ConfigurationId(id));
        },
    ),
    someNumber.map(
      (fields): Change =>
        (book, directory) => {
          const changed = number(fields);
          if (accountOf(book, changed) === undefined || !isUnique(book, changed)) return;
          if (changed.isDefaultCallerId) {
            for (const other of book.numbers.values())
              if (other.configurationId === changed.configurationId && other.id !== changed.id)
                book.numbers.set(other.id, { ...other, isDefaultCallerId: false });
          }
          book.numbers.set(changed.id, changed);
          directory.putNumber(changed);
        },
    ),
    fc.integer({ min: 1, max: 5 }).map(
      (id): Change =>
        (book, directory) => {
          book.numbers.delete(NumberId(id));
          directory.removeNumber(NumberId(id));
        },
    ),
    fc
      .record({
        id: fc.integer({ min: 1, max: 3 }),
        version: fc.integer({ min: 1, max: 9 }),
        isArchived: fc.boolean(),
      })
      .map(
        ({ id, version, isArchived }): Change =>
          (book, directory) => {
            const changed = echo({ id: WorkflowId(id), version, status: isArchived ? "archived" : "active" });
            book.workflows.set(changed.id, changed);
            directory.putWorkflow(changed);
          },
      ),
  );

  /** All that anyone can ask it. */
  function answers(directory: Directory): unknown {
    const addresses = ["+12025550100", "+12025550101", "sip:a@example.com"];
    const ids = [1, 2, 3, 4, 5];
    const byId = <Each extends { readonly id: number }>(some: Iterable<Each>) =>
      [...some].sort((a, b) => a.id - b.id);
    return {
      tokens: [ONE, TWO].map((account) => directory.tokensOf(account).toSorted()),
      routes: [ONE, TWO].map((account) => addresses.map((address) => directory.route(account, address))),
      configurations: directory.configurations(),
      configuration: ids.map((id) => directory.configuration(ConfigurationId(id))),
      numbers: ids.map((id) => directory.number(NumberId(id))),
      numbersOf: ids.map((id) => byId(directory.numbersOf(ConfigurationId(id)))),
      workflows: ids.map((id) => directory.workflow(WorkflowId(id))),
      byUuid: ids.map((id) => directory.workflowOf(`uuid of ${id}`)),
      answerers: ids.map((id) => directory.answererOf(WorkflowId(id))),
    };
  }

  it("is after any changes what one that is built anew would be", () => {
    fc.assert(
      fc.property(fc.array(changes, { maxLength: 40 }), (sequence) => {
        const book: Book = { configurations: new Map(), numbers: new Map(), workflows: new Map() };
        const directory = directoryOf({ configurations: [], numbers: [], workflows: [] });
        for (const change of sequence) change(book, directory);
        const anew = directoryOf({
          configurations: [...book.configurations.values()],
          numbers: [...book.numbers.values()],
          workflows: [...book.workflows.values()],
        });
        assert.deepEqual(answers(directory), answers(anew));
      }),
      { numRuns: 2_000 },
    );
  });
});
