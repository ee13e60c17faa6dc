import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NumberId } from "../../../src/domain/ids.ts";
import { ECHO_NUMBER, number } from "../../support/gateway.ts";
import { MovableClock } from "../../support/movableClock.ts";
import { until } from "../../support/until.ts";
import { CONFIGURATIONS, FOREIGN, OWNED, pass, quarterHour, startNumbers, syncOf } from "./rig.ts";

describe("what failed at Twilio", () => {
  it("is tried again when it may pass, ever more seldom, until it is done", async (t) => {
    const clock = new MovableClock();
    const story = await startNumbers(t, { clock });
    const { client, numbers, exchange, owned, places, asked } = story;
    exchange.faults.next({ on: "Numbers.update", answer: 503, times: 2 });
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    assert.deepEqual([made.provider_sync.ok, made.provider_sync.state], [false, "failed"]);
    asked();
    await pass(clock, 8_000);
    const tries = async () => (await story.store.numbers.get(NumberId(made.id)))?.sync;
    await until("the second try", async () => {
      const sync = await tries();
      return sync?.state === "failed" && sync.attempts === 2;
    });
    assert.ok(asked().includes("Numbers.update"));
    await pass(clock, 1_000);
    assert.deepEqual(asked(), [], "not yet");
    await pass(clock, 15_000);
    await until("the third", async () => (await syncOf(story)).state === "in_sync");
    assert.equal(owned().settings.VoiceUrl, places.VoiceUrl);
  });

  it("is not tried again when only a user can mend it", async (t) => {
    const clock = new MovableClock();
    const story = await startNumbers(t, { clock });
    const { client, numbers, account, asked } = story;
    await client.post(numbers, { address: "+14155550188", inbound_workflow_id: 1 });
    asked();
    await pass(clock, 60_000);
    assert.deepEqual(asked(), []);
    account.addNumber("+14155550188");
    await quarterHour(clock);
    await until(
      "a look that finds it",
      async () => (await syncOf(story, "+14155550188")).state === "in_sync",
    );
  });

  it("for a revoked token is said at each number, and mended when the token counts again", async (t) => {
    const clock = new MovableClock();
    const story = await startNumbers(t, { clock });
    const { client, configId, account, asked } = story;
    const right = account.authToken;
    account.authToken = "f".repeat(32);
    await quarterHour(clock);
    await until("the refusal", async () => (await syncOf(story, ECHO_NUMBER)).state === "failed");
    assert.match((await syncOf(story, ECHO_NUMBER)).message, /could not be checked or changed.*credentials/s);
    const { body } = await client.get(`${CONFIGURATIONS}/${configId}`);
    assert.equal(body.credentials_check.state, "rejected");
    asked();
    await quarterHour(clock);
    assert.deepEqual(asked(), [], "not asked again and again");
    account.authToken = right;
    await client.put(`${CONFIGURATIONS}/${configId}`, {
      config: { account_sid: account.accountSid, auth_token: right },
    });
    await until("the repair", async () => (await syncOf(story, ECHO_NUMBER)).state === "in_sync");
  });

  it("leaves numbers as they were known when it was only a look", async (t) => {
    const clock = new MovableClock();
    const story = await startNumbers(t, { clock });
    story.exchange.faults.next({ on: "Numbers.list", answer: 503 });
    story.asked();
    await quarterHour(clock);
    await until("the look", () => story.asked().length > 0);
    assert.deepEqual([(await syncOf(story, ECHO_NUMBER)).state], ["in_sync"]);
  });

  it("for all of an account is tried again for all at once", async (t) => {
    const clock = new MovableClock();
    const many = Array.from({ length: 30 }, (_, index) => `+150055500${String(index).padStart(2, "0")}`);
    const story = await startNumbers(t, {
      clock,
      env: { PUBLIC_BASE_URL: "https://gw.example.com" },
      account: { numbers: many, status: "active" },
      numbers: many.map((address) => number(address, 1)),
    });
    const { store, exchange, asked, account, client, numbers } = story;
    const inSync = async () =>
      (await client.get(numbers)).body.phone_numbers.filter(
        ({ provider_sync }: { provider_sync: { state: string } }) => provider_sync.state === "in_sync",
      ).length;
    await until("the first look", async () => (await inSync()) === many.length);
    for (const { id } of await store.numbers.all()) await store.numbers.setSync(id, { state: "none" });
    exchange.faults.next({ on: "Numbers.list", answer: 503 });
    asked();
    await quarterHour(clock);
    await until("the failure", async () => (await syncOf(story, many[0])).state === "failed");
    await pass(clock, 30_000);
    assert.deepEqual(asked(), ["Numbers.list"], "no number by itself");
    await pass(clock, 31_000);
    await until("the next look", async () => (await inSync()) === many.length);
    assert.deepEqual(asked(), ["Numbers.list"]);
    assert.ok(
      account.numbers.every(({ settings }) => settings.VoiceUrl.startsWith("https://gw.example.com/")),
    );
  });

  it("is gone on with after a death", async (t) => {
    const clock = new MovableClock();
    const story = await startNumbers(t, { clock, numbers: [number(OWNED, 1)] });
    const { store, owned, places, client, numbers } = story;
    await until("the push", async () => (await syncOf(story)).state === "in_sync");
    const [, , { id }] = (await client.get(numbers)).body.phone_numbers;
    const stored = (await store.numbers.get(NumberId(id)))!;
    // As it is written between the order and Twilio's answer: the user's word is not forgotten.
    const { checkedAtMs: _, ...held } = stored.sync as { checkedAtMs: number };
    await store.numbers.setSync(stored.id, { ...held, state: "pending", attempts: 0, may: "replace" });
    Object.assign(owned().settings, FOREIGN);
    await quarterHour(clock);
    await until("the rest", () => owned().settings.VoiceUrl === places.VoiceUrl);
  });
});
