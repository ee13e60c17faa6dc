import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { codes, fixture, STREAM_URL } from "./streamFixture.ts";

const at = fixture();

describe("a breach of the contract", () => {
  it("is complained of once per number, and the message is dropped", async () => {
    const { stream, far } = await at.open();
    await far.nextEvent("start");
    for (let twice = 0; twice < 2; twice++) {
      far.socket.send(Buffer.from([1, 2, 3]), { binary: true });
      far.socket.send("no JSON");
      far.send({ event: "media", streamSid: "MZ-other", media: { payload: "////" } });
    }
    far.mark("still alive");
    await stream.next("mark");
    assert.deepEqual(codes(stream), [31950, 31951]);
    assert.match(
      stream.complaints[1]!.text,
      /an invalid message came on the stream: not a JSON object: no JSON/,
    );
    assert.equal(stream.playback.firstMs, undefined);
    assert.equal(stream.received.length, 7);
    assert.equal(stream.received[0]!.text, "AQID");
  });

  it("is 31931 when more than ten minutes are waiting", async () => {
    const { stream, far } = await at.open();
    await far.nextEvent("start");
    for (let minute = 0; minute < 11; minute++) far.media(60_000);
    far.mark("end");
    await stream.next("mark");
    assert.deepEqual(codes(stream), [31931]);
  });

  it("is 31924 when the WebSocket protocol itself is broken", async () => {
    const { stream, far } = await at.open();
    await far.nextEvent("start");
    // biome-ignore lint/suspicious/noExplicitAny: the bytes below are what no public method would send
    (far.socket as any)._socket.write(Buffer.from([0x89, 0x7e, 0x00, 0x7e]));
    assert.equal((await stream.ended).by, "gateway");
    assert.deepEqual(codes(stream), [31924]);
  });
});

describe("a stream's end", () => {
  it("is stop and close when the caller hangs up", async () => {
    const { stream, far } = await at.open();
    const end = await stream.stop();
    assert.equal(end.by, "twilio");
    const { accountSid, callSid, streamSid } = stream.facts;
    const { sequenceNumber, ...stop } = far.messages.at(-1);
    assert.deepEqual(stop, { event: "stop", streamSid, stop: { accountSid, callSid } });
    assert.equal(sequenceNumber, String(far.messages.length - 1));
    assert.equal((await far.closed).code, 1000);
    assert.deepEqual(codes(stream), []);
  });

  it("can come without a stop", async () => {
    const { stream, far } = await at.open();
    await stream.close(1001);
    assert.equal((await far.closed).code, 1001);
    assert.ok(far.messages.every(({ event }) => event !== "stop"));
  });

  it("is 31921 when the gateway closes", async () => {
    const { stream, far } = await at.open();
    far.socket.close(1000, "bye");
    assert.deepEqual(await stream.ended, { by: "gateway", code: 1000, reason: "bye", opened: true });
    assert.deepEqual(codes(stream), [31921]);
  });

  it("is 31903 when the gateway vanishes", async () => {
    const { stream, far } = await at.open();
    far.socket.terminate();
    assert.equal((await stream.ended).by, "network");
    assert.deepEqual(codes(stream), [31903]);
  });

  for (const how of ["reset", "cut"] as const) {
    it(`can be a broken connection (${how})`, async () => {
      const { stream, far } = await at.open();
      assert.deepEqual(await stream.break(how), { by: "network", code: 1006, reason: "", opened: true });
      assert.equal((await far.closed).code, 1006);
      assert.deepEqual(codes(stream), []);
    });
  }

  it("comes even from a gateway that does not answer the close", async () => {
    const { stream, far } = await at.open();
    far.socket.pause();
    assert.equal((await stream.stop()).by, "twilio");
  });
});

describe("pings", () => {
  it("are answered", async () => {
    const { far } = await at.open();
    const pong = new Promise((resolve) => far.socket.on("pong", (bytes) => resolve(bytes.toString())));
    far.socket.ping("are you there");
    assert.equal(await pong, "are you there");
  });

  it("can be left unanswered", async () => {
    const { stream, far } = await at.open({ answersPings: false });
    await far.nextEvent("start");
    let ponged = false;
    far.socket.on("pong", () => {
      ponged = true;
    });
    far.socket.ping();
    far.mark("after the ping");
    await stream.next("mark");
    await far.nextEvent("mark");
    assert.equal(ponged, false);
  });

  it("reach nobody on a frozen stream, which sends nothing either", async () => {
    const { stream, far } = await at.open();
    await far.nextEvent("media");
    stream.freeze();
    const other = at.twin.openStream({ url: STREAM_URL });
    await other.opened;
    far.socket.ping();
    far.mark("unheard");
    const sentBefore = stream.framesSent;
    await other.until("time to pass", () => other.framesSent >= 10 || undefined);
    assert.equal(stream.framesSent, sentBefore);
    assert.equal(stream.received.length, 0);
    assert.equal(far.socket.readyState, far.socket.OPEN);
    assert.equal((await stream.close()).by, "twilio");
  });
});

describe("closing the twin", () => {
  it("ends every stream and every wait", async () => {
    const { stream } = await at.open();
    const waiting = assert.rejects(stream.next("clear"), /the stream was over/);
    await at.twin.close();
    assert.equal((await stream.ended).by, "network");
    await waiting;
  });
});
