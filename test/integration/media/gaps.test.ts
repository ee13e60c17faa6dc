// Audio that does not come as it should: lost, late, twice, in odd pieces, or from another time. The echo at the
// telephone's own rate gives back the very bytes that its agent heard.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TwinStream } from "../../../src/twin/stream.ts";
import { counted } from "../../support/counts.ts";
import { number, startStory, workflow } from "../../support/gateway.ts";
import { hasReturned, returned, returnedCodes } from "../../support/returned.ts";
import { FRAME, RATE_HZ, tone, toneDb } from "../../support/sound.ts";

const ECHO_8K = "+12025550180";
const SILENCE = 0xff;
const FIRST_MS = 155;

const story = await startStory({
  numbers: [number(ECHO_8K, 10)],
  workflows: [workflow(10, { type: "echo", rate_hz: RATE_HZ })],
});

/** A stream on which nothing is said but what the test says piece by piece. */
async function quietStream(): Promise<{ stream: TwinStream; hangUp: () => Promise<unknown> }> {
  const call = await story.twilio.dial({ to: ECHO_8K });
  const stream = await call.connect({ automatic: false });
  stream.mute(true);
  stream.introduce();
  return { stream, hangUp: () => call.hangUp() };
}

/** A piece of the caller's audio: one byte again and again, `atMs` after the first. */
function piece(stream: TwinStream, atMs: number, voice: number, samples = FRAME): void {
  const payload = Buffer.alloc(samples, voice).toString("base64");
  const timestamp = String(FIRST_MS + Math.round(atMs));
  stream.sendEvent("media", { track: "inbound", chunk: "1", timestamp, payload });
}

/** What came back, as runs of one byte: `[byte, samples]`. */
function runs(codes: Uint8Array): [voice: number, samples: number][] {
  const found: [number, number][] = [];
  for (const code of codes) {
    const last = found.at(-1);
    if (last?.[0] === code) last[1]++;
    else found.push([code, 1]);
  }
  return found;
}

/** How much the counts of the caller's frames have grown since. */
async function growth() {
  const read = async () => ({
    heard: await counted(story.gateway, "frames_total", { direction: "in", fate: "heard" }),
    concealed: await counted(story.gateway, "frames_total", { direction: "in", fate: "concealed" }),
    late: await counted(story.gateway, "frames_total", { direction: "in", fate: "late" }),
    resyncs: await counted(story.gateway, "resyncs_total"),
    malformed: await counted(story.gateway, "messages_malformed_total"),
  });
  const before = await read();
  return async () => {
    const now = await read();
    return Object.fromEntries(
      Object.entries(now).map(([name, count]) => [name, count - before[name as keyof typeof now]]),
    );
  };
}

describe("the caller's audio", () => {
  it("that was lost upstream is silence of the same length", async () => {
    const grown = await growth();
    const { stream, hangUp } = await quietStream();
    for (const frame of [0, 1, 2, 3, 9, 10, 11]) piece(stream, 20 * frame, 0x10 + frame);
    await hasReturned(stream, 240);
    assert.deepEqual(runs(returnedCodes(stream)), [
      [0x10, FRAME],
      [0x11, FRAME],
      [0x12, FRAME],
      [0x13, FRAME],
      [SILENCE, 5 * FRAME],
      [0x19, FRAME],
      [0x1a, FRAME],
      [0x1b, FRAME],
    ]);
    assert.deepEqual(await grown(), { heard: 7, concealed: 5, late: 0, resyncs: 0, malformed: 0 });
    await hangUp();
  });

  it("goes on in its own time after a real loss", async (t) => {
    const call = await story.twilio.dial({ to: ECHO_8K });
    const stream = await call.connect();
    stream.say(tone(700, 2_000));
    await hasReturned(stream, 400);
    stream.mute(true);
    const lostFrom = stream.framesSent;
    await stream.until("300 ms to be lost", () => stream.framesSent >= lostFrom + 15 || undefined);
    const lostTo = stream.framesSent;
    stream.mute(false);
    const ms = 20 * (lostTo + 10);
    await hasReturned(stream, ms);
    await call.hangUp();
    const heard = returned(stream);
    const levels = Array.from({ length: ms / 20 }, (_, frame) =>
      toneDb(heard.subarray(FRAME * frame, FRAME * (frame + 1)), 700),
    );
    const silent = levels.flatMap((level, frame) => (level < -60 ? [frame] : []));
    t.diagnostic(`frames ${lostFrom} to ${lostTo - 1} were lost; silent are ${silent.join(" ")}`);
    assert.deepEqual(
      silent,
      Array.from({ length: lostTo - lostFrom }, (_, n) => lostFrom + n),
    );
  });

  it("that comes late or twice is dropped and counted", async () => {
    const grown = await growth();
    const { stream, hangUp } = await quietStream();
    for (const frame of [0, 1, 2, 4, 5, 3, 5, 0, 6]) piece(stream, 20 * frame, 0x10 + frame);
    await hasReturned(stream, 140);
    assert.deepEqual(runs(returnedCodes(stream)), [
      [0x10, FRAME],
      [0x11, FRAME],
      [0x12, FRAME],
      [SILENCE, FRAME],
      [0x14, FRAME],
      [0x15, FRAME],
      [0x16, FRAME],
    ]);
    assert.deepEqual(await grown(), { heard: 6, concealed: 1, late: 3, resyncs: 0, malformed: 0 });
    await hangUp();
  });

  it("may come in pieces of any size", async () => {
    const { stream, hangUp } = await quietStream();
    const sizes = [1, 7, 80, 159, 161, 320, 33, 1_600, 2, 240, 137, 100, 400];
    let samples = 0;
    for (const [index, size] of sizes.entries()) {
      piece(stream, samples / 8, 0x20 + index, size);
      samples += size;
    }
    const whole = Math.floor(samples / FRAME) * FRAME;
    await hasReturned(stream, whole / 8);
    const sent = Buffer.concat(sizes.map((size, index) => Buffer.alloc(size, 0x20 + index)));
    assert.deepEqual(returnedCodes(stream), sent.subarray(0, whole));
    await hangUp();
  });

  it("may jump in time: it goes on from there, and nothing is made up", async () => {
    const grown = await growth();
    const { stream, hangUp } = await quietStream();
    for (const frame of [0, 1]) piece(stream, 20 * frame, 0x10 + frame);
    for (const frame of [0, 1, 2]) piece(stream, 60_000 + 20 * frame, 0x20 + frame);
    // Back to the beginning: late at first, until it is plain that the clock was set back.
    for (let frame = 0; frame < 12; frame++) piece(stream, 20 * frame, 0x30 + frame);
    await hasReturned(stream, 160);
    assert.deepEqual(
      runs(returnedCodes(stream)).map(([voice]) => voice),
      [0x10, 0x11, 0x20, 0x21, 0x22, 0x39, 0x3a, 0x3b],
    );
    assert.deepEqual(await grown(), { heard: 8, concealed: 0, late: 9, resyncs: 2, malformed: 0 });
    await hangUp();
  });

  it("that cannot be read is left out and counted", async () => {
    const grown = await growth();
    const { stream, hangUp } = await quietStream();
    const media = { track: "inbound", chunk: "1", timestamp: String(FIRST_MS) };
    stream.sendEvent("media", { ...media, payload: "not base64!" });
    stream.sendEvent("media", { ...media, payload: 5 });
    stream.send("{");
    stream.sendEvent("media", {
      ...media,
      track: "outbound",
      payload: Buffer.alloc(FRAME, 0x50).toString("base64"),
    });
    piece(stream, 0, 0x10);
    await hasReturned(stream, 20);
    assert.deepEqual(runs(returnedCodes(stream)), [[0x10, FRAME]]);
    assert.deepEqual(await grown(), { heard: 1, concealed: 0, late: 0, resyncs: 0, malformed: 3 });
    await hangUp();
  });
});
