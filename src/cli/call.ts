// `npm run call`: calls a running gateway as Twilio would, says something, listens, and tells what happened.
import { writeFileSync } from "node:fs";
import type { TwinCall } from "../twin/call.ts";
import { realClock } from "../twin/clock.ts";
import { RATE_HZ } from "../twin/track.ts";
import { TwilioTwin } from "../twin/twin.ts";
import { writeWav } from "../twin/wav.ts";
import { numberOption, readOptions, runCommand, UsageError } from "./arguments.ts";
import { Caller, planKeys, type Script } from "./caller.ts";
import { GATEWAY_HELP, GATEWAY_OPTIONS, readTarget } from "./gateway.ts";
import { readSpeech } from "./speech.ts";
import { Narrator, timed } from "./words.ts";

const HELP = `Places one call to a running gateway, as Twilio would.

npm run call -- [options]
${GATEWAY_HELP}
  --from <number>        the caller's number
  --say <file.wav>       what the caller says: 16-bit PCM or mu-law, 8 to 48 kHz (a short greeting)
  --digits <12#>         keys pressed after the caller began to speak; w waits for half a second
  --quiet <seconds>      hang up when nothing has been heard for this long (2)
  --for <seconds>        hang up after this long in any case (60)
  --save <file.wav>      keep the call: left the caller, right the agent
  --json                 print everything as one JSON object in the last line
`;

const GREETING = new URL("../twin/recordings/hello.wav", import.meta.url);
const TICK_MS = 50;

type Ended = "caller" | "agent" | "refused" | "failed" | "limit";

const ENDINGS: Readonly<Record<Ended, string>> = {
  caller: "the caller hung up",
  agent: "the agent hung up",
  refused: "it was refused",
  failed: "it failed",
  limit: "--for was reached",
};

/** The command; its result is the exit status. */
async function placeCall(args: string[]): Promise<number> {
  const given = readOptions(args, {
    ...GATEWAY_OPTIONS,
    from: { type: "string" },
    say: { type: "string" },
    digits: { type: "string" },
    quiet: { type: "string" },
    for: { type: "string" },
    save: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean" },
  });
  if (given.help) {
    print(HELP.trimEnd());
    return 0;
  }
  const script: Script = {
    speech: readSpeech(given.say ?? GREETING),
    keys: planKeys(given.digits ?? ""),
    quietMs: 1_000 * numberOption("quiet", given.quiet, { default: 2, min: 0, max: 3_600 }),
    limitMs: 1_000 * numberOption("for", given.for, { default: 60, min: 0.1, max: 14_400 }),
  };
  if (given.save !== undefined) reserve(given.save);
  const { to, ...twinOptions } = readTarget(given, process.env);
  const twin = new TwilioTwin(twinOptions);
  const call = twin.begin(given.from === undefined ? { to } : { to, from: given.from });
  print(`Calling ${to} at ${twinOptions.gatewayBase} as ${call.params.From}, call ${call.sid}`);
  const { ended, reason } = await conduct(call, script);
  await twin.close();
  if (given.save !== undefined) save(call, given.save);
  report(call, ended, reason);
  if (given.json) print(JSON.stringify(summary(call, ended), toMicroseconds));
  return ended === "refused" || ended === "failed" ? 1 : 0;
}

/** The whole call, from its webhook until everything about it has been answered. */
async function conduct(call: TwinCall, script: Script): Promise<{ ended: Ended; reason: string }> {
  const narrator = new Narrator(print);
  call.timeline.onEvent = (event) => narrator.tell(event);
  call.timeline.onComplaint = (complaint) => narrator.complain(complaint);
  const caller = new Caller(call, script);
  const stopTicks = realClock.every(TICK_MS, () => caller.tick());
  const hangUp = () => void call.hangUp();
  process.once("SIGINT", hangUp);
  process.once("SIGTERM", hangUp);
  await call.ring();
  call.answer();
  const { how, reason } = await call.ended;
  await call.settled();
  stopTicks();
  process.off("SIGINT", hangUp);
  process.off("SIGTERM", hangUp);
  narrator.finish();
  return { ended: how === "caller" && caller.reachedLimit ? "limit" : how, reason };
}

function report(call: TwinCall, ended: Ended, reason: string): void {
  print(timed(call.timeline.nowMs(), `the call ended: ${ENDINGS[ended]}${reason && ` (${reason})`}`));
  const firstMs = firstAudioMs(call);
  const first = firstMs === null ? "no audio" : `first audio after ${firstMs} ms`;
  print(`Heard ${heardMs(call)} ms of the agent, ${first}.`);
}

function summary(call: TwinCall, ended: Ended): object {
  return {
    callSid: call.sid,
    twiml: call.webhook?.body ?? null,
    events: call.timeline.events,
    complaints: call.complaints,
    heardMs: heardMs(call),
    firstAudioMs: firstAudioMs(call),
    ended,
  };
}

/** No clock here is finer, and the digits behind it are only noise. */
function toMicroseconds(_name: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1_000) / 1_000 : value;
}

function heardMs(call: TwinCall): number {
  return Math.round(call.stream?.playedMs ?? 0);
}

function firstAudioMs(call: TwinCall): number | null {
  const firstMs = call.stream?.playback.firstMs;
  return firstMs === undefined ? null : Math.round(firstMs);
}

/** Finds out before the call whether it can be kept. */
function reserve(path: string): void {
  try {
    writeFileSync(path, "");
  } catch (error) {
    throw new UsageError(`the file ${path} can't be written: ${(error as Error).message}`);
  }
}

function save(call: TwinCall, path: string): void {
  const toMs = call.timeline.nowMs();
  const channels = [call.stream?.caller, call.stream?.agent].map(
    (track) => track?.samples(0, toMs) ?? new Int16Array(0),
  );
  writeFileSync(path, writeWav({ rateHz: RATE_HZ, channels }));
  print(`Saved to ${path}: left the caller, right the agent.`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await runCommand("call", placeCall);
