// The REST client and the offline Twilio, which know nothing of each other, agree on Twilio's API.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemClock } from "../../../src/domain/clock.ts";
import { AccountSid } from "../../../src/domain/ids.ts";
import {
  type CallOrder,
  loadTwilioRest,
  type TwilioAccess,
  TwilioFailure,
  type TwilioRest,
} from "../../../src/twilio/rest.ts";
import type { TwinAccount } from "../../../src/twin/exchange/account.ts";
import { Exchange } from "../../../src/twin/exchange/exchange.ts";
import type { RestFault } from "../../../src/twin/exchange/faults.ts";
import { until } from "../../support/until.ts";

const OURS = "+14155550100";
const THEIRS = "+14155550101";
/** What a story waits for a Twilio that never answers. */
const IMPATIENT_MS = 1_000;

const ORDER: CallOrder = {
  to: THEIRS,
  from: OURS,
  url: "https://gateway.example.com/answer/1",
  statusCallback: "https://gateway.example.com/status/1",
  statusCallbackEvents: ["initiated", "ringing", "answered", "completed"],
  timeoutS: 60,
  timeLimitS: 3_600,
  machineDetection: "Enable",
  asyncAmdStatusCallback: "https://gateway.example.com/amd/1",
};

describe("at the offline Twilio", () => {
  let exchange: Exchange;
  let account: TwinAccount;
  let rest: TwilioRest;
  let impatient: TwilioRest;
  let access: TwilioAccess;

  beforeEach(async () => {
    exchange = await Exchange.start({
      accounts: [{ numbers: [OURS, "+14155550199"], callsPerSecond: 100, friendlyName: "Ours" }],
      anyoneElse: { does: "nobody" },
    });
    account = exchange.accounts[0]!;
    rest = await loadTwilioRest({ clock: systemClock, random: Math.random, timeoutMs: 60_000 });
    impatient = await loadTwilioRest({ clock: systemClock, random: Math.random, timeoutMs: IMPATIENT_MS });
    const accountSid = AccountSid(account.accountSid);
    access = { accountSid, username: accountSid, password: account.authToken, apiBaseUrl: exchange.url };
  });
  afterEach(async () => {
    rest.close();
    impatient.close();
    await exchange.close();
  });

  async function failureOf(asking: Promise<unknown>): Promise<TwilioFailure> {
    const [{ reason }] = (await Promise.allSettled([asking])) as [PromiseRejectedResult];
    assert.ok(reason instanceof TwilioFailure, String(reason));
    return reason;
  }

  it("an account is looked at, its numbers are found, changed and read back", async () => {
    assert.deepEqual(await rest.account(access), { status: "active", type: "Full", friendlyName: "Ours" });
    assert.deepEqual((await rest.listNumbers(access)).map(({ phoneNumber }) => phoneNumber).sort(), [
      OURS,
      "+14155550199",
    ]);
    assert.equal(await rest.findNumber(access, "+14155550"), undefined);
    const { sid, capabilities } = (await rest.findNumber(access, OURS))!;
    assert.ok(capabilities.voice);
    const voiceUrl =
      "https://gateway.example.com/api/v1/telephony/inbound/run#rc=2&rp=ct,rt,5xx&ct=2000&rt=4000";
    const changed = await rest.updateNumber(access, sid, { voiceUrl, voiceMethod: "POST", trunkSid: "" });
    assert.equal(changed.voiceUrl, voiceUrl);
    assert.deepEqual(await rest.getNumber(access, sid), changed);
    assert.equal(await rest.getNumber(access, `PN${"0".repeat(32)}`), undefined);
    assert.deepEqual(exchange.complaints, []);
  });

  it("a call is placed, looked at, found and ended, once", async () => {
    const sinceMs = Date.now();
    const { sid } = await rest.createCall(access, ORDER);
    await until("it to ring", async () => (await rest.getCall(access, sid))?.status === "ringing");
    const found = await rest.findCalls(access, { to: THEIRS, from: OURS, sinceMs });
    assert.deepEqual(
      found.map((call) => call.sid),
      [sid],
    );
    assert.deepEqual(await rest.findCalls(access, { to: OURS, from: THEIRS, sinceMs }), []);
    assert.equal(await rest.endCall(access, sid, "canceled"), "ended");
    await until("it to be over", async () => (await rest.getCall(access, sid))?.status === "canceled");
    assert.equal(await rest.endCall(access, sid, "canceled"), "already_over");
    assert.equal(await rest.endCall(access, sid, "completed"), "already_over");
    assert.deepEqual(exchange.complaints, []);
  });

  for (const [fault, mayHaveActed, placed] of [
    [{ answer: "timeout", placed: true }, true, 1],
    [{ answer: "timeout" }, true, 0],
    [{ answer: "reset", placed: true }, true, 1],
    [{ answer: "reset" }, true, 0],
    [{ answer: 500, placed: true }, true, 1],
    [{ answer: 503 }, true, 0],
    [{ answer: 429, retryAfterS: 60 }, false, 0],
    [{ answer: 429, times: 3 }, false, 0],
    [{ answer: 401 }, false, 0],
  ] as const satisfies [Omit<RestFault, "on">, boolean, number][]) {
    it(`a call that ends in ${JSON.stringify(fault)} can be settled by looking for it`, async () => {
      const sinceMs = Date.now();
      exchange.faults.next({ ...fault, on: "Calls.create" });
      const asked = fault.answer === "timeout" ? impatient : rest;
      const failure = await failureOf(asked.createCall(access, ORDER));
      assert.equal(failure.mayHaveActed, mayHaveActed);
      assert.equal((await rest.findCalls(access, { to: THEIRS, from: OURS, sinceMs })).length, placed);
    });
  }

  it("a call is placed once although Twilio was too busy twice", async () => {
    exchange.faults.next({ answer: 429, on: "Calls.create", times: 2 });
    await rest.createCall(access, ORDER);
    assert.equal(exchange.placed.length, 1);
  });

  it("refusals have Twilio's code", async () => {
    const codeOf = async (order: CallOrder) => (await failureOf(rest.createCall(access, order))).twilioCode;
    assert.equal(await codeOf({ ...ORDER, from: "+14155550177" }), 21210);
    assert.equal((await failureOf(rest.account({ ...access, password: "wrong" }))).kind, "credentials");
    assert.equal(exchange.placed.length, 0);
  });

  it("a trial account says that it is one, and why it doesn't call", async () => {
    const trial = exchange.addAccount({ trial: { refusalCode: 573005 }, numbers: [OURS] });
    const accountSid = AccountSid(trial.accountSid);
    const ofTrial = { ...access, accountSid, username: accountSid, password: trial.authToken };
    assert.equal((await rest.account(ofTrial)).type, "Trial");
    const failure = await failureOf(rest.createCall(ofTrial, ORDER));
    assert.deepEqual([failure.kind, failure.twilioCode], ["refused", 573005]);
    assert.match(failure.message, /trial.*Verified Caller IDs/);
  });
});
