import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, it } from "node:test";
import { systemClock } from "../../../src/domain/clock.ts";
import { GatewayError } from "../../../src/domain/errors.ts";
import { createFront } from "../../../src/front/server.ts";
import { createRouter } from "../../../src/http/router.ts";
import { eventually, LIMITS, ManualClock, RawPeer, RecordingDoor, startFront } from "./rig.ts";

const GET_HELLO = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

function another() {
  return createFront({
    router: createRouter([], { pathPrefix: "", onError: () => {} }),
    door: new RecordingDoor(),
    pathPrefix: "",
    limits: LIMITS,
    clock: systemClock,
    log: { onFault: () => {}, onConnectionRefused: () => {}, onSocketClosed: () => {} },
  });
}

describe("listening", () => {
  it("has the port for itself: a second front is told so in a sentence", async (t) => {
    const rig = await startFront(t);
    const second = another();
    t.after(() => second.close());
    await assert.rejects(second.listen("127.0.0.1", rig.port), (error: unknown) => {
      assert.ok(error instanceof GatewayError);
      assert.equal(error.code, "ADDRESS_IN_USE");
      assert.match(
        error.message,
        new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${rig.port}: another process .*PORT`),
      );
      return true;
    });
    assert.equal((await rig.ask(GET_HELLO)).body, "hello");
  });

  it("does not share a port with anyone who would", async (t) => {
    const others = [net.createServer(), net.createServer()];
    for (const [index, options] of [{}, { reusePort: true }].entries()) {
      const other = others[index]!.listen({ host: "127.0.0.1", port: 0, ...options });
      await once(other, "listening");
      t.after(() => other.close());
      const front = another();
      t.after(() => front.close());
      const { port } = other.address() as net.AddressInfo;
      await assert.rejects(front.listen("127.0.0.1", port), { code: "ADDRESS_IN_USE" });
    }
  });

  it("fails on an address that this machine does not have", async (t) => {
    const front = another();
    t.after(() => front.close());
    await assert.rejects(front.listen("192.0.2.1", 0), { code: "ADDRESS_IN_USE" });
  });

  it("may begin again as soon as the last front left the port, with connections still on it", async (t) => {
    const free = net.createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const { port } = free.address() as net.AddressInfo;
    free.close();
    await once(free, "close");
    for (let restart = 0; restart < 3; restart++) {
      const front = another();
      t.after(() => front.close());
      assert.deepEqual(await front.listen("127.0.0.1", port), { port });
      const peer = net.connect({ host: "127.0.0.1", port });
      t.after(() => peer.destroy());
      peer.on("error", () => {});
      await eventually(() => front.connections() === 1);
      front.close();
    }
  });

  it("ends with stopListening; what is open goes on", async (t) => {
    const rig = await startFront(t);
    const client = await rig.stream();
    const peer = await rig.dial();
    peer.send(GET_HELLO);
    await peer.answer();
    rig.front.stopListening();
    rig.front.stopListening();
    const refused = net.connect({ host: "127.0.0.1", port: rig.port });
    const [error] = await once(refused, "error");
    assert.equal(error.code, "ECONNREFUSED");
    client.send("on we go");
    assert.equal(String((await once(client, "message"))[0]), "on we go");
    peer.send(GET_HELLO);
    assert.equal((await peer.answer()).body, "hello");
    assert.equal(rig.front.sockets(), 1);
  });

  it("ends with close, which may be called again", async (t) => {
    const rig = await startFront(t);
    const peer = await rig.dial();
    peer.send("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    await eventually(() => rig.front.connections() === 1);
    rig.front.close();
    await peer.ended();
    rig.front.close();
    rig.front.stopListening();
    assert.equal(rig.front.connections(), 0);
    assert.deepEqual(rig.faults, []);
  });
});

describe("the limit on connections", () => {
  it("closes those beyond it as they come, and lets new ones in when old ones leave", async (t) => {
    const rig = await startFront(t, { limits: { connections: () => 3 } });
    const stream = await rig.stream();
    const peers = [await rig.dial(), await rig.dial()];
    for (const peer of peers) {
      peer.send(GET_HELLO);
      assert.equal((await peer.answer()).body, "hello");
    }
    assert.equal(rig.front.connections(), 3);
    for (let extra = 0; extra < 5; extra++) {
      const refused = await rig.dial();
      await refused.ended();
      assert.equal(refused.rest, "");
    }
    assert.equal(rig.refusedConnections("limit"), 5);
    assert.equal(rig.front.connections(), 3);

    peers[0]?.socket.destroy();
    await eventually(() => rig.front.connections() === 2);
    assert.equal((await rig.ask(GET_HELLO)).body, "hello");

    stream.close();
    await once(stream, "close");
    await eventually(() => rig.front.connections() === 1);
    await rig.stream();
    await rig.dial();
    assert.equal(rig.refusedConnections(), 5);
  });

  it("may be lowered while connections are open, which stay", async (t) => {
    let connections = 3;
    const rig = await startFront(t, { limits: { connections: () => connections } });
    const peers = [await rig.dial(), await rig.dial()];
    await eventually(() => rig.front.connections() === 2);
    connections = 1;
    await (await rig.dial()).ended();
    for (const peer of peers) {
      peer.send(GET_HELLO);
      assert.equal((await peer.answer()).body, "hello");
    }
    assert.equal(rig.refusedConnections(), 1);
  });
});

describe("the limit on connections that ask nothing", { concurrency: true }, () => {
  const SILENT = { perAddress: 50, countsPrivate: true };

  it("holds for each address by itself, so that no stranger takes what webhooks need", async (t) => {
    const rig = await startFront(t, { limits: { connections: () => 200, silent: SILENT } });
    const from = async (localAddress: string): Promise<RawPeer> => {
      const peer = new RawPeer(net.connect({ host: "127.0.0.1", port: rig.port, localAddress }));
      t.after(() => peer.socket.destroy());
      await peer.connected;
      return peer;
    };
    const strangers = await Promise.all(Array.from({ length: 500 }, () => from("127.0.0.2")));
    await eventually(() => rig.refusedConnections("address") === 450);
    assert.equal(rig.front.connections(), 50);
    // A head that never ends is silence, too.
    for (const stranger of strangers) stranger.send("GET /hello HTTP/1.1\r\nHost: a\r\n");

    for (let request = 0; request < 200; request++) {
      const peer = await from("127.0.0.3");
      peer.send(GET_HELLO);
      assert.equal((await peer.answer()).body, "hello");
      if (request % 2 === 0) peer.socket.destroy();
    }
    assert.equal(rig.refusedConnections(), 450, "who asks is never silent, however often they come");
  });

  it("is one of time as well: silent or trickling, they are cut after 12 seconds", async (t) => {
    const rig = await startFront(t);
    const cameMs = performance.now();
    const silent = await Promise.all(Array.from({ length: 100 }, () => rig.dial()));
    const trickling = await Promise.all(Array.from({ length: 100 }, () => rig.dial()));
    const trickle = setInterval(() => {
      for (const { socket } of trickling) if (socket.writable) socket.write("G");
    }, 900);
    t.after(() => clearInterval(trickle));
    await Promise.all([...silent, ...trickling].map((peer) => peer.ended()));
    const tookMs = performance.now() - cameMs;
    t.diagnostic(`the last of 200 was cut after ${(tookMs / 1_000).toFixed(1)} s`);
    assert.equal(rig.front.connections(), 0);
    assert.ok(tookMs >= 8_000 && tookMs <= 30_000, "what SilentPeers counts on");
  });

  it("forgets an address's silence as its connections are cut for it", async (t) => {
    const clock = new ManualClock();
    const rig = await startFront(t, { clock, limits: { silent: { perAddress: 2, countsPrivate: true } } });
    for (const _ of [1, 2]) await rig.dial();
    await (await rig.dial()).ended();
    assert.equal(rig.refusedConnections(), 1);
    clock.advance(24_000);
    assert.equal((await rig.ask(GET_HELLO)).body, "hello");
    assert.equal(rig.refusedConnections(), 1);
  });

  it("lets a machine and its private network be as silent as they like, where they are not counted", async (t) => {
    const rig = await startFront(t, { limits: { silent: { perAddress: 1, countsPrivate: false } } });
    await Promise.all(Array.from({ length: 100 }, () => rig.dial()));
    assert.equal((await rig.ask(GET_HELLO)).body, "hello");
    assert.equal(rig.refusedConnections(), 0);
  });
});
