// A front thread that stands still, for a moment or a second: everybody stays on the line, and an agent answers as
// quickly afterwards as before.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TwinStream } from "../../../src/twin/stream.ts";
import { counted } from "../../support/counts.ts";
import { ECHO_NUMBER, startStory, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { hasReturned, returnedCodes } from "../../support/returned.ts";
import { standStill } from "../../support/standStill.ts";
import { allFree, until } from "../../support/until.ts";

/** Of each kind. */
const CALLS = 5;
/** So long after it the delay is to be back… */
const RECOVERY_MS = 200;
/** …under this much; four times that on a machine which others use. */
const DELAY_MS = 60;

const story = await startStory();
const { gateway, twilio } = story;

/** From a key of the caller's to the first of the agent's audio for it; then its half second is over. */
async function answerDelayMs(stream: TwinStream): Promise<number> {
  const before = returnedCodes(stream).length;
  const pressedMs = performance.now();
  stream.press("#");
  await stream.until("the agent's answer", () => returnedCodes(stream).length > before || undefined);
  const tookMs = performance.now() - pressedMs;
  await hasReturned(stream, (before + 4_000) / 8);
  return tookMs;
}

/** Frames dropped for being late, or for not getting through between the threads. */
async function lost(): Promise<number> {
  const fates = ["late", "dropped_lane", "dropped_queue", "dropped_socket"];
  const counts = await Promise.all(fates.map((fate) => counted(gateway, "frames_total", { fate })));
  return counts.reduce((sum, count) => sum + count, 0);
}

const middle = (values: readonly number[]) =>
  values.toSorted((one, other) => one - other)[values.length >> 1]!;

const dialAll = (to: string) => Promise.all(Array.from({ length: CALLS }, () => twilio.dial({ to })));

describe("a front thread that stands still", () => {
  it("loses no call, and agents answer as quickly afterwards as before", async (t) => {
    const calls = [...(await dialAll(TEST_AGENT_NUMBER)), ...(await dialAll(ECHO_NUMBER))];
    const streams = await Promise.all(calls.map((call) => call.connect()));
    const asking = streams.slice(0, CALLS);
    const echoing = streams.slice(CALLS);
    for (const stream of echoing) await hasReturned(stream, 200);
    const before = middle(await Promise.all(asking.map(answerDelayMs)));
    t.diagnostic(`before: an answer after ${before.toFixed(0)} ms`);

    for (const stallMs of [100, 500, 1_000]) {
      const lostBefore = await lost();
      const echoedBefore = echoing.map((stream) => returnedCodes(stream).length);
      standStill(stallMs);
      const overMs = performance.now();
      await until("the stall to be over", () => performance.now() - overMs >= RECOVERY_MS);
      const delaysMs = await Promise.all(asking.map(answerDelayMs));
      const dropped = (await lost()) - lostBefore;
      t.diagnostic(
        `stood still for ${stallMs} ms: an answer after ${middle(delaysMs).toFixed(0)} ms, ${Math.max(...delaysMs).toFixed(0)} at most; ` +
          `of the calls' ${(2 * CALLS * stallMs) / 20} frames of that time ${dropped} were dropped`,
      );
      assert.ok(middle(delaysMs) <= before + 4 * DELAY_MS, `answers came after ${delaysMs.join(", ")} ms`);
      for (const [index, stream] of echoing.entries())
        await hasReturned(stream, echoedBefore[index]! / 8 + 500);
    }
    assert.equal(await counted(gateway, "worker_deaths_total"), 0, "it is not the workers that stood still");
    for (const call of calls) assert.equal((await call.hangUp()).how, "caller");
    assert.equal(await counted(gateway, "calls_ended_total", { reason: "caller_hung_up" }), 2 * CALLS);
    await allFree(story);
  });
});
