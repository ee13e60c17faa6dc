import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RestFault } from "../../../src/twin/exchange/faults.ts";
import { callbacks, clientOf, NUMBER, refusal, SOMEONE, startFixture } from "./exchangeFixture.ts";

const order = { to: SOMEONE, from: NUMBER, url: "http://gw.example.com/answer" };

describe("a request that is to go wrong", () => {
  for (const [answer, code] of [
    [401, 20003],
    [429, 20429],
    [500, 20500],
    [503, 20503],
  ] as const) {
    it(`is answered with ${answer}, once, and nothing is done`, async () => {
      const { exchange, client } = await startFixture();
      exchange.faults.next({ answer });
      const refused = await refusal(client.calls.create(order));
      assert.deepEqual([refused.status, refused.code], [answer, code]);
      assert.deepEqual(exchange.calls, []);
      await client.calls.create(order);
      assert.equal(exchange.calls.length, 1);
    });
  }

  it("can say when to try again", async () => {
    const { exchange } = await startFixture();
    exchange.faults.next({ answer: 429, retryAfterS: 7 });
    exchange.faults.next({ answer: 429 });
    const ask = () => fetch(`${exchange.url}/2010-04-01/Accounts/AC${"a1".repeat(16)}/Calls.json`);
    assert.equal((await ask()).headers.get("retry-after"), "7");
    assert.equal((await ask()).headers.get("retry-after"), null);
  });

  for (const answer of ["timeout", "reset", 500] as const) {
    for (const placed of [false, true]) {
      it(`can be ${answer} with the call ${placed ? "" : "not "}placed`, async () => {
        const { exchange } = await startFixture();
        exchange.faults.next({ on: "Calls.create", answer, placed });
        const client = clientOf(exchange, { timeoutMs: 200 });
        await assert.rejects(client.calls.create(order));
        assert.equal(exchange.calls.length, placed ? 1 : 0);
        const { name, status } = exchange.requests.at(-1)!;
        assert.deepEqual([name, status], ["Calls.create", answer === 500 ? 500 : 0]);
        const listed = await client.calls.list({ to: SOMEONE });
        assert.equal(listed.length, placed ? 1 : 0);
      });
    }
  }

  it("can be answered late, having been done at once", async () => {
    const { exchange, client, until } = await startFixture();
    exchange.faults.next({ answer: "late", delayMs: 10_000 });
    const heard: string[] = [];
    exchange.onRequest = ({ name }) => heard.push(name!);
    let isAnswered = false;
    const creating = client.calls.create(order).finally(() => {
      isAnswered = true;
    });
    await until("the request", () => heard.length > 0);
    assert.deepEqual([heard, exchange.calls.length, isAnswered], [["Calls.create"], 1, false]);
    await until("the answer", () => isAnswered);
    assert.equal((await creating).sid, exchange.calls[0]!.record.facts.sid);
  });

  it("is one of those named, so many times, until it is cleared", async () => {
    const { exchange, client } = await startFixture();
    const fault: RestFault = { on: "Numbers.list", answer: 500, times: 2 };
    exchange.faults.next(fault);
    const tried: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      await client.calls.list();
      await client.incomingPhoneNumbers.list().then(
        () => tried.push(200),
        ({ status }) => tried.push(status),
      );
    }
    assert.deepEqual(tried, [500, 500, 200]);
    exchange.faults.next(fault);
    exchange.faults.clear();
    assert.equal((await client.incomingPhoneNumbers.list()).length, 1);
  });
});

describe("a callback that is to go wrong", () => {
  async function busy() {
    const fixture = await startFixture({ people: { [SOMEONE]: { does: "busy" } } });
    const { gateway, client, exchange, until } = fixture;
    gateway.answer = () => ({ status: 204 });
    const call = async () => {
      const { sid } = await client.calls.create({
        ...order,
        statusCallback: `${gateway.base}/status`,
        statusCallbackEvent: ["initiated", "ringing", "completed"],
      });
      let isOver = false;
      void exchange.call(sid)!.concluded.then(() => {
        isOver = true;
      });
      await until("the call's end", () => isOver);
      return sid;
    };
    return { ...fixture, call };
  }

  it("is lost", async () => {
    const { exchange, call, ...fixture } = await busy();
    exchange.faults.callbacks({ event: "ringing", deliver: "lost" });
    await call();
    assert.deepEqual(callbacks(fixture), ["0 initiated", "2 busy"]);
    await call();
    assert.equal(callbacks(fixture).length, 5);
  });

  it("comes twice, the same", async () => {
    const { exchange, call, ...fixture } = await busy();
    exchange.faults.callbacks({ event: "completed", deliver: "twice" });
    await call();
    assert.deepEqual(callbacks(fixture), ["0 initiated", "1 ringing", "2 busy", "2 busy"]);
    const [first, second] = fixture.gateway.seen.slice(-2);
    assert.deepEqual(first!.params, second!.params);
  });

  it("comes late, or again after a while", async () => {
    const { exchange, call, until, clock, ...fixture } = await busy();
    exchange.faults.callbacks({ event: "ringing", deliver: "late" });
    exchange.faults.callbacks({ event: "completed", deliver: [0, 5_000] });
    await call();
    assert.deepEqual(callbacks(fixture), ["0 initiated", "2 busy"]);
    const fromMs = clock.nowMs();
    await until("the late ones", () => callbacks(fixture).length === 4);
    assert.ok(clock.nowMs() - fromMs >= 4_500);
    assert.deepEqual(callbacks(fixture).slice(2), ["1 ringing", "2 busy"]);
  });

  it("comes after the next one", async () => {
    const { exchange, call, until, ...fixture } = await busy();
    exchange.faults.callbacks({ event: "ringing", deliver: "afterNext" });
    await call();
    await until("all three", () => callbacks(fixture).length === 3);
    assert.deepEqual(callbacks(fixture), ["0 initiated", "2 busy", "1 ringing"]);
  });

  it("is chosen and treated by a function, call by call", async () => {
    const { exchange, call, ...fixture } = await busy();
    const asked: string[] = [];
    exchange.faults.callbacks({
      times: 3,
      deliver: ({ event, params }) => {
        asked.push(`${event} ${params.SequenceNumber}`);
        return event === "initiated" ? [0, 0, 0] : [0];
      },
    });
    await call();
    assert.deepEqual(asked, ["initiated 0", "ringing 1", "completed 2"]);
    assert.equal(callbacks(fixture).length, 5);
  });
});

describe("an exchange that is closed", () => {
  it("leaves nothing running, whatever its calls were doing", async () => {
    const { exchange, client, clock, gateway, until } = await startFixture({
      account: { callsPerSecond: 1_000 },
      people: { [SOMEONE]: { does: "answers", says: "" } },
      anyoneElse: { does: "nobody" },
    });
    const urls = { url: `${gateway.base}/answer`, statusCallback: `${gateway.base}/status` };
    const talking = await client.calls.create({ ...order, ...urls });
    const ringing = await client.calls.create({ ...order, ...urls, to: "+14155550124" });
    await until("the stream", () => exchange.call(talking.sid)!.leg.stream?.startedMs !== undefined);
    assert.equal(exchange.call(ringing.sid)!.record.status, "ringing");
    exchange.accounts[0]!.callsPerSecond = 1;
    await client.calls.create({ ...order, ...urls });
    exchange.faults.next({ answer: "timeout" });
    const unanswered = assert.rejects(client.calls.list());
    await until("the request", () => exchange.requests.at(-1)!.status === 0);
    await exchange.close();
    await unanswered;
    await exchange.settled();
    assert.equal(clock.running, 0);
    assert.deepEqual(
      new Set(exchange.calls.map(({ record }) => record.status)),
      new Set(["completed", "failed"]),
    );
    await assert.rejects(client.calls.list());
  });
});
