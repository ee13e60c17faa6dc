// `npm run rotate-key`: seals the database's secrets with another key, while its gateway is stopped.
import { availableParallelism } from "node:os";
import { GatewayError } from "../domain/errors.ts";
import { readSettings } from "../settings.ts";
import { rotateKey } from "../store/rotation.ts";
import { runCommand } from "./command.ts";

const NEXT = "LINECARD_ENCRYPTION_KEY_NEW";
const HELP = `Seals the database's secrets with another key. The gateway must be stopped.

npm run rotate-key

The new key is ${NEXT} (32 bytes in base64, or a file named by ${NEXT}_FILE), or
else one is made. A key that stands in a file beside the database is replaced there. A key that is given as
LINECARD_ENCRYPTION_KEY is to be set to the new one afterwards; where none is given, the new one is put into the file.

DATABASE_PATH and LINECARD_ENCRYPTION_KEY are as for the gateway.
Exit status: 0 rotated, 1 failed, and then the old key is still the one, 2 not understood.
`;

await runCommand({
  name: "rotate-key",
  help: HELP,
  options: { help: { type: "boolean" } },
  run() {
    const { [NEXT]: _, [`${NEXT}_FILE`]: __, ...env } = process.env;
    const settings = readSettings(env, availableParallelism());
    const { databasePath, encryptionKey: present } = settings;
    const next = readNext();
    if (present !== undefined && next !== undefined && present.equals(next))
      throw new GatewayError("SETTINGS_INVALID", `${NEXT} is the present key: nothing was done`);
    const { secrets, file } = rotateKey(databasePath, { present, next });
    const told = [`${secrets} ${secrets === 1 ? "secret was" : "secrets were"} sealed with a new key.`];
    if (file === undefined)
      told.push(`Set LINECARD_ENCRYPTION_KEY to what ${NEXT} is before the next start.`);
    else {
      told.push(`It stands in ${file}: keep a copy of this file.`);
      if (present !== undefined) told.push("Remove LINECARD_ENCRYPTION_KEY from the gateway's environment.");
    }
    told.push(
      "Backups from before open with the old key alone: make a new one, and keep the old key with the old ones.",
    );
    return told.join("\n");
  },
});

/** Read by the rules of the present key, and complained about by its own name. */
function readNext() {
  const { [NEXT]: text, [`${NEXT}_FILE`]: path } = process.env;
  const env = { LINECARD_ENCRYPTION_KEY: text, LINECARD_ENCRYPTION_KEY_FILE: path };
  try {
    return readSettings(env, 1).encryptionKey;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError(error.code, error.message.replaceAll("LINECARD_ENCRYPTION_KEY", NEXT), {
      cause: error,
    });
  }
}
