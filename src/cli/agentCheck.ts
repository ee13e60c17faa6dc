// `npm run agent-check`: plays the gateway against a developer's agent server, and says what is right and what is not.
import { type Check, check } from "./agentCheck/checks.ts";
import { readOptions, runCommand, UsageError } from "./arguments.ts";
import { readSpeech } from "./speech.ts";

const HELP = `Plays one call against an agent's server, and checks that it speaks the protocol of docs/agents.md.

npm run agent-check -- --url ws://127.0.0.1:9000 [options]
  --url <address>        the server, ws:// or wss://
  --secret <secret>      sent as a bearer token, as the workflow's agent_secret is
  --say <file.wav>       what the caller says: 16-bit PCM or mu-law, 8 to 48 kHz (a short question)
  --json                 print all findings as one JSON object in the last line
`;

const QUESTION = new URL("../twin/recordings/question.wav", import.meta.url);

/** The command; its result is the exit status. */
async function checkAgent(args: string[]): Promise<number> {
  const given = readOptions(args, {
    url: { type: "string" },
    secret: { type: "string" },
    say: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean" },
  });
  if (given.help) {
    print(HELP.trimEnd());
    return 0;
  }
  const plan = { url: addressOf(given.url), secret: given.secret, speech: readSpeech(given.say ?? QUESTION) };
  const checks: Check[] = [];
  await check(plan, (found) => {
    checks.push(found);
    print(`${found.isGood ? "✓" : "✗"} ${found.what}`);
    if (found.advice !== undefined) print(`    ${found.advice}`);
  });
  const isGood = checks.every((each) => each.isGood);
  print(isGood ? "This server can answer calls." : "This server is not ready for calls yet.");
  if (given.json) print(JSON.stringify({ url: plan.url, isGood, checks }));
  return isGood ? 0 : 1;
}

function addressOf(text: string | undefined): string {
  if (text === undefined)
    throw new UsageError("--url is missing: the server's address, such as ws://127.0.0.1:9000");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^wss?:$/.test(url.protocol) || url.hash !== "")
    throw new UsageError(`--url must be a ws:// or wss:// address without a fragment, not ${text}`);
  return text;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await runCommand("agent-check", checkAgent);
