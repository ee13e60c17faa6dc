// `npm run soak`: what CI samples in a minute, at length. Exits with 1 when a record was lost or anyone called twice.
import { randomInt } from "node:crypto";
import { figuresOf, killAgainAndAgain } from "../support/killing.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 200);
const WITHIN_MS = 3_600_000;

const seed = Number(process.env.SEED ?? randomInt(2 ** 31));
process.stdout.write(`SEED=${seed}\n`);
const ends: (() => unknown)[] = [];
try {
  const result = await killAgainAndAgain(
    { after: (end) => ends.push(end) },
    { rounds: ROUNDS, withinMs: WITHIN_MS, seed, onRound: (words) => process.stdout.write(`${words}\n`) },
  );
  process.stdout.write(`${figuresOf(result)}\n`);
  const faults = result.lost + result.dialledTwice + result.unrecorded;
  process.exitCode = faults > 0 || result.rounds < ROUNDS ? 1 : 0;
} finally {
  for (const end of ends.reverse()) await end();
}
