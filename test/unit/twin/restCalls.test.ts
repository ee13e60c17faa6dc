import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ACCOUNT_SID, NUMBER, refusal, SOMEONE, startFixture } from "./exchangeFixture.ts";

const url = "http://gw.example.com/answer";
const order = { to: SOMEONE, from: NUMBER, url };

describe("a call that is created", () => {
  it("is a queued resource at once", async () => {
    const { client, exchange } = await startFixture();
    const call = await client.calls.create(order);
    assert.match(call.sid, /^CA[0-9a-f]{32}$/);
    assert.deepEqual(
      [call.status, call.direction, call.to, call.from, call.toFormatted, call.accountSid],
      ["queued", "outbound-api", SOMEONE, NUMBER, "(415) 555-0123", ACCOUNT_SID],
    );
    assert.deepEqual(
      [call.startTime, call.endTime, call.duration, call.answeredBy],
      [null, null, null, null],
    );
    assert.equal(call.phoneNumberSid, exchange.accounts[0]!.numbers[0]!.sid);
    assert.deepEqual((await client.calls(call.sid).fetch()).toJSON(), call.toJSON());
  });

  const refused: [what: string, change: object, code: number][] = [
    ["a destination that is no number", { to: "12" }, 21211],
    ["a caller that is no number", { from: "Linecard" }, 21212],
    ["a caller that isn't owned", { from: "+12025550199" }, 21210],
    ["no TwiML", { url: undefined }, 21205],
    ["an address that is none", { url: "/answer" }, 21205],
    ["a timeout beyond ten minutes", { timeout: 601 }, 21208],
    ["a callback address that is none", { statusCallback: "nowhere" }, 21609],
    ["an underscore in the callback's host", { statusCallback: "http://a_b.example.com/" }, 21609],
    ["TwiML that is too long", { url: undefined, twiml: `<Response>${" ".repeat(4_000)}</Response>` }, 21200],
    ["a method that is none", { method: "PUT" }, 21200],
    ["a forbidden country", { to: "+88216123456" }, 21215],
  ];
  for (const [what, change, code] of refused) {
    it(`is refused with ${what}: ${code}`, async () => {
      const { client, exchange } = await startFixture({ account: { forbiddenPrefixes: ["+882"] } });
      const { url, ...rest } = { ...order, ...change };
      const { code: found, status } = await refusal(
        client.calls.create(url === undefined ? (rest as typeof order) : { url, ...rest }),
      );
      assert.deepEqual([found, status], [code, 400]);
      assert.deepEqual(exchange.calls, []);
    });
  }

  for (const refusalCode of [21219, 573005] as const) {
    it(`is refused on a trial where the destination isn't verified: ${refusalCode}`, async () => {
      const { client } = await startFixture({
        account: { trial: { verified: ["+14155550124"], refusalCode } },
      });
      assert.equal((await refusal(client.calls.create(order))).code, refusalCode);
      assert.equal((await client.calls.create({ ...order, to: "+14155550124" })).status, "queued");
    });
  }

  it("is refused with 429 beyond the account's concurrency", async () => {
    const { client } = await startFixture({ account: { callsMax: 1 } });
    await client.calls.create(order);
    const { status, code } = await refusal(client.calls.create(order));
    assert.deepEqual([status, code], [429, 10004]);
  });
});

describe("calls", () => {
  it("are dialled one per second, and say how long they were queued", async () => {
    const { client, exchange, until } = await startFixture();
    const calls: Awaited<ReturnType<typeof client.calls.create>>[] = [];
    for (let index = 0; index < 3; index++) calls.push(await client.calls.create(order));
    assert.deepEqual(
      calls.map(({ queueTime }) => queueTime),
      ["0", "1000", "2000"],
    );
    await until("the second to be dialled", () => !exchange.call(calls[1]!.sid)!.isQueued);
    assert.deepEqual(
      calls.map(({ sid }) => exchange.call(sid)!.isQueued),
      [false, false, true],
    );
  });

  it("are listed newest first, filtered and paged", async () => {
    const { client, exchange, clock, until } = await startFixture({
      account: { callsPerSecond: 1_000 },
      anyoneElse: { does: "nobody" },
    });
    const sids: string[] = [];
    for (let index = 0; index < 5; index++) {
      const to = index % 2 === 0 ? SOMEONE : "+14155550124";
      sids.unshift((await client.calls.create({ ...order, to })).sid);
      await until("it to be dialled", () => !exchange.call(sids[0]!)!.isQueued);
      clock.advance(1_000);
    }
    const list = async (filter: object) =>
      (await client.calls.list(filter)).map(({ sid }) => sids.indexOf(sid));
    assert.deepEqual(await list({}), [0, 1, 2, 3, 4]);
    assert.deepEqual(await list({ pageSize: 2 }), [0, 1, 2, 3, 4]);
    assert.deepEqual(await list({ limit: 3, pageSize: 2 }), [0, 1, 2]);
    assert.deepEqual(await list({ to: SOMEONE }), [0, 2, 4]);
    assert.deepEqual(await list({ from: NUMBER, to: "+14155550124" }), [1, 3]);
    assert.deepEqual(await list({ from: "+12025550199" }), []);
    const { startTime } = await client.calls(sids[2]!).fetch();
    assert.deepEqual(await list({ startTimeAfter: startTime }), [0, 1, 2]);
    assert.deepEqual(await list({ startTimeBefore: startTime }), [2, 3, 4]);
    await client.calls(sids[1]!).update({ status: "canceled" });
    assert.deepEqual(await list({ status: "canceled" }), [1]);
    assert.deepEqual(exchange.complaints, []);
  });

  it("keep their pages while new ones come", async () => {
    const { client } = await startFixture();
    const sids: string[] = [];
    for (let index = 0; index < 4; index++) sids.unshift((await client.calls.create(order)).sid);
    const page = await client.calls.page({ pageSize: 2 });
    await client.calls.create(order);
    const next = (await page.nextPage())!;
    assert.deepEqual(
      [...page.instances, ...next.instances].map(({ sid }) => sid),
      sids,
    );
  });

  it("that are unknown, or another account's, are not found", async () => {
    const { client, exchange } = await startFixture();
    const other = exchange.addAccount({ numbers: ["+12025550111"] });
    const { leg } = exchange.place(other, {
      to: SOMEONE,
      from: "+12025550111",
      phoneNumberSid: null,
      url,
      method: "POST",
      fallbackMethod: "POST",
      callbacks: undefined,
      timeoutMs: 60_000,
      timeLimitMs: 60_000,
      detection: undefined,
    });
    for (const sid of [leg.sid, `CA${"0".repeat(32)}`]) {
      for (const asked of [client.calls(sid).fetch(), client.calls(sid).update({ status: "completed" })]) {
        const { status, code } = await refusal(asked);
        assert.deepEqual([status, code], [404, 20404]);
      }
    }
    assert.deepEqual(await client.calls.list(), []);
  });
});

describe("an update of a call", () => {
  it("cancels it while it is queued, which calls nobody and nothing back", async () => {
    const { client, exchange, gateway, clock } = await startFixture();
    await client.calls.create(order);
    const { sid } = await client.calls.create({ ...order, statusCallback: `${gateway.base}/status` });
    const second = client.calls(sid);
    assert.equal((await second.update({ status: "canceled" })).status, "canceled");
    clock.advance(60_000);
    await exchange.call(sid)!.concluded;
    assert.deepEqual(
      gateway.seen.filter(({ target }) => target === "/status"),
      [],
    );
    assert.equal((await second.fetch()).startTime, null);
  });

  it("is refused once it is over, a redirect in the wrong state too, and a late cancel changes nothing", async () => {
    const { client, exchange, until } = await startFixture({ people: { [SOMEONE]: { does: "answers" } } });
    const { sid } = await client.calls.create({
      ...order,
      url: "",
      twiml: "<Response><Pause length='600'/></Response>",
    });
    const call = client.calls(sid);
    const code = async (change: object) => (await refusal(call.update(change))).code;
    assert.equal(await code({ url }), 21220);
    assert.equal(await code({ twiml: "<Response/>" }), 21220);
    const { record } = exchange.call(sid)!;
    await until("the answer", () => record.status === "in-progress");
    assert.equal((await call.update({ status: "canceled" })).status, "in-progress");
    assert.equal(await code({ url, twiml: "<Response/>" }), 21200);
    assert.equal(await code({ url: "no address" }), 21205);
    assert.equal(await code({ status: "busy" }), 21200);
    assert.equal((await call.update({ status: "completed" })).status, "completed");
    for (const change of [{ status: "completed" }, { status: "canceled" }, { url }] as const) {
      assert.deepEqual(await refusal(call.update(change)), {
        status: 400,
        code: 21220,
        message: "Call is not in-progress. Cannot redirect.",
      });
    }
  });
});
