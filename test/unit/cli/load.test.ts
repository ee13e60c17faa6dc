import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type FarEnd, StandIn } from "../twin/standIn.ts";
import { lastLine, run } from "./commands.ts";

let gateway: StandIn;
let args: string[];
beforeEach(async () => {
  gateway = await StandIn.start();
  const account = ["--account-sid", `AC${"0".repeat(32)}`, "--auth-token", "t", "--to", "+12025550100"];
  args = ["--gateway", gateway.base, ...account, "--json", "--for", "1", "--rate", "100"];
});
afterEach(() => gateway.close());

/** Echoes the media that passes, to the stream that `back` says. */
function echo(
  far: FarEnd,
  passes: (chunk: number) => boolean,
  back: (far: FarEnd) => FarEnd = (same) => same,
): void {
  let sid = "";
  far.socket.on("message", (text) => {
    const { event, streamSid, media } = JSON.parse(text.toString());
    sid = streamSid;
    if (event !== "media" || !passes(Number(media.chunk))) return;
    back(far).send({ event, streamSid: sid, media: { payload: media.payload } });
    if (Number(media.chunk) % 10 === 0) far.mark(media.chunk);
  });
}

describe("npm run load", () => {
  it("finds nothing lost in a true echo, echoes marks, and hangs up properly", async () => {
    const ends: FarEnd[] = [];
    gateway.onStream = (far) => {
      ends.push(far);
      echo(far, () => true);
    };
    const outcome = await run("load", [...args, "--calls", "12"]);
    assert.equal(outcome.status, 0, outcome.stdout + outcome.stderr);
    const { calls, failed, sent, received, lost, repeated, foreign, roundTripMs, ownCpuCores } =
      lastLine(outcome);
    assert.deepEqual(
      { calls, failed, lost, repeated, foreign },
      { calls: 12, failed: 0, lost: 0, repeated: 0, foreign: 0 },
    );
    assert.ok(sent >= 12 * 50 && sent === received, `${sent} sent, ${received} received`);
    assert.ok(roundTripMs.p50 > 0 && roundTripMs.max >= roundTripMs.p99);
    assert.ok(ownCpuCores > 0);
    for (const { messages } of ends) {
      assert.equal(messages.at(-1).event, "stop");
      assert.ok(messages.some(({ event, mark }) => event === "mark" && mark.name === "50"));
      const sequence = messages.slice(1).map(({ sequenceNumber }) => Number(sequenceNumber));
      assert.deepEqual(
        sequence,
        sequence.map((_, index) => index + 1),
      );
    }
    const completed = gateway.seen.filter(({ params }) => params.CallStatus === "completed");
    assert.equal(completed.length, 12);
  });

  it("counts frames that were lost on the way, and those that came twice", async () => {
    gateway.onStream = (far) => {
      echo(far, (chunk) => chunk % 10 !== 0);
      echo(far, (chunk) => chunk % 10 === 5);
    };
    const outcome = await run("load", [...args, "--calls", "2"]);
    assert.equal(outcome.status, 1);
    const { sent, lost, repeated, foreign } = lastLine(outcome);
    assert.ok(Math.abs(lost - sent / 10) <= 2, `${lost} of ${sent} lost`);
    assert.ok(Math.abs(repeated - sent / 10) <= 2, `${repeated} of ${sent} repeated`);
    assert.equal(foreign, 0);
  });

  it("counts a call that a gateway ends or refuses as failed", async () => {
    gateway.onStream = (far) => void far.nextEvent("media").then(() => far.socket.close(1000));
    const first = await run("load", [...args, "--calls", "1"]);
    assert.equal(first.status, 1);
    assert.deepEqual(lastLine(first).failures, { "the gateway closed the stream": 1 });
    gateway.upgradeStatus = 503;
    const second = await run("load", [...args, "--calls", "1"]);
    assert.deepEqual(lastLine(second).failures, { "the upgrade was answered with 503": 1 });
    gateway.answer = () => ({ body: `<Response><Reject reason="busy"/></Response>` });
    const third = await run("load", [...args, "--calls", "1"]);
    assert.deepEqual(lastLine(third).failures, { "the TwiML began with Reject": 1 });
  });
});
