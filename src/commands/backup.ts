// `npm run backup`: copies the database, whether its gateway runs or not.
import { availableParallelism } from "node:os";
import { readSettings } from "../settings.ts";
import { backUp } from "../store/backup.ts";
import { keyPath } from "../store/key.ts";
import { runCommand, UsageError } from "./command.ts";

const HELP = `Copies the database to a file, while the gateway runs or not. The copy is checked.

npm run backup -- --to <file> [--force]

  --to <file>   where the copy goes; a file that is there is not written over
  --force       unless this is said

DATABASE_PATH says where the database is, as for the gateway (data/linecard.db).
Exit status: 0 copied, 1 failed, 2 not understood.
`;

await runCommand({
  name: "backup",
  help: HELP,
  options: { to: { type: "string" }, force: { type: "boolean" }, help: { type: "boolean" } },
  async run({ to, force = false }) {
    if (to === undefined || to === "") throw new UsageError("--to <file> says where the copy goes");
    const { databasePath, encryptionKey } = readSettings(process.env, availableParallelism());
    const { bytes } = await backUp(databasePath, to, force);
    const key = encryptionKey === undefined ? keyPath(databasePath) : "the present LINECARD_ENCRYPTION_KEY";
    return [
      `${databasePath} was copied to ${to} (${Math.ceil(bytes / 1_024)} KiB) and checked.`,
      `Keep ${key} as well, in another place: without it nobody can read the copy's secrets.`,
    ].join("\n");
  },
});
