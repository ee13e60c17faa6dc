// The ticket in a stream's path: only the right one, in time, once; and whoever comes with another leaves the call
// as it was.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamTokens } from "../../../src/calls/live/streamToken.ts";
import { AccountSid, CallSid } from "../../../src/domain/ids.ts";
import type { TwinCall } from "../../../src/twin/call.ts";
import { counted } from "../../support/counts.ts";
import { ACCOUNT_SID, ECHO_NUMBER, startStory } from "../../support/gateway.ts";
import { MovableClock } from "../../support/movableClock.ts";
import { recordOf } from "../../support/records.ts";
import { allFree, until } from "../../support/until.ts";
import { upgrade } from "./requests.ts";

const APOLOGY = /<Say>.+<\/Say><Hangup\/>/;
const HOUR_MS = 3_600_000;

const clock = new MovableClock();
const story = await startStory({ clock });
const { gateway, twilio, origin } = story;

const dial = () => twilio.dial({ to: ECHO_NUMBER });
const outcomeOf = (call: TwinCall) => recordOf(gateway, call).outcome;
const refused = (reason: string) => counted(gateway, "stream_refused_total", { reason });

/** The raw path of the stream that the call's TwiML names. */
function pathOf(call: TwinCall): string {
  const [connect] = call.verbs;
  assert.equal(connect?.verb, "Connect");
  return new URL(connect.stream.url).pathname;
}

async function isRefused(path: string, reason: string): Promise<void> {
  const before = await refused(reason);
  assert.equal(await upgrade(origin, path), 403, path);
  assert.equal(await refused(reason), before + 1, `${path} is counted as ${reason}`);
}

/** What a refusal must not have touched: the call is where it was, and its stream still comes in. */
async function isStillConnectable(call: TwinCall): Promise<void> {
  assert.equal(outcomeOf(call), undefined);
  const stream = await call.connect();
  await stream.hasPlayed(20);
  assert.equal((await call.hangUp()).how, "caller");
  assert.deepEqual(call.complaints, []);
  assert.equal(outcomeOf(call), "caller_hung_up");
  await allFree(story);
}

describe("a stream with a token that is not the call's", () => {
  it("is refused when there is none, or what no token looks like", async () => {
    const call = await dial();
    const token = pathOf(call).slice("/media/".length);
    const [body, mac] = token.split(".") as [string, string];
    for (const path of ["/media", "/media/"]) await isRefused(path, "token_absent");
    const malformed = [
      "x",
      ".",
      "..",
      body,
      `${body}.`,
      `.${mac}`,
      `${token}.`,
      `${token}.${mac}`,
      `${token}/`,
      `/${token}`,
      `${token}=`,
      ` ${token}`.replace(" ", "%20"),
      `${body}.${mac.slice(1)}`,
      `${body}.${mac}A`,
      `%${token.charCodeAt(0).toString(16)}${token.slice(1)}`,
      `${"A".repeat(357)}.${mac}`, // one character longer than is looked at
      `${"A".repeat(3_000)}.${mac}`,
    ];
    for (const wrong of malformed) await isRefused(`/media/${wrong}`, "token_malformed");
    await isRefused(`/media/${"A".repeat(356)}.${mac}`, "token_forged");
    await isStillConnectable(call);
  });

  it("is refused when any one character was altered", async () => {
    const call = await dial();
    const path = pathOf(call);
    const start = "/media/".length;
    const before = (await refused("token_forged")) + (await refused("token_malformed"));
    for (let at = start; at < path.length; at++) {
      const letter = path[at] === "A" ? "B" : "A";
      const altered = path.slice(0, at) + letter + path.slice(at + 1);
      assert.equal(await upgrade(origin, altered), 403, `altered at ${at}`);
    }
    const after = (await refused("token_forged")) + (await refused("token_malformed"));
    assert.equal(after - before, path.length - start);
    await isStillConnectable(call);
  });

  it("is refused when another process made it, or it is another call's with this one's name on it", async () => {
    const [call, other] = [await dial(), await dial()];
    const elsewhere = new StreamTokens();
    const { token } = elsewhere.mint(CallSid(call.sid), AccountSid(ACCOUNT_SID), clock.wallMs());
    await isRefused(`/media/${token}`, "token_forged");
    const [body] = pathOf(call).split(".");
    const [, mac] = pathOf(other).split(".");
    await isRefused(`${body}.${mac}`, "token_forged");
    await other.connect();
    await other.hangUp();
    await isStillConnectable(call);
  });
});

describe("a token's time", () => {
  it("is the wall clock's, thirty seconds and five of skew, either way", async () => {
    const call = await dial();
    for (const wrongMs of [35_500, -8_000, HOUR_MS, -HOUR_MS]) {
      clock.jump(wrongMs);
      await isRefused(pathOf(call), "token_expired");
      clock.jump(-wrongMs);
    }
    await isStillConnectable(call);
    for (const withinMs of [33_000, -4_500]) {
      const inTime = await dial();
      clock.jump(withinMs);
      await isStillConnectable(inTime);
      clock.jump(-withinMs);
    }
  });
});

describe("a token that was used", () => {
  it("lets nobody in a second time: while the stream introduces itself, lives, and is over", async () => {
    const call = await dial();
    const path = pathOf(call);
    const stream = await call.connect({ automatic: false });
    await isRefused(path, "token_used");
    stream.introduce();
    await stream.hasPlayed(40);
    await isRefused(path, "token_used");
    await stream.hasPlayed(stream.playedMs + 40);
    await call.hangUp();
    await isRefused(path, "token_used");
    await allFree(story);
    await isRefused(path, "token_used");
    assert.equal(outcomeOf(call), "caller_hung_up");
  });

  it("stays used when its socket came to nothing", async () => {
    const call = await dial();
    assert.equal(await upgrade(origin, pathOf(call)), 101); // and cut at once
    await until("the call to end", () => outcomeOf(call) !== undefined);
    assert.equal(outcomeOf(call), "no_stream");
    await isRefused(pathOf(call), "token_used");
    await allFree(story);
  });

  it("let exactly one of two in that raced for it, twenty times", async () => {
    const before = await refused("token_used");
    for (let race = 0; race < 20; race++) {
      const call = await dial();
      const [connect] = call.verbs;
      assert.equal(connect?.verb, "Connect");
      const { url } = connect.stream;
      const runners = [0, 1].map(() => twilio.openStream({ url, callSid: call.sid }));
      const came = await Promise.allSettled(runners.map(({ opened }) => opened));
      const winners = runners.filter((_, index) => came[index]?.status === "fulfilled");
      assert.equal(winners.length, 1, `race ${race}`);
      const [winner] = winners;
      await winner!.hasPlayed(20);
      await winner!.stop();
      await until("the call to end", () => outcomeOf(call) !== undefined);
      assert.equal(outcomeOf(call), "caller_hung_up");
    }
    assert.equal(await refused("token_used"), before + 20);
    await allFree(story);
  });
});

describe("a stream that never comes", () => {
  it("ends its call after thirty seconds, closes its record and frees its slot", async () => {
    const call = await dial();
    const ended = await counted(gateway, "calls_ended_total", { reason: "no_stream" });
    await clock.advance(20_000);
    assert.equal(outcomeOf(call), undefined);
    assert.equal((await call.repeatWebhook()).body, call.webhook?.body);
    await clock.advance(10_500);
    const record = recordOf(gateway, call);
    assert.equal(record.outcome, "no_stream");
    assert.ok(record.endedAtMs !== undefined && record.startedAtMs === undefined);
    await allFree(story);
    assert.equal(await counted(gateway, "calls_ended_total", { reason: "no_stream" }), ended + 1);
    await isRefused(pathOf(call), "token_used");
    assert.match((await call.repeatWebhook()).body, APOLOGY);
  });
});

describe("a wall clock that jumps by an hour", () => {
  it("ends no call, whichever way it goes", async () => {
    const talking = await dial();
    const stream = await talking.connect();
    const waiting = await dial();
    for (const jumpMs of [HOUR_MS, -2 * HOUR_MS, HOUR_MS]) {
      clock.jump(jumpMs);
      await clock.advance(0); // everything has looked at its clock
      assert.equal(outcomeOf(talking), undefined);
      assert.equal(outcomeOf(waiting), undefined);
      await stream.hasPlayed(stream.playedMs + 100);
    }
    const late = await waiting.connect();
    await late.hasPlayed(20);
    for (const call of [talking, waiting]) {
      assert.equal((await call.hangUp()).how, "caller");
      assert.equal(outcomeOf(call), "caller_hung_up");
    }
    await allFree(story);
  });

  it("nor does monotonic time end one that talks", async () => {
    const call = await dial();
    const stream = await call.connect();
    await stream.hasPlayed(40);
    await clock.advance(60_000);
    await clock.advance(0);
    await stream.hasPlayed(stream.playedMs + 100);
    assert.equal((await call.hangUp()).how, "caller");
    assert.equal(outcomeOf(call), "caller_hung_up");
    await allFree(story);
  });
});
