import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, describe, it } from "node:test";
import { readWav, writeWav } from "../../../src/twin/wav.ts";
import { type FarEnd, StandIn } from "../twin/standIn.ts";
import { lastLine, run } from "./commands.ts";

const folder = mkdtempSync(join(tmpdir(), "linecard-call-"));
const speech = join(folder, "speech.wav");
const tone = Int16Array.from({ length: 2_400 }, (_, i) => 8_000 * Math.sin(i / 3));
writeFileSync(speech, writeWav({ rateHz: 8_000, channels: [tone] }));
after(() => rmSync(folder, { recursive: true }));

let gateway: StandIn;
let args: string[];
beforeEach(async () => {
  gateway = await StandIn.start();
  const account = ["--account-sid", `AC${"0".repeat(32)}`, "--auth-token", "t", "--to", "+12025550100"];
  args = ["--gateway", gateway.base, ...account, "--say", speech, "--json"];
});
afterEach(() => gateway.close());

function echo(far: FarEnd): void {
  far.socket.on("message", (text) => {
    const { event, streamSid, media } = JSON.parse(text.toString());
    if (event === "media") far.send({ event, streamSid, media: { payload: media.payload } });
  });
}

describe("npm run call", () => {
  it("says a file, listens, hangs up when it is quiet, and keeps both sides in a file", async () => {
    gateway.onStream = (far) => {
      echo(far);
      void far.nextEvent("start").then(() => far.mark("first"));
    };
    const save = join(folder, "call.wav");
    const outcome = await run("call", [...args, "--quiet", "0.4", "--save", save, "--digits", "1w#"]);
    assert.equal(outcome.status, 0, outcome.stderr);
    const result = lastLine(outcome);
    assert.equal(result.ended, "caller");
    assert.match(result.callSid, /^CA[0-9a-f]{32}$/);
    assert.equal(result.twiml, gateway.connect());
    assert.ok(result.heardMs >= 700, `${result.heardMs}`);
    assert.deepEqual(result.complaints, []);
    const of = (kind: string) => result.events.filter((event: { kind: string }) => event.kind === kind);
    assert.deepEqual([...new Set(result.events.map((event: { kind: string }) => event.kind))].sort(), [
      "action",
      "close",
      "dtmf",
      "mark",
      "media",
      "start",
      "twiml",
      "upgrade",
      "webhook",
    ]);
    assert.equal(of("webhook")[0].status, 200);
    assert.equal(of("close")[0].by, "twilio");
    assert.deepEqual(
      of("dtmf").map(({ digit }: { digit: string }) => digit),
      ["1", "#"],
    );
    assert.ok(of("dtmf")[1].atMs - of("dtmf")[0].atMs >= 700);
    const [first] = of("media");
    assert.equal(first.ms, 20);
    assert.equal(result.firstAudioMs, Math.round(first.playsAtMs));
    const { rateHz, channels } = readWav(readFileSync(save));
    assert.equal(rateHz, 8_000);
    const [left, right] = channels.map(
      (channel) => channel.findIndex((sample) => Math.abs(sample) > 2_000) / 8,
    );
    assert.ok(
      left! >= of("start")[0].atMs - 20,
      "the caller speaks after the start, on the call's time axis",
    );
    assert.ok(right! >= left!, "the echo comes after the caller");
    assert.equal(channels.length, 2);
    assert.match(outcome.stdout, /the caller presses 1\n/);
    assert.match(outcome.stdout, /Saved to .*call\.wav: left the caller, right the agent\./);
  });

  it("ends with the agent", async () => {
    gateway.onStream = (far) => void far.nextEvent("media").then(() => far.socket.close(1000));
    const outcome = await run("call", args);
    assert.equal(outcome.status, 0);
    const { ended, firstAudioMs, heardMs, complaints } = lastLine(outcome);
    assert.deepEqual([ended, firstAudioMs, heardMs], ["agent", null, 0]);
    assert.equal(complaints[0].code, 31921);
    assert.match(outcome.stdout, /Twilio would log 31921/);
  });

  it("ends at its limit, however much is still to be heard", async () => {
    gateway.onStream = (far) => void far.nextEvent("start").then(() => far.media(60_000));
    const outcome = await run("call", [...args, "--for", "0.6"]);
    assert.equal(outcome.status, 0);
    assert.equal(lastLine(outcome).ended, "limit");
  });

  it("ends when it is interrupted, with a proper stop", async () => {
    const stops: string[] = [];
    gateway.onStream = (far) => {
      echo(far);
      far.socket.on("message", (text) => stops.push(JSON.parse(text.toString()).event));
    };
    let interrupted = false;
    const outcome = await run("call", args, {
      onOutput: (text, interrupt) => {
        if (interrupted || !/stream MZ\w+ starts/.test(text)) return;
        interrupted = true;
        interrupt();
      },
    });
    assert.equal(outcome.status, 0, outcome.stderr);
    assert.equal(lastLine(outcome).ended, "caller");
    assert.equal(stops.at(-1), "stop");
  });

  const unhappy: [what: string, ended: string, arrange: () => void][] = [
    ["is rejected", "refused", () => (gateway.answer = () => ({ body: "<Response><Reject/></Response>" }))],
    ["is forbidden", "refused", () => (gateway.answer = () => ({ status: 403 }))],
    ["meets an error", "failed", () => (gateway.answer = () => ({ status: 500 }))],
    ["gets no stream", "failed", () => (gateway.upgradeStatus = 503)],
    ["loses its connection", "failed", () => (gateway.onStream = (far) => far.socket.terminate())],
  ];
  for (const [what, ended, arrange] of unhappy) {
    it(`has status 1 when the call ${what}`, async () => {
      arrange();
      const outcome = await run("call", args);
      assert.equal(outcome.status, 1);
      assert.equal(lastLine(outcome).ended, ended);
    });
  }

  it("has status 1 and says so when nobody is there", async () => {
    await gateway.close();
    const outcome = await run("call", args);
    assert.equal(outcome.status, 1);
    assert.match(outcome.stdout, /ECONNREFUSED/);
    gateway = await StandIn.start();
  });
});
