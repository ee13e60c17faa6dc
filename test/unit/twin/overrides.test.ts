import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { deliver, readOverrides, type Spoiling } from "../../../src/twin/overrides.ts";
import { WebhookError } from "../../../src/twin/webhook.ts";
import { StandIn } from "./standIn.ts";

describe("the fragment of a URL", () => {
  it("has Twilio's defaults where it says nothing", () => {
    assert.deepEqual(readOverrides("https://gw/voice"), {
      connectMs: 5_000,
      readMs: 15_000,
      totalMs: 15_000,
      retries: 1,
      retryOn: new Set(["ct"]),
    });
  });

  it("sets timeouts and retries", () => {
    const { connectMs, readMs, totalMs, retries, retryOn } = readOverrides(
      "https://gw/voice?x=1#rc=2&rp=ct,rt,5xx&ct=2000&rt=4000&tt=9000",
    );
    assert.deepEqual([connectMs, readMs, totalMs, retries], [2_000, 4_000, 9_000, 2]);
    assert.deepEqual(retryOn, new Set(["5xx", "ct", "rt"]));
    assert.equal(readOverrides("https://gw/#rp=all").retryOn.size, 4);
  });

  it("is not obeyed beyond Twilio's bounds", () => {
    const { connectMs, readMs, retries } = readOverrides("https://gw/#ct=20000&rt=1&rc=6");
    assert.deepEqual([connectMs, readMs, retries], [5_000, 15_000, 1]);
  });
});

describe("a webhook with overrides", () => {
  let gateway: StandIn;
  beforeEach(async () => {
    gateway = await StandIn.start();
  });
  afterEach(() => gateway.close());

  function send(fragment: string, spoiled: (Spoiling | undefined)[] = []) {
    const publicUrl = `${gateway.base}/voice${fragment}`;
    return deliver(
      { publicUrl, dialUrl: publicUrl, method: "POST", params: { A: "b" }, authToken: "t" },
      () => spoiled.shift(),
    );
  }

  const tokens = () => gateway.seen.map(({ headers }) => headers["i-twilio-idempotency-token"]);

  it("is sent again with the same token and signature while it fails as the fragment names", async () => {
    let answers = 0;
    gateway.answer = () => ({ status: ++answers < 3 ? 503 : 200 });
    assert.equal((await send("#rc=2&rp=5xx")).status, 200);
    assert.equal(gateway.seen.length, 3);
    assert.equal(new Set(tokens()).size, 1);
    assert.equal(new Set(gateway.seen.map(({ headers }) => headers["x-twilio-signature"])).size, 1);
    assert.deepEqual(new Set(gateway.seen.map(({ target }) => target)), new Set(["/voice"]));
  });

  it("is not sent again for what the fragment doesn't name, or more often than it says", async () => {
    gateway.answer = () => ({ status: 503 });
    assert.equal((await send("#rc=2&rp=ct,4xx")).status, 503);
    assert.equal(gateway.seen.length, 1);
    assert.equal((await send("#rc=1&rp=all")).status, 503);
    assert.equal(gateway.seen.length, 3);
  });

  it("comes once more by default after a connection that failed", async () => {
    assert.equal((await send("", ["connect"])).status, 200);
    assert.equal(gateway.seen.length, 1);
    await assert.rejects(send("", ["connect", "connect"]), WebhookError);
  });

  it("comes twice where the answer is lost and reads are tried again", async () => {
    assert.equal((await send("#rp=rt", ["answer"])).status, 200);
    assert.equal(gateway.seen.length, 2);
    assert.equal(new Set(tokens()).size, 1);
    await assert.rejects(send("#rp=ct", ["answer"]), /the answer is lost/);
  });

  it("is given up when the answer takes longer than rt", async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => sockets.add(socket.on("error", () => {})));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const publicUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/#rt=100&rc=0`;
    const webhook = { publicUrl, dialUrl: publicUrl, method: "POST", params: {}, authToken: "t" } as const;
    await assert.rejects(deliver(webhook), (error: WebhookError) => {
      assert.match(error.message, /the answer took more than 100 ms/);
      return error.during === "rt";
    });
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
});
