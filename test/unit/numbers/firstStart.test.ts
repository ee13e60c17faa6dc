import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { GatewayError } from "../../../src/domain/errors.ts";
import { AccountSid } from "../../../src/domain/ids.ts";
import { loadAgentReaders } from "../../../src/media/agents/readers.ts";
import { Directory } from "../../../src/numbers/directory.ts";
import { demoAccount, demoAccountPath, firstStart } from "../../../src/numbers/firstStart.ts";
import { configuration, newStore } from "../../support/gateway.ts";
import { ManualClock } from "../../support/manualClock.ts";

const folder = mkdtempSync(join(tmpdir(), "linecard-first-start-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;
const newDatabase = (): string => join(folder, `install-${made++}`, "data", "linecard.db");
const modeOf = (path: string): number => statSync(path).mode & 0o777;

/** Starts that fail do so with a sentence for the one who reads it, and none of the file's text. */
function failsWith(words: RegExp, start: () => unknown): void {
  assert.throws(start, (error) => {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, "SETTINGS_INVALID");
    assert.match(error.message, words);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
}

describe("the demo account", () => {
  it("is made at the first start, in a file that only its owner can read", () => {
    const database = newDatabase();
    const account = demoAccount(database);
    assert.match(account.accountSid, /^AC[0-9a-f]{32}$/);
    assert.match(account.authToken, /^[0-9a-f]{32}$/);
    assert.equal(account.phoneNumber, "+12025550100");
    const path = demoAccountPath(database);
    assert.equal(dirname(path), dirname(database));
    assert.equal(modeOf(path), 0o600);
    assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), account);
  });

  it("is the same at every later start, and private again if it was not", () => {
    const database = newDatabase();
    const account = demoAccount(database);
    chmodSync(demoAccountPath(database), 0o644);
    assert.deepEqual(demoAccount(database), account);
    assert.equal(modeOf(demoAccountPath(database)), 0o600);
  });

  it("is another one for every database", () => {
    const [one, two] = [demoAccount(newDatabase()), demoAccount(newDatabase())];
    assert.notEqual(one.accountSid, two.accountSid);
    assert.notEqual(one.authToken, two.authToken);
  });

  it("is not guessed at when its file holds something else", () => {
    const good = {
      accountSid: `AC${"0".repeat(32)}`,
      authToken: "secret".repeat(6),
      phoneNumber: "+12025550100",
    };
    const corrupted = [
      "",
      "{",
      "null",
      "[]",
      '"secret"',
      JSON.stringify(good).slice(0, -5),
      JSON.stringify({ ...good, accountSid: "AC1" }),
      JSON.stringify({ ...good, authToken: "short" }),
      JSON.stringify({ ...good, authToken: undefined }),
      JSON.stringify({ ...good, phoneNumber: "secret" }),
    ];
    for (const text of corrupted) {
      const database = newDatabase();
      mkdirSync(dirname(database), { recursive: true });
      writeFileSync(demoAccountPath(database), text);
      failsWith(/demo-account\.json does not hold a demo account: delete it/, () => demoAccount(database));
      assert.equal(readFileSync(demoAccountPath(database), "utf8"), text, "and the file is left alone");
    }
    const database = newDatabase();
    mkdirSync(demoAccountPath(database), { recursive: true });
    failsWith(/does not hold a demo account/, () => demoAccount(database));
  });

  it("says what to set when there is nowhere to put it", () => {
    const file = join(folder, "a-file");
    writeFileSync(file, "");
    for (const database of [join(file, "linecard.db"), join(file, "deeper", "linecard.db")]) {
      failsWith(/demo-account\.json can't be made \(E\w+\): set DATABASE_PATH/, () => demoAccount(database));
    }
  });
});

describe("the first configuration", () => {
  const clock = new ManualClock();
  const LOOPBACK = { isLoopback: true };
  const OWN = { accountSid: `AC${"1".repeat(32)}`, authToken: "their secret", phoneNumber: "+15005550006" };

  /** A store of its own, and first starts of it. */
  async function installation() {
    const { store, databasePath, remove } = await newStore();
    after(() => store.close().then(remove));
    const start = (changes: Partial<Parameters<typeof firstStart>[1]> = {}) =>
      firstStart(store, { twilioAccount: undefined, databasePath, publicBase: LOOPBACK, ...changes }, clock);
    const contents = async () => ({
      configurations: await store.configurations.all(),
      numbers: await store.numbers.all(),
      workflows: await store.workflows.all(),
    });
    const directory = async (takesDemo = true) =>
      new Directory(await contents(), await loadAgentReaders([]), takesDemo);
    return { store, databasePath, start, contents, directory };
  }

  it("routes the demo account's number, and no other, to echo", async () => {
    const { databasePath, start, directory } = await installation();
    const { account, told } = await start();
    assert.equal(account, "demo");
    assert.match(
      told.join(),
      /demo number \+12025550100 is answered by the echo workflow .*demo-account\.json/,
    );
    const demo = demoAccount(databasePath);
    const accountSid = AccountSid(demo.accountSid);
    const routing = await directory();
    assert.equal(routing.configurations()[0]?.name, "Demo");
    assert.deepEqual(routing.tokensOf(accountSid), [demo.authToken]);
    const route = routing.route(accountSid, demo.phoneNumber);
    assert.ok("brief" in route);
    assert.deepEqual([route.brief.agent.type, route.brief.workflow.version], ["echo", 1]);
    assert.deepEqual(routing.route(accountSid, "+12025550101"), { refusal: "number_unknown" });
    assert.deepEqual(
      (await directory(false)).tokensOf(accountSid),
      [],
      "where strangers reach us it is none",
    );
  });

  it("is put in once: a later start changes nothing, and what was deleted stays away", async () => {
    const { store, start, contents } = await installation();
    await start();
    const before = await contents();
    assert.deepEqual((await start()).account, "demo");
    assert.deepEqual(await contents(), before);
    await store.numbers.remove(before.numbers[0]!.id);
    await start();
    assert.deepEqual((await contents()).numbers, []);
    await store.configurations.remove(before.configurations[0]!.id);
    await start();
    assert.deepEqual((await contents()).configurations, []);
  });

  it("is the environment's account where there is one, beside what is there already", async () => {
    const { start, contents, directory } = await installation();
    await start();
    const { account, told } = await start({ twilioAccount: OWN, publicBase: { isLoopback: false } });
    assert.equal(account, "environment");
    assert.doesNotMatch(told.join(), /secret|5005550006/, "its secrets are not told");
    const { configurations, numbers, workflows } = await contents();
    assert.deepEqual(
      configurations.map(({ name, isDemo, isDefaultOutbound }) => [name, isDemo, isDefaultOutbound]),
      [
        ["Demo", true, false],
        ["Twilio", false, true],
      ],
    );
    assert.deepEqual([numbers.length, workflows.length], [2, 1], "one echo is enough");
    const route = (await directory(false)).route(AccountSid(OWN.accountSid), OWN.phoneNumber);
    assert.ok("brief" in route && route.brief.agent.type === "echo");
  });

  it("takes the place of no configuration that a user has made", async () => {
    const { store, start, contents } = await installation();
    const theirs = configuration("Twilio", { accountSid: AccountSid(OWN.accountSid), authToken: "newer" });
    await store.configurations.add(theirs, 5);
    await start({ twilioAccount: OWN });
    const { configurations, numbers } = await contents();
    assert.deepEqual(
      configurations.map(({ name, authTokens }) => [name, authTokens]),
      [["Twilio", ["newer"]]],
    );
    assert.deepEqual(numbers, []);
    const other = { ...OWN, accountSid: `AC${"2".repeat(32)}` };
    await start({ twilioAccount: other });
    assert.deepEqual(
      (await contents()).configurations.map(({ name }) => name),
      ["Twilio", "Twilio 2"],
      "a name that is taken is left to whoever has it",
    );
  });

  it("is no demo account once somebody has an account, or strangers can reach us", async () => {
    const one = await installation();
    await one.store.configurations.add(configuration("Theirs"), 5);
    assert.deepEqual(await one.start(), { account: "none", told: [] });
    const other = await installation();
    const exposed = await other.start({ publicBase: { isLoopback: false } });
    assert.equal(exposed.account, "none");
    assert.match(exposed.told.join(), /set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER/);
    assert.deepEqual((await other.contents()).configurations, []);
  });

  it("of a user finds a workflow that can answer its first number, wherever the gateway began", async () => {
    const { store, start, contents, directory } = await installation();
    const { told } = await start({ publicBase: { isLoopback: false } });
    assert.match(told.join(), /Workflow 1 is echo/);
    assert.ok("brief" in (await directory()).answererOf((await contents()).workflows[0]!.id));
    const { id } = (await contents()).workflows[0]!;
    await store.workflows.update(id, { definition: { agent: { type: "echo", rate_hz: 8_000 } } }, 5);
    const later = await start({ publicBase: { isLoopback: false } });
    assert.doesNotMatch(later.told.join(), /echo/);
    assert.equal((await contents()).workflows.length, 1, "and that one alone");
  });
});
