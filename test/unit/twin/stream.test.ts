import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { expand, SILENCE_CODE } from "../../../src/twin/mulaw.ts";
import { sign } from "../../../src/twin/signature.ts";
import { TwilioTwin } from "../../../src/twin/twin.ts";
import { WRONG_SIGNATURE } from "../../../src/twin/webhook.ts";
import { FakeClock } from "./fakeClock.ts";
import { type FarEnd, StandIn } from "./standIn.ts";
import { account, codes, fixture, PUBLIC_BASE, STREAM_URL } from "./streamFixture.ts";

const at = fixture();

describe("a stream's upgrade", () => {
  it("is Twilio's: signed over the public wss address, without origin, extensions or subprotocol", async () => {
    await at.open();
    const { target, headers } = at.gateway.upgrades[0]!;
    assert.equal(target, "/media/token");
    assert.equal(headers["x-twilio-signature"], sign("secret", STREAM_URL));
    assert.equal(headers["user-agent"], "Twilio.TmeWs/1.0");
    assert.equal(headers.host, "gw.example.com");
    for (const name of ["origin", "sec-websocket-extensions", "sec-websocket-protocol", "cookie"]) {
      assert.equal(headers[name], undefined, name);
    }
  });

  it("can be unsigned, wrongly signed, or have other headers", async () => {
    await at.open({ signing: "missing" });
    await at.open({ signing: WRONG_SIGNATURE, headers: { Origin: "https://evil.example.com" } });
    const [unsigned, forged] = at.gateway.upgrades;
    assert.equal(unsigned!.headers["x-twilio-signature"], undefined);
    assert.equal(forged!.headers["x-twilio-signature"]!.length, 28);
    assert.notEqual(forged!.headers["x-twilio-signature"], sign("secret", STREAM_URL));
    assert.equal(forged!.headers.origin, "https://evil.example.com");
  });

  it("that is refused is 31920", async () => {
    at.gateway.upgradeStatus = 403;
    const stream = at.twin.openStream({ url: STREAM_URL });
    await assert.rejects(stream.opened, /there was no stream: the upgrade was answered with 403/);
    assert.deepEqual(await stream.ended, {
      by: "gateway",
      code: 1006,
      reason: "the upgrade was answered with 403",
      opened: false,
    });
    assert.deepEqual(codes(stream), [31920]);
  });

  it("that nobody listens for is 31902", async () => {
    await at.gateway.close();
    const stream = at.twin.openStream({ url: STREAM_URL });
    assert.equal((await stream.ended).by, "network");
    assert.deepEqual(codes(stream), [31902]);
    at.gateway = await StandIn.start();
  });
});

describe("what a stream sends", () => {
  it("begins with connected and start, then media without end", async () => {
    const { stream, far } = await at.open();
    const { accountSid, callSid, streamSid, firstTimestampMs } = stream.facts;
    assert.deepEqual(await far.next(), { event: "connected", protocol: "Call", version: "1.0.0" });
    assert.deepEqual(await far.next(), {
      event: "start",
      sequenceNumber: "1",
      streamSid,
      start: {
        accountSid,
        callSid,
        streamSid,
        tracks: ["inbound"],
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 },
        customParameters: { from: "+1" },
      },
    });
    assert.ok(firstTimestampMs >= 60 && firstTimestampMs <= 200);
    for (let n = 0; n < 20; n++) {
      assert.deepEqual(await far.next(), {
        event: "media",
        sequenceNumber: String(n + 2),
        streamSid,
        media: {
          track: "inbound",
          chunk: String(n + 1),
          timestamp: String(firstTimestampMs + 20 * n),
          payload: Buffer.alloc(160, SILENCE_CODE).toString("base64"),
        },
      });
    }
    for (const sid of [callSid, streamSid]) assert.match(sid, /^(CA|MZ)[0-9a-f]{32}$/);
  });

  it("keeps to the clock: never early, and caught up after every delay", async () => {
    const clock = new FakeClock();
    const slow = new TwilioTwin({ ...account, publicBase: PUBLIC_BASE, gatewayBase: at.gateway.base, clock });
    const stream = slow.openStream({ url: STREAM_URL });
    await stream.opened;
    clock.advance(499);
    assert.equal(stream.framesSent, 25);
    clock.stall(1_000);
    assert.equal(stream.framesSent, 75);
    clock.advance(100);
    assert.equal(stream.framesSent, 80);
    const far = await at.gateway.firstStream();
    const { media } = await far.next((message) => message.media?.chunk === "80");
    assert.equal(media.timestamp, String(stream.facts.firstTimestampMs + 20 * 79));
    await slow.close();
    assert.equal(clock.running, 0);
  });

  it("says what it is told, across frame borders, and silence afterwards", async () => {
    const { stream, far } = await at.open();
    stream.say(new Uint8Array(100).fill(1));
    stream.say(Int16Array.from({ length: 100 }, () => 32_124));
    const isSpeech = (message: { event: string; media: { payload: string } }) =>
      message.event === "media" && Buffer.from(message.media.payload, "base64")[0] !== SILENCE_CODE;
    const first = Buffer.from((await far.next(isSpeech)).media.payload, "base64");
    const second = Buffer.from((await far.next()).media.payload, "base64");
    const third = Buffer.from((await far.next()).media.payload, "base64");
    assert.deepEqual([...first], [...new Array(100).fill(1), ...new Array(60).fill(0x80)]);
    assert.deepEqual([...second], [...new Array(40).fill(0x80), ...new Array(120).fill(SILENCE_CODE)]);
    assert.ok(third.every((code) => code === SILENCE_CODE));
    await stream.hasSaidAll();
    const said = stream.caller.samples(0, stream.startedMs! + 60_000).filter((sample) => sample !== 0);
    assert.deepEqual([...said], [...new Array(100).fill(expand(1)), ...new Array(100).fill(32_124)]);
  });

  it("counts keys and everything else in one sequence", async () => {
    const { stream, far } = await at.open();
    await far.nextEvent("media");
    stream.press("#");
    const { sequenceNumber, ...dtmf } = await far.nextEvent("dtmf");
    const { streamSid } = stream.facts;
    assert.deepEqual(dtmf, { event: "dtmf", streamSid, dtmf: { track: "inbound_track", digit: "#" } });
    assert.equal((await far.nextEvent("media")).sequenceNumber, String(Number(sequenceNumber) + 1));
  });

  it("goes on with the clock after a gap in which audio was lost", async () => {
    const { stream, far } = await at.open();
    const last = await far.nextEvent("media");
    stream.mute(true);
    const before = stream.framesSent;
    await stream.until("some frames to be lost", () => stream.framesSent >= before + 5 || undefined);
    stream.mute(false);
    const isAfterGap = ({ media }: { media?: { chunk: string } }) => Number(media?.chunk) > before + 1;
    const next = await far.next(isAfterGap);
    assert.ok(Number(next.media.chunk) >= Number(last.media.chunk) + 5);
    assert.equal(
      Number(next.media.timestamp) - Number(last.media.timestamp),
      20 * (Number(next.media.chunk) - Number(last.media.chunk)),
    );
    assert.equal(next.sequenceNumber, String(far.messages.indexOf(next)));
  });

  it("is nothing but what the test sends, until it is introduced", async () => {
    const { stream, far } = await at.open({ automatic: false });
    stream.send({ event: "media" });
    stream.send("[]");
    stream.introduce({ callSid: "CA-changed" });
    assert.deepEqual(await far.next(), { event: "media" });
    assert.deepEqual(await far.next(), []);
    assert.equal((await far.next()).event, "connected");
    assert.equal((await far.next()).start.callSid, "CA-changed");
    assert.equal((await far.next()).event, "media");
  });
});

describe("what a stream plays", () => {
  it("is played in real time, with silence around it, on the call's time axis", async () => {
    const { stream, far } = await at.open();
    await far.nextEvent("start");
    far.media(100);
    await stream.hasPlayed(100);
    assert.equal(stream.playedMs, 100);
    const firstMs = stream.playback.firstMs!;
    assert.ok(firstMs >= stream.startedMs!);
    const { atMs } = stream.received[0]!;
    assert.ok(Math.abs(firstMs - atMs) < 1);
    const played = stream.played(firstMs - 10, firstMs + 110);
    assert.equal(played.filter((sample) => sample === 32_124).length, 800);
    assert.ok(played.subarray(0, 79).every((sample) => sample === 0));
  });

  it("sends marks back in order, when their audio has been played", async () => {
    const { stream, far } = await at.open();
    await far.nextEvent("start");
    far.mark("at once");
    far.media(200);
    far.mark("half");
    far.media(200);
    far.mark("end");
    const { streamSid } = stream.facts;
    const first = await far.nextEvent("mark");
    assert.deepEqual(
      { ...first, sequenceNumber: "" },
      {
        event: "mark",
        sequenceNumber: "",
        streamSid,
        mark: { name: "at once" },
      },
    );
    assert.equal((await far.nextEvent("mark")).mark.name, "half");
    assert.ok(stream.playedMs >= 200);
    assert.equal((await far.nextEvent("mark")).mark.name, "end");
    assert.equal(stream.playedMs, 400);
  });

  it("drops what a clear drops, and sends the marks back at once", async () => {
    const { stream, far } = await at.open();
    await far.nextEvent("start");
    far.media(60_000);
    far.mark("never played");
    await stream.hasPlayed(40);
    far.clear();
    assert.equal((await far.nextEvent("mark")).mark.name, "never played");
    const { playedMs } = stream;
    assert.ok(playedMs >= 40 && playedMs < 60_000);
    assert.deepEqual(await stream.next("clear"), { event: "clear", streamSid: stream.facts.streamSid });
    far.media(20);
    await stream.hasPlayed(playedMs + 20);
    const samples = stream.played(0, 120_000).filter((sample) => sample !== 0);
    assert.equal(samples.length, (playedMs + 20) * 8);
  });

  it("gives out each message once, and says what it waited for in vain", async () => {
    const { stream, far } = await at.open();
    await far.nextEvent("start");
    far.mark("a");
    far.mark("b");
    assert.equal((await stream.next("mark")).mark.name, "a");
    assert.equal((await stream.next("mark")).mark.name, "b");
    await assert.rejects(
      stream.next("mark", 30),
      /waited for a mark message, but it did not come within 30 ms/,
    );
    const waiting = assert.rejects(
      stream.next("mark"),
      /but the stream was over \(closed by gateway, code 1000\)/,
    );
    far.socket.close(1000);
    await waiting;
  });

  it("stops counting when the stream ends", async () => {
    const { stream, far } = await at.open();
    await far.nextEvent("start");
    far.media(60_000);
    await stream.hasPlayed(30);
    await stream.stop();
    const { playedMs } = stream;
    assert.ok(playedMs < 60_000);
    assert.equal(stream.played(0, 120_000).filter((sample) => sample !== 0).length, playedMs * 8);
    assert.equal(stream.playedMs, playedMs);
  });
});

describe("many streams", () => {
  it("keep their own time, audio and sequence", async () => {
    const echoed: FarEnd[] = [];
    at.gateway.onStream = (far) => {
      echoed.push(far);
      far.socket.on("message", (text) => {
        const { event, streamSid, media } = JSON.parse(text.toString());
        if (event === "media") far.send({ event, streamSid, media: { payload: media.payload } });
      });
    };
    const streams = Array.from({ length: 20 }, () => at.twin.openStream({ url: STREAM_URL }));
    for (const [index, stream] of streams.entries()) stream.say(new Uint8Array(1_600).fill(index));
    await Promise.all(streams.map((stream) => stream.hasSaidAll()));
    await Promise.all(streams.map((stream) => stream.hasPlayed(300)));
    for (const [index, stream] of streams.entries()) {
      const heard = stream.played().filter((sample) => sample !== 0);
      assert.deepEqual(new Set(heard), new Set([expand(index)]));
      assert.deepEqual(codes(stream), []);
    }
  });
});
