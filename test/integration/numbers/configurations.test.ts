import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import { assertBlames } from "../../support/api.ts";
import { assertContractRequest } from "../../support/contract.ts";
import { ACCOUNT_SID, AUTH_TOKEN, configuration } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";
import { CONFIGURATIONS, OTHER_SID, OTHER_TOKEN, OWNED, startNumbers } from "./rig.ts";

const OTHER = { accountSid: OTHER_SID, authToken: OTHER_TOKEN, numbers: ["+14155550177"] };
const config = { provider: "twilio", account_sid: OTHER_SID, auth_token: OTHER_TOKEN };
const one = (id: number) => `${CONFIGURATIONS}/${id}`;

describe("a configuration", () => {
  it("is made, listed, shown and renamed, its secrets masked", async (t) => {
    const { client, log, bytes } = await startNumbers(t, { accounts: [OTHER] });
    const sent = { name: " Other ", config: { ...config, amd_enabled: true } };
    assertContractRequest("POST", CONFIGURATIONS, sent);
    const { status, body: made } = await client.post(CONFIGURATIONS, sent);
    assert.equal(status, 200);
    assert.equal(made.name, "Other");
    assert.equal(made.is_default_outbound, false, "never by itself");
    assert.deepEqual(made.credentials, {
      provider: "twilio",
      account_sid: `****${OTHER_SID.slice(-4)}`,
      auth_token: `****${OTHER_TOKEN.slice(-4)}`,
      amd_enabled: true,
      secondary_auth_token: null,
      api_key_sid: null,
      api_key_secret: null,
      region: null,
      edge: null,
    });
    assert.equal(made.credentials_check.state, "valid");
    assert.equal(made.credentials_check.account_type, "Full");
    assert.deepEqual(made.warnings, []);
    assert.equal(made.setup_checklist.ready_for_outbound, false);
    assert.match(made.setup_checklist.outbound_blocked_reason, /no active phone number/);
    assert.deepEqual((await client.get(one(made.id))).body, made);

    const { body: listed } = await client.get(CONFIGURATIONS);
    const [first, second] = listed.configurations;
    assert.deepEqual(
      [first.name, first.is_default_outbound, first.is_ready_for_outbound],
      ["Test account", true, true],
    );
    assert.deepEqual(
      [second.name, second.phone_number_count, second.is_ready_for_outbound],
      ["Other", 0, false],
    );

    const { body: renamed } = await client.put(one(made.id), { name: "Another" });
    assert.deepEqual([renamed.name, renamed.credentials], ["Another", made.credentials]);
    assert.ok(!bytes().includes(OTHER_TOKEN), "sealed on disk");
    assert.ok(!log().includes(OTHER_TOKEN) && !log().includes(OTHER_SID), "and not in the log");
  });

  it("describes its form, secrets marked as such", async (t) => {
    const { client } = await startNumbers(t);
    const { body } = await client.get("/api/v1/organizations/telephony-providers/metadata");
    const [twilio] = body.providers;
    const sensitive = twilio.fields.filter((field: { sensitive: boolean }) => field.sensitive);
    const names = (fields: { name: string }[]) => fields.map(({ name }) => name);
    assert.deepEqual(names(sensitive), [
      "account_sid",
      "auth_token",
      "secondary_auth_token",
      "api_key_sid",
      "api_key_secret",
    ]);
    const required = twilio.fields.filter((field: { required: boolean }) => field.required);
    assert.deepEqual(names(required), ["account_sid", "auth_token"]);
  });

  it("has its credentials trimmed, and says so", async (t) => {
    const { client, store } = await startNumbers(t, { accounts: [OTHER] });
    const padded = { ...config, account_sid: `\t${OTHER_SID} `, auth_token: `${OTHER_TOKEN}\n\u200b` };
    const { body } = await client.post(CONFIGURATIONS, { name: "Padded", config: padded });
    assert.equal(body.credentials_check.state, "valid");
    assert.deepEqual(body.warnings, [
      "Spaces around the account SID were left out.",
      "Spaces around the auth token were left out.",
    ]);
    const stored = await store.configurations.get(body.id);
    assert.deepEqual([stored!.accountSid, stored!.authTokens], [OTHER_SID, [OTHER_TOKEN]]);
    assert.deepEqual((await client.get(one(body.id))).body.warnings, [], "that was about the form");
  });

  it("is saved with a warning that lasts when Twilio refuses its credentials", async (t) => {
    const { client } = await startNumbers(t, { accounts: [OTHER] });
    const wrong = { ...config, auth_token: "0".repeat(32) };
    const { status, body } = await client.post(CONFIGURATIONS, { name: "Wrong", config: wrong });
    assert.equal(status, 200);
    assert.equal(body.credentials_check.state, "rejected");
    assert.match(body.credentials_check.message, /does not accept these credentials/);
    assert.deepEqual(body.warnings, [body.credentials_check.message]);
    assert.deepEqual((await client.get(one(body.id))).body, body);
    const { body: mended } = await client.put(one(body.id), { config });
    assert.deepEqual([mended.credentials_check.state, mended.warnings], ["valid", []]);
  });

  it("is judged by the credentials it has, whatever Twilio says of earlier ones later", async (t) => {
    const { client, exchange, asked } = await startNumbers(t, { accounts: [OTHER] });
    const { body: made } = await client.post(CONFIGURATIONS, { name: "Other", config });
    asked();
    exchange.faults.next({ on: "Accounts.fetch", answer: "late", delayMs: 1_000 });
    const wrong = client.put(one(made.id), { config: { ...config, auth_token: "0".repeat(32) } });
    await until("Twilio to be asked", () => asked().includes("Accounts.fetch"));
    const { body: mended } = await client.put(one(made.id), { config });
    assert.equal(mended.credentials_check.state, "valid");
    const { status, body } = await wrong;
    assert.deepEqual([status, body.credentials_check.state], [200, "valid"], "as it is by now");
    assert.equal((await client.get(one(made.id))).body.credentials_check.state, "valid");
  });

  it("says that the account is suspended, or on trial", async (t) => {
    const accounts = [{ ...OTHER, status: "suspended" as const, trial: true }];
    const { client, exchange } = await startNumbers(t, { accounts });
    const { body } = await client.post(CONFIGURATIONS, { name: "Suspended", config });
    assert.equal(body.credentials_check.state, "suspended");
    assert.ok(body.warnings.length > 0);
    exchange.accounts[1]!.status = "active";
    const { body: again } = await client.put(one(body.id), { config });
    assert.deepEqual(
      [again.credentials_check.state, again.credentials_check.account_type],
      ["valid", "Trial"],
    );
  });

  it("is saved within seconds when Twilio doesn't answer, or can't be reached", async (t) => {
    const { client, exchange } = await startNumbers(t, { accounts: [OTHER] });
    exchange.faults.next({ on: "Accounts.fetch", answer: "timeout" });
    const startedMs = performance.now();
    const { body } = await client.post(CONFIGURATIONS, { name: "Silent", config });
    assert.ok(performance.now() - startedMs < 16_000);
    assert.equal(body.credentials_check.state, "unreachable");
    assert.match(body.credentials_check.message, /within 4 seconds/);
    exchange.faults.next({ on: "Accounts.fetch", answer: "reset" });
    const { body: reset } = await client.post(CONFIGURATIONS, { name: "Reset", config });
    assert.equal(reset.credentials_check.state, "unreachable");
  });

  it("can't lose or spoil a secret by a mask", async (t) => {
    const { client, store } = await startNumbers(t, { accounts: [OTHER] });
    const key = {
      api_key_sid: `SK${"1".repeat(32)}`,
      api_key_secret: "a secret of a key".replaceAll(" ", ""),
    };
    const full = { ...config, ...key, secondary_auth_token: "9".repeat(32), region: "ie1", edge: "dublin" };
    const { body: made } = await client.post(CONFIGURATIONS, { name: "Whole", config: full });
    const stored = await store.configurations.get(made.id);
    const { provider: _, ...sentBack } = made.credentials;
    await client.put(one(made.id), { config: sentBack });
    const { updatedAtMs: _u, check: _c, ...after } = (await store.configurations.get(made.id))!;
    const { updatedAtMs: _v, check: _d, ...before } = stored!;
    assert.deepEqual(after, before, "what was shown may be sent back");

    for (const auth_token of ["****", "****0000", `********${OTHER_TOKEN.slice(-4)}`]) {
      assertBlames(
        await client.put(one(made.id), { config: { ...config, auth_token } }),
        "body.config.auth_token",
      );
    }
    assertBlames(
      await client.post(CONFIGURATIONS, { name: "New", config: { ...config, auth_token: "****1234" } }),
      "body.config.auth_token",
    );
    await client.put(one(made.id), { config });
    assert.deepEqual((await store.configurations.get(made.id))!.apiKey, before.apiKey, "left out, it stays");
    const gone = { api_key_sid: null, secondary_auth_token: "", region: null, edge: "" };
    await client.put(one(made.id), { config: { ...config, ...gone } });
    const bare = (await store.configurations.get(made.id))!;
    assert.deepEqual(
      [bare.apiKey, bare.authTokens, bare.region, bare.edge],
      [undefined, [OTHER_TOKEN], undefined, undefined],
    );
  });

  it("may have an API key, which requests are made with, and which is tried too", async (t) => {
    const key = { sid: `SK${"1".repeat(32)}`, secret: "the-secret-of-a-key" };
    const { client, exchange } = await startNumbers(t, { accounts: [{ ...OTHER, apiKeys: [key] }] });
    const withKey = { ...config, api_key_sid: key.sid, api_key_secret: key.secret };
    const { body: made } = await client.post(CONFIGURATIONS, { name: "Key", config: withKey });
    assert.deepEqual([made.credentials_check.state, made.warnings], ["valid", []]);
    assert.equal(made.credentials.api_key_sid, `****${key.sid.slice(-4)}`);
    const sent = { address: OTHER.numbers[0], inbound_workflow_id: 1 };
    const { body: number } = await client.post(`${one(made.id)}/phone-numbers`, sent);
    assert.equal(number.provider_sync.state, "in_sync");
    exchange.accounts[1]!.apiKeys.splice(0);
    const { body: revoked } = await client.put(one(made.id), { config });
    assert.equal(revoked.credentials_check.state, "rejected");
    assert.match(revoked.warnings[0], /accepts the auth token, but not the API key/);
  });

  it("names the field that is wrong, and what belongs there", async (t) => {
    const { client } = await startNumbers(t);
    const make = (changes: object, name: unknown = "X") =>
      client.post(CONFIGURATIONS, { name, config: { ...config, ...changes } });
    const key = await make({ account_sid: `SK${"0".repeat(32)}` });
    assertBlames(key, "body.config.account_sid");
    assert.match(key.body.detail[0].msg, /API key's SID: that goes into api_key_sid/);
    const short = await make({ account_sid: "AC123" });
    assertBlames(short, "body.config.account_sid");
    assert.match(short.body.detail[0].msg, /AC and 32 hex digits/);
    assertBlames(
      await make({ account_sid: "", auth_token: " " }),
      "body.config.account_sid",
      "body.config.auth_token",
    );
    assertBlames(await make({ auth_token: "two words" }), "body.config.auth_token");
    assertBlames(await make({ auth_tokn: "typo" }), "body.config.auth_tokn");
    assertBlames(await make({ provider: "vonage" }), "body.config.provider");
    assertBlames(await make({ api_key_sid: `SK${"0".repeat(32)}` }), "body.config.api_key_secret");
    assertBlames(await make({ api_key_secret: "alone" }), "body.config.api_key_sid");
    assertBlames(await make({ region: "ie1.evil.example" }), "body.config.region");
    assertBlames(await make({}, "   "), "body.name");
    assertBlames(await make({}, "x".repeat(65)), "body.name");
    assertBlames(await make({}, "two\nlines"), "body.name");
    assertBlames(await client.post(CONFIGURATIONS, { name: "X" }), "body.config");
    const { body } = await make({ from_numbers: ["+14155550100"] });
    assert.match(body.warnings[0], /from_numbers were not read/);
  });

  it("keeps its name to itself, and its provider", async (t) => {
    const { client, configId } = await startNumbers(t, { accounts: [OTHER] });
    const { body: made } = await client.post(CONFIGURATIONS, { name: "Other", config });
    const twice = await client.post(CONFIGURATIONS, { name: "Other", config });
    assert.equal(twice.status, 409);
    assert.match(twice.body.detail, /'Other'/);
    assert.equal((await client.put(one(configId), { name: "Other" })).status, 409);
    const other = await client.put(one(made.id), { config: { ...config, provider: "vonage" } });
    assert.deepEqual([other.status, /provider/.test(other.body.detail)], [400, true]);
    assert.equal((await client.get(one(99))).status, 404);
    assert.equal((await client.put(one(99), { name: "X" })).status, 404);
    assert.equal((await client.delete(one(99))).status, 404);
    assertBlames(await client.get(`${CONFIGURATIONS}/none`), "path.config_id");
  });

  it("takes the default for outbound calls from whoever had it, when told to", async (t) => {
    const { client, configId, gateway } = await startNumbers(t, { accounts: [OTHER] });
    const { body: made } = await client.post(CONFIGURATIONS, {
      name: "Other",
      config,
      is_default_outbound: true,
    });
    assert.equal(made.is_default_outbound, true);
    assert.equal((await client.get(one(configId))).body.is_default_outbound, false);
    const { body: back } = await client.post(`${one(configId)}/set-default-outbound`);
    assert.equal(back.is_default_outbound, true);
    assert.deepEqual(
      gateway.directory.configurations().map(({ isDefaultOutbound }) => isDefaultOutbound),
      [true, false],
    );
    assert.equal((await client.post(`${one(99)}/set-default-outbound`)).status, 404);
  });

  it("may move to another account unless that has one of its numbers elsewhere", async (t) => {
    const { client, configId, gateway } = await startNumbers(t, { accounts: [OTHER] });
    const { body: made } = await client.post(CONFIGURATIONS, { name: "Other", config });
    await client.post(`${one(made.id)}/phone-numbers`, { address: OWNED });
    await client.post(`${one(configId)}/phone-numbers`, { address: OWNED });
    const clash = await client.put(one(made.id), {
      config: { ...config, account_sid: ACCOUNT_SID, auth_token: AUTH_TOKEN },
    });
    assert.equal(clash.status, 409);
    assert.match(clash.body.detail, /'Test account'/);
    const routed = gateway.directory.route(configuration("x", {}).accountSid, OWNED);
    assert.equal(routed.configurationId, configId, "and nothing has moved");
  });

  it("of the demo doesn't count once others can reach us", async (t) => {
    const configurations = [
      configuration("Demo", { isDemo: true, accountSid: configuration("x").accountSid }),
    ];
    const env = { PUBLIC_BASE_URL: "https://gw.example.com" };
    const { client, store } = await startNumbers(t, { configurations, env });
    const demo = (await store.configurations.all()).find(({ isDemo }) => isDemo)!;
    const { body } = await client.get(CONFIGURATIONS);
    assert.deepEqual(
      body.configurations.map(({ name }: { name: string }) => name),
      ["Test account"],
    );
    assert.equal((await client.get(one(demo.id))).status, 404);
  });

  it("is saved when nothing listens where Twilio should be", async (t) => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((listening) => server.once("listening", listening));
    const { port } = server.address() as { port: number };
    await new Promise((closed) => server.close(closed));
    const { client, configId, numbers } = await startNumbers(t, {
      env: { TWILIO_API_BASE_URL: `http://127.0.0.1:${port}` },
      account: { numbers: [] },
    });
    const { body } = await client.put(one(configId), { config: { ...config, account_sid: ACCOUNT_SID } });
    assert.equal(body.credentials_check.state, "unreachable");
    assert.match(body.warnings[0], /could not be reached/);
    const { status, body: number } = await client.post(numbers, { address: OWNED, inbound_workflow_id: 1 });
    assert.deepEqual([status, number.provider_sync.ok, number.provider_sync.state], [200, false, "failed"]);
    assert.match(number.provider_sync.message, /tried again by itself/);
    assert.match((await client.delete(`${numbers}/${number.id}`)).body.message, /was deleted/);
  });
});
