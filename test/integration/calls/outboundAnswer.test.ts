// The webhook of a call that was answered, and machine detection's: who may ask, what is said when nobody can talk, and
// what is kept.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AccountSid } from "../../../src/domain/ids.ts";
import type { TwinCall } from "../../../src/twin/call.ts";
import { ACCOUNT_SID, configuration } from "../../support/gateway.ts";
import { allFree, until } from "../../support/until.ts";
import { lines, placedCall, somebody, startOutbound } from "./outboundRig.ts";
import { ringing, STATUS_CALLBACK, send } from "./requests.ts";

const OTHER_ACCOUNT = "AC00000000000000000000000000000002";
const OTHER_TOKEN = "ffffffffffffffffffffffffffffffff";
const APOLOGY = /<Response><Say>[^<]{20,200}<\/Say><Hangup\/><\/Response>/;

const story = await startOutbound({
  configurations: [
    configuration("Another account", { accountSid: AccountSid(OTHER_ACCOUNT), authToken: OTHER_TOKEN }),
    configuration("Listens for machines", { amdEnabled: true }),
  ],
  env: { CALLS_MAX: "3" },
});
const { exchange, client, gateway, place, over, record, origin } = story;
/** Twilio's last word on an inbound call that never had a stream. */
const leave = (call: TwinCall) =>
  send({ origin, path: STATUS_CALLBACK, params: { ...call.params, CallStatus: "completed" } });
const path = (what: string, run: number) => `/api/v1/telephony/twilio/${what}/${run}`;

describe("the answer webhook", () => {
  it("is nobody's but the account's that has the call, and the account's calls' only", async () => {
    const { body } = await place(somebody(story, { does: "nobody" }));
    const run = body.workflow_run_id;
    const { leg } = placedCall(story, body.call_sid);
    const theirs = { ...leg.params, AccountSid: OTHER_ACCOUNT };
    for (const what of ["answer", "status-callback", "machine-detection"]) {
      const unsigned = await send({ origin, path: path(what, run), params: leg.params, signature: null });
      const foreign = await send({ origin, path: path(what, run), params: theirs, authToken: OTHER_TOKEN });
      const other = { ...theirs, CallSid: `CA${"7".repeat(32)}`, CallStatus: "completed" };
      const another = await send({ origin, path: path(what, run), params: other, authToken: OTHER_TOKEN });
      assert.deepEqual([unsigned.status, foreign.status, another.status], [403, 403, 403], what);
    }
    assert.equal(record(run).outcome, undefined);
    await client.post(`/api/v1/calls/live/${run}/hangup`);
  });

  it("of an inbound call's run, or of no run, is not answered as a placed call's", async () => {
    const call = await story.twilio.dial({ to: "+12025550100" });
    const run = gateway.records.find(call.sid as never)!.run;
    const params = { ...call.params, CallStatus: "in-progress" };
    assert.equal((await send({ origin, path: path("answer", run), params })).status, 403);
    for (const unknown of [987_654, Number.NaN]) {
      const answer = await send({ origin, path: path("answer", unknown), params: ringing("+12025550100") });
      assert.match(answer.body, APOLOGY);
      const noted = await send({
        origin,
        path: path("status-callback", unknown),
        params: ringing("+12025550100"),
      });
      assert.equal(noted.status, 204);
    }
    await leave(call);
    await allFree(story);
  });

  it("apologizes to whoever picked up when there is no room to talk, in the same bytes each time", async () => {
    const { body } = await place(somebody(story, { does: "nobody" }));
    const run = body.workflow_run_id;
    const callers = [];
    for (let call = 0; call < 3; call++) callers.push(await story.twilio.dial({ to: "+12025550100" }));
    await until("ringing", () => record(run).state === "ringing");
    const placed = placedCall(story, body.call_sid);
    placed.pickUp();
    const ended = await over(run);
    assert.deepEqual([ended.outcome, ended.endedBy], ["calls_at_limit", "gateway"]);
    assert.equal((await placed.leg.ended).status, "completed");
    assert.match(placed.leg.webhook!.body, APOLOGY);
    assert.equal((await placed.leg.repeatWebhook()).body, placed.leg.webhook!.body);
    for (const caller of callers) await leave(caller);
    await allFree(story);
  });
});

describe("machine detection", () => {
  it("is asked for beside the call, where the account is set so, and its word kept", async () => {
    const configurations = await story.store.configurations.all();
    const { id } = configurations.find(({ amdEnabled }) => amdEnabled)!;
    const created = await story.store.numbers.add(
      id,
      {
        ...{ typed: "+12025550133", address: "+12025550133", type: "pstn", countryCode: undefined },
        ...{ label: undefined, warning: undefined, inboundWorkflowId: undefined, isActive: true },
        ...{ isDefaultCallerId: true, extraMetadata: {} },
      },
      0,
    );
    gateway.directory.putNumber(created);
    exchange.account(ACCOUNT_SID)!.addNumber("+12025550133");
    const person = { does: "machine", afterMs: 20, detectionMs: 50, says: "", quietMs: 400 } as const;
    const { status, body } = await place(somebody(story, person), { telephony_configuration_id: id });
    assert.equal(status, 200, JSON.stringify(body));
    const run = body.workflow_run_id;
    const { params } = exchange.requests.findLast(({ name }) => name === "Calls.create")!;
    assert.deepEqual(
      [params.get("MachineDetection"), params.get("AsyncAmd"), params.get("AsyncAmdStatusCallback")],
      ["Enable", "true", `${origin}${path("machine-detection", run)}`],
    );
    const ended = await over(run);
    assert.deepEqual([ended.outcome, ended.answeredBy], ["caller_hung_up", "machine_start"]);
    assert.deepEqual(lines(ended, "answering_machine"), ["machine_start"]);
    assert.deepEqual(exchange.complaints, []);
  });
});
