// What a gateway has before anyone configured it: the environment's Twilio account, or else a demo account that
// nobody outside this machine can use, with a number that echo answers.
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { GatewayError } from "../domain/errors.ts";
import { AccountSid, ConfigurationId, NumberId, WorkflowId } from "../domain/ids.ts";
import type { DirectoryContents } from "./routing.ts";

export interface FirstAccount {
  readonly accountSid: string;
  readonly authToken: string;
  /** E.164. */
  readonly phoneNumber: string;
}

/** From the range that is reserved for fiction, so that it is nobody's. */
const DEMO_NUMBER = "+12025550100";
const DEMO_FILE = "demo-account.json";
const demoSchema = z.object({
  accountSid: z.string().regex(/^AC[0-9a-f]{32}$/),
  authToken: z.string().min(32),
  phoneNumber: z.e164(),
});

/** The path of the demo account's file, beside the database. */
export function demoAccountPath(databasePath: string): string {
  return join(dirname(databasePath), DEMO_FILE);
}

/**
 * The demo account that belongs to this database, made at its first start: a random SID and token in a file of
 * mode 0600, which `npm run call` reads.
 * Throws GatewayError SETTINGS_INVALID when the file is there and is not one, or can't be made.
 */
export function demoAccount(databasePath: string): FirstAccount {
  const path = demoAccountPath(databasePath);
  return existsSync(path) ? readAccount(path) : makeAccount(path);
}

function readAccount(path: string): FirstAccount {
  try {
    chmodSync(path, 0o600);
    return demoSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    const remedy = "delete it to have a new one made";
    throw new GatewayError("SETTINGS_INVALID", `${path} does not hold a demo account: ${remedy}`, { cause });
  }
}

function makeAccount(path: string): FirstAccount {
  const account: FirstAccount = {
    accountSid: `AC${randomBytes(16).toString("hex")}`,
    authToken: randomBytes(16).toString("hex"),
    phoneNumber: DEMO_NUMBER,
  };
  try {
    mkdirSync(dirname(path), { recursive: true });
    // Exclusively: another gateway that starts just now keeps the account it has told its callers of.
    writeFileSync(path, `${JSON.stringify(account, undefined, 2)}\n`, { mode: 0o600, flag: "wx" });
    return account;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const remedy = "set DATABASE_PATH to a file in a folder that can be written";
    throw new GatewayError("SETTINGS_INVALID", `${path} can't be made (${code}): ${remedy}`, { cause });
  }
}

/** One configuration, its number, and an echo workflow that answers it. */
export function firstContents(account: FirstAccount, name: string): DirectoryContents {
  const configurationId = ConfigurationId(1);
  const workflowId = WorkflowId(1);
  return {
    configurations: [
      {
        id: configurationId,
        name,
        accountSid: AccountSid(account.accountSid),
        authTokens: [account.authToken],
      },
    ],
    numbers: [
      {
        id: NumberId(1),
        configurationId,
        address: account.phoneNumber,
        isActive: true,
        inboundWorkflowId: workflowId,
      },
    ],
    workflows: [
      { id: workflowId, name: "Echo", status: "active", version: 1, definition: { agent: { type: "echo" } } },
    ],
  };
}
