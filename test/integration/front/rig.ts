// A front on a free port with a router and a door of the test's own, and the two kinds of peer that dial it:
// raw bytes, and the `ws` client. Everything is closed when the test is over.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import type { TestContext } from "node:test";
import { WebSocket } from "ws";
import type {
  StreamDoor,
  StreamHandler,
  StreamRefusal,
  StreamSocket,
  Upgrade,
} from "../../../src/calls/live/stream.ts";
import { type Clock, type Stop, systemClock } from "../../../src/domain/clock.ts";
import { createFront, type Front, type FrontLimits } from "../../../src/front/server.ts";
import type { Route } from "../../../src/http/http.ts";
import { text } from "../../../src/http/respond.ts";
import { createRouter, type Router } from "../../../src/http/router.ts";

export const LIMITS: FrontLimits = {
  bodyBytes: 65_536,
  bodyMs: 5_000,
  answerMs: 30_000,
  messageBytes: 16_384,
  sendBufferBytes: 256 * 1_024,
  connections: () => 1_000,
  silent: { perAddress: 1_000, countsPrivate: true },
};

export interface RigOptions {
  readonly routes?: readonly Route[];
  /** Instead of one made from `routes`. */
  readonly router?: Router;
  readonly door?: StreamDoor;
  readonly pathPrefix?: string;
  readonly limits?: Partial<FrontLimits>;
  readonly clock?: Clock;
}

export interface Rig {
  readonly front: Front;
  readonly port: number;
  /** What the front reported as contained. */
  readonly faults: { readonly what: string; readonly error: unknown }[];
  /** What the router reported as answered with a 500. */
  readonly errors: unknown[];
  /** Connections closed at arrival, all or for that reason. */
  refusedConnections(why?: "limit" | "address"): number;
  /** The codes of media sockets that closed. */
  readonly closeCodes: number[];
  /** Connects; the peer is destroyed after the test. */
  dial(): Promise<RawPeer>;
  /** One connection, one request, everything that came back until the server closed or one answer was whole. */
  ask(request: string): Promise<Answer>;
  /** Opens a stream with the `ws` client. */
  stream(path?: string): Promise<WebSocket>;
}

/** GET /hello answers "hello"; what else there is the test brings. */
export const HELLO: Route = { method: "GET", path: "/hello", handle: () => text(200, "hello") };

export async function startFront(t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const faults: Rig["faults"] = [];
  const errors: unknown[] = [];
  const pathPrefix = options.pathPrefix ?? "";
  const refused = { limit: 0, address: 0 };
  const closeCodes: number[] = [];
  const router =
    options.router ??
    createRouter([HELLO, ...(options.routes ?? [])], { pathPrefix, onError: (error) => errors.push(error) });
  const front = createFront({
    router,
    door: options.door ?? new RecordingDoor(),
    pathPrefix,
    limits: { ...LIMITS, ...options.limits },
    clock: options.clock ?? systemClock,
    log: {
      onFault: (what, error) => faults.push({ what, error }),
      onConnectionRefused: (why) => {
        refused[why]++;
      },
      onSocketClosed: (code) => closeCodes.push(code),
    },
  });
  t.after(() => front.close());
  const { port } = await front.listen("127.0.0.1", 0);

  async function dial(): Promise<RawPeer> {
    const socket = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    t.after(() => socket.destroy());
    const peer = new RawPeer(socket);
    await peer.connected;
    return peer;
  }

  return {
    front,
    port,
    faults,
    errors,
    refusedConnections: (why) => (why === undefined ? refused.limit + refused.address : refused[why]),
    closeCodes,
    dial,
    async ask(request) {
      const peer = await dial();
      peer.send(request);
      const answer = await peer.answer({ toHead: request.startsWith("HEAD ") });
      peer.socket.destroy();
      return answer;
    },
    async stream(path = "/media/token") {
      const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false });
      t.after(() => client.terminate());
      await new Promise<void>((resolve, reject) => {
        client.once("open", resolve);
        client.once("error", reject);
      });
      return client;
    },
  };
}

export interface Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A peer that writes bytes as they are and reads answers one by one. */
export class RawPeer {
  readonly socket: net.Socket;
  readonly connected: Promise<void>;
  #received = Buffer.alloc(0);
  /** How the connection ended, once it has. */
  #ended: "closed" | "reset" | undefined;
  #wake: () => void = () => {};

  constructor(socket: net.Socket) {
    this.socket = socket;
    this.connected = new Promise((resolve) => socket.once("connect", resolve));
    socket.on("data", (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    const end = (how: "closed" | "reset") => () => {
      this.#ended ??= how;
      this.#wake();
    };
    socket.on("end", end("closed"));
    socket.on("error", end("reset"));
    socket.on("close", end("closed"));
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Sends what it has and closes its direction. */
  finish(bytes: string | Uint8Array = ""): void {
    this.socket.end(bytes);
  }

  /** Cuts the connection with a reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** The next answer, removed from what was received. Rejects if the connection ends without a whole one. */
  async answer({ toHead = false } = {}): Promise<Answer> {
    await this.#until(() => this.#received.includes("\r\n\r\n"));
    const headEnd = this.#received.indexOf("\r\n\r\n") + 4;
    const [statusLine = "", ...lines] = this.#received
      .subarray(0, headEnd)
      .toString()
      .trimEnd()
      .split("\r\n");
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(":");
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const length = headers.get("content-length");
    const status = Number(statusLine.split(" ")[1]);
    const endless = length === undefined && status !== 101 && status !== 204;
    if (endless) await this.ended();
    const bodyBytes = toHead ? 0 : endless ? this.#received.length - headEnd : Number(length ?? 0);
    await this.#until(() => this.#received.length >= headEnd + bodyBytes);
    const body = this.#received.subarray(headEnd, headEnd + bodyBytes).toString();
    this.#received = this.#received.subarray(headEnd + bodyBytes);
    return { status, headers, body };
  }

  /** How the server ended the connection. */
  async ended(): Promise<"closed" | "reset"> {
    await this.#wait(() => this.#ended !== undefined);
    return this.#ended!;
  }

  /** What was received and not read as an answer. */
  get rest(): string {
    return this.#received.toString("latin1");
  }

  async #until(condition: () => boolean): Promise<void> {
    await this.#wait(() => condition() || this.#ended !== undefined);
    assert.ok(condition(), `the connection was ${this.#ended} after ${JSON.stringify(this.rest)}`);
  }

  async #wait(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** A stream handler that remembers its events and answers as told. */
export class RecordingStream implements StreamHandler {
  readonly events: string[] = [];
  socket: StreamSocket | undefined;
  #wake: () => void = () => {};

  opened(socket: StreamSocket): void {
    this.socket = socket;
    this.note("opened");
  }

  message(bytes: Uint8Array, isBinary: boolean): void {
    this.note(`${isBinary ? "binary" : "text"} ${Buffer.from(bytes).toString()}`);
  }

  ponged(): void {
    this.note("ponged");
  }

  closed(code: number): void {
    this.note(`closed ${code}`);
  }

  note(event: string): void {
    this.events.push(event);
    this.#wake();
  }

  /** Resolves once the event has happened. */
  async saw(event: string): Promise<void> {
    while (!this.events.includes(event)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  get closings(): readonly string[] {
    return this.events.filter((event) => event.startsWith("closed"));
  }
}

/** Sends every message back. */
export class EchoStream extends RecordingStream {
  override message(bytes: Uint8Array, isBinary: boolean): void {
    this.socket?.send(bytes);
    super.message(bytes, isBinary);
  }
}

/** Admits everyone but those it was told not to; makes each stream with `make`. */
export class RecordingDoor implements StreamDoor {
  readonly upgrades: Upgrade[] = [];
  readonly refusals: StreamRefusal[] = [];
  readonly streams: RecordingStream[] = [];
  readonly #make: (upgrade: Upgrade) => RecordingStream | StreamRefusal;

  constructor(make: (upgrade: Upgrade) => RecordingStream | StreamRefusal = () => new EchoStream()) {
    this.#make = make;
  }

  admit(upgrade: Upgrade): StreamHandler | StreamRefusal {
    this.upgrades.push(upgrade);
    const verdict = this.#make(upgrade);
    if (typeof verdict !== "string") this.streams.push(verdict);
    return verdict;
  }

  refused(reason: StreamRefusal): void {
    this.refusals.push(reason);
  }
}

/** A clock that stands still until it is moved; its ticks happen inside `advance`. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #ticks = new Set<() => void>();

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  every(_periodMs: number, tick: () => void): Stop {
    this.#ticks.add(tick);
    return () => this.#ticks.delete(tick);
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const tick of [...this.#ticks]) tick();
  }

  get running(): number {
    return this.#ticks.size;
  }
}

/** A handshake as Twilio sends it; `headers` replace or, when undefined, remove. */
export function handshake(path: string, headers: Readonly<Record<string, string | undefined>> = {}): string {
  const all: Record<string, string | undefined> = {
    Host: "gateway.test",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return `GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** One client frame. */
export function clientFrame(opcode: number, payload: Uint8Array, { masked = true, fin = true } = {}): Buffer {
  assert.ok(payload.length < 65_536, "longer than a test needs");
  const mask = masked ? [1, 2, 3, 4] : [];
  const long = payload.length >= 126;
  return Buffer.from([
    (fin ? 0x80 : 0) | opcode,
    (masked ? 0x80 : 0) | (long ? 126 : payload.length),
    ...(long ? [payload.length >> 8, payload.length & 255] : []),
    ...mask,
    ...(masked ? payload.map((byte, index) => byte ^ mask[index % 4]!) : payload),
  ]);
}

/** Resolves once the condition holds. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** Text as a frame carries it. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A front whose next stream is `stream`; those after it echo. */
export async function frontWith(
  t: TestContext,
  stream: RecordingStream,
  options: RigOptions = {},
): Promise<Rig> {
  let next: RecordingStream | undefined = stream;
  const door = new RecordingDoor(() => {
    const made = next ?? new EchoStream();
    next = undefined;
    return made;
  });
  return startFront(t, { door, ...options });
}

/** Upgrades by hand, so that the peer can misbehave. */
export async function rawStream(rig: Rig): Promise<RawPeer> {
  const peer = await rig.dial();
  peer.send(handshake("/media/x"));
  assert.equal((await peer.answer()).status, 101);
  return peer;
}

/** A stream that must not notice what happens to another one. */
export async function bystander(rig: Rig): Promise<() => Promise<void>> {
  const client = await rig.stream("/media/bystander");
  return async () => {
    client.send("still here?");
    const [message] = await once(client, "message");
    assert.equal(String(message), "still here?");
  };
}
