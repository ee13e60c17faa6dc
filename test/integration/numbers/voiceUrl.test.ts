import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { API_KEY, ECHO_NUMBER } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";
import { FOREIGN, OWNED, startNumbers } from "./rig.ts";

/** An address that a number may be left with: everything somebody else has set. */
const owned = { phoneNumber: OWNED, ...FOREIGN };
const withForeign = { account: { numbers: [owned, ECHO_NUMBER, "+12025550101"] } };

describe("VoiceUrl in step", () => {
  it("is pushed when a workflow is saved, whatever stood there, and put back when it is taken away", async (t) => {
    const { client, numbers, owned, places, asked } = await startNumbers(t, withForeign);
    const { body: made } = await client.post(numbers, { address: OWNED });
    assert.deepEqual(made.provider_sync.state, "none");
    assert.deepEqual(asked(), ["Numbers.list"], "a number without a workflow is only looked for");
    const one = `${numbers}/${made.id}`;
    const { body: saved } = await client.put(one, { inbound_workflow_id: 1 });
    const { ok, message, state, remedy, checked_at, voice_url } = saved.provider_sync;
    assert.deepEqual([ok, message, state, remedy, voice_url], [true, null, "in_sync", null, places.VoiceUrl]);
    assert.ok(Math.abs(Date.parse(checked_at) - Date.now()) < 60_000);
    const posts = { VoiceMethod: "POST", VoiceFallbackMethod: "POST", StatusCallbackMethod: "POST" };
    assert.partialDeepStrictEqual(owned().settings, { ...places, ...posts });

    await client.put(one, { clear_inbound_workflow: true });
    assert.partialDeepStrictEqual(owned().settings, FOREIGN, "all of it, methods too");
  });

  it("is put back when the number is switched off or deleted, and pushed again when it is switched on", async (t) => {
    const { client, numbers, owned, places } = await startNumbers(t, withForeign);
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    assert.equal(owned().settings.VoiceUrl, places.VoiceUrl);
    const one = `${numbers}/${made.id}`;
    const { body: off } = await client.put(one, { is_active: false });
    assert.deepEqual([off.provider_sync.state, off.provider_sync.ok], ["none", true]);
    assert.partialDeepStrictEqual(owned().settings, FOREIGN);
    const { body: on } = await client.put(one, { is_active: true });
    assert.equal(on.provider_sync.state, "in_sync");
    assert.equal(owned().settings.VoiceUrl, places.VoiceUrl);
    const { body: gone } = await client.delete(one);
    assert.deepEqual(gone.provider_sync, { ok: true, message: null });
    assert.partialDeepStrictEqual(owned().settings, FOREIGN);
  });

  it("asks nothing of Twilio for a label, and nothing at all of a number that is only called from", async (t) => {
    const { client, numbers, owned, asked } = await startNumbers(t, withForeign);
    const { body: made } = await client.post(numbers, { address: OWNED });
    asked();
    await client.put(`${numbers}/${made.id}`, { label: "Outbound" });
    assert.deepEqual(asked(), []);
    assert.partialDeepStrictEqual(owned().settings, FOREIGN, "an edit blanks nothing");
    await client.delete(`${numbers}/${made.id}`);
    assert.deepEqual(asked(), []);
    assert.partialDeepStrictEqual(owned().settings, FOREIGN);
  });

  it("leaves alone what somebody else has put there since", async (t) => {
    const { client, numbers, owned } = await startNumbers(t, withForeign);
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    const theirs = "https://third.example.com/voice";
    owned().settings.VoiceUrl = theirs;
    const { body: gone } = await client.delete(`${numbers}/${made.id}`);
    assert.equal(gone.provider_sync.ok, true);
    assert.equal(owned().settings.VoiceUrl, theirs);
  });

  it("is known by its address and not by its fragment, which consoles drop", async (t) => {
    const { client, numbers, owned, places } = await startNumbers(t, withForeign);
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    owned().settings.VoiceUrl = places.VoiceUrl.split("#")[0]!;
    await client.put(`${numbers}/${made.id}`, { clear_inbound_workflow: true });
    assert.partialDeepStrictEqual(owned().settings, FOREIGN);
  });

  it("says that a number isn't the account's, for as long as it isn't", async (t) => {
    const { client, numbers, account } = await startNumbers(t);
    const { status, body: made } = await client.post(numbers, {
      address: "+14155550188",
      inbound_workflow_id: 1,
    });
    assert.equal(status, 200);
    const { ok, state, message, remedy } = made.provider_sync;
    assert.deepEqual([ok, state], [false, "failed"]);
    assert.match(message, /\+14155550188 is not a number of this Twilio account/);
    assert.match(remedy, /console/);
    const one = `${numbers}/${made.id}`;
    assert.deepEqual((await client.get(one)).body.provider_sync, made.provider_sync, "it lasts");
    assert.deepEqual((await client.get(numbers)).body.phone_numbers.at(-1).provider_sync, made.provider_sync);
    assert.deepEqual((await client.put(one, { label: "x" })).body.provider_sync, made.provider_sync);
    account.addNumber("+14155550188");
    const { body: synced } = await client.post(`${one}/sync`);
    assert.deepEqual([synced.provider_sync.ok, synced.provider_sync.state], [true, "in_sync"]);
  });

  it("isn't fooled by a number that only begins like it", async (t) => {
    const { client, numbers, account } = await startNumbers(t);
    account.addNumber({ phoneNumber: "+141555501881", ...FOREIGN });
    const { body: made } = await client.post(numbers, { address: "+14155550188", inbound_workflow_id: 1 });
    assert.match(made.provider_sync.message, /is not a number of this Twilio account/);
    assert.partialDeepStrictEqual(account.number("+141555501881")!.settings, FOREIGN);
  });

  it("names a trunk or an app that answers instead, and takes the number off it only when told to", async (t) => {
    const TrunkSid = `TK${"1".repeat(32)}`;
    const VoiceApplicationSid = `AP${"2".repeat(32)}`;
    for (const settings of [{ TrunkSid }, { VoiceApplicationSid }]) {
      await t.test(Object.keys(settings)[0]!, async (t) => {
        const account = { numbers: [{ ...owned, ...settings }, ECHO_NUMBER, "+12025550101"] };
        const { client, numbers, owned: at, places } = await startNumbers(t, { account });
        const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
        assert.equal(made.provider_sync.state, "failed");
        assert.ok(made.provider_sync.message.includes(Object.values(settings)[0]));
        assert.match(made.provider_sync.remedy, /clear_override=true.*Or in Twilio's console/s);
        assert.partialDeepStrictEqual(at().settings, { ...FOREIGN, ...settings });
        const one = `${numbers}/${made.id}`;
        assert.equal((await client.post(`${one}/sync`)).body.provider_sync.state, "failed");
        assert.partialDeepStrictEqual(at().settings, { ...FOREIGN, ...settings });
        const { body: cleared } = await client.post(`${one}/sync?clear_override=true`);
        assert.equal(cleared.provider_sync.state, "in_sync");
        assert.partialDeepStrictEqual(at().settings, { ...places, TrunkSid: "", VoiceApplicationSid: "" });
        await client.delete(one);
        assert.partialDeepStrictEqual(at().settings, { ...FOREIGN, ...settings }, "as it was");
      });
    }
  });

  it("answers in time when Twilio doesn't, and goes on by itself", async (t) => {
    const { client, numbers, exchange, owned, places } = await startNumbers(t);
    exchange.faults.next({ on: "Numbers.update", answer: "timeout" });
    const startedMs = performance.now();
    const { status, body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    assert.ok(performance.now() - startedMs < 20_000);
    assert.deepEqual([status, made.provider_sync.ok], [200, false]);
    assert.ok(["pending", "failed"].includes(made.provider_sync.state));
    const one = `${numbers}/${made.id}`;
    await until("the next try", async () => (await client.get(one)).body.provider_sync.ok, 30_000);
    assert.equal(owned().settings.VoiceUrl, places.VoiceUrl);
  });

  it("finds that Twilio had done what it didn't answer", async (t) => {
    const { client, numbers, exchange, owned, places, asked } = await startNumbers(t, withForeign);
    exchange.faults.next({ on: "Numbers.update", answer: "reset", placed: true });
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    assert.equal(made.provider_sync.state, "failed");
    assert.match(made.provider_sync.message, /can't be told whether it did/);
    assert.equal(owned().settings.VoiceUrl, places.VoiceUrl);
    asked();
    const { body: synced } = await client.post(`${numbers}/${made.id}/sync`);
    assert.equal(synced.provider_sync.state, "in_sync");
    assert.deepEqual(asked(), ["Numbers.list"], "nothing was left to change");
    await client.delete(`${numbers}/${made.id}`);
    assert.partialDeepStrictEqual(owned().settings, FOREIGN, "what stood there was not forgotten");
  });

  it("waits for the credentials to be mended, and then goes on by itself", async (t) => {
    const { client, numbers, account, owned, places, asked, configId } = await startNumbers(t);
    const right = account.authToken;
    account.authToken = "f".repeat(32);
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    assert.deepEqual([made.provider_sync.ok, made.provider_sync.state], [false, "failed"]);
    assert.match(made.provider_sync.message, /does not accept these credentials/);
    assert.match(made.provider_sync.remedy, /set "A call comes in" to Webhook, .*inbound\/run/);
    account.authToken = right;
    asked();
    const config = { account_sid: account.accountSid, auth_token: right };
    await client.put(`/api/v1/organizations/telephony-configs/${configId}`, { config });
    const one = `${numbers}/${made.id}`;
    await until("the push", async () => (await client.get(one)).body.provider_sync.ok);
    assert.equal(owned().settings.VoiceUrl, places.VoiceUrl);
  });

  it("is never pushed to the real Twilio while we can only be reached from this machine", async (t) => {
    // Nothing answers there, and nothing may be asked of it.
    const { client, numbers, asked } = await startNumbers(t, {
      env: { TWILIO_API_BASE_URL: "https://twilio.invalid" },
    });
    const [{ id, provider_sync: first }] = (await client.get(numbers)).body.phone_numbers;
    assert.deepEqual([first.ok, first.state], [false, "failed"], "seen at the start already");
    assert.match(first.message, /is an address of this machine alone.*PUBLIC_BASE_URL/s);
    assert.match(first.remedy, /https:\/\/YOUR-PUBLIC-ADDRESS\/api\/v1\/telephony\/inbound\/run/);
    assert.ok(!first.remedy.includes("127.0.0.1"));
    const { body: synced } = await client.post(`${numbers}/${id}/sync`);
    assert.match(synced.provider_sync.message, /is an address of this machine alone/);
    assert.deepEqual(asked(), []);
  });

  it("has the operator's own fallback where there is one", async (t) => {
    const fallback = "https://static.example.com/sorry.xml#rt=3000";
    const { client, numbers, owned, places } = await startNumbers(t, {
      env: { VOICE_FALLBACK_URL: fallback },
    });
    await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    assert.partialDeepStrictEqual(owned().settings, { ...places, VoiceFallbackUrl: fallback });
  });

  it("writes no whole number into the log", async (t) => {
    const { client, numbers, log } = await startNumbers(t);
    await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    assert.ok(log().includes("0100") && !log().includes("5550100"), API_KEY);
  });
});
