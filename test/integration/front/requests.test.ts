import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HttpRequest, HttpResponse, Route } from "../../../src/http/http.ts";
import { json, text } from "../../../src/http/respond.ts";
import type { Router } from "../../../src/http/router.ts";
import { eventually, HELLO, LIMITS, ManualClock, startFront } from "./rig.ts";

/** Says what reached it. */
const MIRROR: Route = {
  method: "POST",
  path: "/mirror",
  handle: ({ method, path, query, headers, body }) =>
    json(200, {
      method,
      path,
      query: query ?? null,
      headers: Object.fromEntries(headers),
      body: Buffer.from(body).toString("latin1"),
    }),
};

/** A route that answers when it is told to. */
function patient(): {
  readonly route: Route;
  readonly asked: HttpRequest[];
  answer(response: HttpResponse): void;
} {
  const asked: HttpRequest[] = [];
  let answer: (response: HttpResponse) => void = () => assert.fail("nobody has asked");
  const route: Route = {
    method: "GET",
    path: "/patient",
    handle: (request) =>
      new Promise((resolve) => {
        answer = resolve;
        asked.push(request);
      }),
  };
  return { route, asked, answer: (response) => answer(response) };
}

function answering(response: HttpResponse, method: Route["method"] = "GET"): Route {
  return { method, path: "/it", handle: () => response };
}

const GET_HELLO = "GET /hello HTTP/1.1\r\nHost: gateway.test\r\n\r\n";

describe("a request", () => {
  it("reaches its handler with path, query and header values as they were sent", async (t) => {
    const rig = await startFront(t, { routes: [MIRROR], pathPrefix: "/base" });
    const { body } = await rig.ask(
      "POST /base/mirror?a=%41+b&c='@:/?d=%zz&&=#e HTTP/1.1\r\nHost: gateway.test\r\n" +
        "X-Twilio-Signature:  0/aB+c=  \r\nX-Twice: one\r\nx-twice: two\r\nContent-Length: 4\r\n\r\na=%0",
    );
    assert.deepEqual(JSON.parse(body), {
      method: "POST",
      path: "/mirror",
      query: "a=%41+b&c='@:/?d=%zz&&=#e",
      headers: {
        host: "gateway.test",
        "x-twilio-signature": "0/aB+c=",
        "x-twice": "one, two",
        "content-length": "4",
      },
      body: "a=%0",
    });
  });

  it("has an empty query apart from none", async (t) => {
    const rig = await startFront(t, { routes: [MIRROR] });
    for (const [target, query] of [
      ["/mirror", null],
      ["/mirror?", ""],
      ["/mirror??", "?"],
    ] as const) {
      const { body } = await rig.ask(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
      assert.equal(JSON.parse(body).query, query, target);
    }
  });

  it("may send its body in pieces, or in chunks", async (t) => {
    const rig = await startFront(t, { routes: [MIRROR] });
    for (const [head, pieces] of [
      ["Content-Length: 9", ["abc", "def", "ghi"]],
      ["Transfer-Encoding: chunked", ["3\r\nabc\r\n", "6\r\ndef", "ghi\r\n0\r\n", "\r\n"]],
    ] as const) {
      const peer = await rig.dial();
      peer.socket.setNoDelay(true);
      peer.send(`POST /mirror HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n`);
      for (const piece of pieces) {
        peer.send(piece);
        await rig.ask(GET_HELLO); // the pieces go apart: another request is served between them
      }
      assert.equal(JSON.parse((await peer.answer()).body).body, "abcdefghi");
    }
  });

  it("may have a body of exactly the limit", async (t) => {
    const rig = await startFront(t, { routes: [MIRROR], limits: { bodyBytes: 65_536 } });
    const { status, body } = await rig.ask(
      `POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n${"x".repeat(65_536)}`,
    );
    assert.equal(status, 200);
    assert.equal(JSON.parse(body).body.length, 65_536);
  });

  it("gives its handler a body of its own", async (t) => {
    const bodies: Uint8Array[] = [];
    const keep: Route = {
      method: "POST",
      path: "/keep",
      handle: ({ body }) => {
        bodies.push(body);
        return { status: 204 };
      },
    };
    const rig = await startFront(t, { routes: [keep] });
    for (const word of ["first", "other"]) {
      await rig.ask(`POST /keep HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n${word}`);
    }
    assert.deepEqual(
      bodies.map(String),
      [Buffer.from("first"), Buffer.from("other")].map((b) => String([...b])),
    );
  });
});

describe("an answer", () => {
  it("is JSON that nobody keeps or guesses at, unless the handler says otherwise", async (t) => {
    const rig = await startFront(t, { routes: [answering(json(201, { é: 1 }))] });
    const { status, headers, body } = await rig.ask("GET /it HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(status, 201);
    assert.equal(body, '{"é":1}');
    assert.equal(headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("content-length"), "8");
  });

  it("keeps the handler's own content type and caching, however they are written", async (t) => {
    const rig = await startFront(t, {
      routes: [
        answering({
          status: 200,
          headers: { "content-TYPE": "text/xml", "CACHE-control": "max-age=60", "X-Own": "a\tb" },
          body: new Uint8Array([60, 47, 62, 10]).subarray(0, 3),
        }),
      ],
    });
    const { headers, body } = await rig.ask("GET /it HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(headers.get("content-type"), "text/xml");
    assert.equal(headers.get("cache-control"), "max-age=60");
    assert.equal(headers.get("x-own"), "a\tb");
    assert.equal(body, "</>");
  });

  it("may be without a body: of length 0, or of none where the status has none", async (t) => {
    const rig = await startFront(t, {
      routes: [answering({ status: 403 }), answering({ status: 204 }, "PUT")],
    });
    const refused = await rig.ask("GET /it HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(refused.status, 403);
    assert.equal(refused.headers.get("content-length"), "0");
    assert.equal(refused.headers.get("content-type"), undefined);
    const peer = await rig.dial();
    peer.send(`PUT /it HTTP/1.1\r\nHost: a\r\n\r\n${GET_HELLO}`);
    const nothing = await peer.answer();
    assert.equal(nothing.status, 204);
    assert.equal(nothing.headers.get("content-length"), undefined);
    assert.equal((await peer.answer()).body, "hello");
  });

  it("to HEAD has the headers of the body and no body", async (t) => {
    const rig = await startFront(t);
    const peer = await rig.dial();
    peer.send(`HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n`);
    const { status, headers } = await peer.answer({ toHead: true });
    assert.equal(status, 200);
    assert.equal(headers.get("content-length"), "5");
    peer.send(GET_HELLO);
    assert.equal((await peer.answer()).body, "hello");
  });

  it("of megabytes arrives whole at a slow reader", async (t) => {
    const body = new Uint8Array(8_000_000).fill(65);
    const rig = await startFront(t, { routes: [answering({ status: 200, body })] });
    const peer = await rig.dial();
    peer.socket.pause();
    peer.send("GET /it HTTP/1.1\r\nHost: a\r\n\r\n");
    await rig.ask(GET_HELLO);
    peer.socket.resume();
    assert.equal((await peer.answer()).body.length, body.length);
  });

  it("of 404 and 405 comes from the router", async (t) => {
    const rig = await startFront(t);
    const missing = await rig.ask("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.deepEqual([missing.status, missing.body], [404, '{"detail":"Not Found"}']);
    const refused = await rig.ask("POST /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.deepEqual([refused.status, refused.headers.get("allow")], [405, "GET, HEAD"]);
    assert.equal((await rig.ask("BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n")).status, 405);
  });

  it("closes the connection when the client asked for that", async (t) => {
    const { route, asked, answer } = patient();
    const rig = await startFront(t, { routes: [route] });
    for (const path of ["/hello", "/patient"]) {
      const peer = await rig.dial();
      peer.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      if (path === "/patient") {
        await eventually(() => asked.length === 1);
        answer(text(200, "late"));
      }
      assert.equal((await peer.answer()).status, 200);
      assert.equal(await peer.ended(), "closed");
    }
  });
});

describe("one connection", () => {
  it("serves requests one after the other, and pipelined ones in order", async (t) => {
    const rig = await startFront(t, { routes: [MIRROR] });
    const peer = await rig.dial();
    const post = "POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    const chunked =
      "POST /mirror HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n";
    for (let round = 0; round < 2; round++) {
      peer.send(GET_HELLO + post + chunked + GET_HELLO);
      assert.equal((await peer.answer()).body, "hello");
      assert.equal(JSON.parse((await peer.answer()).body).body, "abc");
      assert.equal(JSON.parse((await peer.answer()).body).body, "xyz");
      assert.equal((await peer.answer()).body, "hello");
    }
    assert.equal(peer.rest, "");
  });

  it("is cut rather than answered out of order when a request is pipelined behind a slow one", async (t) => {
    const { route, asked, answer } = patient();
    const rig = await startFront(t, { routes: [route] });
    const peer = await rig.dial();
    peer.send(`GET /patient HTTP/1.1\r\nHost: a\r\n\r\n${GET_HELLO}`);
    await peer.ended();
    assert.equal(peer.rest, "");
    assert.equal(asked.length, 1);
    answer(text(200, "to nobody"));
    assert.equal((await rig.ask(GET_HELLO)).body, "hello");
  });
});

describe("a client that goes away", () => {
  it("in mid-head or mid-body leaves nothing behind", async (t) => {
    const rig = await startFront(t, { routes: [MIRROR] });
    const request = "POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabcde";
    for (let cut = 1; cut <= request.length; cut += 7) {
      for (const leave of ["reset", "finish"] as const) {
        const peer = await rig.dial();
        peer.send(request.slice(0, cut));
        peer[leave]();
      }
    }
    assert.equal((await rig.ask(GET_HELLO)).body, "hello");
    await eventually(() => rig.front.connections() === 0);
    assert.deepEqual(rig.faults, []);
  });

  it("while its handler works is answered into the void", async (t) => {
    const { route, asked, answer } = patient();
    const rig = await startFront(t, { routes: [route] });
    const peer = await rig.dial();
    peer.send("GET /patient HTTP/1.1\r\nHost: a\r\n\r\n");
    await eventually(() => asked.length === 1);
    peer.reset();
    await eventually(() => rig.front.connections() === 0);
    answer(text(200, "to nobody"));
    assert.equal((await rig.ask(GET_HELLO)).body, "hello");
    assert.deepEqual(rig.faults, []);
  });
});

describe("a fault", () => {
  const failures: readonly Route[] = [
    {
      method: "POST",
      path: "/now",
      handle: () => {
        throw new Error("inside");
      },
    },
    { method: "POST", path: "/later", handle: () => Promise.reject(new Error("inside")) },
    { method: "POST", path: "/nothing", handle: () => undefined as unknown as HttpResponse },
    { method: "POST", path: "/never-a-status", handle: () => ({ status: 99 }) },
    { method: "POST", path: "/body", handle: () => ({ status: 200, body: 7 as unknown as string }) },
    {
      method: "POST",
      path: "/split",
      handle: () => ({ status: 200, headers: { "X-A": "a\r\nSet-Cookie: b" } }),
    },
    { method: "POST", path: "/name", handle: () => ({ status: 200, headers: { "X A": "a" } }) },
    {
      method: "POST",
      path: "/value",
      handle: () => ({ status: 200, headers: { "X-A": 1 as unknown as string } }),
    },
    {
      method: "POST",
      path: "/length",
      handle: () => ({ status: 200, headers: { "content-length": "9" }, body: "x" }),
    },
    {
      method: "POST",
      path: "/late-split",
      handle: async () => ({ status: 200, headers: { "X-A": "a\nb" } }),
    },
  ];

  for (const { path } of failures) {
    it(`at ${path} is a 500 without internals, and the connection goes on`, async (t) => {
      const rig = await startFront(t, { routes: failures });
      const peer = await rig.dial();
      for (const _ of [1, 2]) {
        peer.send(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`);
        const { status, body } = await peer.answer();
        assert.equal(status, 500);
        assert.equal(body, '{"detail":"Internal Server Error"}');
      }
      peer.send(GET_HELLO);
      assert.equal((await peer.answer()).body, "hello");
      assert.equal(rig.errors.length + rig.faults.length, 2);
    });
  }

  it("of the router itself is contained as well, and so is one of the log", async (t) => {
    let asked = 0;
    const router: Router = {
      handle: () => {
        asked += 1;
        if (asked % 2 === 0) throw new Error("router");
        return Promise.reject(new Error("router"));
      },
    };
    const rig = await startFront(t, { router });
    rig.faults.push = () => assert.fail("the log is full");
    const peer = await rig.dial();
    for (const _ of [1, 2, 3, 4]) {
      peer.send(GET_HELLO);
      assert.equal((await peer.answer()).status, 500);
    }
    assert.equal(asked, 4);
  });

  it("is not what a slow answer to a quick body is", async (t) => {
    const { route, asked, answer } = patient();
    const clock = new ManualClock();
    const rig = await startFront(t, { routes: [{ ...route, method: "POST" }], clock });
    const peer = await rig.dial();
    peer.send("POST /patient HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    await eventually(() => asked.length === 1);
    clock.advance(LIMITS.bodyMs * 2);
    answer(text(200, "in the end"));
    assert.equal((await peer.answer()).body, "in the end");
    clock.advance(LIMITS.answerMs * 2);
    assert.deepEqual(rig.faults, []);
  });

  it("of a handler that never answers is a 500 at its deadline, once", async (t) => {
    const { route, asked, answer } = patient();
    const clock = new ManualClock();
    const rig = await startFront(t, { routes: [route], clock, limits: { answerMs: 1_000 } });
    const peer = await rig.dial();
    peer.send("GET /patient HTTP/1.1\r\nHost: a\r\n\r\n");
    await eventually(() => asked.length === 1);
    clock.advance(999);
    assert.equal((await rig.ask(GET_HELLO)).body, "hello");
    assert.equal(peer.rest, "");
    clock.advance(1);
    assert.equal((await peer.answer()).status, 500);
    answer(text(200, "too late"));
    peer.send(GET_HELLO);
    assert.equal((await peer.answer()).body, "hello");
    assert.equal(rig.faults.length, 1);
    assert.match(String(rig.faults[0]?.error), /no answer to a GET within 1000 ms/);
    clock.advance(1);
    assert.equal(clock.running, 0);
  });
});

it("routes with the public base's prefix and without it", async (t) => {
  const rig = await startFront(t, { pathPrefix: "/tele/phony" });
  assert.equal((await rig.ask("GET /tele/phony/hello HTTP/1.1\r\nHost: a\r\n\r\n")).body, "hello");
  assert.equal((await rig.ask(GET_HELLO)).body, "hello");
  assert.equal((await rig.ask("GET /telephony/hello HTTP/1.1\r\nHost: a\r\n\r\n")).status, 404);
});

it("serves HELLO's own path and no other spelling of it", async (t) => {
  const rig = await startFront(t);
  for (const target of [
    `${HELLO.path}/`,
    `/${HELLO.path}`,
    "/./hello",
    "/x/../hello",
    "/%68ello",
    "/hello%00",
    "/Hello",
  ]) {
    assert.equal((await rig.ask(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)).status, 404, target);
  }
});
