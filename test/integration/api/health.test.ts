import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { assertBlames } from "../../support/api.ts";
import { AUTH_TOKEN, ECHO_NUMBER } from "../../support/gateway.ts";
import { allFree } from "../../support/until.ts";
import { startApi } from "./rig.ts";

const HEALTH = "/api/v1/health";
const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));

describe("health over the API", () => {
  it("is told to anyone, without a secret", async (t) => {
    const { client, gateway } = await startApi(t, {
      env: { PUBLIC_BASE_URL: "https://gw.example.com/voice", HOST: "127.0.0.1" },
    });
    const stranger = client.as({});
    const { body } = await stranger.get(HEALTH);
    assert.deepEqual([body.status, body.version], ["ok", version]);
    assert.equal(body.backend_api_endpoint, "https://gw.example.com/voice");
    assert.ok(!JSON.stringify(body).includes(AUTH_TOKEN));
    const drained = gateway.calls.drain();
    assert.equal((await stranger.get(HEALTH)).body.status, "draining");
    await drained;
  });

  it("counts the calls there are, with a buffer where one is wanted, and tells the loop's lag", async (t) => {
    const story = await startApi(t);
    const { client, twilio } = story;
    const active = async () => (await client.get(`${HEALTH}/active-calls`)).body;
    const metric = async (query = "") => (await client.get(`${HEALTH}/autoscale-metric${query}`)).body.value;
    assert.deepEqual([(await active()).active_calls, await metric(), await metric("?buffer=5")], [0, 0, 5]);
    const calls = [await twilio.dial({ to: ECHO_NUMBER }), await twilio.dial({ to: ECHO_NUMBER })];
    for (const call of calls) await call.connect();
    assert.deepEqual([(await active()).active_calls, await metric(), await metric("?buffer=5")], [2, 2, 7]);
    for (const call of calls) await call.hangUp();
    await allFree(story);
    const { active_calls, loop_lag_p95_ms: p95Ms, loop_lag_max_ms: maxMs } = await active();
    assert.equal(active_calls, 0);
    assert.ok(p95Ms >= 0 && maxMs >= p95Ms);
    for (const buffer of ["-1", "1.5", "many", "1000001"])
      assertBlames(await client.get(`${HEALTH}/autoscale-metric?buffer=${buffer}`), "query.buffer");
  });
});
