// What Twilio asks and tells once a call is under way: the Connect action, stream statuses, the number's status
// callback and the fallback. All are signed, and any of them may come twice.
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { CallSid, RunId } from "../../../src/domain/ids.ts";
import type { TwinCall } from "../../../src/twin/call.ts";
import { counted } from "../../support/counts.ts";
import { ECHO_NUMBER, startStory, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { recordOf } from "../../support/records.ts";
import { allFree, until } from "../../support/until.ts";
import {
  FALLBACK,
  type Params,
  ringing,
  STATUS_CALLBACK,
  send,
  streamEnded,
  streamStatus,
} from "./requests.ts";

const HANG_UP = '<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>';
const APOLOGY =
  /^<\?xml version="1\.0" encoding="UTF-8"\?><Response><Say>[^<]{20,200}<\/Say><Hangup\/><\/Response>$/;
const UNKNOWN_RUN = 987_654_321;

const lines: string[] = [];
const story = await startStory({ onLogLine: (line) => lines.push(line) });
const { gateway, twilio, origin } = story;
const { records } = gateway;

const outcomeOf = (call: TwinCall) => recordOf(gateway, call).outcome;
const eventsOf = (call: TwinCall, kind: string) =>
  recordOf(gateway, call)
    .events.filter((event) => event.kind === kind)
    .map(({ detail }) => detail);
const post = (path: string, params: Params, changes: { signature?: string | null } = {}) =>
  send({ origin, path, params, ...changes });

/** The Connect action, asked by hand as Twilio would ask it. */
async function action(call: TwinCall, callStatus = "in-progress", run: number = recordOf(gateway, call).run) {
  const answer = await post(streamEnded(run), { ...call.params, CallStatus: callStatus });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["content-type"], "text/xml; charset=utf-8");
  return answer.body;
}

/** A call whose action is asked by the test alone. */
async function talk(to = ECHO_NUMBER) {
  const call = await twilio.dial({ to, actionAfterHangUp: false });
  const stream = await call.connect();
  await until("the call to be live", () => recordOf(gateway, call).startedAtMs !== undefined);
  return { call, stream };
}

beforeEach(() => {
  lines.length = 0;
});

describe("the Connect action", () => {
  it("ends a call that has no end yet as lost, apologizes, and says so again", async () => {
    const { call, stream } = await talk();
    const first = await action(call);
    assert.match(first, APOLOGY);
    assert.equal(outcomeOf(call), "media_lost");
    await stream.ended; // its socket goes too
    const { endedAtMs } = recordOf(gateway, call);
    assert.deepEqual([await action(call), await action(call, "completed")], [first, first]);
    assert.deepEqual([outcomeOf(call), recordOf(gateway, call).endedAtMs], ["media_lost", endedAtMs]);
    assert.equal((await call.repeatWebhook()).body, first);
    await allFree(story);
  });

  it("ends a call whose stream never came, and its ticket is worth nothing any more", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    assert.match(await action(call), APOLOGY);
    assert.equal(outcomeOf(call), "media_lost");
    await assert.rejects(call.connect(), /403/);
    await allFree(story);
  });

  it("says nothing more after the agent's goodbye", async () => {
    const { call, stream } = await talk(TEST_AGENT_NUMBER);
    stream.press("3");
    assert.deepEqual(await call.ended, { how: "agent", status: "completed", reason: "" });
    assert.equal(outcomeOf(call), "agent_hung_up");
    assert.deepEqual([await action(call), await action(call)], [HANG_UP, HANG_UP]);
    await allFree(story);
  });

  it("says nothing more to a caller who hung up", async () => {
    const { call } = await talk();
    await call.hangUp();
    assert.deepEqual([await action(call, "completed"), await action(call)], [HANG_UP, HANG_UP]);
    assert.equal(outcomeOf(call), "caller_hung_up");
    await allFree(story);
  });

  it("takes a terminal status for the caller's own end", async () => {
    for (const status of ["completed", "failed", "canceled"]) {
      const { call } = await talk();
      assert.equal(await action(call, status), HANG_UP);
      assert.equal(outcomeOf(call), "caller_hung_up");
      assert.equal(await action(call), HANG_UP);
    }
    await allFree(story);
  });

  for (const { what, key, outcome, answered } of [
    {
      what: "says no more after an agent that failed: the caller was told",
      key: "9",
      outcome: "agent_failed",
      answered: /<Response><Hangup\/>/,
    },
    {
      what: "apologizes for an exception in the call's own code",
      key: "4",
      outcome: "call_error",
      answered: APOLOGY,
    },
  ]) {
    it(what, async () => {
      const { call, stream } = await talk(TEST_AGENT_NUMBER);
      stream.press(key);
      await call.ended;
      assert.equal(outcomeOf(call), outcome);
      const asked = await action(call);
      assert.match(asked, answered);
      assert.equal(await action(call), asked);
      await allFree(story);
    });
  }

  it("answers many at once as one", async () => {
    const { call } = await talk();
    const ended = await counted(gateway, "calls_ended_total");
    const answers = await Promise.all(Array.from({ length: 5 }, () => action(call)));
    assert.equal(new Set(answers).size, 1);
    assert.equal(await counted(gateway, "calls_ended_total"), ended + 1);
    await allFree(story);
  });

  it("apologizes for a run nobody knows, and touches no other", async () => {
    const { call, stream } = await talk();
    const stranger = ringing(ECHO_NUMBER, { CallStatus: "in-progress" });
    for (const run of [UNKNOWN_RUN, recordOf(gateway, call).run]) {
      const answer = await post(streamEnded(run), stranger);
      assert.match(answer.body, APOLOGY);
      assert.equal(records.find(CallSid(stranger.CallSid!)), undefined);
    }
    assert.match(await action(call, "in-progress", UNKNOWN_RUN), APOLOGY);
    for (const run of ["x", "0", "-1", "1.5"]) {
      const answer = await post(`/api/v1/telephony/twilio/stream-ended/${run}`, stranger);
      assert.match(answer.body, APOLOGY, run);
    }
    assert.equal(records.get(RunId(UNKNOWN_RUN)), undefined);
    assert.equal(outcomeOf(call), undefined);
    await stream.hasPlayed(stream.playedMs + 40);
    assert.equal((await call.hangUp()).how, "caller");
    await allFree(story);
  });

  it("ends nothing when nobody signed it", async () => {
    const { call, stream } = await talk();
    const { run } = recordOf(gateway, call);
    const answer = await post(streamEnded(run), { ...call.params }, { signature: null });
    assert.deepEqual([answer.status, answer.body], [403, ""]);
    assert.equal(outcomeOf(call), undefined);
    await stream.hasPlayed(stream.playedMs + 40);
    await call.hangUp();
    await allFree(story);
  });
});

describe("a stream's status", () => {
  const status = (call: TwinCall, event: string, changes: Params = {}): Params => ({
    AccountSid: call.params.AccountSid!,
    CallSid: call.sid,
    StreamSid: `MZ${"0".repeat(32)}`,
    StreamName: "a name",
    StreamEvent: event,
    Timestamp: "2024-11-29T00:09:39.602648368Z",
    ...changes,
  });

  it("is kept with the call, in Twilio's words, once however often it is told", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const { run } = recordOf(gateway, call);
    const error = { StreamError: "31920 - handshake failed" };
    const told = [
      status(call, "stream-started"),
      status(call, "stream-started"),
      status(call, "stream-error", error),
      status(call, "stream-error", error),
      status(call, "stream-stopped"),
      status(call, "stream-started", { Timestamp: "2024-11-29T00:09:40Z" }),
    ];
    for (const params of told) {
      const answer = await post(streamStatus(run), params);
      assert.deepEqual([answer.status, answer.body], [204, ""]);
    }
    const kept = ["stream-started", "stream-error: 31920 - handshake failed", "stream-stopped"];
    assert.deepEqual(eventsOf(call, "stream_status"), kept);
    assert.equal(outcomeOf(call), undefined, "it is a report, not an ending");
    await post(STATUS_CALLBACK, { ...call.params, CallStatus: "completed" });
    await post(streamStatus(run), status(call, "stream-error", { StreamError: "31921" }));
    assert.deepEqual(eventsOf(call, "stream_status"), [...kept, "stream-error: 31921"]);
    await allFree(story);
  });

  it("is noted without a trace when it is of no call, of another, or unreadable", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const other = await twilio.dial({ to: ECHO_NUMBER });
    const { run } = recordOf(gateway, call);
    const odd: [number, Params][] = [
      [UNKNOWN_RUN, status(call, "stream-started")],
      [recordOf(gateway, other).run, status(call, "stream-started")],
      [run, status(call, "stream-started", { StreamSid: "" })],
    ];
    for (const [which, params] of odd) assert.equal((await post(streamStatus(which), params)).status, 204);
    for (const each of [call, other]) assert.deepEqual(eventsOf(each, "stream_status"), []);
    await Promise.all([call.hangUp(), other.hangUp()]);
    for (const each of [call, other]) await post(STATUS_CALLBACK, { ...each.params, CallStatus: "canceled" });
    await allFree(story);
  });

  it("is forbidden when nobody signed it", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const answer = await post(streamStatus(recordOf(gateway, call).run), status(call, "stream-started"), {
      signature: null,
    });
    assert.deepEqual([answer.status, answer.body], [403, ""]);
    assert.deepEqual(eventsOf(call, "stream_status"), []);
    await post(STATUS_CALLBACK, { ...call.params, CallStatus: "completed" });
    await allFree(story);
  });
});

describe("the number's status callback", () => {
  it("ends a live call when the call is over, and says so as often as it likes", async () => {
    const { call, stream } = await talk();
    for (const underWay of ["initiated", "ringing", "in-progress", "something-new"]) {
      const answer = await call.reportStatus(origin + STATUS_CALLBACK, underWay as "ringing");
      assert.equal(answer.status, 204);
      assert.equal(outcomeOf(call), undefined);
    }
    const first = await call.reportStatus(origin + STATUS_CALLBACK, "completed");
    const { endedAtMs } = recordOf(gateway, call);
    const again = await call.reportStatus(origin + STATUS_CALLBACK, "failed");
    assert.deepEqual([first.status, first.body, again.status], [204, "", 204]);
    assert.deepEqual([outcomeOf(call), recordOf(gateway, call).endedAtMs], ["caller_hung_up", endedAtMs]);
    await stream.ended;
    await allFree(story);
  });

  it("changes nothing about a call that ended otherwise, or that nobody knows", async () => {
    const { call, stream } = await talk(TEST_AGENT_NUMBER);
    stream.press("3");
    await call.ended;
    await call.reportStatus(origin + STATUS_CALLBACK, "completed");
    assert.equal(outcomeOf(call), "agent_hung_up");
    const stranger = ringing(ECHO_NUMBER, { CallStatus: "completed" });
    assert.equal((await post(STATUS_CALLBACK, stranger)).status, 204);
    assert.equal(records.find(CallSid(stranger.CallSid!)), undefined);
    await allFree(story);
  });

  it("ends nothing when nobody signed it", async () => {
    const { call, stream } = await talk();
    const params = { ...call.params, CallStatus: "completed" };
    const answer = await post(STATUS_CALLBACK, params, { signature: "AAAAAAAAAAAAAAAAAAAAAAAAAAA=" });
    assert.deepEqual([answer.status, answer.body], [403, ""]);
    await stream.hasPlayed(stream.playedMs + 40);
    assert.equal(outcomeOf(call), undefined);
    await call.hangUp();
    await allFree(story);
  });
});

describe("the fallback", () => {
  it("apologizes, keeps Twilio's code with the call once, and tells the operator", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const params = { ...call.params, ErrorCode: "11200", ErrorUrl: `${origin}/api/v1/telephony/inbound/run` };
    const first = await post(FALLBACK, params);
    const again = await post(FALLBACK, params);
    assert.equal(first.status, 200);
    assert.match(first.body, APOLOGY);
    assert.equal(again.body, first.body);
    assert.deepEqual(eventsOf(call, "fallback"), ["11200"]);
    assert.match(lines.join(""), /Twilio asked for the fallback \(11200\)/);
    await post(STATUS_CALLBACK, { ...call.params, CallStatus: "completed" });
    await allFree(story);
  });

  it("apologizes to a caller nobody has heard of, and repeats no text that is not a code", async () => {
    const params = ringing(ECHO_NUMBER, { ErrorCode: "11200\n<script>" });
    const { body } = await post(FALLBACK, params);
    assert.match(body, APOLOGY);
    assert.match(lines.join(""), /Twilio asked for the fallback \(no code\)/);
    assert.doesNotMatch(lines.join(""), /script/);
    assert.equal(records.find(CallSid(params.CallSid!)), undefined);
  });

  it("is forbidden when nobody signed it", async () => {
    const answer = await post(FALLBACK, ringing(ECHO_NUMBER), { signature: null });
    assert.deepEqual([answer.status, answer.body], [403, ""]);
    assert.equal(lines.join("").includes("fallback"), false);
  });
});
