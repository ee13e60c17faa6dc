// What the program can't start with, it says in sentences, and stops.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { folder, Program } from "../../support/process.ts";

const STACK = /^\s+at /m;

describe("a start that cannot be", { concurrency: true }, () => {
  it("says that the port is in use, and exits", async (t) => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    t.after(() => other.close());
    const { port } = other.address() as { port: number };
    const env = { PORT: String(port), DATABASE_PATH: join(folder(t), "linecard.db"), MEDIA_WORKERS: "1" };
    const { status, stdout, stderr } = await new Program(t, "main.ts", [], env).exited;
    assert.equal(status, 1);
    assert.equal(stdout, "", "nothing says that it listens");
    assert.match(
      stderr,
      new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${port}: another process has that port[^\n]+\n$`),
    );
  });

  it("says everything that is wrong with its settings at once, without a secret", async (t) => {
    const secrets = {
      TWILIO_AUTH_TOKEN: "canary token with spaces",
      TWILIO_ACCOUNT_SID: "canary-pasted-in-the-wrong-place",
      LINECARD_API_KEY: "canary-short-key",
      LINECARD_ENCRYPTION_KEY: "canary-no-key",
      PUBLIC_BASE_URL: "http://canary:canary@gw.example.com/?canary",
      VOICE_FALLBACK_URL: "canary-no-url",
      METRICS_TOKEN_FILE: "/canary/no/file",
      LINECARD_CANARY: "canary-unknown",
    };
    const env = {
      ...secrets,
      PORT: "a lot",
      CALLS_MAX: "0",
      MEDIA_WORKERS: "-1",
      LOG_LEVEL: "loud",
      TWILIO_PHONE_NUMBER: "5551234",
    };
    const { status, stdout, stderr } = await new Program(t, "main.ts", [], env).exited;
    assert.equal(status, 1);
    assert.equal(stdout, "");
    const [title, ...problems] = stderr.trimEnd().split("\n");
    assert.equal(title, `${problems.length} settings are wrong:`);
    for (const name of [...Object.keys(env)].map((each) =>
      each === "METRICS_TOKEN_FILE" ? each : `  ${each} `,
    ))
      assert.ok(stderr.includes(name), `${name.trim()} is named: ${stderr}`);
    assert.doesNotMatch(stderr, /canary/);
    assert.doesNotMatch(stderr, STACK);
  });

  it("says which recordings can't be said to a caller, before it makes a database", async (t) => {
    const where = folder(t);
    const recording = join(where, "comfort.mp3");
    writeFileSync(recording, "ID3");
    const env = { DATABASE_PATH: join(where, "linecard.db"), COMFORT_FILE: recording, APOLOGY_FILE: where };
    const { status, stdout, stderr } = await new Program(t, "main.ts", [], env).exited;
    assert.equal(status, 1);
    assert.equal(stdout, "");
    const [title, comfort, apology] = stderr.split("\n  ");
    assert.equal(title, "2 settings are wrong:");
    assert.match(comfort!, /^COMFORT_FILE: the file \S+comfort\.mp3 is not a WAV file; .*: sox '/);
    assert.match(apology!, /^APOLOGY_FILE: the file \S+ can't be read \(EISDIR\)\n$/);
    assert.deepEqual(readdirSync(where), ["comfort.mp3"]);
  });
});
