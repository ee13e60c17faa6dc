import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import { type Clock, systemClock } from "../../../src/domain/clock.ts";
import type { BodySource, Route } from "../../../src/http/http.ts";
import { text } from "../../../src/http/respond.ts";
import { until } from "../../support/until.ts";
import { startFront } from "./rig.ts";

const PIECE = 65_536;

/** Bytes that tell their place; remembers what was done with it. */
class Tape implements BodySource {
  readonly bytes: number;
  /** Where it breaks. */
  readonly #end: number;
  given = 0;
  closed = 0;

  constructor(bytes: number, end = bytes) {
    this.bytes = bytes;
    this.#end = end;
  }

  async read(): Promise<Uint8Array> {
    await new Promise((turn) => setImmediate(turn));
    assert.equal(this.closed, 0, "nothing is read after the end");
    if (this.given >= this.#end) throw new Error("the tape is torn");
    const piece = pattern(this.given, Math.min(PIECE, this.bytes - this.given));
    this.given += piece.length;
    return piece;
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

function pattern(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => ((from + i) * 31 + ((from + i) >> 8)) & 0xff);
}

function playing(tape: BodySource): Route {
  const headers = { "Content-Type": "audio/wav" };
  return { method: "GET", path: "/tape", handle: async () => ({ status: 200, headers, body: tape }) };
}

const get = (port: number, init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}/tape`, init);
const GET = "GET /tape HTTP/1.1\r\nHost: gateway.test\r\n\r\n";

describe("a body that is read while it is sent", { concurrency: true }, () => {
  it("arrives whole, with its length, and is closed; then the connection serves the next request", async (t) => {
    const tape = new Tape(3_000_001);
    const rig = await startFront(t, { routes: [playing(tape)] });
    const response = await get(rig.port);
    assert.equal(response.headers.get("content-length"), "3000001");
    assert.equal(response.headers.get("content-type"), "audio/wav");
    const body = new Uint8Array(await response.arrayBuffer());
    assert.ok(Buffer.from(body).equals(pattern(0, 3_000_001)));
    await until("the tape to be put away", () => tape.closed === 1);
    assert.equal(await (await fetch(`http://127.0.0.1:${rig.port}/hello`)).text(), "hello");
    assert.deepEqual(rig.faults, []);
  });

  it("is read no further than its reader reads, and goes on where it was", async (t) => {
    const bytes = 40_000_000;
    const tape = new Tape(bytes);
    const rig = await startFront(t, { routes: [playing(tape)] });
    const socket = net.connect({ host: "127.0.0.1", port: rig.port });
    t.after(() => socket.destroy());
    socket.write(GET);
    let before = 0;
    let standing = 0;
    await until("the reading to stand still", () => {
      standing = tape.given > 0 && tape.given === before ? standing + 1 : 0;
      before = tape.given;
      return standing === 40;
    });
    t.diagnostic(`${tape.given} bytes read for a peer that reads none: what the sockets hold`);
    assert.ok(tape.given < bytes / 2, "it waits for its reader");
    let received = 0;
    socket.on("data", (chunk: Buffer) => {
      received += chunk.length;
    });
    await until("everything", () => received > bytes);
    assert.equal(tape.given, bytes);
    await until("the tape to be put away", () => tape.closed === 1);
    assert.deepEqual(rig.faults, []);
  });

  it("is let go of when its reader goes, or never was there", async (t) => {
    const tape = new Tape(40_000_000);
    const rig = await startFront(t, { routes: [playing(tape)] });
    const peer = await rig.dial();
    peer.socket.pause();
    peer.send(GET);
    await until("the first piece", () => tape.given > 0);
    peer.socket.destroy();
    await until("the tape to be put away", () => tape.closed === 1);
    assert.ok(tape.given < tape.bytes);

    const late = new Tape(1_000);
    let asked = false;
    let answer: () => void = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const slow: Route = {
      method: "GET",
      path: "/tape",
      handle: async () => {
        asked = true;
        await answered;
        return { status: 200, body: late };
      },
    };
    const other = await startFront(t, { routes: [slow] });
    const gone = await other.dial();
    gone.send(GET);
    await until("the question", () => asked);
    gone.socket.destroy();
    await until("the peer to be gone", () => other.front.connections() === 0);
    answer();
    await until("the late tape to be put away", () => late.closed === 1);
    assert.equal(late.given, 0);
    assert.deepEqual([...rig.faults, ...other.faults], []);
  });

  it("is cut where it breaks, so that nobody takes a part for the whole, and that is told", async (t) => {
    const tape = new Tape(1_000_000, 500_000);
    const rig = await startFront(t, { routes: [playing(tape)] });
    await assert.rejects(get(rig.port).then((response) => response.arrayBuffer()));
    assert.equal(tape.closed, 1);
    assert.deepEqual(
      rig.faults.map(({ error }) => (error as Error).message),
      ["the tape is torn"],
    );
  });

  it("is not read for HEAD, which gets its length; one of no bytes is an empty answer", async (t) => {
    const tape = new Tape(1_234);
    const rig = await startFront(t, { routes: [playing(tape)] });
    const head = await get(rig.port, { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), "1234");
    assert.deepEqual([tape.given, tape.closed], [0, 1]);
    const nothing = new Tape(0);
    const other = await startFront(t, {
      routes: [playing(nothing), { method: "GET", path: "/x", handle: () => text(200, "x") }],
    });
    assert.equal((await (await get(other.port)).arrayBuffer()).byteLength, 0);
    assert.equal(nothing.closed, 1);
  });

  it("is not cut for a peer that takes it slowly", async (t) => {
    const tape = new Tape(40_000_000);
    const rig = await startFront(t, { routes: [playing(tape)] });
    const socket = net.connect({ host: "127.0.0.1", port: rig.port });
    t.after(() => socket.destroy());
    let received = 0;
    const take = (most?: number) => {
      received += (socket.read(most) as Buffer | null)?.length ?? 0;
    };
    socket.on("readable", () => {});
    const sipping = setInterval(() => take(2_000), 100);
    t.after(() => clearInterval(sipping));
    socket.write(GET);
    const startedMs = performance.now();
    // What is given up is cut within twelve seconds.
    await until("time to pass", () => performance.now() - startedMs > 16_000 || tape.closed > 0, 60_000);
    assert.equal(tape.closed, 0, `cut after ${received} bytes`);
    clearInterval(sipping);
    socket.on("readable", () => take());
    take();
    await until("everything", () => received > tape.bytes, 30_000);
  });

  it("keeps no peer that takes nothing for ever", async (t) => {
    const tape = new Tape(40_000_000);
    const hasty: Clock = {
      ...systemClock,
      nowMs: () => 10 * systemClock.nowMs(),
      every: (periodMs, tick) => systemClock.every(periodMs / 10, tick),
    };
    const rig = await startFront(t, { routes: [playing(tape)], clock: hasty });
    const peer = await rig.dial();
    peer.socket.pause();
    peer.send(GET);
    const startedMs = performance.now();
    await until("the tape to be put away", () => tape.closed === 1, 60_000);
    t.diagnostic(`cut after ${Math.round(performance.now() - startedMs)} ms`);
  });
});
