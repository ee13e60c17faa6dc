// Someone starts the program for the first time and calls it: with nothing configured, with an account of their own,
// and with strangers at the door.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, describe, it, type TestContext } from "node:test";
import { SAMPLES_PER_MS } from "../../../src/twin/track.ts";
import { TwilioTwin } from "../../../src/twin/twin.ts";
import { readWav } from "../../../src/twin/wav.ts";
import { command, type RunningGateway, startGatewayProcess } from "../../support/process.ts";
import { align, levelDb, recording } from "../../support/sound.ts";

interface Account {
  readonly accountSid: string;
  readonly authToken: string;
  readonly phoneNumber: string;
}

const TWILIO: Account = {
  accountSid: `AC${"1".repeat(32)}`,
  authToken: "an-auth-token-of-twilio",
  phoneNumber: "+15005550006",
};
const AS_TWILIO = {
  TWILIO_ACCOUNT_SID: TWILIO.accountSid,
  TWILIO_AUTH_TOKEN: TWILIO.authToken,
  TWILIO_PHONE_NUMBER: TWILIO.phoneNumber,
};

const demoFile = ({ databasePath }: RunningGateway) => join(dirname(databasePath), "demo-account.json");
const demoAccount = (gateway: RunningGateway): Account => JSON.parse(readFileSync(demoFile(gateway), "utf8"));

/** The options and the environment of the command that the greeting says to type. */
async function calling({
  program,
}: RunningGateway): Promise<{ args: string[]; env: Record<string, string> }> {
  const [, path, options = ""] = await program.wrote(/(?:DATABASE_PATH=(\S+) )?npm run call(?: -- (.*))?\n/);
  return { args: options.split(" ").filter(Boolean), env: path === undefined ? {} : { DATABASE_PATH: path } };
}

/**
 * That a saved call's right side holds what its left side said. Audio that comes a few milliseconds late leaves a gap
 * in what was played, so it is looked for piece by piece.
 */
function hasEcho(t: TestContext, caller: Int16Array, agent: Int16Array): void {
  const said = recording("hello");
  const pieceSamples = 200 * SAMPLES_PER_MS;
  const saidAt = align(said.subarray(0, 3 * pieceSamples), caller.subarray(0, 8 * pieceSamples)).at;
  const found: { delayMs: number; gainDb: number }[] = [];
  let pieces = 0;
  for (let at = 0; at + pieceSamples <= said.length; at += pieceSamples) {
    const piece = said.subarray(at, at + pieceSamples);
    if (levelDb(piece) < -40) continue;
    pieces++;
    const heard = agent.subarray(saidAt + at, saidAt + at + 4 * pieceSamples);
    const { at: delay, alike } = align(piece, heard);
    const gainDb = levelDb(heard.subarray(delay, delay + pieceSamples)) - levelDb(piece);
    if (alike > 0.95) found.push({ delayMs: delay / SAMPLES_PER_MS, gainDb });
  }
  const delaysMs = found.map(({ delayMs }) => delayMs).sort((a, b) => a - b);
  t.diagnostic(
    `${found.length} of ${pieces} pieces came back whole, after ${delaysMs.at(0)} to ${delaysMs.at(-1)} ms`,
  );
  assert.ok(found.length > pieces / 2, `only ${found.length} of ${pieces} pieces came back`);
  for (const { gainDb } of found) assert.ok(Math.abs(gainDb) < 0.5, `a piece is ${gainDb} dB louder`);
}

function lastLine(stdout: string) {
  return JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
}

const gateway = await startGatewayProcess({ after });

describe("the first start", { concurrency: true }, () => {
  it("tells how to hear it answer, and what is said comes back", async (t) => {
    const { port } = new URL(gateway.origin);
    await gateway.program.wrote(
      new RegExp(`listens on 127\\.0\\.0\\.1:${port} and is called at ${gateway.origin}\n`),
    );
    assert.equal(statSync(demoFile(gateway)).mode & 0o777, 0o600);

    const { args, env } = await calling(gateway);
    const wav = join(dirname(gateway.databasePath), "call.wav");
    const call = await command(t, "call", [...args, "--json", "--quiet", "0.6", "--save", wav], env);
    assert.equal(call.status, 0, call.stderr + call.stdout);

    const result = lastLine(call.stdout);
    assert.match(result.callSid, /^CA[0-9a-f]{32}$/);
    assert.match(result.twiml, /^<\?xml .*<Connect action="[^"]+"><Stream url="ws:\/\/127\.0\.0\.1:/s);
    assert.equal(result.ended, "caller");
    assert.deepEqual(result.complaints, []);
    const kinds = new Set(result.events.map(({ kind }: { kind: string }) => kind));
    assert.deepEqual([...kinds].sort(), [
      "action",
      "close",
      "mark",
      "media",
      "start",
      "twiml",
      "upgrade",
      "webhook",
    ]);
    for (const { atMs } of result.events) assert.ok(atMs >= 0);
    const said = recording("hello");
    assert.ok(result.heardMs >= said.length / 8, `${result.heardMs} ms were heard`);
    assert.ok(result.firstAudioMs > 0 && result.firstAudioMs < 8_000, `${result.firstAudioMs}`);
    t.diagnostic(`first audio ${result.firstAudioMs} ms after the webhook was sent`);

    const { rateHz, channels } = readWav(readFileSync(wav));
    assert.deepEqual([rateHz, channels.length], [8_000, 2]);
    hasEcho(t, channels[0]!, channels[1]!);
  });

  it("makes one account for a database: random, and the same at the next start", async (t) => {
    const first = await startGatewayProcess(t, { MEDIA_WORKERS: "1" });
    const account = demoAccount(first);
    assert.match(account.accountSid, /^AC[0-9a-f]{32}$/);
    first.program.signal("SIGTERM");
    assert.equal((await first.program.exited).status, 0);
    const { databasePath: DATABASE_PATH } = first;
    const next = await startGatewayProcess(t, { DATABASE_PATH, MEDIA_WORKERS: "1" });
    assert.deepEqual(demoAccount(next), account);
    const twilio = new TwilioTwin({ ...account, publicBase: next.origin });
    t.after(() => twilio.close());
    const call = await twilio.dial({ to: account.phoneNumber });
    assert.match(call.webhook!.body, /<Stream /, "and it is still answered");
    const other = demoAccount(gateway);
    assert.notEqual(other.accountSid, account.accountSid);
    assert.notEqual(other.authToken, account.authToken);
    for (const { program } of [first, next]) assert.ok(!program.stdout.includes(account.authToken));
  });

  it("keeps everything beside the database, for its owner alone, and says where the key is", async (t) => {
    const { databasePath, program } = await startGatewayProcess(t, { MEDIA_WORKERS: "1" });
    const kept = readdirSync(dirname(databasePath)).filter((name) => !/-(wal|shm|journal)$/.test(name));
    assert.deepEqual(kept.sort(), ["demo-account.json", "linecard.db", "linecard.db.lock", "linecard.key"]);
    for (const name of readdirSync(dirname(databasePath)))
      assert.equal(statSync(join(dirname(databasePath), name)).mode & 0o077, 0, name);
    assert.match(
      program.stdout,
      /linecard\.key","msg":"a key for the database's secrets was made: keep a copy/,
    );
    const key = readFileSync(join(dirname(databasePath), "linecard.key"), "utf8").trim();
    assert.ok(!program.stdout.includes(key));
  });

  it("tells a caller by its exit status that the call was refused, or could not begin", async (t) => {
    const { args, env } = await calling(gateway);
    const [unknown, wrong] = await Promise.all([
      command(t, "call", [...args, "--to", "+12025550199", "--json"], env),
      command(t, "call", [...args, "--two", "+12025550199"], env),
    ]);
    assert.equal(unknown.status, 1);
    const result = lastLine(unknown.stdout);
    assert.equal(result.ended, "refused");
    assert.match(result.twiml, /<Reject\/>/);
    assert.deepEqual([result.heardMs, result.firstAudioMs], [0, null]);
    assert.deepEqual([wrong.status, wrong.stdout], [2, ""]);
    assert.match(wrong.stderr, /^call: [^\n]+\n$/);
  });

  it("stops with a sentence where nothing can be kept", async (t) => {
    const DATABASE_PATH = join(import.meta.filename, "linecard.db");
    await assert.rejects(startGatewayProcess(t, { DATABASE_PATH }), (error: Error) => {
      assert.match(
        error.message,
        /\(1\): .*linecard\.key can't be made \(E\w+\): set DATABASE_PATH to [^\n]+\n$/,
      );
      return true;
    });
  });

  it("answers an account of Twilio's, keeps its secrets to itself, and makes no demo account", async (t) => {
    const configured = await startGatewayProcess(t, { ...AS_TWILIO, MEDIA_WORKERS: "1" });
    assert.ok(!existsSync(demoFile(configured)));
    const { args } = await calling(configured);
    assert.deepEqual(args.slice(2), [
      ...["--to", '"$TWILIO_PHONE_NUMBER"', "--account-sid", '"$TWILIO_ACCOUNT_SID"'],
      ...["--auth-token", '"$TWILIO_AUTH_TOKEN"'],
    ]);
    const asShell = args.map((word) =>
      word.replace(/"\$(\w+)"/, (_, name) => AS_TWILIO[name as keyof typeof AS_TWILIO]),
    );
    const call = await command(t, "call", [...asShell, "--for", "0.5"]);
    assert.equal(call.status, 0, call.stderr + call.stdout);
    await configured.program.wrote(/"msg":"call ended"/);
    const { stdout } = configured.program;
    for (const secret of [TWILIO.authToken, TWILIO.phoneNumber]) assert.ok(!stdout.includes(secret));
  });

  it("says what to set where strangers can reach it, and refuses an earlier start's demo account", async (t) => {
    const earlier = await startGatewayProcess(t, { MEDIA_WORKERS: "1" });
    const { databasePath: DATABASE_PATH } = earlier;
    const account = demoAccount(earlier);
    earlier.program.signal("SIGTERM");
    await earlier.program.exited;
    const PUBLIC_BASE_URL = "https://gw.example.com";
    const env = { DATABASE_PATH, PUBLIC_BASE_URL, HOST: "127.0.0.1", MEDIA_WORKERS: "1" };
    const exposed = await startGatewayProcess(t, env);
    await exposed.program.wrote(
      /set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER, or [^\n]+\n/,
    );
    assert.doesNotMatch(exposed.program.stdout, /npm run call/);
    const twilio = new TwilioTwin({ ...account, publicBase: PUBLIC_BASE_URL, gatewayBase: exposed.origin });
    const call = await twilio.dial({ to: account.phoneNumber });
    assert.deepEqual([call.webhook?.status, call.webhook?.body], [403, ""]);
    await twilio.close();
  });
});
