// A gateway that goes away while calls are being placed, and another one on the same database: nothing is dialled
// twice, and every record comes to an end.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import type { Intent } from "../../../src/calls/outbound/dialer.ts";
import { until } from "../../support/until.ts";
import { lines, type OutboundStory, restarted, somebody, startOutbound, TIMEOUT_MS } from "./outboundRig.ts";

/** What Twilio knows, whatever port a gateway listens on. */
const env = { PUBLIC_BASE_URL: "http://127.0.0.1:49999" };
const callsTo = ({ exchange }: OutboundStory, number: string) =>
  exchange.placed.filter(({ order }) => order.to === number);

/** A call that has its record and is not in line yet. */
function opened({ gateway, workflowId }: OutboundStory): Intent {
  const { records, directory } = gateway;
  const [configuration] = directory.configurations();
  const answerer = directory.answererOf(workflowId(1));
  assert(configuration !== undefined && !("refusal" in answerer));
  const facts = {
    ...{ callSid: undefined, accountSid: configuration.accountSid, configurationId: configuration.id },
    ...{ direction: "outbound" as const, from: "+12025550100", to: "+14155550100", numberId: undefined },
    ...{ workflowId: answerer.brief.workflow.id, workflowVersion: 1, definitionId: answerer.definitionId },
  };
  return { run: records.open(facts, Date.now(), { state: "queued" }), configuration, answerer };
}

/** Nothing can be written to the database until it is let go. */
function hold({ databasePath }: OutboundStory): () => void {
  const holder = new Database(databasePath);
  holder.exec("BEGIN IMMEDIATE");
  return () => {
    holder.exec("ROLLBACK");
    holder.close();
  };
}

/** A call whose turn has come, while it can't be written that Twilio is to be asked for it. */
async function dialledAndHeld(story: OutboundStory) {
  const { records, dialer } = story.gateway;
  const intent = opened(story);
  await records.committed();
  const letGo = hold(story);
  const { submission } = dialer.dial(intent);
  assert.equal(story.record(intent.run).state, "submitting");
  return { run: intent.run, submission, letGo };
}

describe("a restart", () => {
  it("goes on with a call that rings: it is talked on in the new gateway, by the version it began with", async () => {
    const first = await startOutbound({ env });
    const number = somebody(first, { does: "nobody" });
    const { body } = await first.place(number);
    const run = body.workflow_run_id;
    await until("ringing", () => first.record(run).state === "ringing");
    const definition = { agent: { type: "echo", rate_hz: 8_000 } };
    await first.client.put(`/api/v1/workflow/${first.workflowId(1)}`, { workflow_definition: definition });
    const second = await restarted(first);
    const [call] = callsTo(second, number);
    second.exchange.people.set(number, { does: "answers", says: "", quietMs: 300 });
    call!.pickUp();
    await until("talk", () => second.record(run).startedAtMs !== undefined);
    void call!.leg.hangUp();
    const ended = await second.over(run);
    assert.deepEqual(
      [ended.outcome, ended.callSid, ended.workflowVersion],
      ["caller_hung_up", body.call_sid, 1],
    );
  });

  it("hears of a call that ended meanwhile by asking", async () => {
    const first = await startOutbound({ env });
    const number = somebody(first, { does: "nobody" });
    const { body } = await first.place(number);
    const run = body.workflow_run_id;
    await until("ringing", () => first.record(run).state === "ringing");
    await first.gateway.close();
    const [call] = callsTo(first, number);
    call!.leg.refuse("busy", "");
    await call!.concluded;
    const second = await restarted(first);
    assert.equal((await second.over(run)).outcome, "busy");
  });

  it("never dials a call again that Twilio was asked for: it is found", async () => {
    const first = await startOutbound({ env, twilioTimeoutMs: TIMEOUT_MS });
    const number = somebody(first, { does: "nobody" });
    first.exchange.faults.next({ on: "Calls.create", answer: "timeout", placed: true });
    first.exchange.faults.callbacks({ deliver: "lost", times: 10 });
    const asked = first.place(number, {}, { "Idempotency-Key": "k" }).catch(() => undefined);
    await until("Twilio to be asked", () => callsTo(first, number).length === 1);
    const second = await restarted(first);
    await asked;
    const again = await second.place(number, {}, { "Idempotency-Key": "k" });
    const run = again.body.workflow_run_id;
    assert.equal(again.status, 200);
    await until("the call to be found", () => second.record(run).callSid !== undefined);
    assert.equal(second.record(run).callSid, callsTo(second, number)[0]!.leg.sid);
    assert.equal(callsTo(second, number).length, 1);
    await second.client.post(`/api/v1/calls/live/${run}/hangup`);
    assert.equal((await second.over(run)).outcome, "canceled");
  });

  it("closes as lost what Twilio was not asked for, and lets its key place a call", async () => {
    const first = await startOutbound({ env, callsPerS: 0.01 });
    const number = somebody(first, { does: "busy" });
    const other = somebody(first, { does: "busy" });
    await first.place(other);
    void first.place(other).catch(() => {}); // next in line
    await until("one to wait", () => first.gateway.dialer.pending >= 1);
    const { body } = await first.place(number, {}, { "Idempotency-Key": "waits" });
    assert.equal(body.call_sid, null);
    const run = body.workflow_run_id;
    const second = await restarted(first);
    const { outcome, endedBy } = second.record(run);
    assert.deepEqual([outcome, endedBy], ["lost", "gateway"]);
    assert.match(lines(second.record(run), "ended")[0]!, /before it had asked Twilio/);
    const again = await second.place(number, {}, { "Idempotency-Key": "waits" });
    assert.notEqual(again.body.workflow_run_id, run);
    assert.equal((await second.over(again.body.workflow_run_id)).outcome, "busy");
    assert.equal(callsTo(second, number).length, 1);
  });

  it("gives a key the answer it gave before", async () => {
    const first = await startOutbound({ env });
    const number = somebody(first, { does: "busy" });
    const before = await first.place(number, {}, { "Idempotency-Key": "k" });
    await first.over(before.body.workflow_run_id);
    const second = await restarted(first);
    const after = await second.place(number, {}, { "Idempotency-Key": "k" });
    assert.deepEqual([after.body, callsTo(second, number).length], [before.body, 1]);
  });
});

describe("a drain", () => {
  it("calls off what rings, and lets the others hear their conversation out", async () => {
    const story = await startOutbound();
    const number = somebody(story, { does: "nobody" });
    const ringing = (await story.place(number)).body.workflow_run_id;
    const talker = somebody(story, { does: "answers", says: "", quietMs: 1_500 });
    const talking = (await story.place(talker)).body.workflow_run_id;
    await until("talk", () => story.record(talking).startedAtMs !== undefined);
    await until("ringing", () => story.record(ringing).state === "ringing");
    assert.equal(await story.gateway.drain(20_000), 0);
    const { outcome, endedBy } = story.record(ringing);
    assert.deepEqual([outcome, endedBy], ["draining", "gateway"]);
    assert.equal((await callsTo(story, number)[0]!.leg.ended).status, "canceled");
    assert.equal(story.record(talking).outcome, "caller_hung_up");
  });

  it("refuses a call that was being opened when it began", async () => {
    const story = await startOutbound();
    const { dialer } = story.gateway;
    await dialer.drain();
    const intent = opened(story);
    const submission = await dialer.dial(intent).submission;
    assert(submission.kind === "failed" && submission.error.retryAfterS !== undefined);
    assert.deepEqual([story.record(intent.run).outcome, story.created()], ["draining", 0]);
  });

  it("refuses a call whose turn had come, while Twilio was not asked yet", async () => {
    const story = await startOutbound();
    const { run, submission, letGo } = await dialledAndHeld(story);
    const drained = story.gateway.dialer.drain();
    letGo();
    assert.equal((await submission).kind, "failed");
    await drained;
    const { outcome, submittedAtMs } = story.record(run);
    assert.deepEqual([outcome, submittedAtMs, story.created()], ["draining", undefined, 0]);
  });
});

describe("a call that is given up", () => {
  it("before it is in line never gets there", async () => {
    const story = await startOutbound();
    const { dialer } = story.gateway;
    const intent = opened(story);
    await dialer.hangUp(intent.run);
    assert.equal((await dialer.dial(intent).submission).kind, "canceled");
    assert.deepEqual([story.record(intent.run).outcome, story.created()], ["canceled", 0]);
    assert.equal(dialer.answererOf(intent.run), undefined, "nothing of it is kept");
  });

  it("while it is written that Twilio is to be asked, is not asked for", async () => {
    const story = await startOutbound();
    const { run, submission, letGo } = await dialledAndHeld(story);
    await story.gateway.dialer.hangUp(run);
    letGo();
    assert.equal((await submission).kind, "canceled");
    assert.deepEqual([story.record(run).outcome, story.created()], ["canceled", 0]);
  });
});

describe("the database", () => {
  it("has the intent, and its key, before Twilio is asked", async () => {
    const story = await startOutbound({ twilioTimeoutMs: TIMEOUT_MS });
    const number = somebody(story, { does: "answers" });
    story.exchange.faults.next({ on: "Calls.create", answer: "timeout" });
    const asked = story.place(number, {}, { "Idempotency-Key": "on disk" });
    await until("Twilio to be asked", () => story.created() === 1);
    const db = new Database(story.databasePath, { readonly: true });
    const rows = db
      .prepare("SELECT r.state, r.to_address FROM runs r JOIN idempotency i ON i.run_id = r.id")
      .all();
    db.close();
    assert.deepEqual(rows, [{ state: "submitting", to_address: number }]);
    assert.equal((await asked).status, 200);
  });

  it("that can't be written lets no call out, and the key is free when it can", async () => {
    const story = await startOutbound();
    const number = somebody(story, { does: "busy" });
    const letGo = hold(story);
    const refused = await story.place(number, {}, { "Idempotency-Key": "k" });
    assert.deepEqual([refused.status, story.created()], [503, 0]);
    letGo();
    await until("the log to be written", () => story.gateway.records.backlog === 0);
    const placed = await story.place(number, {}, { "Idempotency-Key": "k" });
    assert.equal(placed.status, 200);
    assert.equal((await story.over(placed.body.workflow_run_id)).outcome, "busy");
    const [first] = (await story.store.records.current(2)).filter(({ to }) => to === number);
    assert.deepEqual([first!.outcome, first!.endedBy], ["not_placed", "gateway"]);
    assert.equal(callsTo(story, number).length, 1);
  });
});
