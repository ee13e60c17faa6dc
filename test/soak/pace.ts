// The figures that the README quotes, on a machine at rest: webhooks with 10,000 numbers, and configuration beside 300
// live calls. Exits with 1 when a goal is missed.
import { startPaced, timeBesideCalls, timesInWords, timeWebhooks } from "../support/pace.ts";

const WEBHOOK_P99_MS = 10;
const CONFIGURATION_P99_MS = 20;

const ends: (() => unknown)[] = [];
const owner = { after: (end: () => unknown) => ends.push(end) };
try {
  const gateway = await startPaced(owner);
  const webhooks = await timeWebhooks(gateway, 500, 50);
  process.stdout.write(`webhooks with 10,000 numbers: ${timesInWords(webhooks)}\n`);
  const plan = { calls: Number(process.env.CALLS ?? 300), forS: 20, count: 400, perSecond: 25 };
  const { times, load } = await timeBesideCalls(owner, gateway, plan);
  process.stdout.write(`configuration beside ${load.calls} calls: ${timesInWords(times)}\n`);
  process.stdout.write(`their frames: ${JSON.stringify(load)}\n`);
  const isGood = webhooks.p99Ms < WEBHOOK_P99_MS && times.p99Ms < CONFIGURATION_P99_MS && load.lost === 0;
  process.exitCode = isGood ? 0 : 1;
} finally {
  for (const end of ends.reverse()) await end();
}
