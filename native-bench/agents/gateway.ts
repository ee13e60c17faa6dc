// Linecard with one type of agent more than it comes with. The environment is that of `npm start`, and so is all else.
import { availableParallelism } from "node:os";
import pino from "pino";
import { systemClock } from "../../src/domain/clock.ts";
import { startGateway } from "../../src/gateway.ts";
import { firstStart } from "../../src/numbers/firstStart.ts";
import { readSettings } from "../../src/settings.ts";
import { databaseKey } from "../../src/store/key.ts";
import { openStore } from "../../src/store/store.ts";

const settings = readSettings(process.env, availableParallelism());
const { key } = databaseKey(settings.databasePath, settings.encryptionKey);
const store = await openStore(settings.databasePath, key);
await firstStart(store, settings, systemClock);
const gateway = await startGateway({
  settings,
  store,
  clock: systemClock,
  log: pino({ level: settings.logLevel }),
  agentModules: [new URL("busyAgent.ts", import.meta.url).href],
});
const { host, port, publicBase } = gateway.settings;
process.stdout.write(`Linecard listens on ${host}:${port} and is called at ${publicBase.href}\n`);
