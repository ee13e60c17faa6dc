import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AccountSid } from "../../../src/domain/ids.ts";
import { ACCOUNT_SID, ECHO_NUMBER, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { MovableClock } from "../../support/movableClock.ts";
import { until } from "../../support/until.ts";
import { CONFIGURATIONS, FOREIGN, OTHER_SID, OTHER_TOKEN, OWNED, pass, startNumbers } from "./rig.ts";

const numbersAtTwilio = [{ phoneNumber: OWNED, ...FOREIGN }, ECHO_NUMBER, TEST_AGENT_NUMBER];
const account = { numbers: numbersAtTwilio };

describe("what is deleted here", () => {
  it("leaves Twilio as it was: a whole configuration's numbers", async (t) => {
    const { client, numbers, configId, owned, gateway } = await startNumbers(t, { account });
    await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    const { status, body } = await client.delete(`${CONFIGURATIONS}/${configId}`);
    assert.deepEqual([status, body.message], [200, "Configuration 'Test account' was deleted."]);
    assert.partialDeepStrictEqual(owned().settings, FOREIGN);
    assert.equal(owned(ECHO_NUMBER).settings.VoiceUrl, "");
    assert.deepEqual((await client.get(CONFIGURATIONS)).body, { configurations: [] });
    assert.deepEqual(gateway.directory.route(AccountSid(ACCOUNT_SID), OWNED), { refusal: "number_unknown" });
    assert.equal((await client.get(numbers)).status, 404);
  });

  it("can go when the token was revoked, and says what stays at Twilio: a number", async (t) => {
    const { client, numbers, account: at } = await startNumbers(t, { account });
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    at.authToken = "f".repeat(32);
    const { status, body } = await client.delete(`${numbers}/${made.id}`);
    assert.deepEqual([status, body.provider_sync.ok], [200, false]);
    assert.match(
      body.message,
      /was deleted\. Still at Twilio: \+14155550100 .*does not accept these credentials/s,
    );
    assert.match(body.message, /In Twilio's console, under Phone Numbers, Active numbers/);
    assert.equal((await client.get(`${numbers}/${made.id}`)).status, 404);
  });

  it("can go when the token was revoked, and says what stays at Twilio: a configuration", async (t) => {
    const { client, configId, account: at, asked } = await startNumbers(t, { account });
    at.authToken = "f".repeat(32);
    asked();
    const { status, body } = await client.delete(`${CONFIGURATIONS}/${configId}`);
    assert.equal(status, 200);
    for (const address of [ECHO_NUMBER, TEST_AGENT_NUMBER])
      assert.ok(body.message.includes(address), body.message);
    assert.ok(asked().length <= 2, "what is refused is not asked for every number");
    assert.equal((await client.get(`${CONFIGURATIONS}/${configId}`)).status, 404);
  });

  it("can go within seconds when Twilio doesn't answer", async (t) => {
    const { client, configId, exchange } = await startNumbers(t, { account });
    exchange.faults.next({ answer: "timeout", times: 10 });
    const startedMs = performance.now();
    const { status, body } = await client.delete(`${CONFIGURATIONS}/${configId}`);
    assert.ok(performance.now() - startedMs < 20_000);
    assert.equal(status, 200);
    assert.match(body.message, /Still at Twilio/);
  });

  it("counts no more, though Twilio answers when it is gone", async (t) => {
    const clock = new MovableClock();
    const { client, numbers, owned, exchange, asked } = await startNumbers(t, { account, clock });
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    asked();
    exchange.faults.next({ on: "Numbers.update", answer: "late", delayMs: 500 });
    const deleting = client.delete(`${numbers}/${made.id}`);
    await until("Twilio to be asked", () => asked().includes("Numbers.update"));
    await pass(clock, 6_000);
    assert.match((await deleting).body.message, /had not answered within a few seconds/);
    assert.partialDeepStrictEqual(owned().settings, FOREIGN, "it was put back all the same");
    const late = clock.wallMs();
    await until("its answer", () => clock.wallMs() - late > 1_000);
    const { body: metrics } = await client.get("/metrics");
    assert.match(metrics, /^linecard_numbers\{sync="none"\} 0$/m);
  });

  it("has nothing left at Twilio when the number isn't the account's any more", async (t) => {
    const { client, numbers, account: at } = await startNumbers(t, { account });
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    at.numbers.splice(0, 1);
    const { body } = await client.delete(`${numbers}/${made.id}`);
    assert.deepEqual(body.provider_sync, { ok: true, message: null });
  });
});

describe("a workflow that is taken away", () => {
  it("warns for as long as what stood there before is not back, and brings it back by itself", async (t) => {
    const { client, numbers, owned, account: at, exchange } = await startNumbers(t, { account });
    const { body: made } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    const one = `${numbers}/${made.id}`;
    exchange.faults.next({ on: "Numbers.update", answer: 503 });
    const { body: cleared } = await client.put(one, { clear_inbound_workflow: true });
    assert.deepEqual([cleared.inbound_workflow_id, cleared.provider_sync.ok], [null, false]);
    assert.match(cleared.provider_sync.message, /may still send calls to \+14155550100 here/);
    assert.ok(cleared.provider_sync.remedy.includes(FOREIGN.VoiceUrl), "what to put there by hand");
    await until("the next try", async () => (await client.get(one)).body.provider_sync.ok, 30_000);
    assert.partialDeepStrictEqual(owned().settings, FOREIGN);

    await client.put(one, { inbound_workflow_id: 1 });
    at.authToken = "f".repeat(32);
    const { body: refused } = await client.put(one, { is_active: false });
    assert.match(refused.provider_sync.message, /does not accept these credentials.*use the number's sync/s);
  });
});

describe("a configuration that moves to another account", () => {
  const other = { accountSid: OTHER_SID, authToken: OTHER_TOKEN, numbers: [OWNED, ECHO_NUMBER] };
  const config = { account_sid: OTHER_SID, auth_token: OTHER_TOKEN };

  it("puts the old account's numbers back and looks for them at the new one", async (t) => {
    const { client, numbers, configId, owned, exchange, places, gateway } = await startNumbers(t, {
      account,
      accounts: [other],
    });
    await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    const { body } = await client.put(`${CONFIGURATIONS}/${configId}`, { config });
    assert.deepEqual(body.warnings, []);
    assert.partialDeepStrictEqual(owned().settings, FOREIGN, "the old account's");
    const now = exchange.accounts[1]!;
    await until("the push", () => now.number(OWNED)!.settings.VoiceUrl === places.VoiceUrl);
    assert.ok("brief" in gateway.directory.route(AccountSid(OTHER_SID), OWNED));
    assert.deepEqual(gateway.directory.route(AccountSid(ACCOUNT_SID), OWNED), { refusal: "number_unknown" });
    const state = async (index: number) =>
      (await client.get(numbers)).body.phone_numbers[index].provider_sync;
    await until("the look", async () => (await state(1)).state === "failed");
    assert.match(
      (await state(1)).message,
      /is not a number of this Twilio account/,
      "the one that it doesn't have",
    );
  });

  it("says what it could not put back at the old one", async (t) => {
    const { client, configId, account: at } = await startNumbers(t, { account, accounts: [other] });
    at.authToken = "f".repeat(32);
    const { status, body } = await client.put(`${CONFIGURATIONS}/${configId}`, { config });
    assert.deepEqual([status, body.credentials_check.state], [200, "valid"]);
    assert.match(body.warnings[0], /^Still at Twilio: \+12025550100, \+12025550101/);
  });
});
