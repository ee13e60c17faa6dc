// A WebSocket client as small as load needs it: one write per message, no allocation per message read. Two thirds of
// what a full client costs is saved, and that CPU is the gateway's, which runs on the same machine.
//
// Its masking key is always zero, which leaves the text as it is. RFC 6455 wants keys to be unpredictable to protect
// proxies from scripts in browsers; there is neither here.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

export interface LightListener {
  opened(): void;
  /** A text message is `bytes` from `start` to `end`; they are valid during this call only. */
  message(bytes: Uint8Array, start: number, end: number): void;
  /** Comes once and last. The reason is for people. */
  closed(reason: string): void;
}

const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, section 1.3
const TEXT = 0x1;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;
const FIN = 0x80;
const MASKED = 0x80;
const ZERO_KEY = "\0\0\0\0";
/** What a gateway sends is far smaller; more is a runaway. */
const MESSAGE_MAX = 1 << 20;

/** What was read last; shared by all sockets, because each handles it before the next one reads. */
const READ = Buffer.allocUnsafe(1 << 16);
/** Headers of text messages by length. */
const HEADERS: string[] = [];

export class LightSocket {
  readonly #listener: LightListener;
  readonly #socket: Socket;
  readonly #key = randomBytes(16).toString("base64");
  #isUpgraded = false;
  #isOpen = false;
  #isOver = false;
  /** The beginning of a frame whose end has not come yet. */
  #rest: Uint8Array | undefined;

  /** @param url `ws://`, where to connect; headers are on top of the protocol's own */
  constructor(url: string, headers: Readonly<Record<string, string>>, listener: LightListener) {
    const { hostname, port, pathname } = new URL(url);
    this.#listener = listener;
    this.#socket = connect({
      host: hostname,
      port: Number(port || 80),
      noDelay: true,
      onread: {
        buffer: READ,
        callback: (length) => {
          this.#read(READ.subarray(0, length));
          return true;
        },
      },
    });
    const lines = Object.entries({
      Upgrade: "websocket",
      Connection: "Upgrade",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": this.#key,
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket.on("connect", () => this.#socket.write(`GET ${pathname} HTTP/1.1\r\n${lines.join("")}\r\n`));
    this.#socket.on("error", (error) => this.#over(error.message));
    this.#socket.on("close", () => this.#over("the connection broke"));
  }

  /** Sends one text message of ASCII characters. */
  send(text: string): void {
    if (this.#isOpen) this.#socket.write(headerOf(text.length) + text, "latin1");
  }

  /** Says goodbye with 1000; the connection is then closed by the server, or after a second by this side. */
  close(): void {
    if (!this.#isOpen) return this.#over("closed before it was open");
    this.#control(CLOSE, Buffer.from([1_000 >> 8, 1_000 & 0xff]));
    this.#isOpen = false;
    this.#socket.setTimeout(1_000, () => this.#over("closed"));
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#over("cut");
  }

  #read(bytes: Uint8Array): void {
    const whole = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes]);
    const from = this.#isUpgraded ? 0 : this.#handshake(whole);
    const at = this.#isUpgraded ? this.#frames(whole, from) : 0;
    this.#rest = at === whole.length ? undefined : Buffer.from(whole.subarray(at));
  }

  /** Reads the answer to the upgrade once it is complete; where the frames begin. */
  #handshake(bytes: Uint8Array): number {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    if (end === -1) return bytes.length;
    const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
    const accept = /\r\nsec-websocket-accept: *(\S+)/i.exec(text.slice(0, end))?.[1];
    const expected = createHash("sha1")
      .update(this.#key + ACCEPT_GUID)
      .digest("base64");
    if (status !== "101" || accept !== expected) {
      this.#over(`the upgrade was answered with ${status}`);
      return bytes.length;
    }
    this.#isUpgraded = this.#isOpen = true;
    this.#listener.opened();
    return end + 4;
  }

  /** Handles the complete frames; where the incomplete one begins. What comes after the end is of no interest. */
  #frames(bytes: Uint8Array, from: number): number {
    let at = from;
    while (this.#isOpen && bytes.length - at >= 2) {
      const opcode = bytes[at]! & 0x0f;
      const short = bytes[at + 1]!;
      const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
      if (bytes.length < start) break;
      const length = short < 126 ? short : lengthAt(bytes, at + 2, start);
      if (length > MESSAGE_MAX) {
        this.#over("a message was too long");
        return bytes.length;
      }
      const end = start + length;
      if (bytes.length < end) break;
      if (opcode === TEXT) this.#listener.message(bytes, start, end);
      else if (opcode === PING) this.#control(PONG, bytes.subarray(start, end));
      else if (opcode === CLOSE) this.#over("the gateway closed the stream");
      at = end;
    }
    return this.#isOpen ? at : bytes.length;
  }

  #control(opcode: number, body: Uint8Array): void {
    const header = String.fromCharCode(FIN | opcode, MASKED | body.length) + ZERO_KEY;
    this.#socket.write(header + Buffer.from(body).toString("latin1"), "latin1");
  }

  #over(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isOpen = false;
    this.#socket.destroy();
    this.#listener.closed(reason);
  }
}

/** A big-endian length of two or eight bytes. */
function lengthAt(bytes: Uint8Array, from: number, to: number): number {
  let length = 0;
  for (let i = from; i < to; i++) length = length * 256 + bytes[i]!;
  return length;
}

function headerOf(length: number): string {
  assert(length < 1 << 16);
  const lengthBytes =
    length < 126
      ? String.fromCharCode(MASKED | length)
      : String.fromCharCode(MASKED | 126, length >> 8, length & 0xff);
  HEADERS[length] ??= String.fromCharCode(FIN | TEXT) + lengthBytes + ZERO_KEY;
  return HEADERS[length];
}
