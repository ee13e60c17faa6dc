import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AccountOptions } from "../../../src/twin/exchange/account.ts";
import type { Person } from "../../../src/twin/exchange/people.ts";
import { callbacks, type Fixture, NUMBER, refusal, SOMEONE, startFixture } from "./exchangeFixture.ts";
import type { Answer, Seen } from "./standIn.ts";

const EVENTS = ["initiated", "ringing", "answered", "completed"];
const isStatus = ({ target }: Seen) => target === "/status";
const isAnswer = ({ target }: Seen) => target === "/answer";

/** A call to that person, with everything called back and the TwiML from `/answer`. */
async function placed(
  person: Person,
  {
    account = {},
    change = {},
    answer = (seen: Seen, gateway: Fixture["gateway"]): Answer =>
      isAnswer(seen) ? { body: gateway.connect() } : { body: "<Response><Hangup/></Response>" },
  }: {
    account?: AccountOptions;
    change?: object;
    answer?: (seen: Seen, gateway: Fixture["gateway"]) => Answer;
  } = {},
) {
  const fixture = await startFixture({ account, people: { [SOMEONE]: person } });
  const { gateway, client, exchange } = fixture;
  gateway.answer = (seen) => (isStatus(seen) ? { status: 204 } : answer(seen, gateway));
  const { sid } = await client.calls.create({
    to: SOMEONE,
    from: NUMBER,
    url: `${gateway.base}/answer`,
    statusCallback: `${gateway.base}/status`,
    statusCallbackEvent: EVENTS,
    ...change,
  });
  const call = exchange.call(sid)!;
  let isOver = false;
  void call.concluded.then(() => {
    isOver = true;
  });
  const concluded = (stepMs?: number) => fixture.until("the call's end", () => isOver, stepMs);
  const last = () => gateway.seen.filter(isStatus).at(-1)!.params;
  return { ...fixture, call, sid, concluded, last };
}

describe("someone who answers", () => {
  it("is connected to the gateway's stream, speaks, listens, and hangs up once it is quiet", async () => {
    const { gateway, call, concluded, last, isSigned, exchange, client, sid, until, clock } = await placed({
      does: "answers",
    });
    await until("the stream", () => call.leg.stream?.startedMs !== undefined);
    const far = await gateway.firstStream();
    await until("the speech", () => call.leg.stream!.saidAll);
    const { start } = await far.nextEvent("start");
    assert.equal(start.callSid, sid);
    far.media(3_000);
    await until("the audio", () => call.leg.stream!.playedMs >= 2_990);
    assert.equal(call.leg.end, undefined);
    const quietFromMs = clock.nowMs();
    await concluded();
    assert.ok(clock.nowMs() - quietFromMs >= 1_900);

    const [answer] = gateway.seen.filter(isAnswer) as [Seen];
    const { CallStatus, Direction, CallSid, To, From, AnsweredBy } = answer.params;
    assert.deepEqual(
      [CallStatus, Direction, CallSid, To, From],
      ["in-progress", "outbound-api", sid, SOMEONE, NUMBER],
    );
    assert.equal(AnsweredBy, undefined);
    assert.ok(gateway.seen.every(isSigned));
    assert.deepEqual(callbacks({ gateway }), ["0 initiated", "1 ringing", "2 in-progress", "3 completed"]);
    const { CallDuration, Duration, SipResponseCode, CallbackSource, Timestamp } = last();
    assert.ok(Number(CallDuration) >= 6 && Number(CallDuration) <= 12, CallDuration);
    assert.deepEqual([Duration, SipResponseCode, CallbackSource], ["1", "200", "call-progress-events"]);
    assert.match(Timestamp!, /^Thu, 01 Jan 2026 \d\d:\d\d:\d\d \+0000$/);
    const { status, duration, startTime, endTime } = await client.calls(sid).fetch();
    assert.deepEqual([status, duration], ["completed", CallDuration]);
    assert.ok(endTime.getTime() > startTime.getTime());
    assert.deepEqual(call.leg.end, { how: "caller", status: "completed", reason: "" });
    const actions = gateway.seen.filter(({ target }) => target.startsWith("/action"));
    assert.deepEqual(
      actions.map(({ params }) => params.CallStatus),
      ["completed"],
    );
    assert.deepEqual([exchange.complaints, call.leg.complaints], [[], []]);
  });

  it("is hung up on by REST: stop, the action, and the last callback", async () => {
    const { gateway, call, client, sid, concluded, until } = await placed({ does: "answers", says: "" });
    await until("the stream", () => call.leg.stream?.startedMs !== undefined);
    const { status } = await client.calls(sid).update({ status: "completed" });
    assert.equal(status, "completed");
    await concluded();
    const far = await gateway.firstStream();
    await far.nextEvent("stop");
    assert.equal(call.leg.end!.how, "agent");
    assert.equal(callbacks({ gateway }).at(-1), "3 completed");
  });

  it("is given other TwiML by REST, which ends the stream", async () => {
    const { gateway, call, client, sid, concluded, until } = await placed({ does: "answers", says: "" });
    await until("the stream", () => call.leg.stream?.startedMs !== undefined);
    await client.calls(sid).update({ url: `${gateway.base}/other`, method: "GET" });
    await concluded();
    await (await gateway.firstStream()).nextEvent("stop");
    const after = gateway.seen.filter(({ target }) => /^\/(?:other|action)/.test(target));
    assert.deepEqual(
      after.map(({ method, target }) => [method, target.split("?")[0]]),
      [["GET", "/other"]],
    );
  });

  it("hears TwiML that came with the order, or that another address has when the first fails", async () => {
    const inline = await placed(
      { does: "answers" },
      { change: { url: undefined, twiml: "<Response><Say>Hi</Say></Response>" } },
    );
    await inline.concluded();
    assert.deepEqual(
      inline.gateway.seen.filter((seen) => !isStatus(seen)),
      [],
    );
    assert.deepEqual(inline.call.leg.end, { how: "agent", status: "completed", reason: "" });

    const fallen = await placed(
      { does: "answers" },
      {
        change: { fallbackUrl: "http://127.0.0.1:9/", fallbackMethod: "GET" },
        answer: () => ({ status: 500 }),
      },
    );
    await fallen.concluded();
    const { how, status } = fallen.call.leg.end!;
    assert.deepEqual([how, status], ["failed", "completed"]);
    assert.deepEqual(
      fallen.call.leg.complaints.map(({ code }) => code),
      [11200, 11205],
    );
  });

  it("is cut off at the time limit", async () => {
    const { call, concluded, last } = await placed(
      { does: "answers", quietMs: Number.POSITIVE_INFINITY },
      { change: { timeLimit: 90 } },
    );
    await concluded();
    assert.equal(call.leg.end!.reason, "the call's time limit was reached");
    assert.ok(Number(last().CallDuration) >= 90 && Number(last().CallDuration) <= 95);
    assert.equal(last().Duration, "2");
  });
});

describe("someone who doesn't answer", () => {
  for (const [what, person, status, sip, events] of [
    ["busy", { does: "busy" }, "busy", "486", ["0 initiated", "1 ringing", "2 busy"]],
    ["nobody", { does: "nobody" }, "no-answer", "487", ["0 initiated", "1 ringing", "2 no-answer"]],
    ["unreachable", { does: "unreachable" }, "failed", "404", ["0 initiated", "1 failed"]],
  ] as const) {
    it(`${what} is ${status}, SIP ${sip}`, async () => {
      const { gateway, concluded, last, client, sid } = await placed(person);
      await concluded();
      assert.deepEqual(callbacks({ gateway }), events);
      const { SipResponseCode, CallDuration, Duration, ErrorCode } = last();
      assert.deepEqual(
        [SipResponseCode, CallDuration, Duration, ErrorCode],
        [sip, "0", undefined, undefined],
      );
      assert.equal(gateway.seen.some(isAnswer), false);
      const call = await client.calls(sid).fetch();
      assert.deepEqual([call.status, call.duration], [status, "0"]);
    });
  }

  it("is waited for as long as the order's Timeout and five seconds", async () => {
    const { clock, concluded, call, until } = await placed({ does: "nobody" }, { change: { timeout: 20 } });
    await until("ringing", () => call.record.status === "ringing");
    const fromMs = clock.nowMs();
    await concluded();
    assert.ok(Math.abs(clock.nowMs() - fromMs - 25_000) < 500);
  });

  it("can be unreachable for a reason of its own", async () => {
    const { last, concluded } = await placed({
      does: "unreachable",
      sipResponseCode: 503,
      errorCode: 32_009,
      errorMessage: "not registered",
    });
    await concluded();
    const { SipResponseCode, ErrorCode, ErrorMessage } = last();
    assert.deepEqual([SipResponseCode, ErrorCode, ErrorMessage], ["503", "32009", "not registered"]);
  });

  for (const status of ["canceled", "completed"] as const) {
    it(`is given up by REST with ${status} while it rings`, async () => {
      const { gateway, client, sid, call, concluded, until } = await placed({ does: "nobody" });
      await until("ringing", () => call.record.status === "ringing");
      assert.equal((await client.calls(sid).update({ status })).status, "canceled");
      await concluded();
      assert.deepEqual(callbacks({ gateway }).at(-1), "2 canceled");
      assert.equal((await refusal(client.calls(sid).update({ status }))).code, 21220);
    });
  }

  it("may still be made to by a test", async () => {
    const { exchange, call, until, concluded, gateway } = await placed({ does: "nobody" });
    await until("ringing", () => call.record.status === "ringing");
    (await exchange.placedTo(SOMEONE)).pickUp();
    await concluded();
    assert.ok(gateway.seen.some(isAnswer));
  });
});

describe("a machine", () => {
  it("is told of with the request for TwiML, which waits for that", async () => {
    const { gateway, call, concluded, last, until, clock } = await placed(
      { does: "machine", hangUpAfterMs: 5_000 },
      { change: { machineDetection: "Enable" } },
    );
    await until("the answer", () => call.record.status === "in-progress");
    const fromMs = clock.nowMs();
    await until("the request", () => gateway.seen.some(isAnswer));
    assert.ok(clock.nowMs() - fromMs >= 1_500);
    assert.equal(gateway.seen.find(isAnswer)!.params.AnsweredBy, "machine_start");
    await concluded();
    assert.equal(last().AnsweredBy, "machine_start");
    assert.equal(call.record.answeredBy, "machine_start");
  });

  it("and a person are told apart for the asynchronous callback", async () => {
    for (const [person, answeredBy] of [
      [{ does: "answers", says: "", quietMs: 4_000 }, "human"],
      [{ does: "machine", says: "", quietMs: 4_000 }, "machine_end_beep"],
    ] as const) {
      const fixture = await startFixture({ people: { [SOMEONE]: person } });
      const { gateway, client, exchange, until } = fixture;
      const { sid } = await client.calls.create({
        to: SOMEONE,
        from: NUMBER,
        url: `${gateway.base}/answer`,
        machineDetection: "DetectMessageEnd",
        asyncAmd: "true",
        asyncAmdStatusCallback: `${gateway.base}/amd`,
      });
      await until("detection", () => gateway.seen.some(({ target }) => target === "/amd"));
      const { params } = gateway.seen.find(({ target }) => target === "/amd")!;
      assert.deepEqual([params.AnsweredBy, params.CallSid], [answeredBy, sid]);
      assert.ok(Number(params.MachineDetectionDuration) > 0);
      assert.equal(gateway.seen.find(isAnswer)!.params.AnsweredBy, undefined);
      assert.equal(exchange.call(sid)!.record.answeredBy, answeredBy);
    }
  });
});

describe("a trial account's call", () => {
  const account = { trial: { verified: [SOMEONE], noticeMs: 4_000 } };

  it("asks for the TwiML only after the notice and a key", async () => {
    const { gateway, call, until, clock, concluded } = await placed({ does: "answers" }, { account });
    await until("the answer", () => call.record.status === "in-progress");
    const fromMs = clock.nowMs();
    await until("the request", () => gateway.seen.some(isAnswer));
    assert.ok(clock.nowMs() - fromMs >= 4_000);
    await concluded();
    assert.equal(callbacks({ gateway }).at(-1), "3 completed");
  });

  it("ends without it when no key is pressed", async () => {
    const { gateway, call, concluded } = await placed({ does: "answers", pressesKey: false }, { account });
    await concluded();
    assert.equal(gateway.seen.some(isAnswer), false);
    assert.match(call.leg.end!.reason, /no key was pressed/);
    assert.equal(call.record.status, "completed");
  });

  it("can go without the notice", async () => {
    const { gateway, call, until, clock } = await placed(
      { does: "answers" },
      { account: { trial: { verified: [SOMEONE], notice: false } } },
    );
    await until("the answer", () => call.record.status === "in-progress");
    const fromMs = clock.nowMs();
    await until("the request", () => gateway.seen.some(isAnswer));
    assert.ok(clock.nowMs() - fromMs < 4_000);
  });

  it("is over after ten minutes: 13805", async () => {
    const { call, concluded, last } = await placed(
      { does: "answers" },
      {
        account: { trial: { verified: [SOMEONE], notice: false } },
        change: { url: undefined, twiml: "<Response><Pause length='3600'/></Response>" },
      },
    );
    await concluded(1_000);
    assert.deepEqual(
      call.leg.complaints.map(({ code }) => code),
      [13805],
    );
    assert.ok(Number(last().CallDuration) >= 600 && Number(last().CallDuration) <= 605);
  });
});

describe("status callbacks", () => {
  it("are for the end alone where no event is named, and for those that are", async () => {
    const end = await placed({ does: "busy" }, { change: { statusCallbackEvent: undefined } });
    await end.concluded();
    assert.deepEqual(callbacks(end), ["0 busy"]);
    const some = await placed(
      { does: "busy" },
      { change: { statusCallbackEvent: ["ringing", "completed"] } },
    );
    await some.concluded();
    assert.deepEqual(callbacks(some), ["0 ringing", "1 busy"]);
  });

  it("don't come, with 21626, where the events are one text", async () => {
    const { gateway, concluded, call, exchange, sid, client } = await placed(
      { does: "busy" },
      { change: { statusCallbackEvent: ["initiated ringing answered completed"] } },
    );
    await concluded();
    assert.deepEqual(callbacks({ gateway }), []);
    assert.equal((await client.calls(sid).fetch()).status, "busy");
    assert.deepEqual(
      call.leg.complaints.map(({ code }) => code),
      [21626],
    );
    assert.equal(exchange.complaints[0]!.parameter, "StatusCallbackEvent");
  });

  it("are GET requests where the order says so", async () => {
    const { gateway, concluded } = await placed(
      { does: "busy" },
      { change: { statusCallbackMethod: "GET" } },
    );
    gateway.answer = () => ({ status: 204 });
    await concluded();
    assert.ok(gateway.seen.every(({ method }) => method === "GET"));
    assert.equal(gateway.seen.length, 3);
  });

  it("that are not accepted are 15003", async () => {
    const { call, concluded, gateway } = await placed({ does: "busy" });
    gateway.answer = () => ({ status: 500 });
    await concluded();
    assert.deepEqual(new Set(call.leg.complaints.map(({ code }) => code)), new Set([15003]));
  });
});
