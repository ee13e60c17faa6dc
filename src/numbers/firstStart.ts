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
  phoneNumber: z.string(),
});

/** The path of the demo account's file, beside the database. */
export function demoAccountPath(databasePath: string): string {
  return join(dirname(databasePath), DEMO_FILE);
}

/**
 * The demo account that belongs to this database, made at its first start: a random SID and token in a file of
 * mode 0600, which `npm run call` reads.
 * Throws GatewayError SETTINGS_INVALID when the file is there and is not one.
 */
export function demoAccount(databasePath: string): FirstAccount {
  const path = demoAccountPath(databasePath);
  if (existsSync(path)) {
    chmodSync(path, 0o600);
    try {
      return demoSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    } catch (cause) {
      const remedy = "delete it to have a new one made";
      throw new GatewayError("SETTINGS_INVALID", `${path} does not hold a demo account: ${remedy}`, {
        cause,
      });
    }
  }
  const account: FirstAccount = {
    accountSid: `AC${randomBytes(16).toString("hex")}`,
    authToken: randomBytes(16).toString("hex"),
    phoneNumber: DEMO_NUMBER,
  };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(account, undefined, 2)}\n`, { mode: 0o600 });
  return account;
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
