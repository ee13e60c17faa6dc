// A gateway that is strained turns calls out away, then callers, and nobody who talks already; and takes them again
// once it is well, not all at once.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { counted } from "../../support/counts.ts";
import { ECHO_NUMBER, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { recordOf } from "../../support/records.ts";
import { stagger } from "../../support/standStill.ts";
import { allFree, until } from "../../support/until.ts";
import { somebody, startOutbound } from "./outboundRig.ts";

const BUSY = '<?xml version="1.0" encoding="UTF-8"?><Response><Reject reason="busy"/></Response>';
const CALLERS = 20;
/** What a refused caller may wait for the answer; four times that on a machine which others use. */
const ANSWER_MS = 100;
/** Three seconds after the strain, and ten after that; a machine that others use may be strained by itself for longer. */
const CALM_MS = 60_000;

describe("a gateway whose front thread can't keep up", () => {
  it("turns calls out and callers away, harms nobody who talks, and takes them again one by one", async (t) => {
    const story = await startOutbound({ heedsStrain: true });
    const { gateway, twilio, origin, place } = story;
    const level = () => counted(gateway, "admission_level");
    const ready = async () => {
      const answer = await fetch(`${origin}/readyz`);
      return [answer.status, ((await answer.json()) as { refusal?: string }).refusal];
    };
    const person = somebody(story, { does: "answers" });
    const talking = await twilio.dial({ to: ECHO_NUMBER });
    const stream = await talking.connect();
    await stream.hasPlayed(200);
    const listening = await twilio.dial({ to: TEST_AGENT_NUMBER });
    const promised = await twilio.dial({ to: ECHO_NUMBER });
    assert.deepEqual(await ready(), [200, undefined]);

    await stagger(2_500, 250);
    assert.equal(await level(), 2);
    assert.deepEqual(await ready(), [503, "overloaded"]);
    assert.equal((await fetch(`${origin}/livez`)).status, 200);
    const asked = await place(person);
    assert.deepEqual(
      [asked.status, asked.headers.get("retry-after")],
      [503, "5"],
      JSON.stringify(asked.body),
    );

    const tookMs: number[] = [];
    for (let caller = 0; caller < CALLERS; caller++) {
      const call = await twilio.dial({ to: ECHO_NUMBER });
      assert.deepEqual([call.webhook?.status, call.webhook?.body], [200, BUSY]);
      assert.equal(recordOf(gateway, call).outcome, "overloaded");
      const asked = call.timeline.events.find(({ kind }) => kind === "webhook");
      assert(asked?.kind === "webhook");
      tookMs.push(asked.tookMs);
      call.answer();
      assert.deepEqual(await call.ended, { how: "refused", status: "busy", reason: "busy" });
    }
    const mostMs = Math.max(...tookMs);
    t.diagnostic(`${CALLERS} callers heard busy: answered within ${mostMs.toFixed(1)} ms at most`);
    assert.ok(mostMs <= 4 * ANSWER_MS, `a refused caller waited ${mostMs} ms`);
    assert.equal(await counted(gateway, "calls_ended_total", { reason: "overloaded" }), CALLERS);
    assert.equal(await counted(gateway, "admission_level"), 2, "all of that was at the height of it");

    // Who was let in stays in: those who talk, and those who have their ticket.
    const playedMs = stream.playedMs;
    const late = await promised.connect();
    await late.hasPlayed(200);
    await stream.hasPlayed(playedMs + 500);
    assert.equal((await listening.repeatWebhook()).body, listening.webhook?.body);

    await until("the strain to be over", async () => (await level()) < 2, CALM_MS);
    const again = await twilio.dial({ to: ECHO_NUMBER });
    assert.match(again.webhook!.body, /<Stream /);
    const reopenedMs = performance.now();
    const heard = { stream: 0, busy: 0 };
    await until("four more to be let in", async () => {
      const { webhook } = await twilio.dial({ to: ECHO_NUMBER });
      heard[webhook?.body === BUSY ? "busy" : "stream"]++;
      return heard.stream === 4;
    });
    const letInMs = performance.now() - reopenedMs;
    t.diagnostic(`four were let in within ${letInMs.toFixed(0)} ms, while ${heard.busy} heard busy`);
    assert.ok(heard.busy > 0 && letInMs >= 400, "they are let in one after the other");
    assert.equal((await place(person)).status, 503, "and before any call is placed");
    await until("calls to be placed again", () => gateway.calls.refusal("outbound") === undefined, CALM_MS);
    assert.equal((await place(person)).status, 200);
    assert.deepEqual(await ready(), [200, undefined]);

    assert.equal((await talking.hangUp()).how, "caller");
    gateway.calls.cut();
    await allFree(story);
  });
});
