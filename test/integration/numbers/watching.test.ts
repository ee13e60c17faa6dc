import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NumberId } from "../../../src/domain/ids.ts";
import { ECHO_NUMBER, number, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { MovableClock } from "../../support/movableClock.ts";
import { until } from "../../support/until.ts";
import { FOREIGN, OWNED, quarterHour, startNumbers, syncOf } from "./rig.ts";

const foreign = { phoneNumber: OWNED, ...FOREIGN };

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

  it("takes a number that is off its trunk only if nobody has given it an address since", async (t) => {
    const clock = new MovableClock();
    const TrunkSid = `TK${"1".repeat(32)}`;
    const trunked = [OWNED, "+14155550122"].map((phoneNumber) => ({ phoneNumber, TrunkSid }));
    const account = { numbers: [...trunked, ECHO_NUMBER, TEST_AGENT_NUMBER] };
    const story = await startNumbers(t, { clock, account });
    const { client, numbers, owned, places } = story;
    for (const { phoneNumber: address } of trunked) {
      const { body: made } = await client.post(numbers, { address, inbound_workflow_id: 1 });
      assert.ok(made.provider_sync.message.includes(TrunkSid));
      owned(address).settings.TrunkSid = "";
    }
    owned().settings.VoiceUrl = FOREIGN.VoiceUrl;
    await quarterHour(clock);
    await until("both looks", async () => {
      const [one, other] = [await syncOf(story), await syncOf(story, "+14155550122")];
      return one.state === "drifted" && other.state === "in_sync";
    });
    assert.equal(owned().settings.VoiceUrl, FOREIGN.VoiceUrl);
    assert.equal(owned("+14155550122").settings.VoiceUrl, places.VoiceUrl);
  });

  it("at hundreds of numbers asks for lists, and for one number only where something is amiss", async (t) => {
    const clock = new MovableClock();
    const base = "https://gw.example.com";
    const settings = {
      VoiceUrl: `${base}/api/v1/telephony/inbound/run`,
      VoiceFallbackUrl: `${base}/api/v1/telephony/inbound/fallback`,
      StatusCallback: `${base}/api/v1/telephony/twilio/status-callback`,
    };
    const many = Array.from({ length: 398 }, (_, index) => `+1500${5_550_000 + index}`);
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
    await until("all to be in step", async () => (await states()).get("in_sync") === 400, 60_000);
    const first = story.exchange.requests.map(({ name }) => name);
    assert.ok(
      first.every((name) => name === "Numbers.list") && first.length < 40,
      `${first.length} requests`,
    );

    story.asked();
    for (const address of many.slice(200, 203)) story.owned(address).settings.VoiceUrl = FOREIGN.VoiceUrl;
    await quarterHour(clock);
    await until("the drift", async () => (await states()).get("drifted") === 3, 60_000);
    assert.ok(story.asked().every((name) => name === "Numbers.list"));
    assert.equal((await states()).get("in_sync"), 397);
  });
});
