// Agents' servers that die in mid-call, five hundred times: half are back at once, half are gone for good. Beside them one
// says three minutes in a second. Exits with 1 when a caller had neither their agent nor an apology within three seconds,
// or missed any of the three minutes.
import { setTimeout as delay } from "node:timers/promises";
import { killAgents, RESUMABLE } from "../support/agentDeaths.ts";
import { codes, startAgentStory } from "../support/agentStory.ts";
import { returnedCodes } from "../support/returned.ts";

const DEATHS = Number(process.env.DEATHS ?? 500);
const AT_ONCE = 20;
const WITHIN_MS = 3_000;
/** A server that was gone is tried again by new calls after two seconds. */
const BREAKER_MS = 2_500;
const AHEAD_MS = 180_000;

const story = await startAgentStory({ back: { server: RESUMABLE }, gone: { server: RESUMABLE }, ahead: {} });
const heardAll = sayMinutes();
const backMs: number[] = [];
const apologyMs: number[] = [];
while (backMs.length + apologyMs.length < DEATHS) {
  const deaths = await killAgents(story, AT_ONCE / 2);
  backMs.push(...deaths.backMs);
  apologyMs.push(...deaths.apologyMs);
  await story.servers.gone.listen();
  await delay(BREAKER_MS);
}
const isWhole = await heardAll;
await story.close();
const inWords = (all: readonly number[]) => {
  const sorted = all.toSorted((one, other) => one - other);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!.toFixed(0);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, at most ${at(1)} ms`;
};
process.stdout.write(
  `${backMs.length} agents back after ${inWords(backMs)}; ${apologyMs.length} apologies after ${inWords(apologyMs)}\n`,
);
process.stdout.write(`three minutes in a second were heard ${isWhole ? "bit for bit" : "WITH GAPS"}\n`);
process.exitCode = !isWhole || Math.max(...backMs, ...apologyMs) > WITHIN_MS ? 1 : 0;

async function sayMinutes(): Promise<boolean> {
  const { call, stream, agent } = await story.talk("ahead");
  const said = codes(AHEAD_MS, 4);
  for (let at = 0; at < said.length; at += 160) agent.say(said.subarray(at, at + 160));
  agent.send({ type: "hang_up" });
  await call.ended;
  return returnedCodes(stream).equals(said);
}
