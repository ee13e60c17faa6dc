import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AccountSid } from "../../../src/domain/ids.ts";
import { assertBlames } from "../../support/api.ts";
import { assertContractRequest } from "../../support/contract.ts";
import { ACCOUNT_SID, ECHO_NUMBER, number } from "../../support/gateway.ts";
import { CONFIGURATIONS, OTHER_SID, OTHER_TOKEN, OWNED, startNumbers } from "./rig.ts";

describe("a phone number", () => {
  it("is made, listed, shown, changed and deleted", async (t) => {
    const { client, numbers, configId, gateway } = await startNumbers(t);
    const sent = {
      address: " +1 (415) 555-0100 ",
      label: " Reception ",
      inbound_workflow_id: 1,
      extra_metadata: { a: [1] },
    };
    assertContractRequest("POST", numbers, sent);
    const { status, body: made } = await client.post(numbers, sent);
    assert.equal(status, 200);
    const { address, address_normalized, address_type, country_code, label, inbound_workflow_name } = made;
    assert.deepEqual(
      [address, address_normalized, address_type, country_code, label, inbound_workflow_name],
      [sent.address, OWNED, "pstn", "US", "Reception", "Workflow 1"],
    );
    assert.deepEqual(
      [made.telephony_configuration_id, made.is_active, made.is_default_caller_id],
      [configId, true, false],
    );
    assert.deepEqual([made.extra_metadata, made.warnings], [{ a: [1] }, []]);
    const route = () => gateway.directory.route(AccountSid(ACCOUNT_SID), OWNED);
    assert.ok("brief" in route(), "calls are taken at once");

    const one = `${numbers}/${made.id}`;
    assert.deepEqual((await client.get(one)).body, made);
    const { body: listed } = await client.get(numbers);
    assert.deepEqual(listed.phone_numbers.at(-1), made);

    const changes = { label: "Desk", extra_metadata: { b: 2 }, country_code: "ca" };
    assertContractRequest("PUT", one, changes);
    const { body: changed } = await client.put(one, changes);
    assert.deepEqual([changed.label, changed.extra_metadata, changed.country_code], ["Desk", { b: 2 }, "CA"]);
    assert.deepEqual([changed.inbound_workflow_id, changed.is_active], [1, true], "what is left out stays");

    await client.put(one, { is_active: false });
    assert.deepEqual(route(), { configurationId: configId, numberId: made.id, refusal: "number_inactive" });
    const { body: gone } = await client.delete(one);
    assert.equal(gone.message, `Phone number ${OWNED} was deleted.`);
    assert.deepEqual(gone.provider_sync, { ok: true, message: null });
    assert.equal((await client.get(one)).status, 404);
    assert.deepEqual(route(), { refusal: "number_unknown" });
  });

  it("loses its label by null or by empty text, and keeps it when nothing is said", async (t) => {
    const { client, numbers } = await startNumbers(t);
    const { body: made } = await client.post(numbers, { address: OWNED, label: "Reception" });
    const one = `${numbers}/${made.id}`;
    assert.equal((await client.put(one, { is_active: true })).body.label, "Reception");
    assert.equal((await client.put(one, { label: null })).body.label, null);
    await client.put(one, { label: "Again" });
    assert.equal((await client.put(one, { label: "" })).body.label, null);
    const nulls = { inbound_workflow_id: null, is_active: null, country_code: null, extra_metadata: null };
    const { body: left } = await client.put(one, nulls);
    assert.deepEqual([left.is_active, left.country_code, left.extra_metadata], [true, "US", {}]);
  });

  it("is taken in every way it may be written, and kept when only libraries don't know it", async (t) => {
    const { client, numbers } = await startNumbers(t);
    const make = async (body: object) => (await client.post(numbers, { is_active: false, ...body })).body;
    const national = await make({ address: "080 4307 1383", country_code: "in" });
    assert.deepEqual([national.address_normalized, national.country_code], ["+918043071383", "IN"]);
    const odd = await make({ address: "+1234567890" });
    assert.equal(odd.address_normalized, "+1234567890");
    assert.match(odd.warnings[0], /check its digits/);
    assert.deepEqual(
      (await client.get(`${numbers}/${odd.id}`)).body.warnings,
      odd.warnings,
      "the warning stays",
    );
    const sip = await make({
      address: "SIP:Desk@PBX.example.com:5060",
      is_active: true,
      inbound_workflow_id: 1,
    });
    assert.deepEqual([sip.address_type, sip.address_normalized], ["sip_uri", "sip:Desk@pbx.example.com"]);
    assert.deepEqual(
      [sip.provider_sync.state, sip.provider_sync.ok, sip.provider_sync.voice_url],
      ["none", true, null],
    );
  });

  it("warns while its workflow is archived, as calls are refused, and so does the checklist", async (t) => {
    const { client, numbers, configId } = await startNumbers(t, { numbers: [number(OWNED, undefined)] });
    const warnings = async () => (await client.get(numbers)).body.phone_numbers[0].warnings;
    const step = async () =>
      (await client.get(`${CONFIGURATIONS}/${configId}`)).body.setup_checklist.steps.find(
        ({ key }: { key: string }) => key === "inbound_workflow",
      ).complete;
    assert.deepEqual([await warnings(), await step()], [[], true]);
    for (const id of [1, 2]) await client.put(`/api/v1/workflow/${id}/status`, { status: "archived" });
    assert.match((await warnings())[0], /^Calls to \+12025550100 are refused.*'Workflow 1' is archived/);
    assert.equal(await step(), false);
    await client.put("/api/v1/workflow/1/status", { status: "active" });
    assert.deepEqual([await warnings(), await step()], [[], true]);
  });

  it("is refused with what belongs there", async (t) => {
    const { client, numbers } = await startNumbers(t);
    for (const address of [
      "4155550100",
      "1-800-FLOWERS",
      "+14155550100 ext 5",
      "004420123456",
      "+0123456789",
      "+123456",
    ]) {
      const refused = await client.post(numbers, { address });
      assertBlames(refused, "body.address");
      assert.match(refused.body.detail[0].msg, /E\.164/, address);
    }
    assertBlames(await client.post(numbers, { address: OWNED, country_code: "XX" }), "body.country_code");
    assertBlames(await client.post(numbers, { address: OWNED, lable: "typo" }), "body.lable");
    assertBlames(await client.post(numbers, { address: OWNED, label: "x".repeat(65) }), "body.label");
    assertBlames(await client.post(numbers, { address: OWNED, label: "a\0b" }), "body.label");
    assertBlames(await client.post(numbers, {}), "body.address");
    const [first] = (await client.get(numbers)).body.phone_numbers;
    assertBlames(await client.put(`${numbers}/${first.id}`, { address: OWNED }), "body.address");
    assertBlames(await client.put(`${numbers}/${first.id}`, { country_code: "XX" }), "body.country_code");
    const unknown = await client.post(numbers, { address: OWNED, inbound_workflow_id: 99 });
    assert.deepEqual([unknown.status, unknown.body.detail], [404, "Workflow not found"]);
    assert.equal((await client.put(`${numbers}/${first.id}`, { inbound_workflow_id: 99 })).status, 404);
    assert.equal((await client.get(numbers)).body.phone_numbers.length, 2, "nothing was saved");
  });

  it("is found under its own configuration alone", async (t) => {
    const { client, numbers } = await startNumbers(t);
    const config = { account_sid: OTHER_SID, auth_token: OTHER_TOKEN };
    const { body: other } = await client.post(CONFIGURATIONS, { name: "Other", config });
    const theirs = `${CONFIGURATIONS}/${other.id}/phone-numbers`;
    const [{ id }] = (await client.get(numbers)).body.phone_numbers;
    for (const [method, path, body] of [
      ["GET", `${theirs}/${id}`],
      ["PUT", `${theirs}/${id}`, { label: "x" }],
      ["DELETE", `${theirs}/${id}`],
      ["POST", `${theirs}/${id}/sync`],
      ["POST", `${theirs}/${id}/set-default-caller`],
      ["GET", `${numbers}/99`],
    ] as const) {
      const answer = await client.ask(method, path, body);
      assert.deepEqual(
        [answer.status, answer.body.detail],
        [404, "Phone number not found"],
        `${method} ${path}`,
      );
    }
    for (const [method, body] of [["GET"], ["POST", { address: OWNED }]] as const) {
      const answer = await client.ask(method, `${CONFIGURATIONS}/99/phone-numbers`, body);
      assert.deepEqual([answer.status, answer.body.detail], [404, "Telephony configuration not found"]);
    }
  });

  it("stands once in an account, and whoever has it is named", async (t) => {
    const { client, numbers } = await startNumbers(t);
    const config = { account_sid: ACCOUNT_SID, auth_token: "another" };
    const { body: other } = await client.post(CONFIGURATIONS, { name: "Same account", config });
    for (const path of [numbers, `${CONFIGURATIONS}/${other.id}/phone-numbers`]) {
      const answer = await client.post(path, { address: "+1 202 555 0100" });
      assert.equal(answer.status, 409);
      assert.ok(answer.body.detail.includes(ECHO_NUMBER) && answer.body.detail.includes("'Test account'"));
    }
    const elsewhere = { account_sid: OTHER_SID, auth_token: OTHER_TOKEN };
    const { body: third } = await client.post(CONFIGURATIONS, { name: "Third", config: elsewhere });
    assert.equal(
      (await client.post(`${CONFIGURATIONS}/${third.id}/phone-numbers`, { address: ECHO_NUMBER })).status,
      200,
    );
  });

  it("takes the default caller ID from whoever had it", async (t) => {
    const { client, numbers, gateway, configId } = await startNumbers(t);
    const { body: made } = await client.post(numbers, { address: OWNED, is_default_caller_id: true });
    const defaults = async () =>
      (await client.get(numbers)).body.phone_numbers
        .filter((each: { is_default_caller_id: boolean }) => each.is_default_caller_id)
        .map(({ address_normalized }: { address_normalized: string }) => address_normalized);
    assert.deepEqual(await defaults(), [OWNED]);
    const echo = (await client.get(numbers)).body.phone_numbers[0];
    const { body: back } = await client.post(`${numbers}/${echo.id}/set-default-caller`);
    assert.equal(back.is_default_caller_id, true);
    assert.deepEqual(await defaults(), [ECHO_NUMBER]);
    const known = [...gateway.directory.numbersOf(configId as never)].filter(
      ({ isDefaultCallerId }) => isDefaultCallerId,
    );
    assert.deepEqual(
      known.map(({ address }) => address),
      [ECHO_NUMBER],
      `not ${made.id}`,
    );
  });

  it("keeps both of two changes at the same time", async (t) => {
    const { client, numbers } = await startNumbers(t);
    const { body: made } = await client.post(numbers, { address: OWNED });
    const one = `${numbers}/${made.id}`;
    await Promise.all([
      client.put(one, { label: "One" }),
      client.put(one, { inbound_workflow_id: 1 }),
      client.put(one, { extra_metadata: { three: 3 } }),
    ]);
    const { body } = await client.get(one);
    assert.deepEqual([body.label, body.inbound_workflow_id, body.extra_metadata], ["One", 1, { three: 3 }]);
  });

  it("is listed with thousands of neighbours", async (t) => {
    const many = Array.from({ length: 2_000 }, (_, index) => number(`+1500${5_550_000 + index}`, undefined));
    const { client, numbers } = await startNumbers(t, { numbers: many });
    const { phone_numbers: listed } = (await client.get(numbers)).body;
    assert.deepEqual(
      listed.slice(2).map(({ address }: { address: string }) => address),
      many.map(({ address }) => address),
    );
    const { body } = await client.get(CONFIGURATIONS);
    assert.equal(body.configurations[0].phone_number_count, 2_002);
  });
});
