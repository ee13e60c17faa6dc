import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { STREAM_REFUSALS, type StreamRefusal } from "../../../src/calls/live/stream.ts";
import { EchoStream, handshake, RecordingDoor, startFront } from "./rig.ts";

const GET_HELLO = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

describe("an upgrade that is admitted", () => {
  it("is answered 101 with no subprotocol and no extension, whatever was offered", async (t) => {
    const door = new RecordingDoor();
    const rig = await startFront(t, { door });
    const peer = await rig.dial();
    peer.send(
      handshake("/media/tok.en-1", {
        "X-Twilio-Signature": "sig+na/ture=",
        "Sec-WebSocket-Protocol": "chat",
        "Sec-WebSocket-Extensions": "permessage-deflate",
        Connection: "keep-alive, Upgrade",
        Upgrade: "WebSocket",
      }),
    );
    const { status, headers } = await peer.answer();
    assert.equal(status, 101);
    assert.equal(headers.get("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert.equal(headers.get("sec-websocket-protocol"), undefined);
    assert.equal(headers.get("sec-websocket-extensions"), undefined);
    assert.deepEqual(door.upgrades, [
      { token: "tok.en-1", path: "/media/tok.en-1", signature: "sig+na/ture=" },
    ]);
    assert.deepEqual(door.refusals, []);
    assert.equal(rig.front.sockets(), 1);
  });

  it("may carry the public base's prefix or not; the door sees the path without it", async (t) => {
    const door = new RecordingDoor();
    const rig = await startFront(t, { door, pathPrefix: "/tele/phony" });
    for (const path of ["/tele/phony/media/a", "/media/a"]) await rig.stream(path);
    assert.deepEqual(
      door.upgrades.map(({ token, path }) => [token, path]),
      [
        ["a", "/media/a"],
        ["a", "/media/a"],
      ],
    );
    assert.equal((await rig.ask(handshake("/other/media/a"))).status, 404);
  });

  it("hands the token over as it was written", async (t) => {
    const door = new RecordingDoor(() => "token_malformed");
    const rig = await startFront(t, { door });
    const tokens = ["%41", "a/b", "/", "..", "a+b%2F", "é", "x".repeat(3_000)];
    for (const token of tokens) assert.equal((await rig.ask(handshake(`/media/${token}`))).status, 403);
    assert.deepEqual(
      door.upgrades.map(({ token }) => token),
      tokens,
    );
  });
});

describe("an upgrade that is refused", () => {
  it("by the door gets its status and nothing else, and was counted by the door", async (t) => {
    const reasons: StreamRefusal[] = [...STREAM_REFUSALS];
    const door = new RecordingDoor(() => reasons.shift()!);
    const rig = await startFront(t, { door });
    for (const reason of STREAM_REFUSALS) {
      const { status, body } = await rig.ask(handshake("/media/x"));
      assert.deepEqual([status, body], [reason === "framing" ? 400 : 403, ""], reason);
    }
    assert.deepEqual(door.refusals, []);
    assert.equal(rig.front.sockets(), 0);
  });

  it("without a token is the door's to refuse", async (t) => {
    const door = new RecordingDoor(({ token }) => (token === "" ? "token_absent" : new EchoStream()));
    const rig = await startFront(t, { door, pathPrefix: "/base" });
    for (const path of ["/media", "/media/", "/base/media", "/base/media/"]) {
      assert.equal((await rig.ask(handshake(path))).status, 403, path);
    }
    assert.deepEqual(
      door.upgrades.map(({ path }) => path),
      ["/media", "/media/", "/media", "/media/"],
    );
  });

  const FRAMING: Readonly<Record<string, string>> = {
    "two hosts": handshake("/media/x", { Host: "a\r\nHost: b" }),
    "two keys": handshake("/media/x", {
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    }),
    "two versions": handshake("/media/x", { "Sec-WebSocket-Version": "13\r\nSec-WebSocket-Version: 13" }),
    "a list of versions": handshake("/media/x", { "Sec-WebSocket-Version": "13, 8" }),
    "another version": handshake("/media/x", { "Sec-WebSocket-Version": "12" }),
    "no version": handshake("/media/x", { "Sec-WebSocket-Version": undefined }),
    "no key": handshake("/media/x", { "Sec-WebSocket-Key": undefined }),
    "a short key": handshake("/media/x", { "Sec-WebSocket-Key": "c2hvcnQ=" }),
    "a key of other characters": handshake("/media/x", { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZ!==" }),
    "a key of 18 bytes": handshake("/media/x", { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZXMh" }),
    "a body": `${handshake("/media/x", { "Content-Length": "3" })}abc`,
    "an empty body": handshake("/media/x", { "Content-Length": "0" }),
    "a chunked body": `${handshake("/media/x", { "Transfer-Encoding": "chunked" })}0\r\n\r\n`,
    "a connection that does not upgrade": handshake("/media/x", { Connection: "close" }),
  };

  for (const [what, request] of Object.entries(FRAMING)) {
    it(`for its framing gets 400 before the door is asked: ${what}`, async (t) => {
      const door = new RecordingDoor();
      const rig = await startFront(t, { door });
      const peer = await rig.dial();
      peer.send(request);
      const { status, body } = await peer.answer();
      assert.deepEqual([status, body], [400, ""]);
      await peer.ended();
      assert.deepEqual(door.refusals, ["framing"]);
      assert.deepEqual(door.upgrades, []);
    });
  }

  it("for a query gets 403, even for an empty one", async (t) => {
    const door = new RecordingDoor();
    const rig = await startFront(t, { door });
    for (const path of ["/media/x?token=y", "/media/x?", "/media?x", "/media/??"]) {
      const { status, body } = await rig.ask(handshake(path));
      assert.deepEqual([status, body], [403, ""], path);
    }
    assert.deepEqual(door.refusals, ["query", "query", "query", "query"]);
    assert.deepEqual(door.upgrades, []);
  });

  it("for an Origin gets 403, even for an empty one", async (t) => {
    const door = new RecordingDoor();
    const rig = await startFront(t, { door });
    for (const origin of ["https://evil.test", "null", ""]) {
      const { status, body } = await rig.ask(handshake("/media/x", { Origin: origin }));
      assert.deepEqual([status, body], [403, ""], origin);
    }
    assert.deepEqual(door.refusals, ["origin", "origin", "origin"]);
    assert.deepEqual(door.upgrades, []);
  });

  it("for several things names the first: framing, query, origin, then what the door says", async (t) => {
    const door = new RecordingDoor(() => "token_expired");
    const rig = await startFront(t, { door });
    const wrongs = [
      ["Sec-WebSocket-Version", "12"],
      ["Origin", "null"],
    ] as const;
    await rig.ask(handshake("/media/x?y", Object.fromEntries(wrongs)));
    await rig.ask(handshake("/media/x?y", Object.fromEntries(wrongs.slice(1))));
    await rig.ask(handshake("/media/x", Object.fromEntries(wrongs.slice(1))));
    await rig.ask(handshake("/media/x"));
    assert.deepEqual(door.refusals, ["framing", "query", "origin"]);
    assert.equal(door.upgrades.length, 1);
  });

  it("takes nothing that follows it, and its connection ends", async (t) => {
    const door = new RecordingDoor(() => "token_forged");
    const rig = await startFront(t, { door });
    const peer = await rig.dial();
    peer.send(handshake("/media/x"));
    assert.equal((await peer.answer()).status, 403);
    assert.equal(await peer.ended(), "closed");
    const eager = await rig.dial();
    eager.send(handshake("/media/x") + GET_HELLO);
    await eager.ended();
    assert.ok(!eager.rest.includes("hello"), eager.rest);
  });
});

describe("a request for a stream that is no upgrade", () => {
  it("gets 426 and comes near no call", async (t) => {
    const door = new RecordingDoor();
    const rig = await startFront(t, { door, pathPrefix: "/base" });
    for (const request of [
      "GET /media/x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /base/media/x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /media HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST /media/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
      handshake("/media/x", { Upgrade: undefined }),
      handshake("/media/x", { Upgrade: "h2c" }),
      handshake("/media/x").replace("GET", "POST"),
    ]) {
      const { status, headers, body } = await rig.ask(request);
      assert.equal(status, 426, request);
      assert.equal(headers.get("upgrade"), "websocket");
      assert.deepEqual(JSON.parse(body), { detail: "This address speaks WebSocket only." });
    }
    const head = await rig.ask("HEAD /media/x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(head.status, 426);
    assert.deepEqual([door.upgrades, door.refusals], [[], []]);
  });

  it("is nothing special beside the streams' path, upgrade or not", async (t) => {
    const door = new RecordingDoor();
    const rig = await startFront(t, { door });
    for (const path of ["/mediation", "/Media/x", "//media/x", "/x/media/y", "/%6dedia/x"]) {
      assert.equal((await rig.ask(handshake(path))).status, 404, path);
    }
    assert.equal((await rig.ask(handshake("/hello"))).body, "hello");
    assert.deepEqual([door.upgrades, door.refusals], [[], []]);
  });
});

describe("a fault while an upgrade is decided", () => {
  it("is a 500, and the next upgrade goes through", async (t) => {
    let asked = 0;
    const door = new RecordingDoor(() => {
      asked += 1;
      if (asked === 1) throw new Error("inside");
      return new EchoStream();
    });
    const rig = await startFront(t, { door });
    const { status, body } = await rig.ask(handshake("/media/x"));
    assert.deepEqual([status, body], [500, '{"detail":"Internal Server Error"}']);
    assert.equal(rig.faults.length, 1);
    assert.match(String(rig.faults[0]?.error), /inside/);
    await rig.stream("/media/x");
    assert.equal(rig.front.sockets(), 1);
  });
});
