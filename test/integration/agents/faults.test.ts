// A WebSocket agent's server that can't be reached, dies, floods or doesn't read: what the caller hears of it, what the
// record keeps, and what is counted. One worker, so that all calls share a breaker as they do in a larger gateway.
import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { after, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { CallRecord } from "../../../src/calls/log/records.ts";
import type { TwinCall } from "../../../src/twin/call.ts";
import { encode } from "../../../src/twin/mulaw.ts";
import { firstAudioMs, killAgents, RESUMABLE } from "../../support/agentDeaths.ts";
import { type AgentConnection, AgentServer } from "../../support/agentServer.ts";
import { codes, farewell, recordAfter, startAgentStory, told } from "../../support/agentStory.ts";
import { counted } from "../../support/counts.ts";
import { startFaultProxy } from "../../support/faultProxy.ts";
import { recordOf } from "../../support/records.ts";
import { returned, returnedCodes } from "../../support/returned.ts";
import { SELF_SIGNED } from "../../support/selfSigned.ts";
import { tone, toneDb } from "../../support/sound.ts";
import { allFree, until } from "../../support/until.ts";

/** A caller is told within this; a loaded machine has four times as long. */
const APOLOGY_MS = 4 * 4_000;
const BACK_MS = 4 * 2_000;
const GONE_MS = 4 * 3_000;
const PCM24 = { encoding: "pcm16", rate_hz: 24_000 };

const tls = createServer(SELF_SIGNED, (_request, response) => response.end());
await new Promise<void>((listening) => tls.listen(0, "127.0.0.1", listening));
after(() => tls.close());
const deaf = await AgentServer.start();
const proxy = await startFaultProxy({ port: Number(new URL(deaf.url).port) });
after(() => proxy.close());

const story = await startAgentStory(
  {
    refused: { url: "ws://127.0.0.1:1/" },
    dns: { url: "wss://nowhere.invalid/" },
    status: { server: { reception: 500 } },
    tls: { url: `wss://127.0.0.1:${(tls.address() as AddressInfo).port}/` },
    timeout: { server: { reception: "ignore" } },
    address: { url: `wss://${hostname()}/` },
    protocol: { server: { ready: { type: "ready", hears: { encoding: "opus" } } } },
    closed: { server: { reception: "cut" } },
    mute: { server: { ready: undefined } },
    back: { server: RESUMABLE },
    gone: { server: RESUMABLE },
    patient: {},
    flood: { server: { ready: { type: "ready", speaks: PCM24 } } },
    deaf: { url: proxy.origin.replace("http", "ws") },
    slow: {},
  },
  { env: { MEDIA_WORKERS: "1" } },
);
const { gateway } = story;

/** When the caller hears of the failure, on the call's axis: on the stream, or from Twilio if it is over by then. */
async function apologyMs(call: TwinCall): Promise<number> {
  await call.ended;
  const isOnStream = call.timeline.events.some(({ kind }) => kind === "media");
  return isOnStream
    ? firstAudioMs(call, 0)
    : call.timeline.events.findLast(({ kind }) => kind === "twiml")!.atMs;
}

/** Sends much in small messages, and lets others of this process have their turn. */
async function saysAll(agent: AgentConnection, audio: Buffer, bytes: number): Promise<void> {
  for (let at = 0; at < audio.length; at += bytes) {
    agent.say(audio.subarray(at, at + bytes));
    if (at % (100 * bytes) === 0) await setImmediate();
  }
}

/** Its record; the caller has heard the whole of one apology. */
async function failedCall(call: TwinCall): Promise<CallRecord> {
  const record = await recordAfter(story, call);
  assert.deepEqual([record.outcome, record.endedBy], ["agent_failed", "agent"]);
  if (record.isApologized) assert.ok(call.stream!.playedMs > 3_000, `${call.stream!.playedMs} ms played`);
  assert.deepEqual(farewell(call), record.isApologized ? ["Hangup"] : ["Say", "Hangup"]);
  return record;
}

describe("an agent's server fails", { concurrency: true }, () => {
  describe("a call whose agent can't be reached", { concurrency: true }, () => {
    for (const [name, kind, what] of [
      ["dns", "dns", "its name is not found"],
      ["status", "status", "its server answers 500"],
      ["tls", "tls", "its certificate is its own"],
      ["timeout", "timeout", "its server never answers the handshake"],
      ["mute", "timeout", "its server never says ready"],
      ["address", "address", "its name leads to an address that is not public"],
      ["protocol", "protocol", "its ready is not understood"],
      ["closed", "closed", "its server cuts the connection"],
    ] as const) {
      it(`because ${what} has an apology`, async (t) => {
        const call = await story.dial(name);
        call.answer();
        const tookMs = await apologyMs(call);
        t.diagnostic(`the apology came ${tookMs.toFixed(0)} ms after the webhook`);
        assert.ok(tookMs <= APOLOGY_MS);
        const failures = told(await failedCall(call), "agent_connect_failed");
        assert.equal(failures[0]!.failure, kind);
        assert.ok((failures[0]!.detail as string).length > 10);
      });
    }

    it("before its stream is there is apologized to by Twilio", async () => {
      const call = await story.dial("protocol");
      await until("the agent to fail", () => recordOf(gateway, call).outcome !== undefined);
      call.answer();
      await call.ended;
      assert.equal((await failedCall(call)).isApologized, undefined);
    });

    it("because it is refused has an apology, and those who call next need not wait for theirs", async (t) => {
      const first = await story.ring("refused");
      await first.stream.hasPlayed(20);
      const next: TwinCall[] = [];
      for (let caller = 0; caller < 4; caller++) {
        const call = await story.dial("refused");
        call.answer();
        next.push(call);
      }
      const firstMs = await apologyMs(first.call);
      const tries = told(await failedCall(first.call), "agent_connect_failed");
      assert.deepEqual(
        tries.map(({ failure }) => failure),
        Array(5).fill("refused"),
      );
      const spared: number[] = [];
      for (const call of next) {
        const waitedMs = await apologyMs(call);
        const kinds = told(await failedCall(call), "agent_connect_failed").map(({ failure }) => failure);
        if (kinds[0] === "breaker") spared.push(waitedMs);
        else assert.ok(kinds.includes("refused"), "this one finds out whether the server is back");
      }
      t.diagnostic(
        `apologies after ${firstMs.toFixed(0)} and ${spared.map((ms) => ms.toFixed(0)).join(", ")} ms`,
      );
      assert.ok(firstMs <= APOLOGY_MS);
      // One tries; and one more if this machine took longer than the breaker is open.
      assert.ok(spared.length >= 2 && Math.min(...spared) <= 4 * 250);
    });
  });

  describe("a call whose agent is lost in mid-call", { concurrency: true }, () => {
    it("goes on with it when it is back, and has an apology when it is not: twenty times", async (t) => {
      const { backMs, apologyMs } = await killAgents(story, 10);
      const [back, apology] = [Math.max(...backMs), Math.max(...apologyMs)];
      t.diagnostic(
        `back after ${back.toFixed(0)} ms at most, apologies after ${apology.toFixed(0)} ms at most`,
      );
      assert.ok(back <= BACK_MS && apology <= GONE_MS);
    });
  });

  describe("a call whose agent is far ahead", { concurrency: true }, () => {
    it("is paused, and nothing it says is lost", async (t) => {
      const { call, stream, agent } = await story.talk("patient");
      const said = codes(32_000, 4);
      agent.send({ type: "utterance_start", id: "long" });
      await saysAll(agent, said, 160);
      agent.send({ type: "hang_up" });
      await call.ended;
      const record = await recordAfter(story, call);
      // A front thread that stands still for half a second, as on a loaded machine, has dropped what came meanwhile.
      const dropped = await counted(gateway, "frames_total", { direction: "out", fate: "dropped_lane" });
      t.diagnostic(`${dropped} frames dropped between the threads`);
      if (dropped === 0) assert.ok(returnedCodes(stream).equals(said));
      else assert.ok(returnedCodes(stream).length >= said.length - 160 * dropped);
      assert.deepEqual([record.outcome, record.heardMs], ["agent_hung_up", 32_000]);
      const [paused] = told(record, "agent_paused");
      assert.ok((paused!.queuedMs as number) <= 30_000);
    });

    it("by minutes is not read from, and what is new is heard at once when the caller interrupts", async (t) => {
      const { call, stream, agent } = await story.talk("flood");
      const second = Buffer.from(tone(700 / 3, 3_000).buffer); // at 24 kHz 700 Hz
      agent.send({ type: "utterance_start", id: "endless" });
      await saysAll(agent, Buffer.alloc(600 * 48_000, second), 960);
      await stream.hasPlayed(2_000);
      const unread = agent.bufferedBytes;
      assert.ok(unread > 15_000_000, `${unread} bytes of 28,800,000 still wait at the agent's side`);
      const spokeMs = call.timeline.nowMs();
      stream.say(tone(350, 400, -15));
      const { number } = await agent.next("interrupted");
      const clearedMs = call.timeline.nowMs();
      agent.send({ type: "utterance_start", id: "new", interruption: number });
      agent.say(Buffer.from(tone(1_100 / 3, 1_500).buffer));
      agent.send({ type: "hang_up" });
      await call.ended;
      const nextMs = firstAudioMs(call, clearedMs) - clearedMs;
      t.diagnostic(
        `${(unread / 1e6).toFixed(1)} MB unread; silent after ${(clearedMs - spokeMs).toFixed(0)} ms; what is new came ${nextMs.toFixed(0)} ms later`,
      );
      assert.ok(toneDb(returned(stream).subarray(-3_000), 1_100) > -14);
      assert.ok(toneDb(returned(stream).subarray(-3_000), 700) < -45);
      const record = await recordAfter(story, call);
      const [cut] = told(record, "interrupted");
      assert.ok((cut!.droppedMs as number) <= 30_500, `${cut!.droppedMs} ms were queued`);
      assert.equal(record.outcome, "agent_hung_up");
      assert.ok(told(record, "agent_paused").length >= 1);
    });
  });

  describe("a call whose agent doesn't read", { concurrency: true }, () => {
    it("loses the caller's oldest audio, and goes on when it reads again", async () => {
      const { call, stream, agent } = await story.talk("slow");
      await until("audio to flow", () => agent.audio.length > 10);
      agent.stopReading();
      const stoppedMs = stream.nowMs;
      await stream.until("more than four seconds", () => stream.nowMs > stoppedMs + 4_300 || undefined);
      const newest = codes(300, 8);
      stream.say(newest);
      await stream.hasSaidAll();
      agent.listen();
      await until("the newest to be heard", () => Buffer.concat(agent.audio).includes(newest));
      agent.say(encode(tone(700, 200)));
      agent.send({ type: "hang_up" });
      await call.ended;
      const record = await recordAfter(story, call);
      assert.equal(record.outcome, "agent_hung_up");
      assert.deepEqual(told(record, "agent_dropped"), []);
      const [behind] = told(record, "agent_behind");
      assert.ok((behind!.behindMs as number) >= 2_000);
    });

    it("ever again is lost, and has an apology", async (t) => {
      const { call, stream } = await story.ring("deaf");
      await until("audio to flow", () => (deaf.connections[0]?.audio.length ?? 0) > 10);
      const [link] = proxy.links();
      link!.toServer.pause();
      link!.toClient.pause();
      proxy.refuse(true);
      const pausedMs = stream.nowMs;
      await call.ended;
      const tookMs = firstAudioMs(call, pausedMs) - pausedMs;
      t.diagnostic(`the apology came ${tookMs.toFixed(0)} ms after the server's last word`);
      assert.ok(tookMs >= 2_500 && tookMs <= 4 * 8_000);
      const record = await recordAfter(story, call);
      assert.equal(record.outcome, "agent_failed");
      assert.equal(told(record, "agent_behind").length, 1);
      assert.deepEqual(
        told(record, "agent_dropped").map(({ result }) => result),
        ["failed"],
      );
      assert.deepEqual(farewell(call), ["Hangup"]);
    });
  });
});

describe("after all of them", () => {
  it("nothing is held, and each fault is counted", async () => {
    await allFree(story);
    const page = await (await fetch(`${story.origin}/metrics`)).text();
    const total = (name: string, label: string) => {
      const [, value = "none"] = new RegExp(`^linecard_${name}\\{${label}\\} (.+)$`, "m").exec(page) ?? [];
      return Number(value);
    };
    const failures = (failure: string) => total("agent_connect_failures_total", `failure="${failure}"`);
    for (const failure of ["dns", "status", "tls", "timeout", "address", "closed", "breaker"])
      assert.ok(failures(failure) >= 1, failure);
    assert.ok(failures("refused") >= 5 && failures("protocol") >= 2);
    assert.equal(total("agent_drops_total", `result="reconnected"`), 10);
    assert.equal(total("agent_drops_total", `result="failed"`), 11);
    assert.ok((await counted(gateway, "agent_pauses_total")) >= 2);
    assert.equal(await counted(gateway, "agent_behind_total"), 2);
    assert.ok((await counted(gateway, "frames_total", { fate: "dropped_agent" })) >= 50);
  });
});
