// Composition root: environment, log, first configuration, signals. What runs is gateway.ts.
import { isIPv6 } from "node:net";
import { availableParallelism } from "node:os";
import pino from "pino";
import { systemClock } from "./domain/clock.ts";
import { GatewayError } from "./domain/errors.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import type { Prompts } from "./lane/news.ts";
import { PromptFilesError, readPrompts } from "./media/recordings/recordings.ts";
import { demoAccountPath, type FirstStart, firstStart } from "./numbers/firstStart.ts";
import {
  DEFAULT_DATABASE_PATH,
  PROMPT_FILE_VARIABLES,
  readSettings,
  type Settings,
  settingsInvalid,
} from "./settings.ts";
import { databaseKey } from "./store/key.ts";
import { finishRotation } from "./store/rotation.ts";
import { openStore } from "./store/store.ts";

/** Named, not shown: what is printed here ends up in a service's log. */
const AS_TWILIO =
  '--to "$TWILIO_PHONE_NUMBER" --account-sid "$TWILIO_ACCOUNT_SID" --auth-token "$TWILIO_AUTH_TOKEN"';

try {
  await main();
} catch (error) {
  if (!(error instanceof GatewayError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const settings = readSettings(process.env, availableParallelism());
  const prompts = promptsOf(settings);
  const log = pino({ level: settings.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  finishRotation(settings.databasePath);
  const { key, file, isNew } = databaseKey(settings.databasePath, settings.encryptionKey);
  const store = await openStore(settings.databasePath, key);
  const first = await firstStart(store, settings, systemClock);
  const gateway = await startGateway({
    settings,
    store,
    clock: systemClock,
    log,
    prompts,
    demoAccountFile: first.account === "demo" ? demoAccountPath(settings.databasePath) : undefined,
  });
  const firstKey = await gateway.keys.makeFirst();
  if (isNew) log.warn({ file }, "a key for the database's secrets was made: keep a copy of this file");
  liveOnAfterFaults(gateway, log);
  stopOnSignals(gateway, settings.drainTimeoutMs, log); // first: who has read the greeting may stop it
  process.stdout.write(greeting(gateway.settings, first, firstKey?.key));
}

function promptsOf({ promptFiles }: Settings): Prompts {
  try {
    return readPrompts(promptFiles);
  } catch (cause) {
    if (!(cause instanceof PromptFilesError)) throw cause;
    const problems = cause.faults.map(
      ({ prompt, message }) => `${PROMPT_FILE_VARIABLES[prompt]}: ${message}`,
    );
    throw settingsInvalid(problems, { cause });
  }
}

function greeting(settings: Settings, first: FirstStart, firstKey: string | undefined): string {
  const { publicBase, host, port } = settings;
  const lines = [`Linecard listens on ${host}:${port} and is called at ${publicBase.href}`, ...first.told];
  const callAs = { demo: "", environment: AS_TWILIO, none: undefined }[first.account];
  if (callAs !== undefined) lines.push(`To hear it answer: ${callCommand(settings, callAs)}`);
  if (firstKey !== undefined) lines.push(`The API's first key, shown this once: ${firstKey}`);
  return `${lines.join("\n")}\n`;
}

/** What to type on this machine, with what that command can't know by itself. */
function callCommand({ publicBase, host, port, databasePath }: Settings, callAs: string): string {
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const gateway = `http://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}`;
  const options = [
    gateway === "http://127.0.0.1:8080" ? "" : `--gateway ${gateway}`,
    publicBase.href === gateway ? "" : `--public-url ${publicBase.href}`,
    callAs,
  ].filter((option) => option !== "");
  // The demo account's file is looked for beside the database.
  const where =
    callAs === "" && databasePath !== DEFAULT_DATABASE_PATH ? `DATABASE_PATH=${databasePath} ` : "";
  return `${where}npm run call${options.length > 0 ? ` -- ${options.join(" ")}` : ""}`;
}

/** The last resort: a fault in one call's or request's bookkeeping must not end every other call. */
function liveOnAfterFaults(gateway: Gateway, log: pino.Logger): void {
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      gateway.metrics.fault("front");
      log.fatal({ err: error }, "a fault of our own on the front thread, carried on after");
    });
  }
}

/** The first signal drains, the second ends at once. The exit status tells whether calls were cut. */
function stopOnSignals(gateway: Gateway, drainTimeoutMs: number, log: pino.Logger): void {
  let isDraining = false;
  let cut = 0; // by either: a second signal makes both come to their end at about the same time
  const exit = () => process.exit(cut > 0 ? 1 : 0);
  const onSignal = (signal: string) => {
    if (isDraining) {
      cut += gateway.calls.cut();
      log.warn({ signal, cut }, "stopped at once");
      void gateway.close().then(exit);
      return;
    }
    isDraining = true;
    log.info({ signal, calls: gateway.calls.size, drainTimeoutMs }, "draining: no new calls");
    void gateway.drain(drainTimeoutMs).then((late) => {
      cut += late;
      log.info({ cut }, "drained");
      exit();
    });
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}
