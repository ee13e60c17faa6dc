// `npm run twin`: the offline Twilio as a process of its own, for clients that can't have it in theirs.
import { readFileSync } from "node:fs";
import type { AccountOptions } from "../twin/exchange/account.ts";
import { CONTROL_HELP } from "../twin/exchange/control.ts";
import { Exchange } from "../twin/exchange/exchange.ts";
import { PERSON_HELP, type Person, readPerson } from "../twin/exchange/people.ts";
import { baseOption, numberOption, readOptions, runCommand, UsageError } from "./arguments.ts";

const HELP = `Runs the offline Twilio: its REST API for accounts, numbers and calls, and the calls themselves.

npm run twin -- [options]
  --port <n>             where it listens, on 127.0.0.1 (any free port)
  --account-sid <sid>    with --auth-token: the account it knows (made up and printed, if absent)
  --auth-token <token>
  --number <number>      a number the account owns; may be given several times (+12025550100)
  --demo-account <file>  the account and number of a gateway's demo-account.json, instead of the three above
  --gateway <url>        where the gateway listens (http://127.0.0.1:$PORT, or port 8080)
  --public-url <url>     its PUBLIC_BASE_URL, which signatures are made over ($PUBLIC_BASE_URL, or --gateway)
  --person <number>=<behaviour>
                         who is called at that number, or at any other with *; may be given several times:
                         ${PERSON_HELP}
                         (everyone answers, asks a question, listens, and hangs up once it is quiet)
  --trial <number>       makes it a trial account, which may call this number only; may be given several times
  --json                 print one JSON line, {"url", "accountSid", "numbers"}, and nothing else
  --with-parent          end when standard input is closed: with the process that started this one

Clients use the printed address in place of https://api.twilio.com. A gateway does with TWILIO_API_BASE_URL.

${CONTROL_HELP}
`;

const NUMBER = "+12025550100";
/** A call is about 2 MB, with what was said on it. */
const CALLS_KEPT = 50;
const CLOSE_MS = 3_000;

/** The command; its result is the exit status. */
async function runTwin(args: string[]): Promise<number> {
  const given = readOptions(args, {
    port: { type: "string" },
    "account-sid": { type: "string" },
    "auth-token": { type: "string" },
    number: { type: "string", multiple: true },
    "demo-account": { type: "string" },
    gateway: { type: "string" },
    "public-url": { type: "string" },
    person: { type: "string", multiple: true },
    trial: { type: "string", multiple: true },
    json: { type: "boolean" },
    "with-parent": { type: "boolean" },
    help: { type: "boolean" },
  });
  if (given.help) {
    print(HELP.trimEnd());
    return 0;
  }
  const { PORT = "8080", PUBLIC_BASE_URL } = process.env;
  const gatewayBase = baseOption("gateway", given.gateway ?? `http://127.0.0.1:${PORT}`);
  const publicBase = baseOption("public-url", given["public-url"] ?? PUBLIC_BASE_URL ?? gatewayBase);
  const account = readAccount(given["demo-account"], given["account-sid"], given["auth-token"], given.number);
  const people = (given.person ?? []).map(personOption);
  const anyoneElse = people.findLast(([number]) => number === "*")?.[1];
  // Known before anything listens, so that a parent that is already gone is noticed too.
  const ending = ended(given["with-parent"] ?? false);
  const exchange = await start({
    accounts: [{ ...account, ...(given.trial && { trial: { verified: given.trial } }) }],
    people: Object.fromEntries(people),
    ...(anyoneElse && { anyoneElse }),
    publicBase,
    gatewayBase,
    callsKept: CALLS_KEPT,
    port: numberOption("port", given.port, { default: 0, min: 0, max: 65_535, whole: true }),
  });
  if (given.json) print(JSON.stringify(offer(exchange)));
  else introduce(exchange, account, gatewayBase);
  await ending;
  // A gateway that hangs could hold up what waits for its answers; nobody waits for this process.
  setTimeout(() => process.exit(), CLOSE_MS).unref();
  await exchange.close();
  return 0;
}

async function start(options: Parameters<typeof Exchange.start>[0]): Promise<Exchange> {
  try {
    return await Exchange.start(options);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    throw new UsageError(
      `port ${options?.port} can't be listened on (${error.code}); choose another with --port`,
    );
  }
}

function readAccount(
  demoFile: string | undefined,
  accountSid: string | undefined,
  authToken: string | undefined,
  numbers: readonly string[] = [NUMBER],
): AccountOptions {
  if ((accountSid === undefined) !== (authToken === undefined)) {
    throw new UsageError("--account-sid and --auth-token must be given together");
  }
  if (demoFile !== undefined) {
    if (accountSid !== undefined) throw new UsageError("give --demo-account or --account-sid, not both");
    return readDemo(demoFile);
  }
  if (accountSid === undefined || authToken === undefined) return { numbers };
  if (!/^AC[0-9a-fA-F]{32}$/.test(accountSid)) {
    throw new UsageError(`--account-sid must be AC and 32 hex digits, not ${accountSid}`);
  }
  return { accountSid, authToken, numbers };
}

function readDemo(path: string): AccountOptions {
  let demo: Record<string, unknown>;
  try {
    demo = Object(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    throw new UsageError(`the demo account's file ${path} could not be read: ${(error as Error).message}`);
  }
  const { accountSid, authToken, phoneNumber } = demo;
  if (typeof accountSid !== "string" || typeof authToken !== "string" || typeof phoneNumber !== "string") {
    throw new UsageError(`${path} is no demo account: it needs accountSid, authToken and phoneNumber`);
  }
  return { accountSid, authToken, numbers: [phoneNumber], friendlyName: "Demo account" };
}

function personOption(text: string): [number: string, person: Person] {
  const [number = "", behaviour = ""] = text.split("=");
  const person = readPerson(behaviour);
  if (number === "" || person === undefined) {
    throw new UsageError(`--person must be <number>=<behaviour>, with ${PERSON_HELP}, not ${text}`);
  }
  return [number, person];
}

/** Resolves when this process is told to end, or has lost the one that started it. */
function ended(withParent: boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once("SIGTERM", resolve);
  // Ctrl-C reaches a whole terminal's processes, but the parent may still want to end its calls in peace.
  if (withParent) process.on("SIGINT", () => {});
  else process.once("SIGINT", resolve);
  if (withParent) {
    // However the parent dies, the kernel closes its end of the pipe.
    process.stdin.once("end", resolve).once("close", resolve).once("error", resolve);
    process.stdin.resume();
  }
  return promise;
}

function offer({ url, accounts }: Exchange): object {
  const [account] = accounts;
  return {
    url,
    accountSid: account!.accountSid,
    numbers: account!.numbers.map(({ phoneNumber }) => phoneNumber),
  };
}

function introduce(exchange: Exchange, given: AccountOptions, gatewayBase: string): void {
  const [account] = exchange.accounts;
  print(`The offline Twilio listens at ${exchange.url}`);
  print(
    `Account ${account!.accountSid}${given.authToken === undefined ? `, token ${account!.authToken}` : ""}`,
  );
  for (const { phoneNumber, sid } of account!.numbers) print(`Number ${phoneNumber} (${sid})`);
  print(`Calls go to the gateway at ${gatewayBase}. --help tells what else it can be asked.`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await runCommand("twin", runTwin);
