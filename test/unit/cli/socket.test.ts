import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { LightSocket } from "../../../src/cli/load/socket.ts";

let server: Server;
let url: string;
/** The server's end of the next connection, after its request has come. */
let accepted: Promise<{ socket: Socket; request: string }>;
beforeEach(async () => {
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/media/token`;
  accepted = new Promise((resolve) =>
    server.once("connection", (socket) =>
      socket.setNoDelay(true).once("data", (request) => resolve({ socket, request: request.toString() })),
    ),
  );
});
afterEach(() => server.close());

/** A client and everything it has heard. */
function connect() {
  const messages: string[] = [];
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<string>();
  const socket = new LightSocket(
    url,
    { "User-Agent": "test" },
    {
      opened: () => opened.resolve(),
      message: (bytes, start, end) => messages.push(Buffer.from(bytes.subarray(start, end)).toString()),
      closed: (reason) => closed.resolve(reason),
    },
  );
  return { socket, messages, opened: opened.promise, closed: closed.promise };
}

function upgradeAnswer(request: string): string {
  const key = /sec-websocket-key: (\S+)/i.exec(request)![1];
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

function frame(opcode: number, body: string | Buffer): Buffer {
  const bytes = Buffer.from(body as string);
  const { length } = bytes;
  const header =
    length < 126
      ? [length]
      : length < 65_536
        ? [126, length >> 8, length & 255]
        : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...header]), bytes]);
}

/** Reads so many bytes; each call takes what follows the last. */
function reader(socket: Socket): (length: number) => Promise<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  let wake = () => {};
  socket.on("data", (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    wake();
  });
  return async (length) => {
    while (held.length < length) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const taken = held.subarray(0, length);
    held = held.subarray(length);
    return taken;
  };
}

describe("the light socket", () => {
  it("reads frames of every length, however they are cut", async () => {
    const client = connect();
    const { socket, request } = await accepted;
    assert.match(request, /^GET \/media\/token HTTP\/1\.1\r\n/);
    assert.match(request, /\r\nUser-Agent: test\r\n/);
    const texts = ["", "short", "x".repeat(126), "y".repeat(70_000), "last"];
    const bytes = Buffer.concat([
      Buffer.from(upgradeAnswer(request)),
      ...texts.map((text) => frame(1, text)),
    ]);
    const edges = [...Array.from({ length: 400 }, (_, i) => i + 1), 40_000, bytes.length];
    let sent = 0;
    for (const edge of edges) {
      await new Promise((resolve) => socket.write(bytes.subarray(sent, edge), resolve));
      await new Promise(setImmediate);
      sent = edge;
    }
    socket.end(frame(8, Buffer.from([3, 232])));
    assert.equal(await client.closed, "the gateway closed the stream");
    assert.deepEqual(client.messages, texts);
  });

  it("sends text frames with a key of zero, and answers pings", async () => {
    const client = connect();
    const { socket, request } = await accepted;
    const read = reader(socket);
    socket.write(upgradeAnswer(request));
    await client.opened;
    client.socket.send("hello");
    assert.deepEqual(await read(11), Buffer.from("\x81\x85\0\0\0\0hello", "latin1"));
    client.socket.send("z".repeat(300));
    assert.deepEqual(await read(308), Buffer.from(`\x81\xfe\x01\x2c\0\0\0\0${"z".repeat(300)}`, "latin1"));
    socket.write(frame(9, "hi"));
    assert.deepEqual(await read(8), Buffer.from("\x8a\x82\0\0\0\0hi", "latin1"));
    client.socket.close();
    assert.deepEqual(await read(8), Buffer.from("\x88\x82\0\0\0\0\x03\xe8", "latin1"));
    socket.end();
    await client.closed;
  });

  it("says when the upgrade is refused, or is no answer to its key", async () => {
    const refused = connect();
    (await accepted).socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n");
    assert.equal(await refused.closed, "the upgrade was answered with 503");
    accepted = new Promise((resolve) =>
      server.once("connection", (socket) => resolve({ socket, request: "" })),
    );
    const deceived = connect();
    (await accepted).socket.end(upgradeAnswer("sec-websocket-key: another"));
    assert.equal(await deceived.closed, "the upgrade was answered with 101");
  });

  it("ends with a connection that breaks, and with a message without end", async () => {
    const broken = connect();
    const first = await accepted;
    first.socket.write(upgradeAnswer(first.request));
    await broken.opened;
    first.socket.destroy();
    assert.equal(await broken.closed, "the connection broke");
    accepted = new Promise((resolve) =>
      server.once("connection", (socket) =>
        socket.once("data", (data) => resolve({ socket, request: data.toString() })),
      ),
    );
    const flooded = connect();
    const second = await accepted;
    second.socket.write(upgradeAnswer(second.request));
    second.socket.write(Buffer.from([0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0]));
    assert.equal(await flooded.closed, "a message was too long");
  });
});
