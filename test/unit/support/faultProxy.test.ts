// The network that fails on command does what it is told, and nothing else.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import {
  type FaultProxy,
  type FaultProxyOptions,
  type Link,
  startFaultProxy,
} from "../../support/faultProxy.ts";
import { until } from "../../support/until.ts";

/** Any size that TCP may cut anywhere. */
const TEXT = Buffer.from(Array.from({ length: 40_000 }, (_, at) => at % 251));

interface Ends {
  readonly proxy: FaultProxy;
  readonly client: End;
  readonly server: End;
  readonly link: Link;
}

/** A client and a server with the proxy between them. */
async function connected(t: TestContext, onLink?: FaultProxyOptions["onLink"]): Promise<Ends> {
  const { promise, resolve } = Promise.withResolvers<End>();
  const listener = net.createServer({ allowHalfOpen: true }, (socket) => resolve(new End(socket)));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as net.AddressInfo;
  const proxy = await startFaultProxy({ port, ...(onLink && { onLink }) });
  const client = new End(net.connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true }));
  const server = await promise;
  t.after(async () => {
    client.socket.destroy();
    server.socket.destroy();
    await proxy.close();
    listener.close();
  });
  const [link] = proxy.links();
  return { proxy, client, server, link: link! };
}

class End {
  readonly socket: net.Socket;
  received = Buffer.alloc(0);
  how: "ended" | "reset" | undefined;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    socket.on("end", () => (this.how ??= "ended"));
    socket.on("error", () => (this.how ??= "reset"));
  }

  has(bytes: number): Promise<void> {
    return until(`${bytes} bytes`, () => this.received.length >= bytes);
  }

  over(how: "ended" | "reset"): Promise<void> {
    return until(how, () => this.how === how);
  }
}

describe("a fault proxy", () => {
  it("changes nothing unless it is told to, and passes on each end by itself", async (t) => {
    const { client, server, link } = await connected(t);
    client.socket.end(TEXT);
    await server.over("ended");
    assert.deepEqual(server.received, TEXT);
    assert.equal(link.toServer.bytes, TEXT.length);
    server.socket.end(TEXT.subarray(1)); // the other way is still open
    await client.over("ended");
    assert.deepEqual(client.received, TEXT.subarray(1));
    await link.gone;
  });

  it("passes on a reset", async (t) => {
    const { client, server } = await connected(t);
    client.socket.write("x");
    await server.has(1);
    client.socket.resetAndDestroy();
    await server.over("reset");
  });

  it("resets after just so many bytes, wherever that is", async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: TEXT.length }), async (bytes) => {
        const ends = await connected(t, (link) => link.toServer.cutAfter(bytes));
        ends.client.socket.write(TEXT);
        await ends.client.over("reset");
        await ends.server.over("reset");
        assert.equal(ends.link.toServer.bytes, bytes);
        assert.deepEqual(ends.server.received, TEXT.subarray(0, ends.server.received.length));
        assert.ok(ends.server.received.length <= bytes);
      }),
      { numRuns: 20 },
    );
  });

  it("half-closes after just so many bytes, and the other way stays", async (t) => {
    const { client, server } = await connected(t, (link) => link.toServer.cutAfter(1_000, "end"));
    client.socket.write(TEXT);
    await server.over("ended");
    assert.deepEqual(server.received, TEXT.subarray(0, 1_000));
    server.socket.write("still here");
    await client.has(10);
    assert.equal(client.how, undefined);
  });

  it("holds what comes while it is paused, and keeps its order", async (t) => {
    const { client, server, link } = await connected(t);
    link.toServer.pause();
    client.socket.write(TEXT);
    server.socket.write("the other way goes on");
    await client.has(21);
    assert.equal(server.received.length, 0);
    link.toServer.resume();
    await server.has(TEXT.length);
    assert.deepEqual(server.received, TEXT);
  });

  it("delays every byte, and an end", async (t) => {
    const { client, server, link } = await connected(t);
    link.toServer.delay(100);
    const sentMs = performance.now();
    client.socket.end(TEXT);
    await server.over("ended");
    const tookMs = performance.now() - sentMs;
    assert.ok(tookMs >= 99, `took ${tookMs} ms`);
    assert.deepEqual(server.received, TEXT);
  });

  it("lets through so much in a second", async (t) => {
    const { client, server, link } = await connected(t);
    link.toServer.throttle(100_000);
    const sentMs = performance.now();
    client.socket.write(TEXT);
    await server.has(TEXT.length);
    const tookMs = performance.now() - sentMs;
    assert.ok(tookMs >= 350, `40,000 bytes took ${tookMs} ms`);
    assert.deepEqual(server.received, TEXT);
  });

  it("refuses, finds a link by how its client begins, and cuts all when it closes", async (t) => {
    const { proxy, client, server } = await connected(t);
    const found = proxy.link(/^GET \/media/);
    client.socket.write("GET /media/x");
    await server.has(1);
    assert.equal(await found, proxy.links()[0]);
    assert.equal(await proxy.link(/media/), proxy.links()[0]);
    proxy.refuse(true);
    const refused = new End(net.connect({ port: proxy.port, host: "127.0.0.1" }));
    await until("the refusal", () => refused.how !== undefined);
    proxy.refuse(false);
    await proxy.close();
    await client.over("reset");
    await server.over("reset");
  });
});
