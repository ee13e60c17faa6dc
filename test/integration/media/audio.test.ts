// What an echo workflow gives back is what the caller said, whatever rate the agent hears and speaks at.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { AGENT_RATES_HZ } from "../../../src/domain/audio.ts";
import { counted } from "../../support/counts.ts";
import { number, startStory, workflow } from "../../support/gateway.ts";
import { hasReturned, returned } from "../../support/returned.ts";
import {
  align,
  borderRoughness,
  FRAME,
  levelDb,
  RATE_HZ,
  recording,
  tone,
  toneDb,
} from "../../support/sound.ts";

const NUMBERS = AGENT_RATES_HZ.map((rateHz, index) => ({
  rateHz,
  address: `+120255502${index}0`,
  id: 10 + index,
}));

const TONE_HZ = 997;
/** Six callers at once, each with a tone of their own. */
const TONES_HZ = [440, 620, 850, 1_150, 1_500, 2_100];

const story = await startStory({
  numbers: NUMBERS.map(({ id, address }) => number(address, id)),
  workflows: NUMBERS.map(({ id, rateHz }) => workflow(id, { type: "echo", rate_hz: rateHz })),
});

/** A call to an echo that says this, and all that came back of it. */
async function echoOf(address: string, said: Int16Array): Promise<Int16Array> {
  const call = await story.twilio.dial({ to: address });
  const stream = await call.connect();
  stream.say(said);
  await stream.hasSaidAll();
  await hasReturned(stream, 20 * stream.framesSent + 100); // the filters' delay comes on top
  await call.hangUp();
  assert.deepEqual(call.complaints, []);
  return returned(stream);
}

describe("an echo", () => {
  const speech = recording("question");
  const tone997 = tone(TONE_HZ, 1_300, -6);
  const echoes = new Map<number, { speech: Int16Array; tone: Int16Array }>();
  let ofTones: Int16Array[] = [];

  // All at once, and judged only when all are over: judging takes the thread that the gateway needs.
  before(async () => {
    const ofRates = NUMBERS.map(async ({ rateHz, address }) => {
      const both = await Promise.all([echoOf(address, speech), echoOf(address, tone997)]);
      echoes.set(rateHz, { speech: both[0], tone: both[1] });
    });
    ofTones = await Promise.all(TONES_HZ.map((hz) => echoOf(NUMBERS[1]!.address, tone(hz, 1_500))));
    await Promise.all(ofRates);
  });

  for (const { rateHz } of NUMBERS) {
    it(`through an agent at ${rateHz} Hz is the caller's speech, as loud as it was`, (t) => {
      const heard = echoes.get(rateHz)!.speech;
      const { at, alike } = align(speech, heard);
      const louderDb = levelDb(heard.subarray(at, at + speech.length)) - levelDb(speech);
      t.diagnostic(`alike ${alike.toFixed(4)}, louder by ${louderDb.toFixed(3)} dB`);
      assert.ok(alike > 0.95, `alike only by ${alike}`);
      assert.ok(Math.abs(louderDb) <= 0.5, `louder by ${louderDb} dB`);
    });

    it(`through an agent at ${rateHz} Hz has no click where frame follows frame`, (t) => {
      const heard = echoes.get(rateHz)!.tone;
      const from = align(tone997, heard).at + RATE_HZ / 10; // without the filters' swinging in and out
      const steady = heard.subarray(from, from + RATE_HZ);
      const roughness = borderRoughness(steady, from % FRAME);
      const peakDb = toneDb(steady, TONE_HZ);
      t.diagnostic(`borders ${roughness.toFixed(3)} of elsewhere, peak ${peakDb.toFixed(2)} dBFS`);
      assert.ok(roughness <= 1.1, `borders are ${roughness} of what is elsewhere`);
      assert.ok(Math.abs(peakDb + 6) <= 0.5);
    });
  }

  it("is only ever the caller's own", (t) => {
    let loudestDb = Number.NEGATIVE_INFINITY;
    for (const [index, heard] of ofTones.entries()) {
      const steady = heard.subarray(RATE_HZ / 2, 1.4 * RATE_HZ); // the tone was said at once
      for (const [other, hz] of TONES_HZ.entries()) {
        const foundDb = toneDb(steady, hz);
        if (other === index) assert.ok(foundDb > -13, `the caller's own ${hz} Hz at ${foundDb} dBFS`);
        else loudestDb = Math.max(loudestDb, foundDb);
      }
    }
    t.diagnostic(`the loudest of another call's tones: ${loudestDb.toFixed(1)} dBFS`);
    assert.ok(loudestDb < -50);
  });

  it("loses and makes up nothing", async () => {
    for (const fate of [
      "late",
      "concealed",
      "dropped_queue",
      "dropped_clear",
      "dropped_lane",
      "dropped_socket",
    ])
      assert.equal(await counted(story.gateway, "frames_total", { fate }), 0, fate);
  });
});
