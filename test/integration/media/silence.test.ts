// A stream that falls silent is asked whether it is still there: one that answers lives on, one that does not has
// lost its caller.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TwinCall } from "../../../src/twin/call.ts";
import type { StreamOptions } from "../../../src/twin/stream.ts";
import { ECHO_NUMBER, startStory } from "../../support/gateway.ts";
import { Scrape } from "../../support/prometheus.ts";
import { recordOf } from "../../support/records.ts";
import { hasReturned, returned } from "../../support/returned.ts";
import { tone, toneDb } from "../../support/sound.ts";
import { until } from "../../support/until.ts";

const SILENCE = { mediaGapMs: 300, pongMs: 500 };
/** Both are looked at four times a second. */
const LOOK_MS = 250;
const GONE_AFTER_MS = SILENCE.mediaGapMs + SILENCE.pongMs + 2 * LOOK_MS;

const lines: string[] = [];
const { gateway, twilio, held } = await startStory({
  silence: SILENCE,
  onLogLine: (line) => lines.push(line),
});

async function echoing(options: StreamOptions = {}) {
  const call = await twilio.dial({ to: ECHO_NUMBER });
  const stream = await call.connect(options);
  await hasReturned(stream, 60);
  return { call, stream, sinceMs: performance.now() };
}

async function silences(): Promise<number> {
  return new Scrape(await gateway.metrics.render()).value("stream_silent_total");
}

async function isMediaLost(call: TwinCall): Promise<void> {
  await until("the call to end", () => recordOf(gateway, call).outcome !== undefined);
  assert.equal(recordOf(gateway, call).outcome, "media_lost");
  assert.equal(lines.filter((line) => line.includes(call.sid) && line.includes('"call ended')).length, 1);
}

describe("a stream without audio", { concurrency: true }, () => {
  it("whose other end is dead ends as media_lost, and its caller gets an apology", async (t) => {
    const { call, stream, sinceMs } = await echoing();
    stream.freeze();
    await isMediaLost(call);
    t.diagnostic(`ended ${(performance.now() - sinceMs).toFixed(0)} ms after the last audio`);
    assert.ok(performance.now() - sinceMs <= 4 * GONE_AFTER_MS);
    // Twilio notices that the connection is gone, and asks what comes next.
    await stream.break("cut");
    await call.ended;
    const documents = call.timeline.events.filter((event) => event.kind === "twiml");
    assert.deepEqual(
      documents.at(-1)!.verbs.map(({ verb }) => verb),
      ["Say", "Hangup"],
    );
  });

  it("that leaves pings unanswered ends as media_lost", async (t) => {
    const { call, stream, sinceMs } = await echoing({ answersPings: false });
    const before = await silences();
    stream.mute(true);
    const { by, code } = await stream.ended;
    assert.deepEqual([by, code], ["network", 1006]);
    await isMediaLost(call);
    assert.ok((await silences()) > before);
    t.diagnostic(`ended ${(performance.now() - sinceMs).toFixed(0)} ms after the last audio`);
  });

  it("that answers pings lives on, and is heard as soon as it speaks", async (t) => {
    const { call, stream, sinceMs } = await echoing();
    stream.mute(true);
    const quiet = () => performance.now() - sinceMs > 1.2 * GONE_AFTER_MS || undefined;
    await stream.until("a long silence", quiet, 60_000);
    stream.mute(false);
    stream.say(tone(800, 400));
    await stream.until(
      "the echo of the tone",
      () => toneDb(returned(stream).subarray(-1_600), 800) > -14 || undefined,
    );
    t.diagnostic(`was quiet for ${(performance.now() - sinceMs).toFixed(0)} ms`);
    await call.hangUp();
    await until("the call to end", () => recordOf(gateway, call).outcome !== undefined);
    assert.equal(recordOf(gateway, call).outcome, "caller_hung_up");
    assert.deepEqual(call.complaints, []);
  });

  it("is left alone while its audio flows, pings or not", async () => {
    const { call, stream } = await echoing({ answersPings: false });
    await hasReturned(stream, 1.2 * GONE_AFTER_MS);
    await call.hangUp();
    await until("the call to end", () => recordOf(gateway, call).outcome !== undefined);
    assert.equal(recordOf(gateway, call).outcome, "caller_hung_up");
  });
});

describe("after all of them", () => {
  it("nothing is held", async () => {
    await until("everything to be free", () => Object.values(held()).every((value) => Number(value) === 0));
  });
});
