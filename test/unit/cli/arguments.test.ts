import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { planKeys } from "../../../src/cli/caller.ts";
import { readTarget } from "../../../src/cli/gateway.ts";
import { run } from "./commands.ts";

const folder = mkdtempSync(join(tmpdir(), "linecard-cli-"));
after(() => rmSync(folder, { recursive: true }));
const DATABASE_PATH = join(folder, "linecard.db");
const account = ["--account-sid", "AC1", "--auth-token", "t", "--to", "+12025550100"];

describe("wrong arguments", { concurrency: 4 }, () => {
  const text = join(folder, "text.wav");
  writeFileSync(text, "this is no audio");
  const wrong: [command: "call" | "load", args: string[], words: RegExp][] = [
    ["call", ["--nonsense"], /^call: Unknown option '--nonsense'/],
    ["call", ["stray", ...account], /^call: Unexpected argument 'stray'/],
    ["call", ["--quiet", "soon", ...account], /--quiet must be a number from 0 to 3600, not soon/],
    ["call", ["--for", "0", ...account], /--for must be a number from 0.1 to/],
    ["call", ["--digits", "12x", ...account], /--digits may hold 0-9, \*, #, A-D and w, not 12x/],
    ["call", ["--gateway", "localhost:8080", ...account], /--gateway must be an http or https address/],
    [
      "call",
      ["--public-url", "https://h/?a", ...account],
      /--public-url must be an http or https address without/,
    ],
    ["call", ["--say", join(folder, "none.wav"), ...account], /none.wav could not be read \(ENOENT\)/],
    ["call", ["--say", text, ...account], /text.wav is not a WAV file/],
    ["call", ["--account-sid", "AC1"], /--account-sid and --auth-token must be given together/],
    ["call", [], /demo-account.json could not be read \(ENOENT\): start the gateway first with npm start/],
    ["load", ["--calls", "1.5", ...account], /--calls must be a whole number from 1 to 10000, not 1.5/],
    ["load", ["--calls", "", ...account], /--calls must be a whole number/],
    ["load", ["--gateway", "https://gw.example.com", ...account], /--gateway must be http:\/\/ for load/],
    ["load", [], /demo-account.json could not be read/],
  ];
  for (const [command, args, words] of wrong) {
    it(`end ${command} ${args.slice(0, 2).join(" ")} with status 2 and one sentence`, async () => {
      const { status, stdout, stderr } = await run(command, args, { env: { DATABASE_PATH } });
      assert.equal(status, 2);
      assert.match(stderr, words);
      assert.equal(stderr.trimEnd().split("\n").length, 1);
      assert.equal(stdout, "");
    });
  }

  for (const command of ["call", "load"] as const) {
    it(`are not what --help is: ${command} explains itself`, async () => {
      const { status, stdout } = await run(command, ["--help"]);
      assert.equal(status, 0);
      assert.match(stdout, /--gateway <url>/);
    });
  }
});

describe("whom a command calls", () => {
  const demo = { accountSid: "AC2", authToken: "demo", phoneNumber: "+12025550199" };
  const file = join(folder, "demo-account.json");

  it("is the demo account's number, unless it is told", () => {
    writeFileSync(file, JSON.stringify(demo));
    assert.deepEqual(readTarget({}, { DATABASE_PATH, PORT: "9000" }), {
      gatewayBase: "http://127.0.0.1:9000",
      publicBase: "http://127.0.0.1:9000",
      accountSid: "AC2",
      authToken: "demo",
      to: "+12025550199",
    });
    const given = {
      to: "+1",
      gateway: "http://h/",
      "public-url": "https://p/x/",
      "account-sid": "AC1",
      "auth-token": "t",
    };
    assert.deepEqual(
      readTarget(given, { DATABASE_PATH: "/nowhere/x.db", PUBLIC_BASE_URL: "https://other" }),
      {
        gatewayBase: "http://h",
        publicBase: "https://p/x",
        accountSid: "AC1",
        authToken: "t",
        to: "+1",
      },
    );
    assert.equal(readTarget({}, { DATABASE_PATH, PUBLIC_BASE_URL: "https://p" }).publicBase, "https://p");
    rmSync(file);
  });

  it("cannot be read from a file that is no account's", () => {
    for (const text of ["", "null", JSON.stringify({ ...demo, authToken: 1 })]) {
      writeFileSync(file, text);
      assert.throws(
        () => readTarget({}, { DATABASE_PATH }),
        /demo-account.json is no demo account: it has no/,
      );
    }
    rmSync(file);
  });
});

describe("keys to press", () => {
  it("come every quarter of a second, and half a second later for each w", () => {
    assert.deepEqual(planKeys("1#ww*"), [
      { digit: "1", afterMs: 250 },
      { digit: "#", afterMs: 500 },
      { digit: "*", afterMs: 1_750 },
    ]);
    assert.deepEqual(planKeys(""), []);
  });
});
