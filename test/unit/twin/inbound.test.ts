import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { NumberOptions } from "../../../src/twin/exchange/account.ts";
import { NUMBER, startFixture } from "./exchangeFixture.ts";
import type { Seen } from "./standIn.ts";

const from = "+14155550142";

async function numbered(settings: (base: string) => Partial<NumberOptions>) {
  const fixture = await startFixture({ account: { numbers: [] } });
  const { gateway, exchange } = fixture;
  const number = exchange.accounts[0]!.addNumber({ phoneNumber: NUMBER, ...settings(gateway.base) });
  return { ...fixture, number };
}

const targets = (seen: readonly Seen[]) =>
  seen.map(({ method, target }) => `${method} ${target.split("?")[0]}`);

describe("a call to a number of the exchange", () => {
  it("asks the VoiceUrl that is stored there, and tells the StatusCallback how it ended", async () => {
    const { exchange, gateway, client, isSigned, clock, until } = await numbered((base) => ({
      VoiceUrl: `${base}/voice`,
      StatusCallback: `${base}/status`,
    }));
    const call = await exchange.dial({ to: NUMBER, from });
    const { record } = exchange.call(call.sid)!;
    assert.equal(record.status, "ringing");
    const listed = await client.calls.list({ to: NUMBER });
    assert.deepEqual(
      listed.map(({ sid, status, direction }) => [sid, status, direction]),
      [[call.sid, "ringing", "inbound"]],
    );
    const stream = await call.connect();
    assert.equal(record.status, "in-progress");
    clock.advance(2_500);
    void call.hangUp();
    await stream.ended;
    await exchange.call(call.sid)!.concluded;
    assert.deepEqual(targets(gateway.seen), ["POST /voice", "POST /action/1", "POST /status"]);
    assert.ok(gateway.seen.every(isSigned));
    const { CallStatus, CallDuration, Duration, SequenceNumber, CallSid, Direction, CallbackSource } =
      gateway.seen.at(-1)!.params;
    assert.deepEqual(
      [CallStatus, CallDuration, Duration, SequenceNumber, CallSid, Direction, CallbackSource],
      ["completed", "3", "1", "0", call.sid, "inbound", "call-progress-events"],
    );
    assert.equal((await client.calls(call.sid).fetch()).duration, "3");
    await until("nothing", () => true);
  });

  it("uses what the client has set meanwhile, with the method it has set", async () => {
    const { exchange, gateway, client, number } = await numbered(() => ({}));
    await client
      .incomingPhoneNumbers(number.sid)
      .update({ voiceUrl: `${gateway.base}/new`, voiceMethod: "GET" });
    await (await exchange.dial({ to: NUMBER, from })).hangUp();
    assert.deepEqual(targets(gateway.seen), ["GET /new"]);
  });

  it("is tried again as the URL's fragment says, with the same token and the fragment unsigned", async () => {
    const { exchange, gateway, isSigned } = await numbered((base) => ({
      VoiceUrl: `${base}/voice#rc=2&rp=ct,rt,5xx&ct=2000&rt=4000`,
    }));
    let answers = 0;
    gateway.answer = () => (++answers === 1 ? { status: 502 } : { body: gateway.connect() });
    exchange.faults.webhooks({ lose: "answer" });
    const call = await exchange.dial({ to: NUMBER, from });
    assert.equal(call.webhook!.status, 200);
    assert.deepEqual(targets(gateway.seen), ["POST /voice", "POST /voice"]);
    assert.ok(gateway.seen.every(isSigned));
    assert.equal(new Set(gateway.seen.map(({ headers }) => headers["i-twilio-idempotency-token"])).size, 1);
    await call.hangUp();
  });

  it("falls back to VoiceFallbackUrl with what went wrong, and goes on there", async () => {
    const { exchange, gateway } = await numbered((base) => ({
      VoiceUrl: `${base}/voice#rc=1&rp=5xx`,
      VoiceFallbackUrl: `${base}/fallback`,
    }));
    gateway.answer = ({ target }) =>
      target === "/voice" ? { status: 500 } : { body: "<Response><Say>Sorry.</Say><Hangup/></Response>" };
    const call = await exchange.dial({ to: NUMBER, from });
    assert.deepEqual(targets(gateway.seen), ["POST /voice", "POST /voice", "POST /fallback"]);
    const { ErrorCode, ErrorUrl, CallSid } = gateway.seen.at(-1)!.params;
    assert.deepEqual([ErrorCode, ErrorUrl, CallSid], ["11200", `${gateway.base}/voice`, call.sid]);
    call.answer();
    assert.deepEqual(await call.ended, { how: "agent", status: "completed", reason: "" });
    assert.deepEqual(
      call.complaints.map(({ code }) => code),
      [11200],
    );
  });

  it("fails, and says so to the StatusCallback, when neither can be used", async () => {
    const { exchange, gateway } = await numbered((base) => ({
      VoiceUrl: "http://127.0.0.1:9/voice",
      VoiceFallbackUrl: `${base}/fallback`,
      StatusCallback: `${base}/status`,
    }));
    gateway.answer = () => ({ body: "no TwiML" });
    const call = await exchange.dial({ to: NUMBER, from });
    assert.equal((await call.ended).status, "failed");
    await exchange.call(call.sid)!.concluded;
    assert.deepEqual(targets(gateway.seen), ["POST /fallback", "POST /status"]);
    assert.equal(gateway.seen[0]!.params.ErrorCode, "11205");
    assert.deepEqual(
      [gateway.seen[1]!.params.CallStatus, gateway.seen[1]!.params.CallDuration],
      ["failed", "0"],
    );
  });

  for (const [what, settings, reason] of [
    ["a trunk", { TrunkSid: `TK${"1".repeat(32)}` }, /the trunk TK1+ gets the number's calls/],
    ["an application", { VoiceApplicationSid: `AP${"1".repeat(32)}` }, /the application AP1+ gets/],
    ["no VoiceUrl", { VoiceUrl: "" }, /has no VoiceUrl/],
  ] as const) {
    it(`never gets there with ${what}`, async () => {
      const { exchange, gateway } = await numbered((base) => ({ VoiceUrl: `${base}/voice`, ...settings }));
      const call = await exchange.dial({ to: NUMBER, from });
      const { how, reason: found } = await call.ended;
      assert.equal(how, "refused");
      assert.match(found, reason);
      assert.deepEqual(gateway.seen, []);
    });
  }

  it("fails where what is stored is no address", async () => {
    const { exchange, gateway } = await numbered(() => ({ VoiceUrl: "http://[", StatusCallback: "nowhere" }));
    const call = await exchange.dial({ to: NUMBER, from });
    assert.match((await call.ended).reason, /it is no address/);
    await exchange.call(call.sid)!.concluded;
    assert.deepEqual(gateway.seen, []);
    assert.deepEqual(
      call.complaints.map(({ code }) => code),
      [11205, 15003],
    );
  });

  it("never gets to a suspended account, and no number means no call", async () => {
    const { exchange } = await numbered((base) => ({ VoiceUrl: `${base}/voice` }));
    exchange.accounts[0]!.status = "suspended";
    assert.match((await (await exchange.dial({ to: NUMBER })).ended).reason, /the account is suspended/);
    await assert.rejects(exchange.dial({ to: "+12025550177" }), /no account of the exchange owns/);
  });

  it("can be ended and redirected by REST", async () => {
    const { exchange, gateway, client } = await numbered((base) => ({ VoiceUrl: `${base}/voice` }));
    const call = await exchange.dial({ to: NUMBER, from });
    await call.connect();
    await client.calls(call.sid).update({ twiml: "<Response><Pause length='600'/></Response>" });
    await call.stream!.ended;
    assert.equal(call.end, undefined);
    assert.equal((await client.calls(call.sid).update({ status: "completed" })).status, "completed");
    assert.equal((await call.ended).how, "agent");
    assert.deepEqual(targets(gateway.seen), ["POST /voice"]);
  });

  it("is held by somebody who speaks and hangs up by themselves", async () => {
    const { exchange, gateway, until } = await numbered((base) => ({ VoiceUrl: `${base}/voice` }));
    const call = exchange.phone({ to: NUMBER }, { says: "stop", quietMs: 500 });
    await until("the end", () => call.end !== undefined);
    assert.equal(call.end!.how, "caller");
    const far = await gateway.firstStream();
    const spoken = far.messages.filter(({ event }) => event === "media");
    assert.ok(
      spoken.some(({ media }) => !Buffer.from(media.payload, "base64").every((code) => code === 0xff)),
    );
  });
});
