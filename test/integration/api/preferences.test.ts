import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertBlames } from "../../support/api.ts";
import { assertContractRequest } from "../../support/contract.ts";
import { startApi } from "./rig.ts";

const PREFERENCES = "/api/v1/organizations/preferences";

describe("the preferences", () => {
  it("are empty at first, and kept as they were saved", async (t) => {
    const { client, store } = await startApi(t);
    assert.deepEqual((await client.get(PREFERENCES)).body, { test_phone_number: null, timezone: null });
    const sent = { test_phone_number: "+1 (202) 555-0123", timezone: "Europe/Berlin" };
    assertContractRequest("PUT", PREFERENCES, sent);
    const saved = { test_phone_number: "+12025550123", timezone: "Europe/Berlin" };
    assert.deepEqual((await client.put(PREFERENCES, sent)).body, saved);
    assert.deepEqual((await client.get(PREFERENCES)).body, saved);
    assert.deepEqual(await store.preferences.get(), {
      testPhoneNumber: "+12025550123",
      timezone: "Europe/Berlin",
    });
  });

  it("change one by one: what is left out stays, what is null or empty is cleared", async (t) => {
    const { client } = await startApi(t);
    const saves = async (body: object, number: string | null, timezone: string | null) =>
      assert.deepEqual((await client.put(PREFERENCES, body)).body, { test_phone_number: number, timezone });
    await saves({ test_phone_number: "+12025550123" }, "+12025550123", null);
    await saves({ timezone: "UTC" }, "+12025550123", "UTC");
    await saves({}, "+12025550123", "UTC");
    await saves({ test_phone_number: null }, null, "UTC");
    await saves({ test_phone_number: "sip:desk@PBX.example.com" }, "sip:desk@pbx.example.com", "UTC");
    await saves({ test_phone_number: " ", timezone: "" }, null, null);
  });

  it("lose none of two that are saved at a time", async (t) => {
    const { client } = await startApi(t);
    for (let round = 0; round < 20; round++) {
      await client.put(PREFERENCES, { test_phone_number: null, timezone: null });
      await Promise.all([
        client.put(PREFERENCES, { test_phone_number: "+12025550123" }),
        client.put(PREFERENCES, { timezone: "Asia/Kolkata" }),
      ]);
      const both = { test_phone_number: "+12025550123", timezone: "Asia/Kolkata" };
      assert.deepEqual((await client.get(PREFERENCES)).body, both);
    }
  });

  it("name what is wrong with them, and stay as they were", async (t) => {
    const { client } = await startApi(t);
    const saved = (await client.put(PREFERENCES, { test_phone_number: "+12025550123", timezone: "UTC" }))
      .body;
    const put = (body: unknown) => client.put(PREFERENCES, body);
    for (const number of [
      "2025550123",
      "0012025550123",
      "+0123456789",
      "+1202555012x",
      "+1",
      12_025_550_123,
      [],
    ])
      assertBlames(
        await put({ test_phone_number: number, timezone: "Asia/Tokyo" }),
        "body.test_phone_number",
      );
    for (const timezone of ["Berlin", "Europe/Nowhere", "+02:00", "GMT+2", 2, {}])
      assertBlames(await put({ timezone }), "body.timezone");
    assertBlames(await put({ time_zone: "UTC" }), "body.time_zone");
    assertBlames(
      await put({ test_phone_number: "no", timezone: "no" }),
      "body.test_phone_number",
      "body.timezone",
    );
    const { body } = await put({ test_phone_number: "2025550123" });
    assert.match(body.detail[0].msg, /\+14155550100/, "it says how a number is written");
    assert.deepEqual((await client.get(PREFERENCES)).body, saved);
  });
});
