// How often one request is a call, and how many calls there may be: idempotency keys, the line at an account, rates,
// limits, the drain, and what a trial account adds.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explainTwilioCode, TRIAL_NOTICE } from "../../../src/twilio/errors.ts";
import { ACCOUNT_SID } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";
import { lines, placedCall, somebody, startOutbound } from "./outboundRig.ts";

const key = (value: string) => ({ "Idempotency-Key": value });

describe("an idempotency key", async () => {
  const story = await startOutbound();
  const { exchange, client, place, over, record } = story;
  const callsTo = (number: string) => exchange.placed.filter(({ order }) => order.to === number).length;

  it("makes a hundred requests at once one call and one answer", async () => {
    const number = somebody(story, { does: "nobody" });
    const answers = await Promise.all(Array.from({ length: 100 }, () => place(number, {}, key("a hundred"))));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    assert.equal(new Set(answers.map(({ body }) => JSON.stringify(body))).size, 1);
    assert.equal(callsTo(number), 1);
    const later = await place(number, {}, key("a hundred"));
    assert.deepEqual(later.body, answers[0]!.body);
    await client.post(`/api/v1/calls/live/${later.body.workflow_run_id}/hangup`);
    await over(later.body.workflow_run_id);
    const afterwards = await place(number, {}, key("a hundred"));
    assert.deepEqual([afterwards.body, callsTo(number)], [answers[0]!.body, 1]);
  });

  it("is refused for another request, while the first is under way and afterwards", async () => {
    const number = somebody(story, { does: "busy" });
    const [first, other] = await Promise.all([
      place(number, {}, key("mine")),
      place("+14155550199", {}, key("mine")),
    ]);
    assert.deepEqual([first.status, other.status], [200, 409]);
    assert.match(other.body.detail, /new key for each call/);
    assert.equal((await place("+14155550199", {}, key("mine"))).status, 409);
    assert.equal((await place(number, { from_phone_number_id: 1 }, key("mine"))).status, 409);
    assert.equal((await place(number, {}, key("x".repeat(256)))).status, 400);
  });

  it("belongs to the API key it came with", async () => {
    const number = somebody(story, { does: "busy" });
    const made = await client.post("/api/v1/user/api-keys", { name: "Another" });
    await place(number, {}, key("shared"));
    await place(number, {}, { ...key("shared"), "X-API-Key": made.body.api_key });
    assert.equal(callsTo(number), 2);
  });

  it("is free again when certainly nothing was placed, and not when Twilio said no", async () => {
    const number = somebody(story, { does: "busy" });
    exchange.faults.next({ on: "Calls.create", answer: 429, times: 3 });
    const limited = await place(number, {}, key("again"));
    assert.deepEqual([limited.status, limited.headers.has("retry-after")], [503, true]);
    const again = await place(number, {}, key("again"));
    assert.deepEqual([again.status, callsTo(number)], [200, 1]);
    exchange.faults.next({ on: "Calls.create", answer: 401 });
    const refused = await place(number, {}, key("refused"));
    const repeated = await place(number, {}, key("refused"));
    assert.deepEqual([refused.status, repeated.status, callsTo(number)], [502, 502, 1]);
    assert.deepEqual(repeated.body, refused.body);
  });

  it("gives the same run while it is not known whether Twilio placed the call", async () => {
    const number = somebody(story, { does: "nobody" });
    exchange.faults.next({ on: "Calls.create", answer: "reset", placed: true });
    exchange.faults.callbacks({ deliver: "lost", times: 2 });
    const unknown = await place(number, {}, key("unknown"));
    const again = await place(number, {}, key("unknown"));
    const run = unknown.body.workflow_run_id;
    assert.deepEqual([again.status, again.body.workflow_run_id], [200, run]);
    await until("the call to be found", () => record(run).callSid !== undefined);
    const found = await place(number, {}, key("unknown"));
    assert.deepEqual([found.body.call_sid, callsTo(number)], [record(run).callSid, 1]);
    await client.post(`/api/v1/calls/live/${run}/hangup`);
  });
});

describe("the line at an account", async () => {
  const story = await startOutbound({ callsPerS: 1 });
  const { exchange, client, place, record, over, created } = story;

  it("places one call a second, and answers who waits at once", async () => {
    const person = { does: "busy" } as const;
    const beganMs = performance.now();
    const first = await place(somebody(story, person));
    assert.equal(typeof first.body.call_sid, "string");
    const [second, third] = await Promise.all([
      place(somebody(story, person)),
      place(somebody(story, person)),
    ]);
    // One of the two was next in line and waited for Twilio's answer, the other did not.
    const [waited, told] = [second, third].sort((one) => (one.body.call_sid === null ? 1 : -1));
    assert.equal(typeof waited!.body.call_sid, "string");
    assert.match(told!.body.message, /waits for its turn/);
    await over(told!.body.workflow_run_id);
    assert(performance.now() - beganMs >= 1_990, "the third came two seconds after the first");
    const submitted = [first, waited!, told!].map(({ body }) => record(body.workflow_run_id).submittedAtMs!);
    assert(submitted[1]! - submitted[0]! >= 990 && submitted[2]! - submitted[1]! >= 990, String(submitted));
  });

  it("lets a call that waits be called off, so that Twilio is never asked for it", async () => {
    const before = created();
    const waiting = await Promise.all([1, 2, 3].map(() => place(somebody(story, { does: "busy" }))));
    const { body } = waiting.find((answer) => answer.body.call_sid === null)!;
    const run = body.workflow_run_id;
    assert.equal(record(run).state, "queued");
    assert.equal((await client.post(`/api/v1/calls/live/${run}/hangup`)).status, 200);
    assert.deepEqual([record(run).outcome, record(run).endedBy], ["canceled", "operator"]);
    await until("the others to be asked for", () => created() === before + 2);
  });

  it("has room for a hundred, and refuses more with when to try again", async () => {
    const keys = await Promise.all(
      ["one", "two", "three"].map(
        async (name) => (await client.post("/api/v1/user/api-keys", { name })).body.api_key,
      ),
    );
    const asked = keys.flatMap((apiKey) =>
      Array.from({ length: 50 }, () =>
        place(somebody(story, { does: "busy" }), {}, { "X-API-Key": apiKey as string }),
      ),
    );
    const answers = await Promise.all(asked);
    const refused = answers.filter(({ status }) => status === 503);
    assert(refused.length >= 10 && refused.length <= 52, `${refused.length} of 150`);
    assert(Number(refused[0]!.headers.get("retry-after")) >= 1);
    assert.match(refused[0]!.body.detail, /wait for their turn/);
    assert.equal(answers.filter(({ status }) => status === 200).length, 150 - refused.length);
  });

  it("lets nobody through once the gateway drains", async () => {
    const waiting = story.gateway.dialer.runs().filter((run) => record(run).state === "queued");
    assert(waiting.length > 10);
    const asked = exchange.requests.length;
    const drained = story.gateway.drain(5_000);
    const answer = await place("+14155550100").catch(() => undefined); // nobody may listen any more
    assert.equal(answer?.status ?? 503, 503);
    assert.equal(await drained, 0);
    assert.deepEqual([...new Set(waiting.map((run) => record(run).outcome))], ["draining"]);
    assert(exchange.requests.length <= asked + 5, "but for a call that was being placed or rang");
  });
});

describe("limits", async () => {
  const story = await startOutbound({ env: { CALLS_MAX: "2" } });
  const { exchange, client, place, over } = story;

  it("of calls at a time count those that ring", async () => {
    const ringing = await Promise.all([1, 2].map(() => place(somebody(story, { does: "nobody" }))));
    const third = await place(somebody(story, { does: "busy" }));
    assert.deepEqual([third.status, third.headers.has("retry-after")], [429, true]);
    assert.match(third.body.detail, /Concurrent call limit reached/);
    for (const { body } of ringing) {
      await client.post(`/api/v1/calls/live/${body.workflow_run_id}/hangup`);
      await over(body.workflow_run_id);
    }
    assert.equal((await place(somebody(story, { does: "busy" }))).status, 200);
  });

  it("of one key let others call", async () => {
    const made = await client.post("/api/v1/user/api-keys", { name: "Greedy" });
    const greedy = { "X-API-Key": made.body.api_key };
    // Refused ones count too: a key that asks in a loop is what this is for.
    const answers = await Promise.all(Array.from({ length: 80 }, () => place("911", {}, greedy)));
    const limited = answers.filter(({ status }) => status === 429);
    assert(limited.length > 0 && limited.every(({ headers }) => headers.has("retry-after")));
    assert.equal((await place(somebody(story, { does: "busy" }))).status, 200);
    assert.deepEqual(exchange.complaints, []);
  });
});

describe("a trial account", async () => {
  const verified = "+14155550177";
  const story = await startOutbound({
    account: { trial: { verified: [verified], noticeMs: 100 } },
  });
  const { exchange, place, over, store } = story;
  const account = exchange.account(ACCOUNT_SID)!;
  const [stored] = await store.configurations.all();
  await store.configurations.setCheck(stored!, {
    state: "valid",
    message: undefined,
    atMs: 0,
    accountType: "Trial",
  });

  it("says what the person called will hear, and its record too", async () => {
    exchange.people.set(verified, { does: "answers", says: "", quietMs: 200 });
    const { status, body } = await place(verified);
    assert.equal(status, 200);
    assert(
      body.message.includes(TRIAL_NOTICE.sentence) && body.message.includes("press a key"),
      body.message,
    );
    const ended = await over(body.workflow_run_id);
    assert.equal(ended.outcome, "caller_hung_up");
    assert(lines(ended, "queued")[0]?.includes(TRIAL_NOTICE.sentence));
  });

  it("says why nobody came to talk: no key was pressed", async () => {
    exchange.people.set(verified, { does: "answers", pressesKey: false, hangUpAfterMs: 300 });
    const { body } = await place(verified);
    void until("the notice", () => story.record(body.workflow_run_id).answeredAtMs !== undefined).then(() =>
      placedCall(story, body.call_sid).leg.hangUp(),
    );
    const ended = await over(body.workflow_run_id);
    assert.equal(ended.outcome, "no_stream");
    assert.match(lines(ended, "ended")[0]!, /press a key/);
  });

  it("is told in words that it may not call a number, by either code", async () => {
    for (const refusalCode of [21219, 573005] as const) {
      account.trial = { ...account.trial!, refusalCode };
      const { status, body } = await place("+14155550178");
      const { sentence, remedy } = explainTwilioCode(refusalCode);
      assert.deepEqual([status, body.detail], [502, `${sentence} ${remedy}`]);
      const runs = await store.records.current(1);
      assert.deepEqual([runs[0]!.outcome, runs[0]!.twilioCode], ["not_placed", refusalCode]);
      assert.deepEqual(lines(runs[0]!, "ended"), [`not_placed: ${sentence} ${remedy}`]);
    }
  });
});
