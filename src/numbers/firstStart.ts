// What a gateway has before anyone configured it: the environment's Twilio account, or else a demo account that
// nobody outside this machine can use, with a number that echo answers.
import { randomBytes, randomUUID } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Clock } from "../domain/clock.ts";
import { GatewayError } from "../domain/errors.ts";
import { AccountSid, type WorkflowId } from "../domain/ids.ts";
import type { Store } from "../store/store.ts";
import type { NumberFields } from "./numbers.store.ts";

/** The settings that a first start is made from. */
interface FirstSettings {
  readonly twilioAccount: FirstAccount | undefined;
  readonly databasePath: string;
  readonly publicBase: { readonly isLoopback: boolean };
}

type FirstStore = Pick<Store, "meta" | "configurations" | "numbers" | "workflows">;

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

export interface FirstStart {
  /** Which account `npm run call` may call as. */
  readonly account: "demo" | "environment" | "none";
  /** For the person who started it, a line each. */
  readonly told: readonly string[];
}

/**
 * Puts the environment's account into the store, once for each account; without one the demo account, which counts
 * only while nobody outside this machine can reach us. What a user has deleted is not put back.
 */
export async function firstStart(
  store: FirstStore,
  settings: FirstSettings,
  clock: Clock,
): Promise<FirstStart> {
  const { twilioAccount, databasePath, publicBase } = settings;
  if (twilioAccount !== undefined) {
    await addOnce(store, { name: "Twilio", account: twilioAccount, isDemo: false }, clock);
    const told = `Calls to …${twilioAccount.phoneNumber.slice(-4)} are answered by the workflow that is set for it.`;
    return { account: "environment", told: [told] };
  }
  const stored = await store.configurations.all();
  if (stored.some(({ isDemo }) => !isDemo)) return { account: "none", told: [] };
  if (!publicBase.isLoopback) {
    const told = [
      "No account is configured: set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER, or add one by the API.",
    ];
    if ((await store.workflows.listed()).length === 0) {
      const workflow = await echoWorkflow(store, Math.round(clock.wallMs()));
      told.push(`Workflow ${workflow} is echo: it can answer the first number.`);
    }
    return { account: "none", told };
  }
  const account = demoAccount(databasePath);
  await addOnce(store, { name: "Demo", account, isDemo: true }, clock);
  const told = `The demo number ${account.phoneNumber} is answered by the echo workflow (${demoAccountPath(databasePath)}).`;
  return { account: "demo", told: [told] };
}

interface FirstConfiguration {
  readonly name: string;
  readonly account: FirstAccount;
  readonly isDemo: boolean;
}

async function addOnce(store: FirstStore, first: FirstConfiguration, clock: Clock): Promise<void> {
  const { accountSid, authToken, phoneNumber } = first.account;
  const done = `first_start/${accountSid}`;
  if ((await store.meta.get(done)) !== undefined) return;
  const configurations = await store.configurations.all();
  const atMs = Math.round(clock.wallMs());
  if (!configurations.some((known) => known.accountSid === accountSid)) {
    const fields = {
      name: freeName(
        first.name,
        configurations.map(({ name }) => name),
      ),
      accountSid: AccountSid(accountSid),
      authToken,
      secondaryAuthToken: undefined,
      apiKey: undefined,
      region: undefined,
      edge: undefined,
      amdEnabled: false,
      isDefaultOutbound: true,
      isDemo: first.isDemo,
    };
    const { id } = await store.configurations.add(fields, atMs);
    await store.numbers.add(id, numberFields(phoneNumber, await echoWorkflow(store, atMs)), atMs);
  }
  await store.meta.set(done, "done");
}

/** A workflow that echo answers: the first there is, or a new one. */
async function echoWorkflow(store: FirstStore, atMs: number): Promise<WorkflowId> {
  const definition = { agent: { type: "echo" } };
  const isEcho = (known: unknown) => JSON.stringify(known) === JSON.stringify(definition);
  const known = (await store.workflows.all()).find((workflow) => isEcho(workflow.definition));
  return (known ?? (await store.workflows.create(randomUUID(), "Echo", { definition }, atMs))).id;
}

function numberFields(phoneNumber: string, inboundWorkflowId: WorkflowId): NumberFields {
  return {
    typed: phoneNumber,
    address: phoneNumber,
    type: "pstn",
    countryCode: undefined,
    label: undefined,
    warning: undefined,
    inboundWorkflowId,
    isActive: true,
    isDefaultCallerId: true,
    extraMetadata: {},
  };
}

function freeName(name: string, taken: readonly string[]): string {
  const candidates = [name, ...taken.map((_, index) => `${name} ${index + 2}`)];
  return candidates.find((candidate) => !taken.includes(candidate))!;
}
