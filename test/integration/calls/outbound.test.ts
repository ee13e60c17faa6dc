// Calls that are placed: what whoever asked is told, what Twilio is asked, and what the record says once it is over.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CallSid } from "../../../src/domain/ids.ts";
import { counted } from "../../support/counts.ts";
import { ACCOUNT_SID, ECHO_NUMBER, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { allFree, until } from "../../support/until.ts";
import { INITIATE, lines, placedCall, somebody, startOutbound } from "./outboundRig.ts";

const story = await startOutbound();
const { exchange, client, gateway, place, over, record, created } = story;

describe("a call that is answered", () => {
  it("is talked on until the person hangs up, and recorded from ringing to the end", async () => {
    const number = somebody(story, { does: "answers", afterMs: 300, quietMs: 800 });
    const answer = await place(number);
    assert.equal(answer.status, 200);
    const { workflow_run_id: run, workflow_run_name: name, call_sid: callSid, message } = answer.body;
    assert.match(name, /^WR-TEL-OUT-\d{8}$/);
    assert.equal(message, `Call initiated successfully with run name ${name}.`);
    const { leg } = placedCall(story, callSid);
    const ended = await over(run);
    assert.deepEqual([ended.outcome, ended.endedBy, ended.state], ["caller_hung_up", "callee", "ended"]);
    assert.deepEqual([ended.direction, ended.from, ended.to], ["outbound", ECHO_NUMBER, number]);
    assert.deepEqual([ended.callSid, ended.accountSid, ended.workflowVersion], [callSid, ACCOUNT_SID, 1]);
    assert((await leg.ended).status === "completed");
    assert.deepEqual(leg.complaints, []);
    const { receivedAtMs, submittedAtMs, ringingAtMs, answeredAtMs, startedAtMs, endedAtMs } = ended;
    const times = [receivedAtMs, submittedAtMs, ringingAtMs, answeredAtMs, endedAtMs] as number[];
    assert.deepEqual(
      times,
      times.toSorted((one, other) => one - other),
    );
    assert(startedAtMs! <= endedAtMs! && ended.heardMs > 0, "the person heard their own words again");
    await exchange.settled();
    const told = lines(record(run), "call_status");
    assert.deepEqual(told, ["initiated", "ringing", "in-progress", "completed"]);
    await allFree(story);
    await until("Twilio's last word", () => gateway.dialer.pending === 0);
  });

  it("asks Twilio as its contract has it, with nothing inline", async () => {
    const { body } = await place(somebody(story, { does: "answers", hangUpAfterMs: 100 }));
    const { params } = exchange.requests.findLast(({ name }) => name === "Calls.create")!;
    const run = body.workflow_run_id;
    const base = `${story.origin}/api/v1/telephony`;
    assert.deepEqual(Object.fromEntries(params), {
      To: record(run).to,
      From: ECHO_NUMBER,
      Url: `${base}/twilio/answer/${run}`,
      Method: "POST",
      FallbackUrl: `${base}/inbound/fallback`,
      FallbackMethod: "POST",
      StatusCallback: `${base}/twilio/status-callback/${run}`,
      StatusCallbackMethod: "POST",
      StatusCallbackEvent: "completed",
      Timeout: "60",
      TimeLimit: "3660",
    });
    assert.deepEqual(params.getAll("StatusCallbackEvent"), ["initiated", "ringing", "answered", "completed"]);
    assert.deepEqual(exchange.complaints, []);
    await over(run);
  });

  it("gets the same TwiML for a repeated webhook, and a goodbye afterwards", async () => {
    const { body } = await place(somebody(story, { does: "answers", says: "", quietMs: 60_000 }));
    const run = body.workflow_run_id;
    const { leg } = placedCall(story, body.call_sid);
    await until("talk", () => record(run).startedAtMs !== undefined);
    assert.equal((await leg.repeatWebhook()).body, leg.webhook!.body);
    void leg.hangUp();
    await over(run);
    assert.match((await leg.repeatWebhook()).body, /<Response><Hangup\/><\/Response>/);
    await allFree(story);
  });
});

describe("a call that nobody answers", () => {
  it("was busy", async () => {
    const { body } = await place(somebody(story, { does: "busy", afterMs: 20 }));
    const ended = await over(body.workflow_run_id);
    assert.deepEqual([ended.outcome, ended.endedBy, ended.answeredAtMs], ["busy", "callee", undefined]);
    assert(ended.ringingAtMs !== undefined);
    assert.deepEqual(lines(ended, "ended"), ["busy"]);
  });

  it("rang until the carrier gave up", async () => {
    const { body } = await place(somebody(story, { does: "nobody", afterMs: 20 }));
    const ended = await over(body.workflow_run_id);
    assert.deepEqual([ended.outcome, ended.endedBy, ended.answeredAtMs], ["no_answer", "callee", undefined]);
    assert(ended.ringingAtMs !== undefined);
    assert.match(lines(ended, "ended")[0]!, /^no_answer\b/);
  });

  it("could not be reached, for the reasons that Twilio's codes stand for", async () => {
    const person = { does: "unreachable", sipResponseCode: 404, errorCode: 21214 } as const;
    const { body } = await place(somebody(story, person));
    const ended = await over(body.workflow_run_id);
    assert.deepEqual([ended.outcome, ended.endedBy, ended.twilioCode], ["dial_failed", "twilio", 21214]);
    assert.match(lines(ended, "ended")[0]!, /Twilio can't reach the number to call\..*does not exist/);
    const labels = { direction: "outbound", reason: "dial_failed" };
    assert((await counted(gateway, "calls_ended_total", labels)) >= 1);
  });

  it("is called off while it rings, at the operator's word", async () => {
    const { body } = await place(somebody(story, { does: "nobody" }));
    const run = body.workflow_run_id;
    await until("ringing", () => record(run).state === "ringing");
    const live = await client.get("/api/v1/calls/live");
    const [seen] = live.body.calls.filter(
      (call: { workflow_run_id: number }) => call.workflow_run_id === run,
    );
    assert.deepEqual([seen.state, seen.call_sid, seen.talked_ms], ["ringing", body.call_sid, 0]);
    const hungUp = await client.post(`/api/v1/calls/live/${run}/hangup`);
    assert.deepEqual([hungUp.status, hungUp.body.call_sid], [200, body.call_sid]);
    const ended = await over(run);
    assert.deepEqual([ended.outcome, ended.endedBy], ["canceled", "operator"]);
    assert.equal((await placedCall(story, body.call_sid).leg.ended).status, "canceled");
    assert.equal((await client.post(`/api/v1/calls/live/${run}/hangup`)).status, 409);
    await until("Twilio's last word", () =>
      lines(record(run), "call_status").some((line) => line?.startsWith("canceled")),
    );
  });
});

describe("a live call that the operator ends", () => {
  it("may be one that came in", async () => {
    const call = await story.twilio.dial({ to: ECHO_NUMBER });
    await call.connect();
    const run = gateway.records.find(CallSid(call.sid))!.run;
    await until("talk", () => record(run).startedAtMs !== undefined);
    const { calls } = (await client.get("/api/v1/calls/live")).body;
    const [seen] = calls.filter((live: { workflow_run_id: number }) => live.workflow_run_id === run);
    assert.deepEqual([seen.direction, seen.state, seen.called_number], ["inbound", "talking", ECHO_NUMBER]);
    assert.equal((await client.post(`/api/v1/calls/live/${run}/hangup`)).status, 200);
    assert.deepEqual([(await call.ended).how, record(run).outcome], ["agent", "operator_hung_up"]);
    await allFree(story);
  });

  it("is hung up at Twilio", async () => {
    const { body } = await place(somebody(story, { does: "answers", says: "", quietMs: 60_000 }));
    const run = body.workflow_run_id;
    await until("talk", () => record(run).startedAtMs !== undefined);
    const { calls } = (await client.get("/api/v1/calls/live")).body;
    const seen = calls.find((call: { workflow_run_id: number }) => call.workflow_run_id === run);
    assert.deepEqual(
      [seen.state, seen.workflow_id, seen.direction],
      ["talking", story.workflowId(1), "outbound"],
    );
    assert.equal((await client.post(`/api/v1/calls/live/${run}/hangup`)).status, 200);
    const end = await placedCall(story, body.call_sid).leg.ended;
    assert.deepEqual([end.how, end.status], ["agent", "completed"]);
    assert.equal((await over(run)).outcome, "operator_hung_up");
    await allFree(story);
  });

  it("is not there", async () => {
    assert.equal((await client.post("/api/v1/calls/live/99999/hangup")).status, 404);
  });
});

describe("a request for a call", () => {
  const refused = async (body: object, status: number, detail: string | RegExp, path = INITIATE) => {
    const before = created();
    const answer = await client.post(path, body);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    if (typeof detail === "string") assert.equal(answer.body.detail, detail);
    else assert.match(answer.body.detail, detail);
    assert.equal(created(), before, "Twilio was not asked");
  };
  const workflow_id = story.workflowId(1);
  const phone_number = "+14155559999";

  it("is refused in a word or a sentence where it can't be placed", async () => {
    await refused({ workflow_id: 4_711, phone_number }, 404, "Workflow not found");
    await refused(
      { workflow_id, phone_number, telephony_configuration_id: 99 },
      400,
      "telephony_configuration_not_found",
    );
    await refused(
      { workflow_id, phone_number, from_phone_number_id: 99 },
      400,
      "from_phone_number_not_found",
    );
    await refused({ workflow_id, phone_number: "911" }, 400, /Emergency/);
    await refused({ workflow_id, phone_number: "+1 911" }, 400, /Emergency/);
    await refused({ workflow_id, phone_number: "4155550100" }, 400, /E\.164/);
    await refused({ workflow_id }, 400, /must be provided/);
    await refused({ workflow_id, phone_number, workflow_run_id: 4_711 }, 400, "Workflow run not found");
  });

  it("names the fields that are wrong", async () => {
    const answer = await client.post(INITIATE, { workflow_id: "one", phone_numer: "+14155550100" });
    assert.equal(answer.status, 422);
    const fields = answer.body.detail.map(({ loc }: { loc: string[] }) => loc.join("."));
    assert.deepEqual(fields.sort(), ["body.phone_numer", "body.workflow_id"]);
  });

  it("calls the test number of the preferences where it names none", async () => {
    const number = somebody(story, { does: "busy" });
    await story.store.preferences.update({ testPhoneNumber: number });
    const { body } = await client.post(INITIATE, { workflow_id });
    assert.equal((await over(body.workflow_run_id)).to, number);
    await story.store.preferences.update({ testPhoneNumber: null });
  });

  it("may choose its caller ID", async () => {
    const numbers = await story.store.numbers.all();
    const { id } = numbers.find(({ address }) => address === TEST_AGENT_NUMBER)!;
    const { body } = await place(somebody(story, { does: "busy" }), { from_phone_number_id: id });
    assert.equal((await over(body.workflow_run_id)).from, TEST_AGENT_NUMBER);
  });
});

describe("a public trigger", () => {
  const uuidOf = async () => (await story.store.workflows.get(story.workflowId(1)))!.uuid;

  it("places a call of the workflow with its UUID, in all four spellings, and keeps the context", async () => {
    const uuid = await uuidOf();
    for (const path of [`${uuid}`, `test/${uuid}`, `workflow/${uuid}`, `test/workflow/${uuid}`]) {
      const { status, body } = await client.post(`/api/v1/public/agent/${path}`, {
        phone_number: somebody(story, { does: "busy" }),
        initial_context: { customer: "Ada" },
      });
      assert.deepEqual([status, body.status], [200, "initiated"]);
      const ended = await over(body.workflow_run_id);
      assert.deepEqual(ended.initialContext, { customer: "Ada" });
    }
  });

  it("wants a key, and a UUID that there is", async () => {
    const body = { phone_number: "+14155550100" };
    const nobody = await client.as({}).post(`/api/v1/public/agent/${await uuidOf()}`, body);
    assert.equal(nobody.status, 401);
    assert.equal((await client.post("/api/v1/public/agent/no-such-uuid", body)).status, 404);
  });
});

describe("a run that was made before its call", () => {
  const make = async (name: string) =>
    (await client.post(`/api/v1/workflow/${story.workflowId(1)}/runs`, { mode: "twilio", name })).body;

  it("is dialled once, and then is over", async () => {
    const made = await make("Call Ada");
    assert.equal(record(made.id).state, "created");
    const { status, body } = await place(somebody(story, { does: "nobody" }), { workflow_run_id: made.id });
    assert.deepEqual([status, body.workflow_run_id, body.workflow_run_name], [200, made.id, "Call Ada"]);
    const again = await place("+14155550100", { workflow_run_id: made.id });
    assert.deepEqual([again.status, again.body.detail], [409, "Workflow run already has an active call"]);
    await client.post(`/api/v1/calls/live/${made.id}/hangup`);
    await over(made.id);
    assert.equal((await place("+14155550100", { workflow_run_id: made.id })).status, 409);
  });

  it("is dialled by one of two requests that come at once", async () => {
    const made = await make("Call Bob");
    const number = somebody(story, { does: "busy" });
    const answers = await Promise.all([1, 2, 3].map(() => place(number, { workflow_run_id: made.id })));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409]);
    assert.equal(exchange.placed.filter(({ order }) => order.to === number).length, 1);
  });

  it("belongs to its workflow, and has no call to hang up", async () => {
    const made = await make("Another");
    const other = {
      workflow_id: story.workflowId(2),
      phone_number: "+14155550100",
      workflow_run_id: made.id,
    };
    const answer = await client.post(INITIATE, other);
    assert.deepEqual([answer.status, answer.body.detail], [400, "workflow_run_workflow_mismatch"]);
    assert.equal((await client.post(`/api/v1/calls/live/${made.id}/hangup`)).status, 409);
  });
});
