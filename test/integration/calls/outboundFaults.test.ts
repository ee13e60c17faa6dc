// Calls that are placed while Twilio's REST side or its callbacks go wrong. Whatever happens, Twilio has one call at
// most for one request, and the record comes to say what became of it.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { afterEach, describe, it } from "node:test";
import { counted } from "../../support/counts.ts";
import { MovableClock } from "../../support/movableClock.ts";
import { allFree, until } from "../../support/until.ts";
import { lines, placedCall, somebody, startOutbound, TIMEOUT_MS } from "./outboundRig.ts";

const clock = new MovableClock();
const story = await startOutbound({ clock, twilioTimeoutMs: TIMEOUT_MS });
const { exchange, client, gateway, place, over, record, created } = story;
const callsTo = (number: string) => exchange.placed.filter(({ order }) => order.to === number);

afterEach(() => exchange.faults.clear());

/** Lets minutes pass, as many as it takes: looks at Twilio are far apart. */
async function inTime(what: string, holds: () => boolean): Promise<void> {
  await until(
    what,
    async () => {
      if (holds()) return true;
      await clock.advance(20_000);
      return holds();
    },
    20_000,
  );
}

/** `npm run soak` makes 1,000 of them. */
const CALLS = Number(process.env.CALLS ?? 300);
const BATCH = 50;

describe("too many requests", () => {
  it("are tried again, and the call is placed once", async () => {
    const number = somebody(story, { does: "busy" });
    exchange.faults.next({ on: "Calls.create", answer: 429, times: 2 });
    const before = created();
    const { status, body } = await place(number);
    assert.deepEqual([status, created() - before, callsTo(number).length], [200, 3, 1]);
    assert.equal((await over(body.workflow_run_id)).outcome, "busy");
  });

  it("to the end are told as such, with when to try again, and the run says that nothing was placed", async () => {
    const number = somebody(story, { does: "answers" });
    exchange.faults.next({ on: "Calls.create", answer: 429, times: 3 });
    const { status, headers, body } = await place(number);
    assert.equal(status, 503);
    assert(Number(headers.get("retry-after")) >= 1);
    assert.match(body.detail, /more requests at a time/);
    assert.equal(callsTo(number).length, 0);
    const run = newestRun();
    assert.deepEqual([record(run).outcome, record(run).twilioCode], ["not_placed", 20429]);
    assert.match(lines(record(run), "ended")[0]!, /^not_placed: Twilio got more requests/);
  });
});

describe("a refusal", () => {
  it("of a revoked token is told in words, and the record keeps its code", async () => {
    exchange.faults.next({ on: "Calls.create", answer: 401 });
    const { status, body } = await place(somebody(story, { does: "answers" }));
    assert.equal(status, 502);
    assert.match(body.detail, /does not accept these credentials.*Copy/);
    assert.deepEqual([record(newestRun()).outcome, record(newestRun()).twilioCode], ["not_placed", 20003]);
    const errors = { request: "create_call", kind: "credentials" };
    assert((await counted(gateway, "twilio_api_errors_total", errors)) >= 1);
  });
});

for (const answer of ["timeout", "reset", 500, 503] as const) {
  describe(`no answer to the request for a call (${answer})`, () => {
    it("though the call was placed: it is found, talked on, and never placed again", async () => {
      const number = somebody(story, { does: "answers", afterMs: 100, quietMs: 300 });
      exchange.faults.next({ on: "Calls.create", answer, placed: true });
      const { status, body } = await place(number);
      assert.equal(status, 200);
      assert(body.call_sid === null || body.call_sid === callsTo(number)[0]!.leg.sid);
      const run = body.workflow_run_id;
      const ended = await over(run);
      assert.deepEqual([ended.outcome, callsTo(number).length], ["caller_hung_up", 1]);
      assert.equal(ended.callSid, callsTo(number)[0]!.leg.sid);
      assert.equal(lines(ended, "placed").length, 1);
      await allFree(story);
    });

    it("and no word from Twilio either: the call is found by looking", async () => {
      const number = somebody(story, { does: "nobody" });
      exchange.faults.next({ on: "Calls.create", answer, placed: true });
      exchange.faults.callbacks({ deliver: "lost", times: 10 });
      const { body } = await place(number);
      assert.deepEqual([body.call_sid, /not said yet|found out/.test(body.message)], [null, true]);
      const run = body.workflow_run_id;
      assert.equal(record(run).state, "submitting");
      assert.equal(lines(record(run), "submission_unknown").length, 1);
      await inTime("the call to be found", () => record(run).callSid !== undefined);
      assert.equal(record(run).callSid, callsTo(number)[0]!.leg.sid);
      assert.equal((await client.post(`/api/v1/calls/live/${run}/hangup`)).status, 200);
      assert.deepEqual([(await over(run)).outcome, callsTo(number).length], ["canceled", 1]);
    });

    // Minutes have to pass in it, and all of these look the same from here on.
    if (typeof answer === "number") return;
    it("and none was placed: that is found out, and it isn't placed either", async () => {
      const number = somebody(story, { does: "answers" });
      exchange.faults.next({ on: "Calls.create", answer });
      const before = created();
      const { status, body } = await place(number);
      assert.deepEqual([status, body.call_sid], [200, null]);
      await inTime("the run to be given up", () => record(body.workflow_run_id).outcome !== undefined);
      const { outcome, endedBy } = record(body.workflow_run_id);
      assert.deepEqual([outcome, endedBy], ["not_placed", "twilio"]);
      assert.deepEqual([created() - before, callsTo(number).length], [1, 0]);
    });
  });
}

describe("an unknown call that the operator wants over", () => {
  it("is ended as soon as it is known which one it is", async () => {
    const number = somebody(story, { does: "nobody" });
    exchange.faults.next({ on: "Calls.create", answer: "reset", placed: true });
    exchange.faults.callbacks({ deliver: "lost", times: 10 });
    const { body } = await place(number);
    const run = body.workflow_run_id;
    const hungUp = await client.post(`/api/v1/calls/live/${run}/hangup`);
    assert.deepEqual([hungUp.status, hungUp.body.call_sid], [200, null]);
    await inTime("the call to be found and ended", () => record(run).outcome !== undefined);
    assert.deepEqual(
      [record(run).outcome, (await callsTo(number)[0]!.leg.ended).status],
      ["canceled", "canceled"],
    );
  });
});

describe("an unknown call that the operator wants over, and somebody picks up", () => {
  it("is not talked on: it is hung up, and over once", async () => {
    const number = somebody(story, { does: "nobody" });
    exchange.faults.next({ on: "Calls.create", answer: "reset", placed: true });
    exchange.faults.callbacks({ deliver: "lost", times: 10 });
    const { body } = await place(number);
    const run = body.workflow_run_id;
    await client.post(`/api/v1/calls/live/${run}/hangup`);
    // Its answer is the first that we hear of it.
    const [call] = callsTo(number);
    exchange.people.set(number, { does: "answers" });
    await until("ringing", () => call!.record.status === "ringing");
    call!.pickUp();
    await call!.leg.ended;
    const ended = await over(run);
    await allFree(story);
    assert.deepEqual([ended.outcome, ended.endedBy], ["operator_hung_up", "operator"]);
    assert.deepEqual([lines(ended, "stream_opened"), lines(ended, "ended")], [[], ["operator_hung_up"]]);
  });
});

describe("callbacks", () => {
  it("that come late, twice and in the wrong order change nothing about the record", async () => {
    const number = somebody(story, { does: "answers", afterMs: 50, says: "", quietMs: 200 });
    exchange.faults.callbacks({ event: "initiated", deliver: [100, 150] });
    exchange.faults.callbacks({ event: "ringing", deliver: "afterNext" });
    exchange.faults.callbacks({ event: "answered", deliver: "twice" });
    exchange.faults.callbacks({ event: "completed", deliver: [0, 0, 50] });
    const { body } = await place(number);
    const run = body.workflow_run_id;
    const ended = await over(run);
    assert.equal(ended.outcome, "caller_hung_up");
    await exchange.settled();
    await until("four words of Twilio", () => lines(record(run), "call_status").length === 4);
    const { body: detail } = await client.get(`/api/v1/workflow/${story.workflowId(1)}/runs/${run}`);
    assert.deepEqual(
      detail.logs.telephony_status_callbacks.map((told: { status: string }) => told.status),
      ["initiated", "ringing", "in-progress", "completed"],
    );
  });

  it(`delivered one to five times each in random order make ${CALLS} right records of ${CALLS} calls`, async (t) => {
    const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
    t.diagnostic(`SEED=${seed}`);
    const random = seeded(seed);
    const delays = () =>
      Array.from({ length: 1 + Math.floor(random() * 5) }, () => Math.floor(random() * 400));
    exchange.faults.callbacks({ deliver: delays, times: 10_000 });
    const people = [
      [{ does: "answers", afterMs: 30, says: "", quietMs: 100 }, "caller_hung_up"],
      [{ does: "busy", afterMs: 10 }, "busy"],
      [{ does: "unreachable", sipResponseCode: 603 }, "dial_failed"],
    ] as const;
    for (let batch = 0; batch < CALLS / BATCH; batch++) {
      // A key may ask for sixty calls at once.
      const { body: made } = await client.post("/api/v1/user/api-keys", { name: `Batch ${batch}` });
      const placed = await Promise.all(
        Array.from({ length: BATCH }, async (_, index) => {
          const [person, outcome] = people[index % people.length]!;
          const { status, body } = await place(somebody(story, person), {}, { "X-API-Key": made.api_key });
          assert.equal(status, 200, JSON.stringify(body));
          return { run: body.workflow_run_id as number, outcome };
        }),
      );
      for (const { run, outcome } of placed) {
        assert.equal((await over(run)).outcome, outcome, `run ${run}`);
        const words = outcome === "caller_hung_up" ? 4 : outcome === "busy" ? 3 : 2;
        // On a slow machine some are asked about as well: those words have no number.
        const told = () => record(run).events.filter(({ sequence }) => sequence !== undefined).length;
        await until("every word once", () => told() === words);
        const { ringingAtMs, answeredAtMs, events } = record(run);
        assert.equal(ringingAtMs !== undefined, outcome !== "dial_failed", `run ${run}`);
        assert.equal(answeredAtMs !== undefined, outcome === "caller_hung_up", `run ${run}`);
        assert.equal(events.filter(({ kind }) => kind === "ended").length, 1, `run ${run}`);
      }
    }
    await allFree(story);
  });

  it("that are all lost leave no record open: Twilio is asked", async () => {
    const number = somebody(story, { does: "busy", afterMs: 30 });
    exchange.faults.callbacks({ deliver: "lost", times: 10 });
    const { body } = await place(number);
    const run = body.workflow_run_id;
    await placedCall(story, body.call_sid).concluded;
    assert.equal(record(run).outcome, undefined);
    await inTime("Twilio to be asked", () => record(run).outcome !== undefined);
    assert.equal(record(run).outcome, "busy");
    await until("nothing to be waited for", () => gateway.dialer.pending === 0);
  });

  it("of a call that went on though its record was closed: it is ended", async () => {
    const number = somebody(story, { does: "answers", says: "", quietMs: 60_000 });
    const { body } = await place(number);
    const run = body.workflow_run_id;
    await until("talk", () => record(run).startedAtMs !== undefined);
    exchange.faults.callbacks({ deliver: "lost", times: 10 });
    // Twilio gets no answer to what comes after the stream, and doesn't say so.
    const { leg } = placedCall(story, body.call_sid);
    leg.redirect({ twiml: '<Response><Pause length="600"/></Response>' });
    await over(run);
    await inTime("the call to be ended at Twilio", () => leg.end !== undefined);
  });
});

describe("a run's call", () => {
  it("is one: a second one that says it is this run's is hung up, and nothing of it is noted", async () => {
    const { body } = await place(somebody(story, { does: "answers", says: "", quietMs: 60_000 }));
    const run = body.workflow_run_id;
    const { leg } = placedCall(story, body.call_sid);
    await until("talk", () => record(run).startedAtMs !== undefined);
    const params = { ...leg.params, CallSid: `CA${"9".repeat(32)}` };
    const url = (path: string) => `${story.origin}/api/v1/telephony/twilio/${path}/${run}`;
    const stranger = await story.twilio.post(url("answer"), params);
    assert.match(stranger.body, /<Response><Hangup\/><\/Response>/);
    const word = { ...params, CallStatus: "completed", SequenceNumber: "9" };
    assert.equal((await story.twilio.post(url("status-callback"), word)).status, 204);
    assert.equal(record(run).outcome, undefined);
    void leg.hangUp();
    await over(run);
  });
});

/** The same numbers for the same seed: mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function newestRun(): number {
  let run = 1;
  while (gateway.records.get((run + 1) as never) !== undefined) run++;
  return run;
}
