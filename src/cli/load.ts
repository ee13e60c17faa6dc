// `npm run load`: many calls at once against a gateway whose number is answered by the echo agent. Every frame is
// recognised by its sound when it comes back (how: load/tones.ts), so a loss, a mix-up of calls or a delay shows.
// All calls are set up first, then they are up together for --for seconds, then they hang up.
import { setTimeout } from "node:timers/promises";
import { Addresses } from "../twin/addresses.ts";
import { realClock } from "../twin/clock.ts";
import { numberOption, readOptions, runCommand, UsageError } from "./arguments.ts";
import { GATEWAY_HELP, GATEWAY_OPTIONS, readTarget } from "./gateway.ts";
import { LoadCall } from "./load/call.ts";
import { Figures, LATE_MS } from "./load/figures.ts";
import { pace } from "./load/pace.ts";

const HELP = `Load-tests a running gateway with calls to a number whose agent is the echo.

npm run load -- [options]
  --calls <number>       calls that are up together (300)
  --for <seconds>        how long all of them are up (30)
  --rate <calls>         calls set up per second (50)
${GATEWAY_HELP}
  --json                 the results as one JSON object in the last line

Exit status: 1 if a call failed or a frame was lost.
`;

/** The last echoes have this long to arrive before calls hang up. */
const ECHO_MS = 500;
const PROGRESS_MS = process.stderr.isTTY ? 1_000 : 5_000;
/** After the last call was dialled, calls that are still being set up have this long. */
const SETUP_MS = 10_000;
/** Calls hang up this much faster than they were set up. */
const HANG_UP_SPEEDUP = 4;
/** After the last call hung up, what is still open has this long. */
const END_MS = 10_000;

/** The command; its result is the exit status. */
async function runLoad(args: string[]): Promise<number> {
  const given = readOptions(args, {
    ...GATEWAY_OPTIONS,
    calls: { type: "string" },
    for: { type: "string" },
    rate: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean" },
  });
  if (given.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const plan = {
    calls: numberOption("calls", given.calls, { default: 300, min: 1, max: 10_000, whole: true }),
    forMs: 1_000 * numberOption("for", given.for, { default: 30, min: 1, max: 86_400 }),
    perSecond: numberOption("rate", given.rate, { default: 50, min: 0.1, max: 1_000 }),
  };
  const target = readTarget(given, process.env);
  if (!target.gatewayBase.startsWith("http://")) throw new UsageError("--gateway must be http:// for load");
  const addresses = new Addresses(target.publicBase, target.gatewayBase);
  const figures = new Figures();
  const calls = Array.from(
    { length: plan.calls },
    (_, number) => new LoadCall(number, { ...target, addresses }, figures, realClock.nowMs),
  );
  const stopPace = pace(calls, realClock.nowMs);
  const stopProgress = realClock.every(PROGRESS_MS, () => tellProgress(calls, figures));
  const cpuCores = await conduct(calls, plan);
  stopPace();
  stopProgress();
  const results = resultsOf(plan.calls, figures, cpuCores);
  process.stdout.write(`${given.json ? JSON.stringify(results) : sentence(results)}\n`);
  return results.failed > 0 || results.lost > 0 ? 1 : 0;
}

interface Plan {
  readonly calls: number;
  readonly forMs: number;
  readonly perSecond: number;
}

/** The whole run; what this process took of a core while all calls were up. Ctrl-C goes straight to hanging up. */
async function conduct(calls: readonly LoadCall[], { forMs, perSecond }: Plan): Promise<number> {
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once("SIGINT", interrupt);
  const { signal } = interrupted;
  await atRate(calls, perSecond, signal, (call) => void call.dial());
  await within(SETUP_MS, signal, Promise.all(calls.map((call) => call.settled)));
  const cpuBefore = process.cpuUsage();
  const beganMs = realClock.nowMs();
  await pause(forMs, signal);
  const cpu = process.cpuUsage(cpuBefore);
  const cpuCores = (cpu.user + cpu.system) / 1_000 / (realClock.nowMs() - beganMs);
  for (const call of calls) call.fallSilent();
  await pause(ECHO_MS, signal);
  await atRate(calls, perSecond * HANG_UP_SPEEDUP, signal, (call) => call.hangUp());
  await within(END_MS, new AbortController().signal, Promise.all(calls.map((call) => call.over)));
  for (const call of calls) call.abandon();
  process.off("SIGINT", interrupt);
  return cpuCores;
}

/** Does something with each call, so many per second by the clock; all at once after an interruption. */
async function atRate(
  calls: readonly LoadCall[],
  perSecond: number,
  signal: AbortSignal,
  act: (call: LoadCall) => void,
): Promise<void> {
  const beganMs = realClock.nowMs();
  for (const [index, call] of calls.entries()) {
    await pause(beganMs + (index * 1_000) / perSecond - realClock.nowMs(), signal);
    act(call);
  }
}

/** Resolves after a time, or when interrupted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await setTimeout(ms, undefined, { signal }).catch(() => {});
}

/** Resolves when the work is done, after a time, or when interrupted. */
async function within(ms: number, signal: AbortSignal, work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  void work.then(() => done.abort());
  await pause(ms, AbortSignal.any([signal, done.signal]));
}

function tellProgress(calls: readonly LoadCall[], figures: Figures): void {
  const up = calls.filter((call) => call.isTalking).length;
  const { sent, received, failed, roundTrip } = figures;
  const line = `${up} calls up, ${failed} failed, ${sent - received} frames on their way or lost, round trip p99 ${roundTrip.percentile(99)} ms`;
  process.stderr.write(process.stderr.isTTY ? `\r${line}\u001b[K` : `${line}\n`);
}

type Results = ReturnType<typeof resultsOf>;

function resultsOf(calls: number, figures: Figures, cpuCores: number) {
  const { toTwiml, toStart, roundTrip, lateness, sent, received, late, repeated, foreign, failed } = figures;
  return {
    calls,
    failed,
    failures: Object.fromEntries(figures.failures),
    twimlMs: { p50: toTwiml.percentile(50), p99: toTwiml.percentile(99) },
    startMs: { p50: toStart.percentile(50), p99: toStart.percentile(99) },
    sent,
    received,
    lost: sent - received,
    late,
    repeated,
    foreign,
    roundTripMs: { p50: roundTrip.percentile(50), p99: roundTrip.percentile(99), max: roundTrip.max },
    ownLatenessMs: { p99: lateness.percentile(99) },
    ownCpuCores: Math.round(cpuCores * 100) / 100,
  };
}

function sentence(results: Results): string {
  const { calls, failed, failures, twimlMs, startMs, roundTripMs, ownLatenessMs, ownCpuCores } = results;
  const reasons = Object.entries(failures).map(([reason, count]) => `${count} × ${reason}`);
  return [
    `${calls} calls, ${failed} failed${reasons.length > 0 ? ` (${reasons.join("; ")})` : ""}`,
    `webhook to TwiML p50 ${twimlMs.p50} p99 ${twimlMs.p99} ms, to start p50 ${startMs.p50} p99 ${startMs.p99} ms`,
    `frames sent ${results.sent}, received ${results.received}, lost ${results.lost}, late (over ${LATE_MS} ms) ${results.late}, repeated ${results.repeated}, foreign ${results.foreign}`,
    `round trip p50 ${roundTripMs.p50} p99 ${roundTripMs.p99} max ${roundTripMs.max} ms`,
    `own lateness p99 ${ownLatenessMs.p99} ms, own CPU ${ownCpuCores} cores`,
  ].join(" | ");
}

await runCommand("load", runLoad);
