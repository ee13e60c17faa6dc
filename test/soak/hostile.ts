// A million hostile messages from both of a call's sides. Exits with 1 when anything crashed, the gateway said anything
// that its contracts don't have, a bystander heard anything of it, or the event loop was held for longer than the
// machine held an idle thread's.
import { randomInt } from "node:crypto";
import { hostileInWords, runHostile } from "../support/hostile.ts";

const MESSAGES = Number(process.env.MESSAGES ?? 1_000_000);
const LOOP_MS = 200;

const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
process.stdout.write(`SEED=${seed}\n`);
const hostile = await runHostile({ messages: MESSAGES, seed });
for (const breach of hostile.breaches.slice(0, 20)) process.stdout.write(`${breach}\n`);
process.stdout.write(`${hostileInWords(hostile)}\n`);
const isHeldUp = hostile.loopMs > Math.max(LOOP_MS, 4 * hostile.idleMs);
const isBad = hostile.breaches.length > 0 || hostile.crashes > 0 || !hostile.isWhole || isHeldUp;
process.exitCode = isBad ? 1 : 0;
