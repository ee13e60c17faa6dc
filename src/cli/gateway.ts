// Which gateway a command calls, as whom, and which number: from the options, the environment and the demo
// account's file, in that order.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { baseOption, UsageError } from "./arguments.ts";

/** The options every command that calls has. */
export const GATEWAY_OPTIONS = {
  gateway: { type: "string" },
  "public-url": { type: "string" },
  to: { type: "string" },
  "account-sid": { type: "string" },
  "auth-token": { type: "string" },
} as const;

export const GATEWAY_HELP = `  --to <number>          the number to call (the demo number)
  --gateway <url>        where the gateway listens (http://127.0.0.1:$PORT, or port 8080)
  --public-url <url>     its PUBLIC_BASE_URL, which signatures are made over ($PUBLIC_BASE_URL, or --gateway)
  --account-sid <sid>    with --auth-token: the Twilio account to call as
  --auth-token <token>   (the demo account, from demo-account.json beside the gateway's database)`;

export interface Target {
  readonly gatewayBase: string;
  readonly publicBase: string;
  readonly accountSid: string;
  readonly authToken: string;
  readonly to: string;
}

type Given = { readonly [Name in keyof typeof GATEWAY_OPTIONS]?: string | undefined };

interface DemoAccount {
  readonly accountSid: string;
  readonly authToken: string;
  readonly phoneNumber: string;
}

/** Throws UsageError when something is missing or malformed. */
export function readTarget(given: Given, environment: NodeJS.ProcessEnv): Target {
  const { PORT = "8080", PUBLIC_BASE_URL, DATABASE_PATH = "data/linecard.db" } = environment;
  const gatewayBase = baseOption("gateway", given.gateway ?? `http://127.0.0.1:${PORT}`);
  const publicBase = baseOption("public-url", given["public-url"] ?? PUBLIC_BASE_URL ?? gatewayBase);
  const accountSid = given["account-sid"];
  const authToken = given["auth-token"];
  if ((accountSid === undefined) !== (authToken === undefined)) {
    throw new UsageError("--account-sid and --auth-token must be given together");
  }
  const isComplete = accountSid !== undefined && given.to !== undefined;
  const demo = isComplete ? undefined : readDemoAccount(join(dirname(DATABASE_PATH), "demo-account.json"));
  return {
    gatewayBase,
    publicBase,
    accountSid: accountSid ?? demo!.accountSid,
    authToken: authToken ?? demo!.authToken,
    to: given.to ?? demo!.phoneNumber,
  };
}

function readDemoAccount(path: string): DemoAccount {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(
      `the demo account's file ${path} could not be read (${(error as NodeJS.ErrnoException).code}): start the ` +
        "gateway first with npm start, which makes it, or give --to, --account-sid and --auth-token",
    );
  }
  const account = parseObject(text);
  for (const field of ["accountSid", "authToken", "phoneNumber"]) {
    if (typeof account[field] !== "string")
      throw new UsageError(`${path} is no demo account: it has no ${field}`);
  }
  return account as unknown as DemoAccount;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
