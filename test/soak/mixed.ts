// Calls with four kinds of agents for a minute, a media worker killed every two seconds. Exits with 1 when a call was
// lost, or a frame held anything that was not its call's. Callers and agents are in the same process as the gateway, which
// takes about a hundredth of a core for each call: 200 of them want a machine of four.
import { availableParallelism } from "node:os";
import { mixedInWords, runMixed } from "../support/mixedCalls.ts";

const CALLS = Number(process.env.CALLS ?? (availableParallelism() >= 4 ? 200 : 50));
const FOR_S = Number(process.env.FOR_S ?? 60);

const mixed = await runMixed({ calls: CALLS, forMs: 1_000 * FOR_S, workers: 4, callMs: 15_000 });
for (const words of [...mixed.lost, ...mixed.foreign].slice(0, 50)) process.stdout.write(`${words}\n`);
process.stdout.write(`${mixedInWords(mixed)}\n`);
process.exitCode = mixed.lost.length + mixed.foreign.length > 0 ? 1 : 0;
