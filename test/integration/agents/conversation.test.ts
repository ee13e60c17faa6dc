// A caller and a WebSocket agent talk: what each says reaches the other whole, in order and in the agent's format, and
// the agent knows whom it talks to.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AgentServer } from "../../support/agentServer.ts";
import { codes, connectionOf, recordAfter, startAgentStory, told } from "../../support/agentStory.ts";
import { ApiClient } from "../../support/api.ts";
import { counted } from "../../support/counts.ts";
import { ACCOUNT_SID } from "../../support/gateway.ts";
import { hasReturned, returned, returnedCodes } from "../../support/returned.ts";
import { levelDb, tone, toneDb } from "../../support/sound.ts";
import { allFree, until } from "../../support/until.ts";
import { newExchange, placedCall } from "../calls/outboundRig.ts";

const SILENCE = 0xff;
const TONE_HZ = 1_130; // no two of its periods have the same codes, so that mu-law's noise is noise
const TONE_DB = -12;
/** What mu-law alone leaves of a tone over its noise, less a margin. */
const SNR_DB = 33;

const FORMATS = [
  { name: "pcm8", rateHz: 8_000, messageMs: 20 },
  { name: "pcm16", rateHz: 16_000, messageMs: 60 },
  { name: "pcm24", rateHz: 24_000, messageMs: 100 },
] as const;

/** Both speak at once here, and neither minds. */
const TOGETHER = { interruption: "off" };

const exchange = await newExchange();
const story = await startAgentStory(
  {
    mulaw: { settings: TOGETHER, server: { ready: { type: "ready", hears: { message_ms: 40 } } } },
    pcm8: pcm(FORMATS[0]),
    pcm16: pcm(FORMATS[1]),
    pcm24: pcm(FORMATS[2]),
  },
  { env: { TWILIO_API_BASE_URL: exchange.url } },
);
exchange.setGateway(story.gateway.settings.publicBase.href, story.origin);
const client = new ApiClient(story.origin);

function pcm({ rateHz, messageMs }: (typeof FORMATS)[number]) {
  const format = { encoding: "pcm16", rate_hz: rateHz };
  const hears = { ...format, message_ms: messageMs };
  return { settings: TOGETHER, server: { ready: { type: "ready", hears, speaks: format } } };
}

/** A tone as it is said at this rate; all of these functions take samples for ones of 8 kHz. */
function toneAt(rateHz: number, ms: number): Int16Array {
  return tone((TONE_HZ * 8_000) / rateHz, (ms * rateHz) / 8_000, TONE_DB);
}

/** How loud the tone is, and how far everything else is below it. */
function judged(samples: Int16Array, rateHz: number): { peakDb: number; snrDb: number } {
  const peakDb = toneDb(samples, (TONE_HZ * 8_000) / rateHz);
  const toneEnergy = 10 ** ((peakDb - 10 * Math.log10(2)) / 10);
  const noise = 10 ** (levelDb(samples) / 10) - toneEnergy;
  return { peakDb, snrDb: 10 * Math.log10(toneEnergy / Math.max(noise, 1e-12)) };
}

/** Where the tone begins: its first sample over half of its peak. */
function onsetMs(samples: Int16Array, rateHz: number): number {
  const half = 0.5 * 32_768 * 10 ** (TONE_DB / 20);
  return (1_000 * samples.findIndex((sample) => Math.abs(sample) > half)) / rateHz;
}

function samplesOf(audio: readonly Buffer[]): Int16Array {
  return new Int16Array(new Uint8Array(Buffer.concat(audio)).buffer);
}

describe("a conversation", { concurrency: true }, () => {
  it("in mu-law passes every code as it is, both ways", async () => {
    const { call, stream, agent } = await story.talk("mulaw");
    const said = codes(2_000, 1);
    const answer = codes(2_000, 2);
    stream.say(said);
    agent.send({ type: "utterance_start", id: "answer" });
    for (let at = 0; at < answer.length; at += 333) agent.say(answer.subarray(at, at + 333));
    agent.send({ type: "utterance_end" });
    await Promise.all([stream.hasSaidAll(), hasReturned(stream, 2_000)]);
    const sent = stream.framesSent;
    await until("all that was said to be heard", () => agent.audioBytes >= 160 * sent);
    const heard = Buffer.concat(agent.audio);
    const at = heard.indexOf(said);
    assert.ok(at >= 0 && at % 160 === 0, "the agent hears the caller's codes in one piece");
    const others = [...heard.subarray(0, at), ...heard.subarray(at + said.length)];
    assert.ok(
      others.every((code) => code === SILENCE),
      "and silence before and after",
    );
    assert.ok(
      agent.audio.every(({ length }) => length === 2 * 160),
      "in the messages it asked for",
    );
    assert.ok(returnedCodes(stream).equals(answer), "the caller is sent the agent's codes, and no others");
    await stream.hasPlayed(2_000);
    await call.hangUp();
    const record = await recordAfter(story, call);
    assert.deepEqual(told(record, "agent_connected")[0]!.path, "passthrough");
    assert.deepEqual(call.complaints, []);
  });

  for (const { name, rateHz, messageMs } of FORMATS) {
    it(`in pcm16 at ${rateHz} Hz passes a tone both ways`, async (t) => {
      const { call, stream, agent } = await story.talk(name);
      await hasHeard(agent, 100);
      const atMs = 20 * stream.framesSent;
      stream.say(tone(TONE_HZ, 1_000, TONE_DB));
      const samples = toneAt(rateHz, 1_000);
      agent.send({ type: "utterance_start" });
      agent.say(new Uint8Array(samples.buffer));
      agent.send({ type: "utterance_end" });
      await Promise.all([stream.hasSaidAll(), hasReturned(stream, 1_000)]);
      const sent = stream.framesSent;
      await until("all that was said to be heard", () => samplesHeard() >= (20 * sent * rateHz) / 1_000);
      function samplesHeard() {
        return agent.audioBytes / 2;
      }

      assert.ok(agent.audio.every(({ length }) => length === (2 * rateHz * messageMs) / 1_000));
      const heard = samplesOf(agent.audio);
      const delayMs = onsetMs(heard, rateHz) - onsetMs(tone(TONE_HZ, 20, TONE_DB), 8_000) - atMs;
      const inMs = ((atMs + 100) * rateHz) / 1_000;
      const toAgent = judged(heard.subarray(inMs, inMs + (800 * rateHz) / 1_000), rateHz);
      const back = returned(stream);
      const backDelayMs = onsetMs(back, 8_000) - onsetMs(samples, rateHz);
      const toCaller = judged(back.subarray(800, 800 + 6_400), 8_000);
      t.diagnostic(
        `to the agent ${words(toAgent)}, ${delayMs.toFixed(1)} ms later; to the caller ${words(toCaller)}, ${backDelayMs.toFixed(1)} ms later`,
      );
      for (const { peakDb, snrDb } of [toAgent, toCaller]) {
        assert.ok(Math.abs(peakDb - TONE_DB) <= 1, `${peakDb} dB`);
        assert.ok(snrDb >= SNR_DB, `${snrDb} dB over the noise`);
      }
      for (const ms of [delayMs, backDelayMs]) assert.ok(ms >= -0.2 && ms <= 6, `${ms} ms of delay`);
      await call.hangUp();
      const record = await recordAfter(story, call);
      assert.equal(told(record, "agent_connected")[0]!.path, "transcoded");
    });
  }

  it("begins with the greeting's first sample, though it was said before the stream was up", async () => {
    const greeting = codes(1_500, 3);
    const call = await story.dial("mulaw");
    const agent = await connectionOf(story.servers.mulaw, call);
    agent.send({ type: "utterance_start", id: "greeting", text: "Good morning." });
    agent.say(greeting);
    agent.send({ type: "utterance_end" });
    agent.send({ type: "mark", name: "greeted" });
    const stream = await call.connect();
    const { heard_ms } = await agent.next("mark");
    assert.ok(returnedCodes(stream).equals(greeting));
    assert.equal(stream.playedMs, 1_500);
    assert.equal(heard_ms, 1_500);
    await call.hangUp();
    const record = await recordAfter(story, call);
    assert.deepEqual(told(record, "utterance"), [
      {
        id: "greeting",
        generatedMs: 1_500,
        sentMs: 1_500,
        heardMs: 1_500,
        isInterrupted: false,
        text: "Good morning.",
        heardText: "Good morning.",
      },
    ]);
    assert.equal(told(record, "first_audio").length, 1);
  });

  it("has keys, marks in their order, a transcript, and an end that the agent is told of", async () => {
    const { call, stream, agent } = await story.talk("mulaw");
    agent.send({ type: "utterance_start", id: "one" });
    for (const [at, name] of ["first", "second", "third"].entries()) {
      agent.say(codes(100, at));
      agent.send({ type: "mark", name });
    }
    agent.send({ type: "utterance_end" });
    agent.send({ type: "transcript", role: "caller", text: "Is anyone there?" });
    for (const digit of "1*#") stream.press(digit);
    await Promise.all([agent.next("mark", 2), agent.next("dtmf", 2)]);
    assert.deepEqual(
      agent.all("mark").map(({ name, heard_ms }) => [name, heard_ms]),
      [
        ["first", 100],
        ["second", 200],
        ["third", 300],
      ],
    );
    assert.deepEqual(
      agent.all("dtmf").map(({ digit }) => digit),
      ["1", "*", "#"],
    );
    await call.hangUp();
    const record = await recordAfter(story, call);
    assert.deepEqual(told(record, "transcript"), [{ role: "caller", text: "Is anyone there?" }]);
    await until("the agent's server to see the end", () => agent.closed !== undefined);
    assert.deepEqual(agent.messages.at(-1), { type: "ended", reason: "caller_hung_up" });
    assert.equal(agent.closed!.code, 1_000);
  });
});

describe("an agent knows whom it talks to", { concurrency: true }, () => {
  it("of a call that came in", async () => {
    const { call, agent } = await story.talk("mulaw");
    const record = story.gateway.records.find(call.sid as never)!;
    assert.deepEqual(agent.hello, {
      type: "hello",
      version: 1,
      call: {
        run_id: record.run,
        call_sid: call.sid,
        account_sid: ACCOUNT_SID,
        direction: "inbound",
        from: call.params.From,
        to: story.numberOf("mulaw"),
        workflow: { id: record.workflowId, name: "Workflow 10", version: 1 },
        variables: {},
        parameters: {},
      },
      resumed: false,
    });
    await call.hangUp();
    await recordAfter(story, call);
  });

  it("and of one that was placed: what its workflow and whoever placed it want known", async () => {
    const server = await AgentServer.start();
    const made = await client.post("/api/v1/workflow/create/definition", {
      name: "Reminders",
      workflow_definition: { agent: { type: "websocket", url: server.url } },
    });
    const variables = { clinic: "North", rooms: [1, 2] };
    await client.put(`/api/v1/workflow/${made.body.id}`, { template_context_variables: variables });
    const person = "+14155551999";
    exchange.people.set(person, { does: "answers", says: "", afterMs: 20, hangUpAfterMs: 400 });
    const { body } = await client.post(`/api/v1/public/agent/${made.body.workflow_uuid}`, {
      phone_number: person,
      initial_context: { name: "Ada", at: { hour: 9 } },
    });
    const { hello } = await server.connection();
    const { call, resumed } = hello as { call?: Record<string, unknown>; resumed?: boolean };
    const { from: _, account_sid: __, ...facts } = call!;
    assert.equal(resumed, false);
    assert.deepEqual(facts, {
      run_id: body.workflow_run_id,
      call_sid: body.call_sid,
      direction: "outbound",
      to: person,
      workflow: { id: made.body.id, name: "Reminders", version: 2 },
      variables,
      parameters: { name: "Ada", at: { hour: 9 } },
    });
    await placedCall({ exchange }, body.call_sid).leg.ended;
  });
});

describe("after all of them", () => {
  it("nothing is held, no message was refused, and each path was counted", async () => {
    await allFree(story);
    assert.equal(await counted(story.gateway, "agent_messages_refused_total"), 0);
    assert.equal(await counted(story.gateway, "agent_formats_total", { path: "transcoded" }), 3);
    assert.equal(await counted(story.gateway, "agent_formats_total", { path: "passthrough" }), 5);
    assert.equal(await counted(story.gateway, "agent_formats_total", { path: "mixed" }), 0);
  });
});

function words({ peakDb, snrDb }: { peakDb: number; snrDb: number }): string {
  return `${peakDb.toFixed(2)} dBFS, ${snrDb.toFixed(1)} dB over all else`;
}

function hasHeard(agent: { readonly audioBytes: number }, bytes: number): Promise<void> {
  return until("the agent to hear the caller", () => agent.audioBytes >= bytes);
}
