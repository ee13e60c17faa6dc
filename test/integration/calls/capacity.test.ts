// No more calls than the gateway may have, and none once it is shutting down: those callers hear busy, and are
// neither answered nor billed.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TwinCall } from "../../../src/twin/call.ts";
import { counted } from "../../support/counts.ts";
import { ECHO_NUMBER, type Story, startStory } from "../../support/gateway.ts";
import { recordOf } from "../../support/records.ts";
import { allFree, until } from "../../support/until.ts";
import { somebody, startOutbound } from "./outboundRig.ts";

const BUSY = '<?xml version="1.0" encoding="UTF-8"?><Response><Reject reason="busy"/></Response>';

const outcomeOf = ({ gateway }: Story, call: TwinCall) => recordOf(gateway, call).outcome;
const ready = async ({ origin }: Story) => {
  const answer = await fetch(`${origin}/readyz`);
  return [answer.status, ((await answer.json()) as { refusal?: string }).refusal];
};

async function hearsBusy(story: Story, call: TwinCall, refusal: string): Promise<void> {
  assert.deepEqual([call.webhook?.status, call.webhook?.body], [200, BUSY]);
  assert.equal((await call.repeatWebhook()).body, BUSY);
  assert.equal(outcomeOf(story, call), refusal);
  assert.equal(await counted(story.gateway, "calls_ended_total", { reason: refusal }), 1);
  call.answer();
  assert.deepEqual(await call.ended, { how: "refused", status: "busy", reason: "busy" });
}

describe("a gateway with all the calls it may have", () => {
  it("is busy to the next one, ready again when one has ended, and recorded it once", async () => {
    const story = await startStory({ env: { CALLS_MAX: "1", MEDIA_WORKERS: "1" } });
    const { twilio } = story;
    assert.deepEqual(await ready(story), [200, undefined]);

    const first = await twilio.dial({ to: ECHO_NUMBER });
    assert.match(first.webhook!.body, /<Stream /);
    assert.deepEqual(await ready(story), [503, "calls_at_limit"]);
    const second = await twilio.dial({ to: ECHO_NUMBER });
    await hearsBusy(story, second, "calls_at_limit");

    // A slot was promised to the first: it gets its stream, however full it is.
    const stream = await first.connect();
    await stream.hasPlayed(20);
    assert.equal((await first.repeatWebhook()).body, first.webhook?.body);
    await first.hangUp();
    await allFree(story);

    assert.equal((await second.repeatWebhook()).body, BUSY, "a refused call stays refused");
    const third = await twilio.dial({ to: ECHO_NUMBER });
    await third.connect();
    assert.equal((await third.hangUp()).how, "caller");
  });
});

describe("a gateway with nearly all the calls it may have", () => {
  it("places none, so that the last of the room is for those who call", async () => {
    const story = await startOutbound({ env: { CALLS_MAX: "10", MEDIA_WORKERS: "1" } });
    const { gateway, twilio } = story;
    const person = somebody(story, { does: "answers" });
    const callers: TwinCall[] = [];
    for (let caller = 0; caller < 9; caller++) callers.push(await twilio.dial({ to: ECHO_NUMBER }));
    assert.deepEqual([gateway.calls.size, await counted(gateway, "admission_level")], [9, 1]);
    const refused = await story.place(person);
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
    assert.equal(story.created(), 0);
    assert.deepEqual(await ready(story), [200, undefined]);

    // One more is taken, and one of them leaves before its stream has come: there is room again, without delay.
    callers.push(await twilio.dial({ to: ECHO_NUMBER }));
    assert.match(callers.at(-1)!.webhook!.body, /<Stream /);
    for (const caller of callers.splice(0, 2)) await caller.ring({ CallStatus: "completed" });
    await until("two to be put away", () => gateway.calls.size === 8);
    assert.equal(await counted(gateway, "admission_level"), 0);
    assert.equal((await story.place(person)).status, 200);
    gateway.calls.cut();
  });
});

describe("a gateway that is shutting down", () => {
  it("is busy to new calls, and lets those it has end by themselves", async () => {
    const story = await startStory({ env: { MEDIA_WORKERS: "1" } });
    const { gateway, twilio } = story;
    const talking = await twilio.dial({ to: ECHO_NUMBER });
    const stream = await talking.connect();
    const promised = await twilio.dial({ to: ECHO_NUMBER });

    const drained = gateway.drain(60_000);
    assert.deepEqual(await ready(story), [503, "draining"]);
    await hearsBusy(story, await twilio.dial({ to: ECHO_NUMBER }), "draining");
    assert.equal((await talking.repeatWebhook()).body, talking.webhook?.body);
    const late = await promised.connect();
    await late.hasPlayed(20);
    await stream.hasPlayed(100);

    assert.equal((await talking.hangUp()).how, "caller");
    assert.equal((await promised.hangUp()).how, "caller");
    assert.equal(await drained, 0);
    assert.deepEqual(
      [outcomeOf(story, talking), outcomeOf(story, promised)],
      Array(2).fill("caller_hung_up"),
    );
    await assert.rejects(fetch(`${story.origin}/livez`));
  });
});
