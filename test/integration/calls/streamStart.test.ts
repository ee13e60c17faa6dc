// How a stream must introduce itself and behave: whoever does not is closed with 1008, and the call ends with the
// reason that belongs to the moment.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TwinCall } from "../../../src/twin/call.ts";
import { CONNECTED, startBody } from "../../../src/twin/messages.ts";
import type { TwinStream } from "../../../src/twin/stream.ts";
import { counted } from "../../support/counts.ts";
import { ECHO_NUMBER, startStory } from "../../support/gateway.ts";
import { MovableClock } from "../../support/movableClock.ts";
import { recordOf } from "../../support/records.ts";
import { allFree, until } from "../../support/until.ts";
import { upgrade } from "./requests.ts";

const APOLOGY = /<Say>.+<\/Say><Hangup\/>/;
const SILENCE = Buffer.alloc(160, 0xff).toString("base64");
const OTHER_CALL = `CA${"0".repeat(32)}`;
const OTHER_ACCOUNT = `AC${"0".repeat(32)}`;
const OTHER_STREAM = `MZ${"0".repeat(32)}`;

const clock = new MovableClock();
const story = await startStory({ clock });
const { gateway, twilio, origin } = story;

const outcomeOf = (call: TwinCall) => recordOf(gateway, call).outcome;
const isLive = (call: TwinCall) =>
  until("the call to be live", () => recordOf(gateway, call).startedAtMs !== undefined);
const breaches = (violation: string) => counted(gateway, "stream_violations_total", { violation });
const media = (sequence = 2, chunk = 1) => ({
  sequenceNumber: String(sequence),
  media: { track: "inbound", chunk: String(chunk), timestamp: String(100 + 20 * chunk), payload: SILENCE },
});

/** A call whose stream is open and has not said anything. */
async function connecting() {
  const call = await twilio.dial({ to: ECHO_NUMBER });
  return { call, stream: await call.connect({ automatic: false }) };
}

/** A call whose stream has started, and says nothing more by itself. */
async function started() {
  const { call, stream } = await connecting();
  stream.send(CONNECTED);
  stream.sendEvent("start", startBody(stream.facts));
  await isLive(call);
  return { call, stream };
}

/** The gateway closed the stream for a breach of this kind, the call ended once, and everything is free. */
async function isClosedFor(
  violation: string,
  outcome: string,
  breach: () => Promise<{ call: TwinCall; stream: TwinStream }>,
) {
  const [before, ended] = [await breaches(violation), await counted(gateway, "calls_ended_total")];
  const { call, stream } = await breach();
  const end = await stream.ended;
  assert.deepEqual([end.by, end.code], ["gateway", 1008]);
  assert.equal(outcomeOf(call), outcome);
  assert.equal(await breaches(violation), before + 1);
  const { path, reason } = { path: new URL(stream.facts.publicUrl).pathname, reason: "token_used" };
  const used = await counted(gateway, "stream_refused_total", { reason });
  assert.equal(await upgrade(origin, path), 403);
  assert.equal(await counted(gateway, "stream_refused_total", { reason }), used + 1);
  await call.ended; // Twilio has asked what comes next
  const verbs = call.timeline.events.findLast((event) => event.kind === "twiml");
  assert.deepEqual(
    verbs?.verbs.map(({ verb }) => verb),
    ["Say", "Hangup"],
  );
  assert.match((await call.repeatWebhook()).body, APOLOGY);
  await allFree(story);
  assert.equal(await counted(gateway, "calls_ended_total"), ended + 1);
}

describe("a stream that does not start", () => {
  it("is closed five seconds after its upgrade", () =>
    isClosedFor("no_start", "no_stream", async () => {
      const opened = await connecting();
      await clock.advance(2_000);
      assert.equal(outcomeOf(opened.call), undefined);
      await clock.advance(3_500);
      return opened;
    }));

  it("is closed all the same when it says that it is connected, and things nobody understands", () =>
    isClosedFor("no_start", "no_stream", async () => {
      const opened = await connecting();
      opened.stream.send(CONNECTED);
      opened.stream.send({ event: "hello", streamSid: opened.stream.facts.streamSid });
      for (const text of ["", "{", "[]", "null", '{"event":5}', '{"event":"start"}', "\u0000"]) {
        opened.stream.send(text);
      }
      await clock.advance(5_500);
      return opened;
    }));

  it("ends its call when its connection is cut instead", async () => {
    const { call, stream } = await connecting();
    await stream.break("reset");
    await allFree(story);
    assert.equal(outcomeOf(call), "no_stream");
  });
});

describe("a stream that speaks before its start", () => {
  const early: Record<string, object> = {
    media: { event: "media", ...media() },
    mark: { event: "mark", sequenceNumber: "2", mark: { name: "a" } },
    dtmf: { event: "dtmf", sequenceNumber: "2", dtmf: { track: "inbound_track", digit: "1" } },
    stop: { event: "stop", sequenceNumber: "2", stop: { accountSid: OTHER_ACCOUNT, callSid: OTHER_CALL } },
  };
  for (const [event, message] of Object.entries(early)) {
    it(`is closed at once: ${event}`, () =>
      isClosedFor("early_message", "no_stream", async () => {
        const opened = await connecting();
        opened.stream.send(CONNECTED);
        opened.stream.send({ ...message, streamSid: opened.stream.facts.streamSid });
        return opened;
      }));
  }
});

describe("a start that is not the token's", () => {
  const wrong: Record<string, { violation: string; changes: object }> = {
    "another call": { violation: "start_mismatch", changes: { callSid: OTHER_CALL } },
    "another account": { violation: "start_mismatch", changes: { accountSid: OTHER_ACCOUNT } },
    "another encoding": { violation: "start_format", changes: format({ encoding: "audio/l16" }) },
    "another rate": { violation: "start_format", changes: format({ sampleRate: 16_000 }) },
    "two channels": { violation: "start_format", changes: format({ channels: 2 }) },
  };
  for (const [what, { violation, changes }] of Object.entries(wrong)) {
    it(`is closed, and the right one comes too late: ${what}`, () =>
      isClosedFor(violation, "no_stream", async () => {
        const { call, stream } = await connecting();
        stream.send(CONNECTED);
        stream.sendEvent("start", { ...startBody(stream.facts), ...changes });
        stream.sendEvent("start", startBody(stream.facts));
        return { call, stream };
      }));
  }

  function format(changes: object): object {
    return { mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1, ...changes } };
  }
});

describe("a stream that breaks the contract after its start", () => {
  it("is closed for a second start", () =>
    isClosedFor("start_twice", "protocol_error", async () => {
      const { call, stream } = await started();
      stream.sendEvent("start", startBody(stream.facts));
      return { call, stream };
    }));

  it("is closed for a second start, even one for another stream", () =>
    isClosedFor("start_twice", "protocol_error", async () => {
      const { call, stream } = await started();
      const other = { ...stream.facts, streamSid: OTHER_STREAM };
      stream.send({ event: "start", sequenceNumber: "2", start: startBody(other), streamSid: OTHER_STREAM });
      return { call, stream };
    }));

  const foreign: Record<string, object> = {
    media: { event: "media", ...media() },
    // Written as no Twilio writes it, so that it takes the other way through the decoder.
    "media in another order": { streamSid: OTHER_STREAM, ...media(), event: "media" },
    mark: { event: "mark", sequenceNumber: "2", mark: { name: "a" } },
    dtmf: { event: "dtmf", sequenceNumber: "2", dtmf: { track: "inbound_track", digit: "1" } },
    stop: { event: "stop", sequenceNumber: "2", stop: { accountSid: OTHER_ACCOUNT, callSid: OTHER_CALL } },
  };
  for (const [event, message] of Object.entries(foreign)) {
    it(`is closed for another stream's ${event}`, () =>
      isClosedFor("foreign_stream", "protocol_error", async () => {
        const { call, stream } = await started();
        stream.send({ ...message, streamSid: OTHER_STREAM });
        return { call, stream };
      }));
  }
});

describe("a stream with manners of its own", () => {
  it("need not say that it is connected", async () => {
    const { call, stream } = await connecting();
    stream.sendEvent("start", startBody(stream.facts));
    for (let chunk = 1; chunk <= 10; chunk++)
      stream.send({ event: "media", ...media(chunk + 1, chunk), streamSid: stream.facts.streamSid });
    await stream.hasPlayed(100);
    assert.equal((await call.hangUp()).how, "caller");
    assert.equal(outcomeOf(call), "caller_hung_up");
  });

  it("may say it again, and send events and fields that are new", async () => {
    const { call, stream } = await connecting();
    stream.send({ event: "hello" });
    stream.send(CONNECTED);
    stream.send(CONNECTED);
    stream.sendEvent("start", { ...startBody(stream.facts), novelty: [1] });
    stream.send(CONNECTED);
    stream.send({ event: "hello", streamSid: stream.facts.streamSid });
    for (let chunk = 1; chunk <= 10; chunk++)
      stream.send({
        novelty: {},
        event: "media",
        ...media(chunk + 1, chunk),
        streamSid: stream.facts.streamSid,
      });
    await stream.hasPlayed(100);
    assert.equal((await call.hangUp()).how, "caller");
    assert.deepEqual(call.complaints, []);
  });

  it("may come without parameters, as older ones do", async () => {
    const { call, stream } = await connecting();
    const { customParameters: _, ...start } = startBody(stream.facts) as { customParameters: unknown };
    stream.sendEvent("start", start);
    await isLive(call);
    assert.equal((await call.hangUp()).how, "caller");
  });

  it("is not read where it is binary: neither its start nor what follows, and each is counted", async () => {
    const { call, stream } = await connecting();
    const before = await breaches("binary");
    const start = {
      event: "start",
      sequenceNumber: "1",
      start: startBody(stream.facts),
      streamSid: stream.facts.streamSid,
    };
    stream.send(Buffer.from(JSON.stringify(start)));
    await until("it to be counted", async () => (await breaches("binary")) === before + 1);
    assert.equal(recordOf(gateway, call).startedAtMs, undefined);
    stream.send(start);
    await isLive(call);
    const stop = { event: "stop", sequenceNumber: "2", stop: {}, streamSid: stream.facts.streamSid };
    stream.send(Buffer.from(JSON.stringify(stop)));
    await until("it to be counted", async () => (await breaches("binary")) === before + 2);
    for (let chunk = 1; chunk <= 5; chunk++)
      stream.send({ event: "media", ...media(chunk + 1, chunk), streamSid: stream.facts.streamSid });
    await stream.hasPlayed(40);
    assert.equal((await call.hangUp()).how, "caller");
  });

  it("is closed when it sends far more than a call has, before its start and after it", async () => {
    const flood = (stream: TwinStream) => {
      for (let n = 0; n < 3_000; n++) stream.send({ event: "noise" });
    };
    await isClosedFor("flood", "no_stream", async () => {
      const { call, stream } = await connecting();
      flood(stream);
      return { call, stream };
    });
    await isClosedFor("flood", "protocol_error", async () => {
      const { call, stream } = await started();
      flood(stream);
      return { call, stream };
    });
  });

  it("may bring what piled up on its way: eight seconds of audio at once", async () => {
    const { call, stream } = await started();
    for (let chunk = 1; chunk <= 400; chunk++)
      stream.send({ event: "media", ...media(chunk + 1, chunk), streamSid: stream.facts.streamSid });
    await stream.hasPlayed(1_000);
    assert.equal((await call.hangUp()).how, "caller");
    assert.equal(outcomeOf(call), "caller_hung_up");
  });
});
