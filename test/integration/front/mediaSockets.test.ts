import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import type { StreamSocket } from "../../../src/calls/live/stream.ts";
import {
  bystander,
  bytes,
  clientFrame,
  EchoStream,
  eventually,
  frontWith,
  type RawPeer,
  RecordingDoor,
  RecordingStream,
  rawStream,
  startFront,
} from "./rig.ts";

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

describe("a stream", () => {
  it("hears every message and pong in order, then one closing", async (t) => {
    const stream = new RecordingStream();
    const rig = await frontWith(t, stream);
    const client = await rig.stream();
    client.send("one");
    client.send(Buffer.from("two"), { binary: true });
    client.send("");
    client.pong();
    client.close(4001, "bye");
    await stream.saw("closed 4001");
    assert.deepEqual(stream.events, ["opened", "text one", "binary two", "text ", "ponged", "closed 4001"]);
    assert.equal(rig.front.sockets(), 0);
    await eventually(() => rig.front.connections() === 0);
  });

  it("lends its handler the message for the call and no longer", async (t) => {
    const lent: Uint8Array[] = [];
    const stream = new (class extends RecordingStream {
      override message(message: Uint8Array, isBinary: boolean): void {
        lent.push(message);
        super.message(message, isBinary);
      }
    })();
    const rig = await frontWith(t, stream);
    (await rig.stream()).send("gone afterwards");
    await stream.saw("text gone afterwards");
    await eventually(() => lent[0]?.byteLength === 0);
    assert.equal(lent[0]?.byteLength, 0);
  });

  it("sends text frames, from ordinary and from shared memory, that may be overwritten at once", async (t) => {
    const stream = new RecordingStream();
    const rig = await frontWith(t, stream);
    const client = await rig.stream();
    const received: [string, boolean][] = [];
    client.on("message", (message, isBinary) => received.push([String(message), isBinary]));
    const shared = new Uint8Array(new SharedArrayBuffer(16));
    for (const memory of [new Uint8Array(16), shared]) {
      memory.set(bytes("..frame.."), 0);
      assert.equal(stream.socket?.send(memory.subarray(2, 7)), "sent");
      memory.fill(0);
    }
    await eventually(() => received.length === 2);
    assert.deepEqual(received, [
      ["frame", false],
      ["frame", false],
    ]);
  });

  it("sends two frames at once, each a message, and says what became of both", async (t) => {
    const stream = new RecordingStream();
    const rig = await frontWith(t, stream, { limits: { sendBufferBytes: 65_536 } });
    const client = await rig.stream();
    const received: string[] = [];
    client.on("message", (message) => received.push(String(message)));
    const [audio, mark] = [bytes("audio"), bytes("mark")];
    assert.deepEqual(stream.socket?.sendBoth(audio, mark), ["sent", "sent"]);
    stream.socket?.send(bytes("after"));
    await eventually(() => received.length === 3);
    assert.deepEqual(received, ["audio", "mark", "after"]);
    client.pause();
    const frame = new Uint8Array(16_000).fill(65);
    const told = new Set<string>();
    while (!told.has("dropped,dropped")) told.add(String(stream.socket?.sendBoth(frame, frame)));
    assert.ok(told.has("sent,sent") && told.has("backpressure,backpressure"), [...told].join(" "));
    client.terminate();
    await eventually(() => stream.closings.length === 1);
    assert.deepEqual(stream.socket?.sendBoth(audio, mark), ["closed", "closed"]);
  });

  it("pings, and hears the pong", async (t) => {
    const stream = new RecordingStream();
    const rig = await frontWith(t, stream);
    const client = await rig.stream();
    const pinged = once(client, "ping");
    stream.socket?.ping();
    await pinged;
    await stream.saw("ponged");
  });

  it("answers the peer's pings by itself", async (t) => {
    const rig = await frontWith(t, new RecordingStream());
    const client = await rig.stream();
    client.ping("are you there");
    const [payload] = await once(client, "pong");
    assert.equal(String(payload), "are you there");
  });

  it("takes a message of the limit and one in fragments", async (t) => {
    const stream = new RecordingStream();
    const rig = await frontWith(t, stream);
    const client = await rig.stream();
    client.send("a".repeat(16_384));
    client.send("frag", { fin: false });
    client.send("ment");
    await stream.saw("text fragment");
    assert.equal(stream.events[1]?.length, "text ".length + 16_384);
  });

  it("says what a slow reader does to it: backpressure, then dropped, and goes on when there is room", async (t) => {
    const stream = new RecordingStream();
    const rig = await frontWith(t, stream, { limits: { sendBufferBytes: 65_536 } });
    const client = await rig.stream();
    const unharmed = await bystander(rig);
    client.pause();
    const frame = new Uint8Array(16_000).fill(65);
    const told = new Set<string>();
    let sent = 0;
    while (!told.has("dropped")) {
      const fate = stream.socket?.send(frame) ?? "closed";
      told.add(fate);
      if (fate !== "dropped") sent += 1;
    }
    assert.deepEqual([...told], ["sent", "backpressure", "dropped"]);
    assert.equal(stream.socket?.send(frame), "dropped");
    await unharmed();
    assert.deepEqual(stream.closings, []);
    let received = 0;
    client.on("message", () => {
      received += 1;
    });
    client.resume();
    await eventually(() => received === sent);
    assert.equal(stream.socket?.send(frame), "sent");
  });
});

describe("however a socket dies its stream hears of it once", () => {
  type Death = readonly [closed: string, die: (peer: RawPeer, socket: StreamSocket) => void];
  const half = clientFrame(TEXT, bytes("half a message")).subarray(0, 9);
  const DEATHS: Readonly<Record<string, Death>> = {
    "a reset": ["closed 1006", (peer) => peer.reset()],
    "a reset in mid-frame": [
      "closed 1006",
      (peer) => {
        peer.send(half);
        peer.reset();
      },
    ],
    "the end of input": ["closed 1006", (peer) => peer.finish()],
    "the end of input in mid-frame": ["closed 1006", (peer) => peer.finish(half)],
    "a close frame": ["closed 4001", (peer) => peer.send(clientFrame(CLOSE, Uint8Array.of(0x0f, 0xa1)))],
    "an empty close frame": ["closed 1005", (peer) => peer.send(clientFrame(CLOSE, new Uint8Array(0)))],
    "a close frame and a reset": [
      "closed 1000",
      (peer) => {
        peer.send(clientFrame(CLOSE, Uint8Array.of(0x03, 0xe8)));
        peer.finish(half);
      },
    ],
    "our closing": ["closed 1001", (_, socket) => socket.close(1001, "going away")],
    "our closing, the peer never answering": ["closed 1008", (_, socket) => socket.close(1008, "no")],
    "our closing with too long a reason": ["closed 1000", (_, socket) => socket.close(1000, "x".repeat(200))],
    "our cutting it": ["closed 1006", (_, socket) => socket.drop()],
    "our doing everything at once": [
      "closed 1000",
      (_, socket) => {
        socket.close(1000, "bye");
        socket.close(1001, "again");
        socket.drop();
      },
    ],
    "a message beyond the limit": [
      "closed 1006",
      (peer) => peer.send(clientFrame(TEXT, new Uint8Array(16_385))),
    ],
    "the announcement of one": [
      "closed 1006",
      (peer) => peer.send(Uint8Array.of(0x81, 0xfe, 0x42, 0x68, 0, 0, 0, 0)),
    ],
    "fragments beyond the limit": [
      "closed 1006",
      (peer) => {
        peer.send(clientFrame(TEXT, new Uint8Array(9_000), { fin: false }));
        peer.send(clientFrame(0, new Uint8Array(9_000)));
      },
    ],
    "text that is not UTF-8": [
      "closed 1006",
      (peer) => peer.send(clientFrame(TEXT, Uint8Array.of(0xc3, 0x28))),
    ],
    "a reserved bit": ["closed 1006", (peer) => peer.send(Uint8Array.of(0xc1, 0x80, 0, 0, 0, 0))],
    "a reserved opcode": ["closed 1006", (peer) => peer.send(clientFrame(3, bytes("x")))],
    "a fragmented ping": ["closed 1006", (peer) => peer.send(clientFrame(PING, bytes("x"), { fin: false }))],
    "a ping of 126 bytes": ["closed 1006", (peer) => peer.send(clientFrame(PING, new Uint8Array(126)))],
    "a continuation of nothing": ["closed 1006", (peer) => peer.send(clientFrame(0, bytes("x")))],
  };

  for (const [what, [closed, die]] of Object.entries(DEATHS)) {
    it(`by ${what}`, async (t) => {
      const stream = new EchoStream();
      const rig = await frontWith(t, stream);
      const peer = await rawStream(rig);
      const unharmed = await bystander(rig);
      die(peer, stream.socket!);
      await stream.saw(closed);
      await unharmed();
      peer.socket.destroy();
      await unharmed();
      assert.deepEqual(stream.events, ["opened", closed]);
      assert.deepEqual(
        rig.closeCodes.map((code) => `closed ${code}`),
        [closed],
      );
      assert.equal(rig.front.sockets(), 1);
      assert.deepEqual(rig.faults, []);
    });
  }

  it("by the front's own closing", async (t) => {
    const door = new RecordingDoor();
    const rig = await startFront(t, { door });
    for (const path of ["/media/a", "/media/b", "/media/c"]) await rig.stream(path);
    rig.front.close();
    for (const { events } of door.streams) assert.deepEqual(events, ["opened", "closed 1006"]);
    assert.equal(rig.front.sockets(), 0);
    assert.equal(rig.front.connections(), 0);
  });

  it("by reset at every byte of a message", async (t) => {
    const message = clientFrame(TEXT, bytes('{"event":"media"}'));
    const door = new RecordingDoor();
    const rig = await startFront(t, { door });
    for (let cut = 0; cut < message.length; cut++) {
      const peer = await rawStream(rig);
      peer.send(message.subarray(0, cut));
      peer.reset();
    }
    await eventually(() => rig.front.sockets() === 0);
    for (const { events } of door.streams) assert.deepEqual(events, ["opened", "closed 1006"]);
    assert.equal(door.streams.length, message.length);
  });

  it("and nothing that is done to it afterwards does anything", async (t) => {
    const stream = new (class extends RecordingStream {
      override closed(code: number): void {
        this.use();
        super.closed(code);
      }
      use(): void {
        assert.equal(this.socket?.send(bytes("late")), "closed");
        this.socket?.ping();
        this.socket?.close(1000, "late");
        this.socket?.drop();
      }
    })();
    const rig = await frontWith(t, stream);
    const peer = await rawStream(rig);
    peer.reset();
    await stream.saw("closed 1006");
    stream.use();
    assert.deepEqual(stream.events, ["opened", "closed 1006"]);
    assert.deepEqual(rig.faults, []);
  });
});

describe("the peer of a stream that we end", () => {
  it("is told the code and the reason", async (t) => {
    const stream = new RecordingStream();
    const rig = await frontWith(t, stream);
    const client = await rig.stream();
    const closing = once(client, "close");
    stream.socket?.close(1008, "start is missing");
    const [code, reason] = await closing;
    assert.deepEqual([code, String(reason)], [1008, "start is missing"]);
  });

  it("is told nothing when it is cut", async (t) => {
    const stream = new RecordingStream();
    const rig = await frontWith(t, stream);
    const client = await rig.stream();
    const closing = once(client, "close");
    stream.socket?.drop();
    assert.equal((await closing)[0], 1006);
  });

  it("gets what was sent before, and none of what it sent after is heard", async (t) => {
    const stream = new (class extends RecordingStream {
      override message(message: Uint8Array, isBinary: boolean): void {
        super.message(message, isBinary);
        this.socket?.send(bytes("last words"));
        this.socket?.close(1000, "bye");
      }
    })();
    const rig = await frontWith(t, stream);
    const peer = await rawStream(rig);
    peer.send(
      Buffer.concat([
        clientFrame(TEXT, bytes("1")),
        clientFrame(TEXT, bytes("2")),
        clientFrame(PONG, bytes("")),
      ]),
    );
    await peer.ended();
    assert.equal(peer.rest, "\x81\x0alast words\x88\x05\x03\xe8bye");
    assert.deepEqual(stream.events, ["opened", "text 1", "closed 1000"]);
  });

  it("cannot keep the connection by not answering", async (t) => {
    const stream = new RecordingStream();
    const rig = await frontWith(t, stream);
    const peer = await rawStream(rig);
    stream.socket?.close(1008, "no");
    await peer.ended(); // its own direction stays open
    const broken = once(peer.socket, "error");
    const trickle = setInterval(() => peer.send(clientFrame(TEXT, bytes("x"))), 50);
    t.after(() => clearInterval(trickle));
    await broken;
    assert.deepEqual(stream.events, ["opened", "closed 1008"]);
  });
});

describe("frames without a mask, which uWebSockets.js does not refuse", () => {
  it("reach that one stream as rubbish, or end it", async (t) => {
    const stream = new EchoStream();
    const rig = await frontWith(t, stream);
    const peer = await rawStream(rig);
    const unharmed = await bystander(rig);
    peer.send(clientFrame(BINARY, bytes("plain as day"), { masked: false }));
    peer.send(clientFrame(BINARY, bytes("and more"), { masked: false })); // the first lacks four bytes
    await eventually(() => stream.events.length > 1);
    assert.ok(!stream.events.includes("binary plain as day"));
    await unharmed();
    peer.reset();
    await stream.saw("closed 1006");
    assert.equal(stream.closings.length, 1);
    assert.deepEqual(rig.faults, []);
  });
});
