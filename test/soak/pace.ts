// The figures that the README quotes, on a machine at rest: webhooks with 10,000 numbers, and configuration beside 300
// live calls, in turn with those calls alone. Exits with 1 when a goal is missed in every turn.
import {
  loadInWords,
  startPaced,
  timeBesideCalls,
  timeCalls,
  timesInWords,
  timeWebhooks,
} from "../support/pace.ts";

const WEBHOOK_P99_MS = 10;
const CONFIGURATION_P99_MS = 20;
const TURNS = 3;
const CALLS = Number(process.env.CALLS ?? 300);
const FOR_S = 12;

const say = (words: string) => process.stdout.write(`${words}\n`);
const ends: (() => unknown)[] = [];
const owner = { after: (end: () => unknown) => ends.push(end) };
try {
  const gateway = await startPaced(owner);
  let goodTurns = 0;
  for (let turn = 0; turn < TURNS; turn++) {
    const webhooks = await timeWebhooks(gateway, 500, 50);
    say(`webhooks with 10,000 numbers: ${timesInWords(webhooks)}`);
    const alone = await timeCalls(owner, gateway, { calls: CALLS, forS: FOR_S });
    say(`${CALLS} calls alone: ${loadInWords(alone)}`);
    const plan = { calls: CALLS, forS: FOR_S, count: 250, perSecond: 25 };
    const { times, load } = await timeBesideCalls(owner, gateway, plan);
    say(`${CALLS} calls beside configuration: ${loadInWords(load)}`);
    say(`configuration: ${timesInWords(times)}`);
    const isGood = webhooks.p99Ms < WEBHOOK_P99_MS && times.p99Ms < CONFIGURATION_P99_MS && load.lost === 0;
    if (isGood) goodTurns++;
  }
  process.exitCode = goodTurns > 0 ? 0 : 1;
} finally {
  for (const end of ends.reverse()) await end();
}
