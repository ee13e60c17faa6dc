// The caller's side of the network at its worst: Twilio's connection reset anywhere, a Twilio that stops reading, a
// scrape that hangs. Whoever else is on the phone notices nothing, and nothing is kept of it.
import assert from "node:assert/strict";
import net from "node:net";
import { after, describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import type { TwinStream } from "../../../src/twin/stream.ts";
import { TwilioTwin } from "../../../src/twin/twin.ts";
import { connectionOf, startAgentStory } from "../../support/agentStory.ts";
import { counted } from "../../support/counts.ts";
import { startFaultProxy } from "../../support/faultProxy.ts";
import { ACCOUNT_SID, AUTH_TOKEN, ECHO_NUMBER } from "../../support/gateway.ts";
import { recordOf } from "../../support/records.ts";
import { hasReturned, returned, returnedCodes } from "../../support/returned.ts";
import { tone, toneDb } from "../../support/sound.ts";
import { until } from "../../support/until.ts";

const story = await startAgentStory({ ear: {} });
const { gateway } = story;
const proxy = await startFaultProxy({ port: gateway.settings.port });
const throughProxy = new TwilioTwin({
  accountSid: ACCOUNT_SID,
  authToken: AUTH_TOKEN,
  publicBase: gateway.settings.publicBase.href,
  gatewayBase: proxy.origin,
});
after(async () => {
  await throughProxy.close();
  await proxy.close();
});

/** Twilio's half of a stream, on its way through the proxy. */
const STREAM = /^GET \/media\//;
/** A machine that others use may hold a bystander's frames up a little, and a fault for as long as it lasts. */
const GAP_MS = 1_000;

/** A call beside the faults. `unharmed` hangs it up: nothing of what it said was lost, or came in fits. */
async function bystander(): Promise<{ stream: TwinStream; unharmed: (t: TestContext) => Promise<void> }> {
  const call = await story.twilio.dial({ to: ECHO_NUMBER });
  const stream = await call.connect();
  await hasReturned(stream, 100);
  const from = stream.received.length;
  const sentBefore = stream.framesSent;
  return {
    stream,
    async unharmed(t) {
      const frames = stream.received.slice(from).filter(({ message }) => message?.event === "media");
      const gapMs = Math.max(...frames.slice(1).map(({ atMs }, at) => atMs - frames[at]!.atMs));
      const behindMs = 20 * (stream.framesSent - sentBefore - frames.length);
      t.diagnostic(`a call beside it was never longer without a frame than ${gapMs.toFixed(0)} ms`);
      assert.ok(gapMs <= GAP_MS, `${gapMs} ms without a frame`);
      assert.ok(behindMs <= GAP_MS, `${behindMs} ms of what was said have not come back`);
      assert.equal((await call.hangUp()).how, "caller");
    },
  };
}

describe("Twilio's connection, reset", () => {
  const SEED = Number(process.env.SEED ?? Date.now() % 1e9);
  /** The agent is to know within this much… */
  const TOLD_MS = 100;

  it("at any byte ends that call alone: its agent is told at once, and nothing of it is left", async (t) => {
    t.diagnostic(`seed ${SEED}`);
    const beside = await bystander();
    const lostBefore = await counted(gateway, "calls_ended_total", { reason: "media_lost" });
    // A frame of audio is some 300 bytes, with its head of 8: these are heads, payloads and the seams between them.
    const offsets = fc.sample(fc.integer({ min: 1, max: 1_500 }), { numRuns: 20, seed: SEED });
    const toldMs: number[] = [];
    for (const bytes of offsets) {
      const call = await throughProxy.dial({ to: story.numberOf("ear") });
      const stream = await call.connect();
      const agent = await connectionOf(story.servers.ear, call);
      await until("the agent to hear the caller", () => agent.audioBytes > 0);
      const link = await proxy.link(STREAM);
      link.toServer.cutAfter(bytes);
      await link.gone;
      const resetMs = performance.now();
      await until("the agent to be told", () => agent.messages.some(({ type }) => type === "ended"));
      toldMs.push(performance.now() - resetMs);
      await until("its connection to be closed", () => agent.closed !== undefined);
      await until("its task to be over", () => gateway.pool.state().calls === 1);
      await stream.ended;
      assert.equal(recordOf(gateway, call).outcome, "media_lost", `reset after ${bytes} bytes`);
      assert.equal(story.held().sockets, 1);
      await call.ended; // Twilio has asked what comes next
    }
    toldMs.sort((one, other) => one - other);
    const [most, worst] = [toldMs[14]!, toldMs[19]!].map((ms) => ms.toFixed(0));
    t.diagnostic(`agents were told within ${worst} ms, fifteen of twenty within ${most} ms`);
    assert.ok(toldMs[14]! <= 4 * TOLD_MS, `agents were told after ${toldMs.map(Math.round)} ms`);
    const lost = (await counted(gateway, "calls_ended_total", { reason: "media_lost" })) - lostBefore;
    assert.equal(lost, offsets.length, "each ended once");
    assert.equal(await counted(gateway, "faults_total"), 0);
    await beside.unharmed(t);
  });
});

describe("what no telephone sends", () => {
  /** Text frames on a live stream. `null`: it is left out, counted, and the call goes on. */
  const FRAMES: Readonly<Record<string, readonly [text: string, closes: number | null]>> = {
    "a payload of a megabyte": [media(Buffer.alloc(786_432, 0x7f).toString("base64")), 1006],
    "a message of just more than one may have": [media("/".repeat(16_384)), 1006],
    "base64 that is none": [media("not base64!"), null],
    "a payload of odd length": [media("abc"), null],
    "no payload": [media(undefined), null],
    "half a message": [media("//8=").slice(0, 60), null],
    "another type in each field": ['{"event":"media","streamSid":7,"sequenceNumber":{},"media":[]}', null],
    "a hundred brackets": ["[".repeat(100), null],
  };

  function media(payload: string | undefined): string {
    return JSON.stringify({
      event: "media",
      media: { track: "inbound", chunk: "1", timestamp: "9", payload },
    });
  }

  it("harms that call at the most, and is counted", async (t) => {
    const beside = await bystander();
    for (const [what, [text, closes]] of Object.entries(FRAMES)) {
      const malformedBefore = await counted(gateway, "messages_malformed_total");
      const call = await story.twilio.dial({ to: ECHO_NUMBER });
      const stream = await call.connect();
      await hasReturned(stream, 40);
      stream.send(text);
      if (closes === null) {
        const isCounted = async () => (await counted(gateway, "messages_malformed_total")) > malformedBefore;
        await until(`${what} to be counted`, isCounted);
        await hasReturned(stream, 200);
        assert.equal((await call.hangUp()).how, "caller", what);
        continue;
      }
      const code = String(closes);
      await stream.ended;
      await until("its end", () => recordOf(gateway, call).outcome !== undefined);
      assert.equal(recordOf(gateway, call).outcome, "media_lost", what);
      assert.ok((await counted(gateway, "media_sockets_closed_total", { code })) >= 1, what);
    }
    assert.equal(await counted(gateway, "faults_total"), 0);
    assert.equal(await counted(gateway, "call_errors_total"), 0);
    await beside.unharmed(t);
  });

  it("ends its call when it goes on and on, and not before", async () => {
    const violations = () => counted(gateway, "stream_violations_total", { violation: "malformed" });
    const before = await violations();
    const call = await story.twilio.dial({ to: ECHO_NUMBER });
    const stream = await call.connect();
    for (let times = 0; times < 50; times++) stream.send("{");
    await hasReturned(stream, 200);
    assert.equal(await violations(), before);
    stream.send("{");
    const { by, code } = await stream.ended;
    assert.deepEqual([by, code], ["gateway", 1008]);
    assert.equal(await violations(), before + 1);
    await until("its end", () => recordOf(gateway, call).outcome !== undefined);
    assert.equal(recordOf(gateway, call).outcome, "protocol_error");
    await call.ended;
  });
});

describe("a Twilio that does not read", () => {
  it("holds nobody up and is held little for, and goes on where it was once it reads", async (t) => {
    const beside = await bystander();
    const call = await throughProxy.dial({ to: ECHO_NUMBER });
    const stream = await call.connect();
    await hasReturned(stream, 100);
    const link = await proxy.link(STREAM);
    const droppedBefore = await counted(gateway, "frames_total", {
      direction: "out",
      fate: "dropped_socket",
    });
    const residentBefore = process.memoryUsage.rss();
    link.toClient.pause();
    const pausedMs = performance.now();
    const heardBefore = returnedCodes(stream).length;
    stream.say(tone(700, 600));
    await until("three seconds without a reader", () => performance.now() - pausedMs >= 3_000);
    // What is on the way now is in the system's buffers, which are some megabytes, and no more than was said.
    assert.ok(returnedCodes(stream).length - heardBefore <= 8 * 500, "nothing comes through");
    const grownBytes = process.memoryUsage.rss() - residentBefore;
    t.diagnostic(`the process grew by ${(grownBytes / 1_024).toFixed(0)} KiB meanwhile`);
    assert.ok(grownBytes < 64 * 1_024 * 1_024);

    link.toClient.resume();
    await stream.until(
      "what was said meanwhile",
      () => toneAt(stream, heardBefore) !== undefined || undefined,
    );
    const dropped = await counted(gateway, "frames_total", { direction: "out", fate: "dropped_socket" });
    assert.equal(dropped, droppedBefore, "three seconds are not worth dropping anything");
    assert.equal((await call.hangUp()).how, "caller");
    await beside.unharmed(t);
  });
});

describe("a Twilio that never reads again", () => {
  /** Nothing confirmed for so long, and nobody hears the agent any more; it is noticed a little later. */
  const STALLED_MS = 5_000;

  it("has lost its caller, and Twilio is left to say so", async (t) => {
    const beside = await bystander();
    const call = await throughProxy.dial({ to: ECHO_NUMBER });
    const stream = await call.connect();
    await hasReturned(stream, 100);
    const link = await proxy.link(STREAM);
    link.toClient.pause();
    const pausedMs = performance.now();
    await until("the call to end", () => recordOf(gateway, call).outcome !== undefined, 4 * STALLED_MS);
    const tookMs = performance.now() - pausedMs;
    t.diagnostic(`the call ended ${(tookMs / 1_000).toFixed(1)} s after the last byte was read`);
    assert.equal(recordOf(gateway, call).outcome, "media_lost");
    assert.ok(tookMs >= STALLED_MS - 500, "a pause of less is survived");
    await until("its socket to be gone", () => story.held().sockets === 1);
    link.reset();
    await call.ended;
    await beside.unharmed(t);
  });
});

describe("a scrape", () => {
  const SCRAPE = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";

  it("that hangs, again and again, holds up no call and no other scrape", async (t) => {
    const beside = await bystander();
    const scrapers = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const socket = net.connect({ host: "127.0.0.1", port: gateway.settings.port });
        socket.on("error", () => {});
        socket.pause(); // asks and never reads
        socket.write(SCRAPE);
        return socket;
      }),
    );
    const reading = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const askedMs = performance.now();
        const answer = await fetch(`${story.origin}/metrics`);
        assert.match(await answer.text(), /linecard_calls_live 1/);
        return performance.now() - askedMs;
      }),
    );
    await hasReturned(beside.stream, 1_000);
    t.diagnostic(
      `55 scrapes at once, 50 of which hang: an answer took ${Math.max(...reading).toFixed(0)} ms at most`,
    );
    await beside.unharmed(t);
    const connections = gateway.front.connections();
    for (const socket of scrapers) socket.resetAndDestroy();
    await until("the scrapers to be gone", () => gateway.front.connections() <= connections - 50);
  });
});

describe("after all of them", () => {
  it("nothing is held", async () => {
    await until("everything to be free", () =>
      Object.values(story.held()).every((value) => Number(value) === 0),
    );
  });
});

/** Where the 700 Hz tone begins in what the gateway has sent since, in bytes. */
function toneAt(stream: TwinStream, since: number): number | undefined {
  const heard = returned(stream);
  for (let at = since; at + 1_600 <= heard.length; at += 800) {
    if (toneDb(heard.subarray(at, at + 1_600), 700) > -14) return at;
  }
  return undefined;
}
