import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ACCOUNT_SID, AUTH_TOKEN, clientOf, NUMBER, refusal, startFixture } from "./exchangeFixture.ts";

const UNAUTHORIZED = { status: 401, code: 20003, message: "Authenticate" };

function raw(url: string, path: string, init: RequestInit = {}): Promise<Response> {
  const authorization = `Basic ${Buffer.from(`${ACCOUNT_SID}:${AUTH_TOKEN}`).toString("base64")}`;
  return fetch(url + path, { ...init, headers: { authorization, ...init.headers } });
}

describe("credentials", () => {
  it("open the account with its token, the secondary one, or an API key's pair", async () => {
    const key = { sid: `SK${"b2".repeat(16)}`, secret: "hush", kind: "main" } as const;
    const account = { secondaryToken: "next", apiKeys: [key] };
    const { exchange } = await startFixture({ account });
    const pairs = [
      { username: ACCOUNT_SID, password: AUTH_TOKEN },
      { username: ACCOUNT_SID, password: "next" },
      { username: key.sid, password: key.secret },
    ];
    for (const pair of pairs) {
      const { sid, status, type } = await clientOf(exchange, pair).api.v2010.accounts(ACCOUNT_SID).fetch();
      assert.deepEqual([sid, status, type], [ACCOUNT_SID, "active", "Full"]);
    }
  });

  it("of a standard API key open everything but the account itself", async () => {
    const key = { sid: `SK${"b2".repeat(16)}`, secret: "hush" };
    const { exchange } = await startFixture({ account: { apiKeys: [key] } });
    const client = clientOf(exchange, { username: key.sid, password: key.secret });
    assert.equal((await client.incomingPhoneNumbers.list()).length, 1);
    assert.deepEqual(await refusal(client.api.v2010.accounts(ACCOUNT_SID).fetch()), UNAUTHORIZED);
  });

  it("are refused when anything about them is wrong", async () => {
    const { exchange } = await startFixture();
    for (const pair of [
      { password: "wrong" },
      { username: `AC${"9".repeat(32)}` },
      { username: `SK${"9".repeat(32)}`, password: AUTH_TOKEN },
    ]) {
      assert.deepEqual(await refusal(clientOf(exchange, pair).calls.list()), UNAUTHORIZED);
    }
    const response = await fetch(`${exchange.url}/2010-04-01/Accounts/${ACCOUNT_SID}.json`);
    assert.equal(response.status, 401);
    assert.match(response.headers.get("www-authenticate")!, /^Basic realm=/);
    assert.deepEqual(await response.json(), {
      code: 20003,
      message: "Authenticate",
      more_info: "https://www.twilio.com/docs/errors/20003",
      status: 401,
    });
  });

  it("don't open another account's resources", async () => {
    const { exchange, client } = await startFixture();
    const { accountSid } = exchange.addAccount({ numbers: ["+12025550111"] });
    assert.deepEqual(await refusal(client.api.v2010.accounts(accountSid).fetch()), UNAUTHORIZED);
    assert.deepEqual(await refusal(client.api.v2010.accounts(accountSid).calls.list()), UNAUTHORIZED);
  });

  it("change when the token is revoked or the secondary one promoted", async () => {
    const { exchange, client } = await startFixture({ account: { secondaryToken: "next" } });
    exchange.accounts[0]!.promoteSecondaryToken();
    assert.deepEqual(await refusal(client.calls.list()), UNAUTHORIZED);
    assert.deepEqual(await clientOf(exchange, { password: "next" }).calls.list(), []);
  });
});

describe("a suspended account", () => {
  it("can be looked at, and nothing else", async () => {
    const { exchange, client } = await startFixture({ account: { status: "suspended" } });
    assert.equal((await client.api.v2010.accounts(ACCOUNT_SID).fetch()).status, "suspended");
    assert.deepEqual(await refusal(client.incomingPhoneNumbers.list()), UNAUTHORIZED);
    const order = { to: "+14155550123", from: NUMBER, url: "http://a.example" };
    assert.deepEqual(await refusal(client.calls.create(order)), UNAUTHORIZED);
    exchange.accounts[0]!.status = "active";
    assert.equal((await client.incomingPhoneNumbers.list()).length, 1);
  });
});

describe("numbers", () => {
  it("are found by all or part of them, with * for any digit", async () => {
    const numbers = ["+12025550100", "+12025550101", "+13105550100", "+442079460000"];
    const { client } = await startFixture({ account: { numbers } });
    const found = async (phoneNumber?: string) =>
      (await client.incomingPhoneNumbers.list(phoneNumber === undefined ? {} : { phoneNumber })).map(
        (number) => number.phoneNumber,
      );
    assert.deepEqual(await found(), numbers);
    assert.deepEqual(await found("+12025550100"), ["+12025550100"]);
    assert.deepEqual(await found("5550100"), ["+12025550100", "+13105550100"]);
    assert.deepEqual(await found("+1***5550100"), ["+12025550100", "+13105550100"]);
    assert.deepEqual(await found("+1202"), ["+12025550100", "+12025550101"]);
    assert.deepEqual(await found("+19"), []);
  });

  it("come in pages that the client follows by itself", async () => {
    const numbers = Array.from({ length: 7 }, (_, index) => `+1202555010${index}`);
    const { client, exchange } = await startFixture({ account: { numbers } });
    const listed = await client.incomingPhoneNumbers.list({ pageSize: 3 });
    assert.deepEqual(
      listed.map(({ phoneNumber }) => phoneNumber),
      numbers,
    );
    assert.equal(exchange.requests.length, 3);
    const first = await client.incomingPhoneNumbers.page({ pageSize: 3 });
    assert.equal(first.instances.length, 3);
    const second = (await first.nextPage())!;
    assert.deepEqual(
      second.instances.map(({ phoneNumber }) => phoneNumber),
      numbers.slice(3, 6),
    );
    const third = (await second.nextPage())!;
    assert.equal(third.instances.length, 1);
    assert.equal(await third.nextPage(), undefined);
    assert.deepEqual((await third.previousPage())!.instances, second.instances);
    assert.deepEqual(exchange.complaints, []);
  });

  it("keep what is set, and give it back", async () => {
    const { client, exchange, clock } = await startFixture();
    const [listed] = await client.incomingPhoneNumbers.list({ phoneNumber: NUMBER });
    assert.deepEqual([listed!.voiceUrl, listed!.voiceApplicationSid, listed!.trunkSid], [null, "", null]);
    clock.advance(3_000);
    const set = {
      voiceUrl: "https://gw.example.com/api/v1/telephony/inbound/run#rc=2&rp=ct,rt,5xx",
      voiceMethod: "POST",
      voiceFallbackUrl: "https://gw.example.com/inbound/fallback",
      voiceFallbackMethod: "GET",
      statusCallback: "https://gw.example.com/status",
      statusCallbackMethod: "POST",
      friendlyName: "Reception",
    };
    const context = client.incomingPhoneNumbers(listed!.sid);
    await context.update(set);
    const fetched = await context.fetch();
    for (const [name, value] of Object.entries(set))
      assert.equal(fetched[name as keyof typeof set], value, name);
    assert.equal(fetched.dateUpdated.getTime() - fetched.dateCreated.getTime(), 3_000);
    assert.equal(exchange.accounts[0]!.numbers[0]!.settings.VoiceUrl, set.voiceUrl);
    await context.update({ trunkSid: `TK${"c".repeat(32)}` });
    assert.equal((await context.fetch()).trunkSid, `TK${"c".repeat(32)}`);
    await context.update({ trunkSid: "", voiceFallbackUrl: "", voiceUrl: "" });
    const cleared = await context.fetch();
    assert.deepEqual([cleared.trunkSid, cleared.voiceUrl, cleared.voiceFallbackUrl], [null, null, null]);
    assert.equal(cleared.friendlyName, "Reception");
    assert.deepEqual(exchange.complaints, []);
  });

  it("are refused what Twilio refuses, and keep what they had", async () => {
    const { client } = await startFixture();
    const { sid } = (await client.incomingPhoneNumbers.list())[0]!;
    const context = client.incomingPhoneNumbers(sid);
    const codes = [];
    for (const change of [
      { voiceUrl: "not an address" },
      { statusCallback: "ftp://gw.example.com" },
      { voiceFallbackUrl: "https://gw.example.com/fallback" },
      { friendlyName: "x".repeat(65) },
      { voiceMethod: "PUT" },
      { trunkSid: "TK1" },
    ]) {
      const { status, code } = await refusal(context.update(change));
      codes.push([status, code]);
    }
    assert.deepEqual(codes, [
      [400, 21402],
      [400, 21402],
      [400, 21405],
      [400, 20001],
      [400, 20001],
      [400, 20001],
    ]);
    assert.equal((await context.fetch()).voiceUrl, null);
    const missing = await refusal(client.incomingPhoneNumbers(`PN${"0".repeat(32)}`).fetch());
    assert.deepEqual([missing.status, missing.code], [404, 20404]);
    assert.match(missing.message, /IncomingPhoneNumbers\/PN0+\.json was not found/);
  });
});

describe("a request that the contract doesn't allow", () => {
  it("is refused, and complained of", async () => {
    const { exchange } = await startFixture();
    const base = `/2010-04-01/Accounts/${ACCOUNT_SID}`;
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const order = `To=%2B14155550123&From=${encodeURIComponent(NUMBER)}`;
    const tried: [path: string, init: RequestInit, status: number, code: number, parameter: string][] = [
      [`${base}/Calls.json?Foo=1`, {}, 400, 20001, "Foo"],
      [`${base}/Calls.json?PageSize=0`, {}, 400, 20001, "PageSize"],
      [
        `${base}/Calls.json`,
        { method: "POST", headers: form, body: `${order}&url=http://a` },
        400,
        21200,
        "url",
      ],
      [`${base}/Calls/CA1.json`, {}, 404, 20404, "Sid"],
      [`${base}/Calls`, {}, 404, 20404, ""],
      [`${base}/Messages.json`, {}, 404, 20404, ""],
      [`${base}/Calls.json`, { method: "PUT", body: "" }, 405, 20004, ""],
      [`${base}/Recordings.json`, {}, 404, 20404, ""],
    ];
    for (const [path, init, status, code, parameter] of tried) {
      const response = await raw(exchange.url, path, init);
      const body = (await response.json()) as { code: number };
      assert.deepEqual([response.status, body.code], [status, code], path);
      assert.equal(exchange.complaints.at(-1)!.parameter, parameter, path);
    }
    assert.equal(exchange.complaints.length, tried.length);
  });

  it("is one with a body that is no form", async () => {
    const { exchange } = await startFixture();
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ To: "+14155550123", From: NUMBER }),
    };
    const response = await raw(exchange.url, `/2010-04-01/Accounts/${ACCOUNT_SID}/Calls.json`, init);
    assert.equal(((await response.json()) as { code: number }).code, 21201);
    assert.match(exchange.complaints[0]!.text, /takes a form, not application\/json/);
  });
});
