import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { GatewayError } from "../../../src/domain/errors.ts";
import { loadAgentReaders } from "../../../src/media/agents/readers.ts";
import { demoAccount, demoAccountPath, firstContents } from "../../../src/numbers/firstStart.ts";
import { RoutingSnapshot } from "../../../src/numbers/routing.ts";

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
  it("routes the account's number, and no other, to echo", async () => {
    const account = demoAccount(newDatabase());
    const contents = firstContents(account, "Demo");
    const routing = new RoutingSnapshot(contents, await loadAgentReaders([]));
    const [configuration] = contents.configurations;
    assert.equal(configuration?.name, "Demo");
    assert.deepEqual(routing.tokensOf(configuration.accountSid), [account.authToken]);
    const route = routing.route(configuration.accountSid, account.phoneNumber);
    assert.ok("agent" in route);
    assert.deepEqual([route.agent.type, route.workflowVersion], ["echo", 1]);
    assert.deepEqual(routing.route(configuration.accountSid, "+12025550101"), {
      numberId: undefined,
      refusal: "number_unknown",
    });
  });
});
