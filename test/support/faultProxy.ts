// A network that fails on command: a TCP proxy on loopback between any client and any server. Each connection is a
// link with two ways, and each way may be delayed, throttled, paused, half-closed, or cut after so many bytes; a link
// may be reset. Knows nothing of what the bytes mean.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";

/** What a way holds before it stops reading: enough that a delay of a second doesn't throttle a call. */
const HELD_BYTES = 256 * 1_024;
/** A throttled way sends this often. */
const THROTTLE_TICK_MS = 10;

export interface FaultProxyOptions {
  readonly port: number;
  readonly host?: string;
  /** Sees each link before a byte of it has gone on: faults set here are there from its first byte. */
  readonly onLink?: (link: Link) => void;
}

export interface FaultProxy {
  readonly port: number;
  /** Where to dial instead of the server: `http://127.0.0.1:port`. */
  readonly origin: string;
  /** Those open now, in the order they came. */
  links(): readonly Link[];
  /** The first link, open now or to come, whose client began with such bytes, as latin1. */
  link(opening: RegExp): Promise<Link>;
  /** Until it is called again with `false`, new connections are reset at once, as if nobody listened. */
  refuse(refused: boolean): void;
  /** Resets what is open and stops listening. */
  close(): Promise<void>;
}

/** One connection, and its other half towards the server. */
export interface Link {
  readonly toServer: Way;
  readonly toClient: Way;
  /** Cuts both halves with a reset, whatever is still held. */
  reset(): void;
  /** Resolves when both halves are gone. */
  readonly gone: Promise<void>;
}

/** One direction of a link. What is set holds until it is set again. */
export interface Way {
  /** Bytes that have gone on. */
  readonly bytes: number;
  /** Bytes read and not sent on yet. */
  readonly heldBytes: number;
  /** Every byte goes on so much later; 0 for at once. */
  delay(ms: number): void;
  /** So much goes on in a second; undefined for as much as there is. */
  throttle(bytesPerS: number | undefined): void;
  /** Nothing goes on, nor is read: the sender's buffers fill up. */
  pause(): void;
  resume(): void;
  /** After so many more bytes the link is reset, or this way is half-closed. */
  cutAfter(bytes: number, how?: "reset" | "end"): void;
  /** Half-closes: the receiver sees the end, and what comes after is lost. */
  end(): void;
}

/** Starts one in front of the server at that port. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { port: serverPort, host = "127.0.0.1", onLink } = options;
  const links = new Set<TcpLink>();
  const waiting: { readonly opening: RegExp; readonly found: (link: Link) => void }[] = [];
  let isRefusing = false;

  const listener = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on("error", () => {});
    if (isRefusing) {
      client.resetAndDestroy();
      return;
    }
    const server = net.connect({ host, port: serverPort, allowHalfOpen: true, noDelay: true });
    const link = new TcpLink(client, server);
    links.add(link);
    void link.gone.then(() => links.delete(link));
    onLink?.(link);
    link.open();
    client.once("data", () => {
      for (const [at, { opening, found }] of [...waiting.entries()].reverse()) {
        if (!opening.test(link.opening)) continue;
        waiting.splice(at, 1);
        found(link);
      }
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as net.AddressInfo;

  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    links: () => [...links],
    link(opening) {
      const known = [...links].find((link) => opening.test(link.opening));
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((found) => waiting.push({ opening, found }));
    },
    refuse(refused) {
      isRefusing = refused;
    },
    async close() {
      const closed = once(listener, "close");
      listener.close();
      for (const link of links) link.reset();
      await closed;
    },
  };
}

class TcpLink implements Link {
  readonly toServer: TcpWay;
  readonly toClient: TcpWay;
  readonly gone: Promise<void>;
  readonly #client: net.Socket;
  readonly #server: net.Socket;

  constructor(client: net.Socket, server: net.Socket) {
    this.#client = client;
    this.#server = server;
    this.toServer = new TcpWay(client, server, () => this.reset());
    this.toClient = new TcpWay(server, client, () => this.reset());
    const closed = (socket: net.Socket) => new Promise<void>((resolve) => socket.once("close", resolve));
    this.gone = Promise.all([closed(client), closed(server)]).then(() => {});
  }

  /** The client's first bytes. */
  get opening(): string {
    return this.toServer.opening;
  }

  open(): void {
    this.toServer.open();
    this.toClient.open();
  }

  reset(): void {
    this.toServer.stop();
    this.toClient.stop();
    for (const socket of [this.#client, this.#server]) {
      if (socket.destroyed) continue;
      // Node 22 never lets go of a socket that is reset after it was ended.
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }
}

class TcpWay implements Way {
  readonly #source: net.Socket;
  readonly #target: net.Socket;
  readonly #reset: () => void;
  /** What was read, and when it may go on. No bytes: the source's end. */
  readonly #held: { bytes: Buffer; readonly readMs: number }[] = [];
  #heldBytes = 0;
  #bytes = 0;
  #opening = "";
  #delayMs = 0;
  #bytesPerS: number | undefined;
  #credit = 0;
  #creditMs = 0;
  #isPaused = false;
  #isOver = false;
  #cut: { atByte: number; readonly how: "reset" | "end" } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: net.Socket, target: net.Socket, reset: () => void) {
    this.#source = source;
    this.#target = target;
    this.#reset = reset;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get opening(): string {
    return this.#opening;
  }

  open(): void {
    const source = this.#source;
    source.on("data", (bytes) => {
      if (this.#opening === "") this.#opening = bytes.toString("latin1");
      this.#take(bytes);
    });
    source.on("end", () => this.#take(Buffer.alloc(0)));
    source.on("error", () => this.#reset());
    this.#target.on("drain", () => this.#pump());
    this.#target.on("connect", () => this.#pump());
    this.#read();
  }

  /** Forgets what is held. */
  stop(): void {
    this.#isOver = true;
    this.#held.length = 0;
    this.#heldBytes = 0;
    clearTimeout(this.#timer);
  }

  delay(ms: number): void {
    this.#delayMs = ms;
    this.#pump();
  }

  throttle(bytesPerS: number | undefined): void {
    assert(bytesPerS === undefined || bytesPerS > 0, "to send nothing is to pause");
    this.#bytesPerS = bytesPerS;
    this.#credit = 0;
    this.#creditMs = performance.now();
    this.#pump();
  }

  pause(): void {
    this.#isPaused = true;
    this.#read();
  }

  resume(): void {
    this.#isPaused = false;
    this.#pump();
  }

  cutAfter(bytes: number, how: "reset" | "end" = "reset"): void {
    this.#cut = { atByte: this.#bytes + bytes, how };
    this.#cutIfDue();
  }

  end(): void {
    if (this.#isOver) return;
    this.stop();
    this.#source.resume(); // what comes after is read and lost
    this.#target.end();
  }

  #take(bytes: Buffer): void {
    if (this.#isOver) return;
    this.#held.push({ bytes, readMs: performance.now() });
    this.#heldBytes += bytes.length;
    this.#pump();
  }

  /** Sends on what may go, and comes back for the rest. */
  #pump(): void {
    clearTimeout(this.#timer);
    while (!this.#isOver && !this.#isPaused && !this.#target.connecting && !this.#target.writableNeedDrain) {
      const [first] = this.#held;
      if (first === undefined) break;
      const earlyMs = first.readMs + this.#delayMs - performance.now();
      if (earlyMs > 0) {
        this.#later(earlyMs);
        break;
      }
      if (first.bytes.length === 0) {
        this.end();
        break;
      }
      const most = Math.min(
        this.#allowance(),
        this.#cut ? this.#cut.atByte - this.#bytes : first.bytes.length,
      );
      if (most < 1) {
        this.#later(THROTTLE_TICK_MS);
        break;
      }
      const sent = first.bytes.subarray(0, most);
      if (sent.length === first.bytes.length) this.#held.shift();
      else first.bytes = first.bytes.subarray(sent.length);
      this.#heldBytes -= sent.length;
      this.#bytes += sent.length;
      this.#credit -= sent.length;
      this.#target.write(sent);
      if (this.#cutIfDue()) return;
    }
    this.#read();
  }

  /** Bytes that the throttle lets through now. What was not used within a tick or two is not saved up. */
  #allowance(): number {
    if (this.#bytesPerS === undefined) return Number.POSITIVE_INFINITY;
    const nowMs = performance.now();
    const mostBytes = Math.max(1, (this.#bytesPerS * 2 * THROTTLE_TICK_MS) / 1_000);
    this.#credit = Math.min(mostBytes, this.#credit + ((nowMs - this.#creditMs) / 1_000) * this.#bytesPerS);
    this.#creditMs = nowMs;
    return Math.floor(this.#credit);
  }

  #cutIfDue(): boolean {
    if (this.#isOver || this.#cut === undefined || this.#bytes < this.#cut.atByte) return false;
    const { how } = this.#cut;
    this.#cut = undefined;
    if (how === "end") this.end();
    else {
      this.stop();
      // Two turns later: data and a reset that come at once are an orderly end to a receiver made with libuv.
      setImmediate(() => setImmediate(() => this.#reset()));
    }
    return true;
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => this.#pump(), Math.ceil(ms));
  }

  #read(): void {
    if (this.#isOver || (!this.#isPaused && this.#heldBytes < HELD_BYTES)) this.#source.resume();
    else this.#source.pause();
  }
}
