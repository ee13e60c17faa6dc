// What a worker is told of a call's workflow, from both webhooks that bring a call to its agent.
import assert from "node:assert/strict";
import { it } from "node:test";
import { LiveCalls } from "../../../../src/calls/live/liveCalls.ts";
import { CallLog } from "../../../../src/calls/log/callLog.ts";
import { inboundRule } from "../../../../src/calls/webhooks/inboundRules.ts";
import { answerRule, type OutboundRuleParts } from "../../../../src/calls/webhooks/outboundRules.ts";
import {
  AccountSid,
  CallSid,
  ConfigurationId,
  DefinitionId,
  NumberId,
  type RunId,
  WorkflowId,
} from "../../../../src/domain/ids.ts";
import { loadAgentReaders } from "../../../../src/media/agents/readers.ts";
import { Directory } from "../../../../src/numbers/directory.ts";
import { type CallOrder, Placement } from "../../../../src/pool/placement.ts";
import { configuration } from "../../../support/gateway.ts";
import { ManualClock } from "../../../support/manualClock.ts";
import { MemoryKeeper } from "../../../support/memoryKeeper.ts";

const ACCOUNT = AccountSid(`AC${"1".repeat(32)}`);
const [OURS, THEIRS] = ["+12025550100", "+14155550142"] as const;
const SECRET = "as long as it has to be";
const types = await loadAgentReaders([new URL("../../../support/secretAgent.ts", import.meta.url).href]);

/** A gateway's rules, with one number and one workflow, whose every placed order is kept. */
function setUp() {
  const orders: CallOrder[] = [];
  const clock = new ManualClock();
  const fields = configuration("One", { accountSid: ACCOUNT });
  const ids = { id: ConfigurationId(1), authTokens: [fields.authToken], createdAtMs: 0 };
  const directory = new Directory(
    {
      configurations: [{ ...fields, ...ids }],
      numbers: [
        {
          ...{ id: NumberId(1), configurationId: ConfigurationId(1), address: OURS, type: "pstn" },
          ...{ isActive: true, isDefaultCallerId: true, inboundWorkflowId: WorkflowId(3) },
        },
      ],
      workflows: [
        {
          ...{ id: WorkflowId(3), uuid: "u", name: "Reception", status: "active" },
          ...{ version: 7, definitionId: DefinitionId(9) },
          definition: { agent: { type: "secretive" }, recording: { enabled: true } },
          secrets: { agent_secret: SECRET },
          templateContextVariables: { company: "Linecard" },
        },
      ],
    },
    types,
    true,
  );
  const noted = { onStalled() {}, onResumed() {}, onRefused() {} };
  const records = new CallLog(new MemoryKeeper(), { lastRun: 0, records: [] }, clock, noted);
  const observer = { ended() {} } as unknown as OutboundRuleParts["observer"];
  const calls = new LiveCalls({
    ...{ clock, directory, records, observer },
    strength: { refuses: () => false, taken() {} },
    limits: { callsMax: 10, mediaGapMs: 10_000, pongMs: 10_000 },
    streamBase: () => "ws://127.0.0.1:1",
    tasks: {
      isReady: true,
      place: (order, listener) => {
        orders.push(order);
        return new Placement(order, orders.length, listener, 0);
      },
    },
  });
  const answerer = directory.answererOf(WorkflowId(3));
  assert.ok("brief" in answerer);
  const dialer = { named: () => true, answererOf: () => answerer } as unknown as OutboundRuleParts["dialer"];
  const publicBase = () => "http://127.0.0.1:1";
  return { parts: { calls, records, directory, clock, observer, publicBase, dialer }, orders };
}

const asked = (run: number, direction: "inbound" | "outbound-api") => ({
  run: run as RunId,
  params: new Map() as never,
  webhook: {
    ...{ callSid: CallSid(`CA${run}`), accountSid: ACCOUNT, from: THEIRS, to: OURS },
    ...{ fromNumber: THEIRS, toNumber: OURS, callStatus: "ringing" as const, direction },
    ...{ stirVerstat: undefined, forwardedFrom: undefined, callerName: undefined },
  },
});

const BRIEF = {
  workflow: { id: 3, name: "Reception", version: 7 },
  agent: {
    ...{ type: "secretive", agent_secret: SECRET, max_duration_ms: 3_600_000 },
    ...{ first_speech_timeout_ms: 0, max_silence_ms: 0 },
  },
  recording: { announcement: true, retentionDays: 30 },
  variables: { company: "Linecard" },
};
const FACTS = { accountSid: ACCOUNT };

it("a call that comes in takes along all that its workflow's version holds, secrets too", () => {
  const { parts, orders } = setUp();
  assert.equal(inboundRule(parts)(asked(1, "inbound")).answer, "connect");
  const facts = { ...FACTS, run: 1, callSid: "CA1", direction: "inbound", from: THEIRS, to: OURS };
  assert.deepEqual(orders, [{ ...facts, ...BRIEF, parameters: {} }]);
});

it("a call that was placed takes along what its agent was to be told on it as well", () => {
  const { parts, orders } = setUp();
  const initialContext = { customer: "Ada", nested: { orders: [1, 2] } };
  for (const [n, context] of [{ initialContext }, {}].entries()) {
    const run = parts.records.open(
      {
        ...{
          accountSid: ACCOUNT,
          direction: "outbound",
          from: OURS,
          to: THEIRS,
          callSid: CallSid(`CA${n + 1}`),
        },
        ...{ configurationId: ConfigurationId(1), numberId: NumberId(1), workflowId: WorkflowId(3) },
        ...{ workflowVersion: 7, definitionId: DefinitionId(9), ...context },
      },
      0,
      { state: "ringing" },
    );
    assert.equal(answerRule(parts)(asked(run, "outbound-api")).answer, "connect");
    const facts = { ...FACTS, run, callSid: `CA${run}`, direction: "outbound", from: OURS, to: THEIRS };
    assert.deepEqual(orders.at(-1), { ...facts, ...BRIEF, parameters: context.initialContext ?? {} });
  }
});
