// What an HTTP peer may do to the front with the way it frames requests. A front behind a proxy is attacked by
// requests that the two read differently.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Route } from "../../../src/http/http.ts";
import { text } from "../../../src/http/respond.ts";
import { eventually, ManualClock, type RigOptions, startFront } from "./rig.ts";

const GET_HELLO = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/** Routes that count who got through. */
function counting(): { readonly routes: readonly Route[]; readonly reached: string[] } {
  const reached: string[] = [];
  const routes = (["GET", "POST"] as const).flatMap((method) =>
    ["/victim", "/smuggled"].map((path): Route => {
      return {
        method,
        path,
        handle: () => {
          reached.push(path);
          return text(200, path);
        },
      };
    }),
  );
  return { routes, reached };
}

describe("a head that servers could read differently", () => {
  const AMBIGUOUS: Readonly<Record<string, string>> = {
    "two lengths that differ": "Host: a\r\nContent-Length: 3\r\nContent-Length: 40\r\n\r\nabc",
    "two lengths, the longer first": `Host: a\r\nContent-Length: ${3 + SMUGGLED.length}\r\nContent-Length: 3\r\n\r\nabc`,
    "one length twice": "Host: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "an empty length": "Host: a\r\nContent-Length:\r\n\r\n",
    "two hosts": "Host: a\r\nHost: b\r\nContent-Length: 3\r\n\r\nabc",
    "one host twice": "Host: a\r\nhost: a\r\n\r\n",
    "an empty host": "Host:\r\n\r\n",
    "a length and a coding": "Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding and a length": "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "a length and an empty coding": "Host: a\r\nContent-Length: 3\r\nTransfer-Encoding:\r\n\r\nabc",
    "another coding": "Host: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding nobody speaks": "Host: a\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "two codings in one header": "Host: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two coding headers":
      "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding in another case": "Host: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
    "a length with a sign": "Host: a\r\nContent-Length: +3\r\n\r\nabc",
    "a negative length": "Host: a\r\nContent-Length: -1\r\n\r\n",
    "a length beyond counting": "Host: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    "a chunk length beyond counting": "Host: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
  };

  for (const [what, rest] of Object.entries(AMBIGUOUS)) {
    it(`is answered 400 and its connection closed: ${what}`, async (t) => {
      const { routes, reached } = counting();
      const rig = await startFront(t, { routes });
      const peer = await rig.dial();
      peer.send(`POST /victim HTTP/1.1\r\n${rest}`);
      assert.equal((await peer.answer()).status, 400);
      await peer.ended();
      assert.equal(peer.rest, "");
      assert.deepEqual(reached, []);
      assert.equal((await rig.ask(GET_HELLO)).body, "hello");
    });

    it(`takes nothing that follows it: ${what}`, async (t) => {
      const { routes, reached } = counting();
      const rig = await startFront(t, { routes });
      const peer = await rig.dial();
      peer.send(`POST /victim HTTP/1.1\r\n${rest}${SMUGGLED}${SMUGGLED}`);
      await peer.ended();
      assert.deepEqual(reached, []);
      assert.ok(peer.rest === "" || peer.rest.startsWith("HTTP/1.1 400 "), peer.rest);
      assert.equal((await rig.ask(GET_HELLO)).body, "hello");
    });
  }

  it("is not answered 200 by chance: the smuggled route is there", async (t) => {
    const { routes, reached } = counting();
    const rig = await startFront(t, { routes });
    const peer = await rig.dial();
    peer.send(`POST /victim HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc${SMUGGLED}`);
    assert.equal((await peer.answer()).body, "/victim");
    assert.equal((await peer.answer()).body, "/smuggled");
    assert.deepEqual(reached, ["/victim", "/smuggled"]);
  });

  it("is cut without an answer when uWebSockets.js cannot finish reading it", async (t) => {
    const { routes, reached } = counting();
    const rig = await startFront(t, { routes });
    for (const head of ["", "Host : a\r\n", "Host: a\r\nX-A: b\r\n c\r\n", "Host: a\r\nX-A: b\0c\r\n"]) {
      const peer = await rig.dial();
      peer.finish(`GET /victim HTTP/1.1\r\n${head}\r\n`);
      await peer.ended();
      assert.equal(peer.rest, "", JSON.stringify(head));
    }
    assert.deepEqual(reached, []);
  });
});

describe("a head that is not HTTP/1.1 within its limits", () => {
  for (const [what, request, status] of [
    ["a header of 8 KB", `GET /hello HTTP/1.1\r\nHost: a\r\nX-A: ${"a".repeat(8_000)}\r\n\r\n`, 431],
    [
      "a hundred headers",
      `GET /hello HTTP/1.1\r\nHost: a\r\n${Array.from({ length: 100 }, (_, i) => `X-${i}: a\r\n`).join("")}\r\n`,
      431,
    ],
    ["HTTP/1.0", "GET /hello HTTP/1.0\r\nHost: a\r\n\r\n", 505],
    ["bare line feeds", "GET /hello HTTP/1.1\nHost: a\n\n", 505],
    ["an absolute target", "GET http://a/hello HTTP/1.1\r\nHost: a\r\n\r\n", 505],
    ["an asterisk for a target", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 505],
  ] as const) {
    it(`gets ${status}: ${what}`, async (t) => {
      const rig = await startFront(t);
      const peer = await rig.dial();
      peer.send(request);
      assert.equal((await peer.answer()).status, status);
      await peer.ended();
      assert.equal((await rig.ask(GET_HELLO)).body, "hello");
    });
  }

  it("may be as long as Twilio's webhooks make it", async (t) => {
    const rig = await startFront(t);
    const { status } = await rig.ask(`GET /hello HTTP/1.1\r\nHost: a\r\nX-A: ${"a".repeat(3_900)}\r\n\r\n`);
    assert.equal(status, 200);
  });
});

describe("a body", () => {
  async function start(t: Parameters<typeof startFront>[0], limits: RigOptions["limits"] = {}) {
    const { routes, reached } = counting();
    const clock = new ManualClock();
    const rig = await startFront(t, { routes, clock, limits });
    const peer = await rig.dial();
    return { rig, reached, clock, peer };
  }

  it("that is not there in time gets 408, however it trickles", async (t) => {
    const { rig, reached, clock, peer } = await start(t);
    peer.send("POST /victim HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    await eventually(() => clock.running === 1);
    for (let second = 0; second < 4; second++) {
      peer.send("a");
      await rig.ask(GET_HELLO);
      clock.advance(1_000);
    }
    assert.equal(peer.rest, "");
    clock.advance(1_000);
    assert.equal((await peer.answer()).status, 408);
    await peer.ended();
    assert.deepEqual(reached, []);
    clock.advance(1);
    assert.equal(clock.running, 0);
  });

  it("in chunks is no different", async (t) => {
    const { rig, reached, clock, peer } = await start(t);
    peer.send("POST /victim HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    await rig.ask(GET_HELLO);
    await eventually(() => clock.running === 1);
    clock.advance(5_000);
    assert.equal((await peer.answer()).status, 408);
    assert.deepEqual(reached, []);
  });

  it("that comes in time leaves no timer running", async (t) => {
    const { clock, peer, reached } = await start(t);
    peer.send("POST /victim HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    await eventually(() => clock.running === 1);
    peer.send("c");
    assert.equal((await peer.answer()).status, 200);
    clock.advance(60_000);
    assert.equal(clock.running, 0);
    peer.send("POST /victim HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert.equal((await peer.answer()).status, 200);
    assert.equal(reached.length, 2);
  });

  for (const [what, framed] of [
    ["announced", `Content-Length: 65537\r\n\r\n${"x".repeat(65_537)}`],
    ["in one chunk", `Transfer-Encoding: chunked\r\n\r\n10001\r\n${"x".repeat(65_537)}\r\n0\r\n\r\n`],
    [
      "in many chunks",
      `Transfer-Encoding: chunked\r\n\r\n${`fff\r\n${"x".repeat(4_095)}\r\n`.repeat(17)}0\r\n\r\n`,
    ],
    ["of a megabyte", `Content-Length: 1000000\r\n\r\n${"x".repeat(1_000_000)}`],
  ] as const) {
    it(`over the limit gets 413 after its last byte, and its connection closed: ${what}`, async (t) => {
      const { rig, reached, peer } = await start(t);
      peer.send(`POST /victim HTTP/1.1\r\nHost: a\r\n${framed}`);
      const { status, body } = await peer.answer();
      assert.equal(status, 413);
      assert.deepEqual(JSON.parse(body), { detail: "A body may have 65536 bytes at most." });
      await peer.ended();
      assert.deepEqual(reached, []);
      assert.equal((await rig.ask(GET_HELLO)).body, "hello");
    });
  }

  it("over the limit gets 413 soon, whether its end comes or not", async (t) => {
    for (const framed of [
      "Content-Length: 100000\r\n\r\n",
      `Transfer-Encoding: chunked\r\n\r\n10001\r\n${"x".repeat(65_537)}\r\n`,
    ]) {
      const { rig, clock, peer } = await start(t);
      peer.send(`POST /victim HTTP/1.1\r\nHost: a\r\n${framed}`);
      await eventually(() => clock.running === 1);
      while (peer.rest === "") {
        clock.advance(250);
        await rig.ask(GET_HELLO);
        assert.ok(clock.nowMs() < 5_000, "before the body's own deadline");
      }
      assert.equal((await peer.answer()).status, 413);
      await peer.ended();
    }
  });

  it("after Expect: 100-continue is read like any other", async (t) => {
    const { peer } = await start(t);
    peer.send("POST /victim HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    await eventually(() => peer.rest.includes("\r\n\r\n"));
    assert.equal(peer.rest, "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send("abc");
    await eventually(() => peer.rest.includes("/victim"));
    assert.match(peer.rest, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });
});

describe("any bytes at all", () => {
  it("leave the front answering, with an answer of its own to them or none", async (t) => {
    const { routes } = counting();
    const rig = await startFront(t, { routes });
    const token = fc.constantFrom(
      ...[
        "GET ",
        "POST ",
        "/victim",
        "/media/x",
        "?",
        " HTTP/1.1",
        "\r\n",
        "\r\n\r\n",
        ":",
        " ",
        ",",
        "\0",
        "é",
        "0",
      ],
      ...[
        "Host: a",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
        "Upgrade: websocket",
        "Connection: upgrade",
      ],
      ...["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "abc", "3\r\nabc\r\n"],
    );
    await fc.assert(
      fc.asyncProperty(fc.array(token, { maxLength: 20 }), fc.boolean(), async (tokens, whole) => {
        const peer = await rig.dial();
        peer.finish(whole ? `GET /victim HTTP/1.1\r\nHost: a\r\n${tokens.join("")}` : tokens.join(""));
        await peer.ended();
        assert.match(peer.rest, /^$|^HTTP\/1\.1 (101|200|400|403|404|405|413|426|431|505) /);
        assert.equal((await rig.ask(GET_HELLO)).body, "hello");
        peer.socket.destroy();
      }),
      { numRuns: 200 },
    );
    assert.deepEqual(rig.faults, []);
    assert.deepEqual(rig.errors, []);
  });
});
