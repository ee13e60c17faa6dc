// `npm run twin` as a process of its own: what it prints, whom it serves, and when it ends.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import Twilio from "twilio/lib/rest/Twilio.js";
import { until } from "../../support/until.ts";
import { StandIn } from "../../unit/twin/standIn.ts";

const PROGRAM = fileURLToPath(new URL("../../../src/cli/twin.ts", import.meta.url));
const DEMO = { accountSid: `AC${"d".repeat(32)}`, authToken: "e".repeat(32), phoneNumber: "+12025550100" };
const SOMEONE = "+14155550123";

let gateway: StandIn;
let folder: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  gateway = await StandIn.start();
  folder = mkdtempSync(join(tmpdir(), "linecard-twin-"));
  writeFileSync(join(folder, "demo-account.json"), JSON.stringify(DEMO));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await gateway.close();
  rmSync(folder, { recursive: true });
});

function run(...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, "--gateway", gateway.base, ...args], { env: {} });
  children.push(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const exited = once(child, "close").then(([status, signal]) => ({ status, signal, stderr, lines }));
  return { child, lines, exited };
}

/** A twin for the demo account, ready. */
async function runDemo(...args: string[]) {
  const running = run("--json", "--demo-account", join(folder, "demo-account.json"), ...args);
  await until("the address", () => running.lines.length > 0);
  const offer = JSON.parse(running.lines[0]!) as { url: string; accountSid: string; numbers: string[] };
  const client = new Twilio(DEMO.accountSid, DEMO.authToken);
  client.api.baseUrl = offer.url;
  return { ...running, offer, client };
}

async function ask(url: string, name: string, body?: object) {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${url}/twin/${name}`, init);
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON comes
  return { status: response.status, body: (await response.json()) as any };
}

describe("the twin for a demo account", () => {
  it("says where it listens in one line, and owns the number", async () => {
    const { offer, client, lines } = await runDemo();
    assert.match(offer.url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.deepEqual([offer.accountSid, offer.numbers], [DEMO.accountSid, [DEMO.phoneNumber]]);
    assert.equal((await client.api.v2010.accounts(DEMO.accountSid).fetch()).friendlyName, "Demo account");
    const [number] = await client.incomingPhoneNumbers.list({ phoneNumber: DEMO.phoneNumber });
    assert.equal(number!.phoneNumber, DEMO.phoneNumber);
    assert.equal(lines.length, 1);
  });

  it("has any destination answered by a recorded person, who speaks, listens and hangs up", async () => {
    const { client, offer } = await runDemo();
    const statusCallbackEvent = ["initiated", "ringing", "answered", "completed"];
    const urls = {
      url: `${gateway.base}/answer`,
      statusCallback: `${gateway.base}/status`,
      statusCallbackEvent,
    };
    const { sid } = await client.calls.create({ to: SOMEONE, from: DEMO.phoneNumber, ...urls });
    const far = await gateway.firstStream();
    await far.nextEvent("start");
    const loud = await far.next(
      ({ event, media }) =>
        event === "media" && Buffer.from(media.payload, "base64").some((code) => code !== 0xff),
    );
    assert.ok(loud);
    far.media(400);
    await gateway.request(({ target, params }) => target === "/status" && params.CallStatus === "completed");
    const { status, duration } = await client.calls(sid).fetch();
    assert.equal(status, "completed");
    assert.ok(Number(duration) >= 3);
    const { body } = await ask(offer.url, "calls");
    assert.deepEqual([body[0].sid, body[0].ended.how, body[0].heard_ms], [sid, "caller", 400]);
    assert.deepEqual((await ask(offer.url, "complaints")).body, []);
  });

  it("can be asked from outside for calls, people, numbers, faults and a suspended account", async () => {
    const { client, offer } = await runDemo("--person", `${SOMEONE}=nobody`);
    const { url } = offer;
    await ask(url, "people", { number: SOMEONE, person: "busy" });
    const { sid } = await client.calls.create({ to: SOMEONE, from: DEMO.phoneNumber, url: gateway.base });
    await until("busy", async () => (await client.calls(sid).fetch()).status === "busy");

    const phoneNumber = "+12025550101";
    await ask(url, "numbers", { phoneNumber, VoiceUrl: `${gateway.base}/voice` });
    const dialled = await ask(url, "dial", { to: phoneNumber, from: SOMEONE, says: "" });
    const far = await gateway.firstStream();
    const { start } = await far.nextEvent("start");
    assert.equal(start.callSid, dialled.body.callSid);
    await ask(url, "press", { callSid: start.callSid, digits: "1#" });
    assert.equal((await far.nextEvent("dtmf")).dtmf.digit, "1");
    assert.equal((await far.nextEvent("dtmf")).dtmf.digit, "#");
    await ask(url, "hangup", { callSid: start.callSid });
    await far.nextEvent("stop");

    await ask(url, "faults", { next: { on: "Calls.list", answer: 500 } });
    await assert.rejects(client.calls.list(), { code: 20500 });
    await ask(url, "account", { status: "suspended" });
    await assert.rejects(client.calls.list(), { code: 20003 });

    for (const [name, body, status] of [
      ["dial", { to: "+12025550199" }, 404],
      ["dial", {}, 400],
      ["people", { number: SOMEONE, person: "asleep" }, 400],
      ["faults", { next: { answer: 418 } }, 400],
      ["hangup", { callSid: "CA1" }, 404],
      ["unheard-of", {}, 404],
    ] as const) {
      const answer = await ask(url, name, body);
      assert.deepEqual([answer.status, typeof answer.body.error], [status, "string"], name);
    }
  });
});

describe("the twin with --trial", () => {
  it("lets its account call the verified number only", async () => {
    const { client } = await runDemo("--trial", "+14155550124");
    const order = { from: DEMO.phoneNumber, url: `${gateway.base}/answer` };
    await assert.rejects(client.calls.create({ to: SOMEONE, ...order }), { code: 21219 });
    assert.equal((await client.calls.create({ to: "+14155550124", ...order })).status, "queued");
    assert.equal((await client.api.v2010.accounts(DEMO.accountSid).fetch()).type, "Trial");
  });
});

describe("the twin's end", () => {
  it("comes with SIGTERM, or with Ctrl-C where nobody started it", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const { child, exited } = await runDemo();
      child.kill(signal);
      assert.equal((await exited).status, 0);
    }
  });

  it("comes when its standard input is closed, and not with Ctrl-C, where it is a child", async () => {
    const { child, exited, client } = await runDemo("--with-parent");
    child.kill("SIGINT");
    assert.equal((await client.incomingPhoneNumbers.list()).length, 1);
    child.stdin!.end();
    assert.equal((await exited).status, 0);
  });

  it("comes even when its parent is killed in the middle of a call", async () => {
    const args = ["--json", "--with-parent", "--demo-account", join(folder, "demo-account.json")];
    const script = `
      const child = require("node:child_process").spawn(process.execPath, ${JSON.stringify([PROGRAM, ...args])}, {
        stdio: ["pipe", "pipe", "inherit"],
      });
      child.stdout.on("data", (line) => console.log(JSON.stringify({ ...JSON.parse(line), pid: child.pid })));`;
    const parent = spawn(process.execPath, ["-e", script], { env: {} });
    children.push(parent);
    const [line] = await once(createInterface({ input: parent.stdout }), "line");
    const { url, pid } = JSON.parse(line) as { url: string; pid: number };
    const client = new Twilio(DEMO.accountSid, DEMO.authToken);
    client.api.baseUrl = url;
    await client.calls.create({ to: SOMEONE, from: DEMO.phoneNumber, url: `${gateway.base}/answer` });
    await gateway.firstStream();
    parent.kill("SIGKILL");
    const isThere = () => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    await until("the twin's end", () => !isThere());
  });
});

describe("the twin's arguments", () => {
  it("make up an account and introduce it where none is given", async () => {
    const { lines, child } = run("--number", "+12025550107");
    await until("the introduction", () => lines.length >= 4);
    assert.match(lines[0]!, /^The offline Twilio listens at http:\/\/127\.0\.0\.1:\d+$/);
    assert.match(lines[1]!, /^Account AC[0-9a-f]{32}, token [0-9a-f]{32}$/);
    assert.match(lines[2]!, /^Number \+12025550107 \(PN[0-9a-f]{32}\)$/);
    child.kill();
  });

  for (const [args, sentence] of [
    [["--port", "70000"], /--port must be a whole number from 0 to 65535/],
    [["--account-sid", "AC1"], /must be given together/],
    [["--account-sid", "AC1", "--auth-token", "x"], /AC and 32 hex digits/],
    [["--person", "+1=asleep"], /--person must be <number>=<behaviour>/],
    [["--demo-account", "/nowhere.json"], /could not be read/],
    [["--unknown"], /Unknown option/],
  ] as const) {
    it(`are refused with status 2 and a sentence: ${args.join(" ")}`, async () => {
      const { status, stderr } = await run(...args).exited;
      assert.equal(status, 2);
      assert.match(stderr, sentence);
      assert.equal(stderr.trim().split("\n").length, 1);
    });
  }

  it("are explained with --help, the control surface too", async () => {
    const { status, lines } = await run("--help").exited;
    assert.equal(status, 0);
    for (const word of ["--demo-account", "--with-parent", "POST /twin/dial", "POST /twin/faults"]) {
      assert.ok(lines.join("\n").includes(word), word);
    }
  });

  it("can't take a port that another process has", async () => {
    const { offer } = await runDemo();
    const { status, stderr } = await run("--port", new URL(offer.url).port).exited;
    assert.equal(status, 2);
    assert.match(stderr, /can't be listened on \(EADDRINUSE\); choose another with --port/);
  });
});
