// A gateway with ten thousand numbers answers as fast as one with one, and being configured takes nothing from the
// calls that are going on.
import assert from "node:assert/strict";
import { it } from "node:test";
import { startPaced, timeBesideCalls, timesInWords, timeWebhooks } from "../../support/pace.ts";

/** Twenty times what is asked for, since the machine may be full of tests; the figures are what `npm run soak` prints at rest. */
const WEBHOOK_P99_MS = 20 * 10;
const CONFIGURATION_P99_MS = 20 * 20;

it("webhooks and configuration are answered in time beside live calls", async (t) => {
  const gateway = await startPaced(t);
  const webhooks = await timeWebhooks(gateway, 100, 50);
  t.diagnostic(`webhooks with 10,000 numbers: ${timesInWords(webhooks)}`);
  const { times, load } = await timeBesideCalls(t, gateway, {
    calls: 20,
    forS: 6,
    count: 120,
    perSecond: 25,
  });
  t.diagnostic(`configuration beside ${load.calls} calls: ${timesInWords(times)}`);
  t.diagnostic(`their frames: ${load.lost} of ${load.sent} lost, round trip p99 ${load.roundTripMs.p99} ms`);
  assert.ok(webhooks.p99Ms < WEBHOOK_P99_MS, timesInWords(webhooks));
  assert.ok(times.p99Ms < CONFIGURATION_P99_MS, timesInWords(times));
  assert.deepEqual([load.failed, load.lost], [0, 0]);
});
