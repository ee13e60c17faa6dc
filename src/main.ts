// Composition root: environment, log, first configuration, signals. What runs is gateway.ts.
import { availableParallelism } from "node:os";
import pino from "pino";
import { systemClock } from "./domain/clock.ts";
import { GatewayError } from "./domain/errors.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import { demoAccount, demoAccountPath, firstContents } from "./numbers/firstStart.ts";
import type { DirectoryContents } from "./numbers/routing.ts";
import { readSettings, type Settings } from "./settings.ts";

const EMPTY: DirectoryContents = { configurations: [], numbers: [], workflows: [] };

try {
  await main();
} catch (error) {
  if (!(error instanceof GatewayError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const settings = readSettings(process.env, availableParallelism());
  const log = pino({ level: settings.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const { contents, told } = firstConfiguration(settings);
  const gateway = await startGateway({ settings, contents, clock: systemClock, log });
  process.stdout.write(greeting(gateway.settings, told));
  stopOnSignals(gateway, settings.drainTimeoutMs, log);
}

/** The environment's account, or the demo account, which is refused as soon as strangers can reach us. */
function firstConfiguration(settings: Settings): { contents: DirectoryContents; told: string } {
  const { twilioAccount, publicBase, databasePath } = settings;
  if (twilioAccount !== undefined) {
    const told = `Calls to ${masked(twilioAccount.phoneNumber)} are answered by the echo workflow.`;
    return { contents: firstContents(twilioAccount, "Twilio"), told };
  }
  if (!publicBase.isLoopback) {
    const told =
      "No account is configured: set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER.";
    return { contents: EMPTY, told };
  }
  const account = demoAccount(databasePath);
  const told = `The demo number ${account.phoneNumber} is answered by the echo workflow (${demoAccountPath(databasePath)}).`;
  return { contents: firstContents(account, "Demo"), told };
}

function greeting({ publicBase, host, port }: Settings, told: string): string {
  const options = publicBase.isLoopback && port !== 8_080 ? ` -- --gateway ${publicBase.href}` : "";
  return [
    `Linecard listens on ${host}:${port} and is called at ${publicBase.href}`,
    told,
    `To hear it answer: npm run call${options}`,
    "",
  ].join("\n");
}

function masked(phoneNumber: string): string {
  return `…${phoneNumber.slice(-4)}`;
}

/** The first signal drains, the second ends at once. The exit status tells whether calls were cut. */
function stopOnSignals(gateway: Gateway, drainTimeoutMs: number, log: pino.Logger): void {
  let isDraining = false;
  const onSignal = (signal: string) => {
    if (isDraining) {
      const cut = gateway.calls.cut();
      log.warn({ signal, cut }, "stopped at once");
      void gateway.close().finally(() => process.exit(cut > 0 ? 1 : 0));
      return;
    }
    isDraining = true;
    log.info({ signal, calls: gateway.calls.size, drainTimeoutMs }, "draining: no new calls");
    void gateway.drain(drainTimeoutMs).then((cut) => {
      log.info({ cut }, "drained");
      process.exit(cut > 0 ? 1 : 0);
    });
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}
