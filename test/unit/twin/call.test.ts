import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { CALLER, type TwinCall, VOICE_PATH } from "../../../src/twin/call.ts";
import { sign } from "../../../src/twin/signature.ts";
import { TwilioTwin } from "../../../src/twin/twin.ts";
import { WRONG_SIGNATURE } from "../../../src/twin/webhook.ts";
import { type Answer, type Seen, StandIn } from "./standIn.ts";

const to = "+12025550100";
const account = { accountSid: `AC${"0".repeat(31)}1`, authToken: "secret" };

let gateway: StandIn;
let twin: TwilioTwin;
beforeEach(async () => {
  gateway = await StandIn.start();
  twin = new TwilioTwin({ ...account, publicBase: gateway.base });
});
afterEach(async () => {
  await twin.close();
  await gateway.close();
});

const codes = (call: TwinCall) => call.complaints.map(({ code }) => code);
const kinds = (call: TwinCall) => call.timeline.events.map(({ kind }) => kind);
const isAction = ({ target }: Seen) => target.startsWith("/action");
const isSignedFor = ({ target, headers, params }: Seen) =>
  headers["x-twilio-signature"] === sign(account.authToken, gateway.base + target, params);

/** Answers the webhook with this, everything else with a Hangup. */
function voice(answer: string | Answer): void {
  const first = typeof answer === "string" ? { body: answer } : answer;
  gateway.answer = ({ target }) =>
    target === VOICE_PATH ? first : { body: "<Response><Hangup/></Response>" };
}

describe("the webhook of a call", () => {
  it("is posted and signed as Twilio's, with the full set of parameters", async () => {
    const call = await twin.dial({ to, params: { FromCity: "REYKJAVÍK + co", Extra: "" } });
    const [seen] = gateway.seen;
    assert.equal(seen!.method, "POST");
    assert.equal(seen!.target, VOICE_PATH);
    assert.equal(seen!.headers["content-type"], "application/x-www-form-urlencoded; charset=UTF-8");
    assert.equal(seen!.headers["user-agent"], "TwilioProxy/1.1");
    assert.match(String(seen!.headers["i-twilio-idempotency-token"]), /^[0-9a-f-]{36}$/);
    assert.ok(isSignedFor(seen!));
    assert.deepEqual(seen!.params, call.params);
    const { CallSid, AccountSid, From, Caller, To, Called, CallStatus, Direction, FromCity, Extra } =
      seen!.params;
    assert.match(CallSid!, /^CA[0-9a-f]{32}$/);
    assert.equal(AccountSid, account.accountSid);
    assert.deepEqual([From, Caller], [CALLER, CALLER]);
    assert.deepEqual([To, Called], [to, to]);
    assert.deepEqual([CallStatus, Direction], ["ringing", "inbound"]);
    assert.deepEqual([FromCity, Extra], ["REYKJAVÍK + co", ""]);
    assert.equal(Object.keys(seen!.params).length, 28);
  });

  it("is signed over the public base and sent to the gateway", async () => {
    const behind = new TwilioTwin({
      ...account,
      publicBase: "https://gw.example.com/line",
      gatewayBase: gateway.base,
    });
    const call = await behind.dial({ to });
    const [{ target, headers, params }] = gateway.seen as [Seen];
    assert.equal(target, VOICE_PATH);
    assert.equal(headers.host, "gw.example.com");
    const url = `https://gw.example.com/line${VOICE_PATH}`;
    assert.equal(headers["x-twilio-signature"], sign(account.authToken, url, params));
    await call.hangUp();
  });

  it("can be repeated, unsigned, wrongly signed or sent with GET", async () => {
    const call = await twin.dial({ to });
    await call.repeatWebhook();
    await twin.dial({ to, signing: "missing" });
    await twin.dial({ to, signing: WRONG_SIGNATURE });
    await twin.dial({ to, voiceMethod: "GET" });
    const [first, repeated, unsigned, forged, get] = gateway.seen as [Seen, Seen, Seen, Seen, Seen];
    assert.deepEqual(repeated, first);
    assert.equal(unsigned.headers["x-twilio-signature"], undefined);
    assert.equal(isSignedFor(forged), false);
    assert.equal(get.method, "GET");
    assert.equal(get.params.To, to);
    const { signature } = { signature: get.headers["x-twilio-signature"] };
    assert.equal(signature, sign(account.authToken, gateway.base + get.target));
  });

  const unusable: [what: string, answer: Answer, code: number, how: string][] = [
    ["403", { status: 403 }, 11200, "refused"],
    ["500", { status: 500, body: "<Response/>" }, 11200, "failed"],
    ["JSON", { contentType: "application/json", body: "{}" }, 12300, "failed"],
    ["no content type", { contentType: "", body: "<Response/>" }, 12300, "failed"],
    ["bad XML", { body: "<Response>" }, 12100, "failed"],
    ["an unknown verb", { body: "<Response><Fax/></Response>" }, 12100, "failed"],
    ["64 kB", { body: `<Response><!--${"x".repeat(65_536)}--></Response>` }, 11750, "failed"],
  ];
  for (const [what, answer, code, how] of unusable) {
    it(`that is answered with ${what} is ${code}`, async () => {
      voice(answer);
      const call = await twin.dial({ to });
      assert.equal((await call.ended).how, how);
      assert.deepEqual(codes(call), [code]);
      await assert.rejects(call.connect(), /waited for the call's stream, but the call was over/);
    });
  }

  it("that nobody answers is 11205", async () => {
    await gateway.close();
    const call = await twin.dial({ to });
    assert.deepEqual(await call.ended, {
      how: "failed",
      status: "failed",
      reason: `the webhook could not be reached: ${gateway.base} did not answer the webhook: connect ECONNREFUSED ${gateway.base.slice(7)}`,
    });
    assert.deepEqual(codes(call), [11205]);
    gateway = await StandIn.start();
  });

  for (const [reason, status] of [
    ["rejected", "no-answer"],
    ["busy", "busy"],
  ]) {
    it(`can reject the call (${reason})`, async () => {
      voice(`<Response><Reject reason="${reason}"/></Response>`);
      const call = await twin.dial({ to });
      call.answer();
      assert.deepEqual(await call.ended, { how: "refused", status, reason });
    });
  }
});

describe("a call with a stream", () => {
  it("asks the action when the gateway ends the stream, and obeys it", async () => {
    const call = await twin.dial({ to });
    const stream = await call.connect();
    assert.equal(call.stream, stream);
    const far = await gateway.firstStream();
    assert.equal((await far.nextEvent("start")).start.callSid, call.sid);
    far.socket.close(1000);
    assert.deepEqual(await call.ended, { how: "agent", status: "completed", reason: "" });
    const action = gateway.seen.find(isAction)!;
    assert.ok(isSignedFor(action));
    assert.deepEqual(action.params, { ...call.params, CallStatus: "in-progress" });
    assert.deepEqual(codes(call), [31921]);
    assert.deepEqual(kinds(call), ["webhook", "twiml", "upgrade", "start", "close", "action", "twiml"]);
  });

  it("sends stop and asks the action with the call completed when the caller hangs up", async () => {
    const call = await twin.dial({ to });
    await call.connect();
    const far = await gateway.firstStream();
    const ends = await Promise.all([call.hangUp(), call.hangUp()]);
    assert.deepEqual(ends[0], { how: "caller", status: "completed", reason: "" });
    assert.equal(far.messages.filter(({ event }) => event === "stop").length, 1);
    assert.equal(gateway.seen.find(isAction)!.params.CallStatus, "completed");
    assert.deepEqual(codes(call), []);
  });

  it("can leave the action out after the caller hung up", async () => {
    const call = await twin.dial({ to, actionAfterHangUp: false });
    await call.connect();
    await call.hangUp();
    assert.equal(gateway.seen.length, 1);
  });

  it("fails when the action is answered with an error", async () => {
    gateway.answer = (seen) => (isAction(seen) ? { status: 500 } : { body: gateway.connect() });
    const call = await twin.dial({ to });
    await call.connect();
    (await gateway.firstStream()).socket.close(1000);
    assert.equal((await call.ended).how, "failed");
    assert.deepEqual(codes(call), [31921, 11200]);
  });

  it("fails when the connection breaks, but asks the action all the same", async () => {
    const call = await twin.dial({ to });
    await call.connect();
    (await gateway.firstStream()).socket.terminate();
    assert.equal((await call.ended).how, "failed");
    assert.equal(gateway.seen.find(isAction)!.params.CallStatus, "in-progress");
    assert.deepEqual(codes(call), [31903]);
  });

  it("fails when the upgrade is refused, and connect says so", async () => {
    gateway.upgradeStatus = 503;
    const call = await twin.dial({ to });
    await assert.rejects(call.connect(), /there was no stream: the upgrade was answered with 503/);
    assert.equal((await call.ended).how, "failed");
    assert.ok(gateway.seen.some(isAction));
  });

  it("goes on with the next verb where there is no action", async () => {
    const after = "<Say>Goodbye.</Say><Redirect>/more</Redirect>";
    voice(gateway.connect({ action: "", after }));
    const call = await twin.dial({ to });
    await call.connect();
    (await gateway.firstStream()).socket.close(1000);
    assert.equal((await call.ended).how, "agent");
    assert.deepEqual(
      gateway.seen.map(({ target }) => target),
      [VOICE_PATH, "/more"],
    );
  });

  it("passes the parameters on, drops a query, and signs what is left", async () => {
    const inner = `<Parameter name="workflow" value="7"/><Parameter name="a&amp;b" value="c &lt; d"/>`;
    voice(gateway.connect({ inner }).replace("/media/token", "/media/token?secret=1"));
    const call = await twin.dial({ to });
    await call.connect();
    const { start } = await (await gateway.firstStream()).nextEvent("start");
    assert.deepEqual(start.customParameters, { workflow: "7", "a&b": "c < d" });
    const [{ target, headers }] = gateway.upgrades as [{ target: string; headers: Seen["headers"] }];
    assert.equal(target, "/media/token");
    const url = `${gateway.base.replace("http", "ws")}/media/token`;
    assert.equal(headers["x-twilio-signature"], sign(account.authToken, url));
    await call.hangUp();
  });

  for (const [what, change, code] of [
    ["both tracks", `track="both_tracks"`, 31941],
    ["an http url", `url="http://127.0.0.1/m" name="n"`, 31922],
    ["a malformed url", `url="wss://["`, 31923],
  ] as const) {
    it(`is ${code} with ${what}`, async () => {
      const url = change.includes("url=") ? change : `url="ws://127.0.0.1/m" ${change}`;
      voice(`<Response><Connect><Stream ${url}/></Connect></Response>`);
      const call = await twin.dial({ to });
      call.answer();
      assert.equal((await call.ended).how, "failed");
      assert.deepEqual(codes(call), [code]);
    });
  }

  it("must be wss where the gateway is reached by https", async () => {
    const behind = new TwilioTwin({
      ...account,
      publicBase: "https://gw.example.com",
      gatewayBase: gateway.base,
    });
    const call = await behind.dial({ to });
    call.answer();
    await call.ended;
    assert.deepEqual(codes(call), [31922]);
  });
});

describe("stream status callbacks", () => {
  const isStatus = ({ target }: Seen) => target === "/status";
  const streamAttributes = `name="talk" statusCallback="/status"`;

  it("tell the start and the stop, signed", async () => {
    gateway.answer = (seen) =>
      isStatus(seen) ? { status: 204 } : { body: gateway.connect({ streamAttributes }) };
    const call = await twin.dial({ to });
    const { facts } = await call.connect();
    await gateway.request(isStatus);
    await call.hangUp();
    await call.settled();
    const callbacks = gateway.seen.filter(isStatus);
    assert.ok(callbacks.every(isSignedFor));
    const { Timestamp, ...rest } = callbacks[0]!.params;
    assert.match(Timestamp!, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.deepEqual(rest, {
      AccountSid: account.accountSid,
      CallSid: call.sid,
      StreamSid: facts.streamSid,
      StreamName: "talk",
      StreamEvent: "stream-started",
    });
    assert.deepEqual(
      callbacks.map(({ params }) => params.StreamEvent),
      ["stream-started", "stream-stopped"],
    );
    assert.deepEqual(codes(call), []);
  });

  it("tell errors by Twilio's number, and it is 15003 when they are not accepted", async () => {
    gateway.answer = (seen) =>
      isStatus(seen) ? { status: 500 } : { body: gateway.connect({ streamAttributes, action: "" }) };
    const call = await twin.dial({ to });
    await call.connect();
    const far = await gateway.firstStream();
    await far.nextEvent("start");
    far.socket.send("no JSON");
    const error = await gateway.request(({ params }) => params.StreamEvent === "stream-error");
    assert.match(error.params.StreamError!, /^31951 - an invalid message/);
    await call.hangUp();
    await call.settled();
    assert.deepEqual([...new Set(codes(call))].sort(), [15003, 31951]);
  });
});

describe("a call without a stream", () => {
  it("obeys what it understands, one document after another", async () => {
    const documents: Record<string, string> = {
      [VOICE_PATH]: `<Response><Say>Hello.</Say><Redirect method="GET">/second?a=1</Redirect></Response>`,
      "/second": "<Response><Play>/a.wav</Play><Pause length='0'/><Redirect>/third</Redirect></Response>",
      "/third": "<Response/>",
    };
    gateway.answer = ({ target }) => ({ body: documents[target.split("?")[0]!]! });
    const call = await twin.dial({ to });
    assert.deepEqual(call.verbs[0], { verb: "Say", text: "Hello." });
    call.answer();
    assert.equal((await call.ended).how, "agent");
    assert.deepEqual(
      gateway.seen.map(({ method, target, params }) => [method, target.split("&")[0], params.CallStatus]),
      [
        ["POST", VOICE_PATH, "ringing"],
        ["GET", "/second?a=1", "in-progress"],
        ["POST", "/third", "in-progress"],
      ],
    );
    assert.ok(gateway.seen[1]!.target.includes("&CallSid="));
  });

  for (const document of [
    "<Redirect>http://[</Redirect>",
    '<Connect action="//["><Stream url="ws://127.0.0.1:9/"/></Connect>',
  ]) {
    it(`is 11100 where it is to ask what is no address: ${document}`, async () => {
      voice(`<Response>${document}</Response>`);
      const call = await twin.dial({ to });
      call.answer();
      assert.equal((await call.ended).how, "failed");
      assert.equal(codes(call).at(-1), 11100);
      assert.equal(gateway.seen.length, 1);
    });
  }

  it("ends a loop of documents with 11215", async () => {
    gateway.answer = () => ({ body: "<Response><Redirect>/again</Redirect></Response>" });
    const call = await twin.dial({ to });
    call.answer();
    assert.equal((await call.ended).how, "failed");
    assert.deepEqual(codes(call), [11215]);
    assert.ok(gateway.seen.length <= 11);
  });

  it("does not wait out a pause for a caller who hangs up", async () => {
    voice(`<Response><Pause length="3600"/><Redirect>/never</Redirect></Response>`);
    const call = await twin.dial({ to });
    call.answer();
    assert.equal((await call.hangUp()).how, "caller");
    assert.equal(gateway.seen.length, 1);
  });

  it("can be hung up before it is answered", async () => {
    const call = await twin.dial({ to });
    assert.deepEqual(await call.hangUp(), { how: "caller", status: "canceled", reason: "" });
    assert.equal(gateway.upgrades.length, 0);
  });
});

describe("the number's status callback", () => {
  it("is posted on demand, with how the call ended", async () => {
    const call = await twin.dial({ to });
    await call.connect();
    await call.hangUp();
    await call.reportStatus(`${gateway.base}/status`);
    const status = gateway.seen.at(-1)!;
    assert.ok(isSignedFor(status));
    const { CallStatus, CallDuration, CallSid, SequenceNumber } = status.params;
    assert.deepEqual([CallStatus, SequenceNumber, CallSid], ["completed", "0", call.sid]);
    assert.ok(Number(CallDuration) >= 1);
  });
});

describe("other webhooks", () => {
  it("can be posted with any parameters", async () => {
    gateway.answer = () => ({ status: 403 });
    const answer = await twin.post(`${gateway.base}/x?y=1`, { A: "b" });
    assert.equal(answer.status, 403);
    assert.ok(isSignedFor(gateway.seen[0]!));
    assert.deepEqual(gateway.seen[0]!.params, { A: "b" });
  });
});

describe("closing the twin", () => {
  it("ends every call, wherever it is", async () => {
    const talking = await twin.dial({ to });
    const stream = await talking.connect();
    const waiting = assert.rejects(stream.next("clear"), /the stream was over/);
    voice(`<Response><Pause length="3600"/></Response>`);
    const paused = await twin.dial({ to });
    paused.answer();
    const ringing = await twin.dial({ to });
    await twin.close();
    for (const call of [talking, paused, ringing]) {
      assert.deepEqual(await call.ended, { how: "failed", status: "failed", reason: "the twin was closed" });
    }
    await waiting;
  });
});
