import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NumberId } from "../../../src/domain/ids.ts";
import { ECHO_NUMBER, number, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { MovableClock } from "../../support/movableClock.ts";
import { until } from "../../support/until.ts";
import { CONFIGURATIONS, FOREIGN, type NumbersStory, OWNED, startNumbers } from "./rig.ts";

const CHECK_EVERY_MS = 15 * 60_000;
const foreign = { phoneNumber: OWNED, ...FOREIGN };

/** What is due by then has begun: whoever looks every second has looked. */
async function pass(clock: MovableClock, ms: number): Promise<void> {
  void clock.advance(ms); // what ticks by the hour need not have seen it
  const { promise, resolve } = Promise.withResolvers<void>();
  let ticks = 0;
  const stop = clock.every(1_000, () => {
    ticks++;
    if (ticks === 2) resolve();
  });
  await promise;
  stop();
}

const quarterHour = (clock: MovableClock) => pass(clock, CHECK_EVERY_MS + 1_000);

const syncOf = async ({ client, numbers }: NumbersStory, address = OWNED) =>
  (await client.get(numbers)).body.phone_numbers.find(
    (each: { address_normalized: string }) => each.address_normalized === address,
  ).provider_sync;

describe("a look at an account", () => {
  it("at the start takes a number that has no address, or Twilio's own example, and no other", async (t) => {
    const example = { phoneNumber: ECHO_NUMBER, VoiceUrl: "https://demo.twilio.com/welcome/voice/" };
    const story = await startNumbers(t, {
      account: { numbers: [foreign, example, TEST_AGENT_NUMBER] },
      numbers: [number(OWNED, 1)],
    });
    const { owned, places } = story;
    await until("the look", async () => (await syncOf(story)).state !== "none");
    assert.equal(owned(ECHO_NUMBER).settings.VoiceUrl, places.VoiceUrl);
    assert.equal(owned(TEST_AGENT_NUMBER).settings.VoiceUrl, places.VoiceUrl);
    assert.partialDeepStrictEqual(owned().settings, FOREIGN);
    const sync = await syncOf(story);
    assert.deepEqual([sync.ok, sync.state], [false, "drifted"]);
    assert.ok(sync.message.includes(FOREIGN.VoiceUrl) && sync.message.includes("left as it was"));
    assert.match(sync.remedy, /set "A call comes in" to Webhook/);
  });

  it("asks once for all numbers, and finds what somebody has changed without changing it back", async (t) => {
    const clock = new MovableClock();
    const story = await startNumbers(t, { clock });
    const { client, numbers, owned, places, asked } = story;
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    asked();
    await quarterHour(clock);
    await until("the look", () => asked().includes("Numbers.list"));
    assert.equal((await syncOf(story)).state, "in_sync");

    owned().settings.VoiceUrl = "https://third.example.com/voice";
    await quarterHour(clock);
    await until("the drift to be seen", async () => (await syncOf(story)).state === "drifted");
    assert.equal(owned().settings.VoiceUrl, "https://third.example.com/voice");
    assert.match((await syncOf(story)).message, /go to https:\/\/third\.example\.com\/voice/);
    const label = await client.put(`${numbers}/${made.id}`, { label: "x" });
    assert.equal(label.body.provider_sync.state, "drifted", "the warning lasts");

    const { body: synced } = await client.post(`${numbers}/${made.id}/sync`);
    assert.equal(synced.provider_sync.state, "in_sync");
    assert.equal(owned().settings.VoiceUrl, places.VoiceUrl);
    await client.delete(`${numbers}/${made.id}`);
    assert.equal(owned().settings.VoiceUrl, "https://third.example.com/voice");
  });

  it("finds an emptied address, and that it came back", async (t) => {
    const clock = new MovableClock();
    const story = await startNumbers(t, { clock });
    const { owned, places } = story;
    owned(ECHO_NUMBER).settings.VoiceUrl = "";
    await quarterHour(clock);
    await until("the drift", async () => (await syncOf(story, ECHO_NUMBER)).state === "drifted");
    assert.match((await syncOf(story, ECHO_NUMBER)).message, /has no address for calls at Twilio any more/);
    owned(ECHO_NUMBER).settings.VoiceUrl = places.VoiceUrl.split("#")[0]!;
    await quarterHour(clock);
    await until("the return", async () => (await syncOf(story, ECHO_NUMBER)).state === "in_sync");
  });

  it("moves its own address along when the public base is another", async (t) => {
    const clock = new MovableClock();
    const story = await startNumbers(t, { clock });
    const { client, numbers, owned, places, store } = story;
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    const old = (url: string) => url.replace(/^http:\/\/[^/]*/, "https://old-tunnel.example.com");
    const ours = {
      voiceUrl: old(places.VoiceUrl),
      voiceFallbackUrl: old(places.VoiceFallbackUrl),
      statusCallback: old(places.StatusCallback),
    };
    const number = (await store.numbers.get(NumberId(made.id)))!;
    await store.numbers.setSync(number.id, { ...number.sync, ours: [ours] });
    const { voiceUrl: VoiceUrl, voiceFallbackUrl: VoiceFallbackUrl, statusCallback: StatusCallback } = ours;
    Object.assign(owned().settings, { VoiceUrl, VoiceFallbackUrl, StatusCallback });
    await quarterHour(clock);
    await until("the push", () => owned().settings.StatusCallback === places.StatusCallback);
    assert.partialDeepStrictEqual(owned().settings, places);
    await until("the record", async () => (await syncOf(story)).state === "in_sync");
    await client.delete(`${numbers}/${made.id}`);
    assert.equal(owned().settings.VoiceUrl, "", "what stood there first, and not the old address");
  });

  it("tries again what may pass, ever more seldom, and then it is done", async (t) => {
    const clock = new MovableClock();
    const story = await startNumbers(t, { clock });
    const { client, numbers, exchange, owned, places, asked } = story;
    exchange.faults.next({ on: "Numbers.update", answer: 503, times: 2 });
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    assert.deepEqual([made.provider_sync.ok, made.provider_sync.state], [false, "failed"]);
    asked();
    await pass(clock, 8_000);
    await until("the second try", () => asked().includes("Numbers.update"));
    await pass(clock, 4_000);
    assert.deepEqual(asked(), [], "not yet");
    await pass(clock, 12_000);
    await until("the third", async () => (await syncOf(story)).state === "in_sync");
    assert.equal(owned().settings.VoiceUrl, places.VoiceUrl);
  });

  it("tries nothing again that only a user can mend", async (t) => {
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

  it("says at each number that the token was revoked, and takes it back when it counts again", async (t) => {
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

  it("leaves numbers as they were known when Twilio can't be asked", async (t) => {
    const clock = new MovableClock();
    const story = await startNumbers(t, { clock });
    story.exchange.faults.next({ on: "Numbers.list", answer: 503 });
    story.asked();
    await quarterHour(clock);
    await until("the look", () => story.asked().length > 0);
    assert.deepEqual([(await syncOf(story, ECHO_NUMBER)).state], ["in_sync"]);
  });

  it("at thousands of numbers asks for lists, and for one number only where something is amiss", async (t) => {
    const clock = new MovableClock();
    const base = "https://gw.example.com";
    const settings = {
      VoiceUrl: `${base}/api/v1/telephony/inbound/run`,
      VoiceFallbackUrl: `${base}/api/v1/telephony/inbound/fallback`,
      StatusCallback: `${base}/api/v1/telephony/twilio/status-callback`,
    };
    const many = Array.from({ length: 1_500 }, (_, index) => `+1500${5_550_000 + index}`);
    const story = await startNumbers(t, {
      clock,
      env: { PUBLIC_BASE_URL: base },
      account: {
        numbers: [...many, ECHO_NUMBER, TEST_AGENT_NUMBER].map((phoneNumber) => ({
          phoneNumber,
          ...settings,
        })),
      },
      numbers: many.map((address) => number(address, 1)),
    });
    const states = async (): Promise<Map<string, number>> => {
      const counted = new Map<string, number>();
      for (const { provider_sync } of (await story.client.get(story.numbers)).body.phone_numbers)
        counted.set(provider_sync.state, (counted.get(provider_sync.state) ?? 0) + 1);
      return counted;
    };
    await until("all to be in step", async () => (await states()).get("in_sync") === 1_502, 60_000);
    const first = story.exchange.requests.map(({ name }) => name);
    assert.ok(
      first.every((name) => name === "Numbers.list") && first.length < 40,
      `${first.length} requests`,
    );

    story.asked();
    for (const address of many.slice(700, 703)) story.owned(address).settings.VoiceUrl = FOREIGN.VoiceUrl;
    await quarterHour(clock);
    await until("the drift", async () => (await states()).get("drifted") === 3, 60_000);
    assert.ok(story.asked().every((name) => name === "Numbers.list"));
    assert.equal((await states()).get("in_sync"), 1_499);
  });

  it("goes on with what a death had interrupted", async (t) => {
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
