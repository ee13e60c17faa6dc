import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { pageOf } from "../../../src/twin/exchange/paging.ts";
import { readPerson } from "../../../src/twin/exchange/people.ts";
import { sign } from "../../../src/twin/signature.ts";
import { ACCOUNT_SID, AUTH_TOKEN, callbacks, NUMBER, SOMEONE, startFixture } from "./exchangeFixture.ts";

describe("an exchange", () => {
  it("signs over the public base and calls the gateway where it really is", async () => {
    const { exchange, gateway, client, until } = await startFixture({
      people: { [SOMEONE]: { does: "busy" } },
    });
    exchange.setGateway("https://gw.example.com/line", gateway.base);
    gateway.answer = () => ({ status: 204 });
    const statusCallback = "https://gw.example.com/line/status?run=7";
    await client.calls.create({
      to: SOMEONE,
      from: NUMBER,
      url: "https://gw.example.com/line/answer",
      statusCallback,
    });
    await until("the callback", () => gateway.seen.length > 0);
    const { target, headers, params } = gateway.seen[0]!;
    assert.deepEqual([target, headers.host], ["/status?run=7", "gw.example.com"]);
    assert.equal(headers["x-twilio-signature"], sign(AUTH_TOKEN, statusCallback, params));
  });

  it("finds the gateway again where it has moved to while a call lasts", async () => {
    const { exchange, gateway, client, until } = await startFixture({
      people: { [SOMEONE]: { does: "nobody" } },
    });
    exchange.setGateway("https://gw.example.com", "http://127.0.0.1:9");
    const statusCallback = "https://gw.example.com/status";
    const order = { to: SOMEONE, from: NUMBER, twiml: "<Response/>", statusCallback };
    const { sid } = await client.calls.create(order);
    await until("ringing", () => exchange.call(sid)!.record.status === "ringing");
    exchange.setGateway("https://gw.example.com", gateway.base);
    await client.calls(sid).update({ status: "completed" });
    await exchange.call(sid)!.concluded;
    assert.deepEqual(callbacks({ gateway }), ["0 canceled"]);
  });

  it("is controlled by programs, not by pages in a browser", async () => {
    const { exchange } = await startFixture();
    const status = async (headers: Record<string, string>) =>
      (await fetch(`${exchange.url}/twin/calls`, { headers })).status;
    assert.equal(await status({}), 200);
    assert.equal(await status({ origin: "http://evil.example" }), 403);
  });

  it("signs with the token that is the primary one now", async () => {
    const { exchange, gateway } = await startFixture({ account: { secondaryToken: "next" } });
    exchange.accounts[0]!.numbers[0]!.settings.VoiceUrl = `${gateway.base}/voice`;
    exchange.accounts[0]!.promoteSecondaryToken();
    await (await exchange.dial({ to: NUMBER })).hangUp();
    const { target, headers, params } = gateway.seen[0]!;
    assert.equal(headers["x-twilio-signature"], sign("next", gateway.base + target, params));
  });

  it("keeps accounts apart, in what they own and in how fast they dial", async () => {
    const { exchange, client } = await startFixture();
    const other = exchange.addAccount({ numbers: ["+12025550111"], callsPerSecond: 1_000 });
    exchange.place(other, {
      to: SOMEONE,
      from: "+12025550111",
      phoneNumberSid: null,
      twiml: "<Response/>",
      method: "POST",
      fallbackMethod: "POST",
      callbacks: undefined,
      timeoutMs: 60_000,
      timeLimitMs: 60_000,
      detection: undefined,
    });
    const call = await client.calls.create({ to: SOMEONE, from: NUMBER, twiml: "<Response/>" });
    assert.equal(call.queueTime, "0");
    assert.equal((await client.calls.list()).length, 1);
    assert.equal(exchange.calls.length, 2);
  });

  it("forgets calls of long ago where it is told to", async () => {
    const { exchange, client, until } = await startFixture({
      callsKept: 2,
      account: { callsPerSecond: 1_000 },
      people: { [SOMEONE]: { does: "busy" } },
    });
    const sids: string[] = [];
    for (let index = 0; index < 5; index++) {
      sids.push((await client.calls.create({ to: SOMEONE, from: NUMBER, twiml: "<Response/>" })).sid);
    }
    await until("the calls' end", () => exchange.calls.length === 2);
    assert.deepEqual(
      exchange.calls.map(({ record }) => record.facts.sid),
      sids.slice(-2).reverse(),
    );
  });

  it("lets a number's status callback go wrong as well", async () => {
    const { exchange, gateway } = await startFixture();
    const { settings } = exchange.accounts[0]!.numbers[0]!;
    settings.VoiceUrl = `${gateway.base}/voice`;
    settings.StatusCallback = `${gateway.base}/status`;
    exchange.faults.callbacks({ deliver: "twice" });
    const call = await exchange.dial({ to: NUMBER });
    await call.hangUp();
    await exchange.call(call.sid)!.concluded;
    assert.deepEqual(callbacks({ gateway }), ["0 canceled", "0 canceled"]);
  });

  it("survives whatever comes on its port", async () => {
    const { exchange, client } = await startFixture();
    const { port } = new URL(exchange.url);
    const authorization = `Basic ${Buffer.from(`${ACCOUNT_SID}:${AUTH_TOKEN}`).toString("base64")}`;
    const target = fc.oneof(
      fc.constantFrom("//", "*", "http://a/b", "/%", "/2010-04-01/Accounts/%.json", "/twin/", "/twin/calls?"),
      fc.string({ unit: fc.constantFrom(..."/{}.?&=%AC019jsonCalls".split("")) }).map((text) => `/${text}`),
    );
    const request = fc.tuple(fc.constantFrom("GET", "POST", "PUT", "DELETE", "OPTIONS"), target, fc.string());
    await fc.assert(
      fc.asyncProperty(request, async ([method, path, body]) => {
        const socket = connect(Number(port), "127.0.0.1");
        const length = Buffer.byteLength(body);
        socket.end(
          `${method} ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\nConnection: close\r\n` +
            `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${length}\r\n\r\n${body}`,
        );
        let answer = "";
        for await (const chunk of socket) answer += chunk;
        assert.match(answer, /^HTTP\/1\.1 (?:200|4\d\d) /);
      }),
      { numRuns: 200 },
    );
    assert.equal((await client.incomingPhoneNumbers.list()).length, 1);
  });
});

describe("pages", () => {
  interface Page {
    readonly items: { readonly sid: string }[];
    readonly next_page_uri: string | null;
    readonly start: number;
    readonly end: number;
  }

  it("followed to their end hold every item once, in order, whatever their size", () => {
    fc.assert(
      fc.property(fc.nat(60), fc.integer({ min: 1, max: 70 }), (count, size) => {
        const items = Array.from({ length: count }, (_, index) => ({ sid: `CA${index}` }));
        const found: string[] = [];
        let uri: string | null = `/list.json?PageSize=${size}&To=%2B1`;
        for (let pages = 0; uri !== null; pages++) {
          assert.ok(pages <= count);
          const page = pageOf("items", items, (item) => item, new URL(uri, "http://a")) as Page;
          assert.equal(page.start, found.length);
          found.push(...page.items.map(({ sid }) => sid));
          assert.equal(page.end, Math.max(page.start, found.length - 1));
          assert.ok(page.next_page_uri === null || page.next_page_uri.includes("To=%2B1"));
          uri = page.next_page_uri;
        }
        assert.deepEqual(
          found,
          items.map(({ sid }) => sid),
        );
      }),
    );
  });
});

describe("a person in a word", () => {
  it("is read with what can be said of them", () => {
    assert.deepEqual(readPerson("answers"), { does: "answers" });
    assert.deepEqual(readPerson("answers:3000"), { does: "answers", afterMs: 3_000 });
    assert.deepEqual(readPerson("listens"), { does: "answers", says: "" });
    assert.deepEqual(readPerson("machine:fax"), { does: "machine", answeredBy: "fax" });
    assert.deepEqual(readPerson("unreachable:503"), { does: "unreachable", sipResponseCode: 503 });
    assert.deepEqual([readPerson("busy"), readPerson("nobody")], [{ does: "busy" }, { does: "nobody" }]);
    for (const none of ["", "asleep", "busy:soon", "answers:soon", "answers:", "Busy"]) {
      assert.equal(readPerson(none), undefined, none);
    }
  });
});
