import assert from "node:assert/strict";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import type { HttpRequest } from "../../../src/http/http.ts";
import { ApiKeys } from "../../../src/organization/apiKeys.ts";
import { assertBlames } from "../../support/api.ts";
import { API_KEY } from "../../support/gateway.ts";
import { ManualClock } from "../../support/manualClock.ts";
import { startApi } from "./rig.ts";

const KEYS = "/api/v1/user/api-keys";
const COUNT = "/api/v1/workflow/count";
const METRICS_TOKEN = "the token of Prometheus";

/** A request with these headers, as the front hands it on. */
function showing(headers: Record<string, string>): HttpRequest {
  const lowered = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const body = new Uint8Array();
  return { method: "GET", path: "/", query: undefined, headers: new Map(lowered), body, params: {} };
}

describe("an API key", () => {
  it("is shown once, opens the API in either header, and can be taken back and given again", async (t) => {
    const { client } = await startApi(t);
    const made = await client.post(KEYS, { name: "  Dialler " });
    assert.equal(made.status, 200);
    const { id, api_key: key, key_prefix: prefix } = made.body;
    assert.equal(made.body.name, "Dialler");
    assert.match(key, /^linecard_[\w-]{32}$/, "192 random bits in base64url");
    assert.ok(key.startsWith(prefix) && prefix.length <= 16);

    const ways = [
      { "X-API-Key": key },
      { Authorization: `Bearer ${key}` },
      { Authorization: `bearer ${key}` },
    ];
    for (const headers of ways) assert.equal((await client.as(headers).get(COUNT)).status, 200);

    const listed = (await client.get(KEYS)).body;
    assert.deepEqual(
      listed.map((each: { id: number; name: string; is_active: boolean }) => [
        each.id,
        each.name,
        each.is_active,
      ]),
      [[id, "Dialler", true]],
    );

    assert.equal((await client.delete(`${KEYS}/${id}`)).body.is_active, false);
    for (const headers of ways) {
      const refused = await client.as(headers).get(COUNT);
      assert.deepEqual([refused.status, refused.body], [401, { detail: "Invalid API key" }]);
      assert.equal(refused.headers.get("www-authenticate"), "Bearer");
    }
    assert.deepEqual((await client.get(KEYS)).body, []);
    const [archived] = (await client.get(`${KEYS}?include_archived=true`)).body;
    assert.ok(archived.archived_at !== null && !archived.is_active);
    const again = (await client.delete(`${KEYS}/${id}`)).body;
    assert.equal(again.archived_at, archived.archived_at, "archiving it again changes nothing");

    assert.equal((await client.put(`${KEYS}/${id}/reactivate`)).body.is_active, true);
    assert.equal((await client.as(ways[0]!).get(COUNT)).status, 200);
    assert.equal((await client.get(KEYS)).body[0].archived_at, null);
  });

  it("that archives itself is refused on the very next request, and so are those behind it", async (t) => {
    const { client } = await startApi(t);
    const { id, api_key: key } = (await client.post(KEYS, { name: "Short-lived" })).body;
    const own = client.as({ "X-API-Key": key });
    assert.equal((await own.delete(`${KEYS}/${id}`)).status, 200);
    const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await own.get(COUNT)).status));
    assert.deepEqual(new Set(statuses), new Set([401]));
  });

  it("of the environment counts without being stored or listed", async (t) => {
    const { client, bytes } = await startApi(t);
    assert.equal((await client.as({ Authorization: `Bearer ${API_KEY}` }).get(COUNT)).status, 200);
    assert.deepEqual((await client.get(`${KEYS}?include_archived=1`)).body, []);
    assert.ok(!bytes().includes(API_KEY));
  });

  it("is refused when it is wrong, whichever way, and X-API-Key goes before a bearer token", async (t) => {
    const { client, gateway } = await startApi(t);
    const { key } = await gateway.keys.create("Right");
    const refused: Record<string, string>[] = [
      {},
      { "X-API-Key": "" },
      { "X-API-Key": key.slice(0, -1) },
      { "X-API-Key": `${key}x` },
      { "X-API-Key": key.toUpperCase() },
      { Authorization: key },
      { Authorization: `Basic ${key}` },
      { Authorization: `Bearer ${key} ${key}` },
      { "X-API-Key": "wrong", Authorization: `Bearer ${key}` },
      { "X-Dograh-Devops-Secret": key },
      { Cookie: `X-API-Key=${key}` },
    ];
    for (const headers of refused)
      assert.equal((await client.as(headers).get(COUNT)).status, 401, JSON.stringify(headers));
    for (const path of [`${COUNT}?api_key=${key}`, `${COUNT}?X-API-Key=${key}`])
      assert.equal((await client.as({}).get(path)).status, 401, "not in an address, which ends up in logs");
    const wins = client.as({ "X-API-Key": key, Authorization: "Bearer wrong" });
    assert.equal((await wins.get(COUNT)).status, 200);
  });

  it("is needed before anything is said about the request", async (t) => {
    const { client } = await startApi(t);
    const stranger = client.as({});
    assert.equal((await stranger.post(KEYS, "{")).status, 401);
    assert.equal((await stranger.get("/api/v1/workflow/fetch/none")).status, 401);
  });

  it("is nowhere but in its owner's hands: not in the database, nor in any other answer", async (t) => {
    const { client, gateway, bytes, log } = await startApi(t);
    const { api_key: key, id } = (await client.post(KEYS, { name: "Secret" })).body;
    await client.as({ "X-API-Key": key }).get(COUNT);
    const secret = key.slice("linecard_".length + 6);
    const answers = [
      await client.get(KEYS),
      await client.delete(`${KEYS}/${id}`),
      await client.get(`${KEYS}?include_archived=true`),
      await client.put(`${KEYS}/${id}/reactivate`),
      await client.as({ "X-API-Key": `${key}x` }).get(KEYS),
    ];
    assert.ok(!JSON.stringify(answers.map(({ body }) => body)).includes(secret));
    assert.ok(!bytes().includes(secret));
    assert.ok(bytes().includes("Secret"), "the look finds what is there");
    assert.ok(!log().includes(secret));
    assert.ok(!JSON.stringify(gateway.keys).includes(secret));
  });

  it("that nobody made is not found, and a name that is none is refused", async (t) => {
    const { client } = await startApi(t);
    for (const answer of [await client.delete(`${KEYS}/7`), await client.put(`${KEYS}/7/reactivate`)])
      assert.deepEqual([answer.status, answer.body.detail], [404, "API key not found"]);
    for (const id of ["0", "-1", "1.5", "one", "9007199254740993"])
      assertBlames(await client.delete(`${KEYS}/${id}`), "path.api_key_id");
    for (const name of [undefined, null, 7, "", "  ", "n".repeat(256), "a\nb", ["a"]])
      assertBlames(await client.post(KEYS, { name }), "body.name");
    assertBlames(await client.post(KEYS, { name: "a", naem: "b" }), "body.naem");
    assertBlames(await client.post(KEYS, []), "body");
    assertBlames(await client.post(KEYS), "body");
    for (const text of ["{", "name=a", '{"name":"a"}x', "\ufeff"])
      assertBlames(await client.post(KEYS, text), "body");
    assertBlames(await client.get(`${KEYS}?include_archived=perhaps`), "query.include_archived");
  });

  it("is known again after a restart, and so is when it was used, to the minute", async (t) => {
    const { client, gateway, store } = await startApi(t);
    const { stored, key } = await gateway.keys.create("Lasting");
    assert.equal((await client.get(KEYS)).body[0].last_used_at, null);
    assert.equal((await client.as({ "X-API-Key": key }).get(COUNT)).status, 200);
    const [{ last_used_at, created_at }] = (await client.get(KEYS)).body;
    assert.ok(Date.parse(last_used_at) >= Date.parse(created_at));

    const clock = new ManualClock();
    const keys = await ApiKeys.load(store, clock);
    const use = () => assert.ok(keys.authenticate(showing({ "X-API-Key": key }), "key"));
    const written = async () => (await store.apiKeys.all())[0]!.lastUsedAtMs;
    use();
    const firstMs = clock.wallMs();
    assert.equal(await written(), firstMs, "its first use was asked to be written before this was asked");
    clock.advance(59_999);
    use();
    assert.equal(keys.list()[0]!.lastUsedAtMs, firstMs + 59_999, "what is told is exact");
    assert.equal(await written(), firstMs, "what is stored is at most a minute old");
    clock.advance(1);
    use();
    assert.equal(await written(), firstMs + 60_000);

    const reloaded = await ApiKeys.load(store, clock);
    assert.deepEqual(reloaded.list(), [{ ...stored, lastUsedAtMs: firstMs + 60_000 }]);
    assert.deepEqual(reloaded.authenticate(showing({ "X-API-Key": key }), "key"), { keyId: stored.id });
  });

  it("works while the database doesn't", async (t) => {
    const { client, gateway, databasePath } = await startApi(t);
    const { key, stored } = await gateway.keys.create("Undeterred");
    const other = new Database(databasePath);
    t.after(() => other.close());
    other.exec("ALTER TABLE api_keys RENAME TO away");
    const keys = client.as({ "X-API-Key": key });
    assert.equal((await keys.get(COUNT)).status, 200);
    await assert.rejects(gateway.keys.archive(stored.id), /no such table/);
    assert.equal((await keys.get(COUNT)).status, 200, "what could not be archived still counts");
    other.exec("ALTER TABLE away RENAME TO api_keys");
    await gateway.keys.archive(stored.id);
    assert.equal((await keys.get(COUNT)).status, 401);
  });
});

describe("the first key", () => {
  it("is made where there is none, once", async (t) => {
    const { client, gateway, store } = await startApi(t, { env: { LINECARD_API_KEY: "" } });
    const { keys } = gateway;
    assert.equal((await client.get(COUNT)).status, 401, "without any key nobody gets in");
    const first = await keys.makeFirst();
    assert.equal((await client.as({ "X-API-Key": first!.key }).get(COUNT)).status, 200);
    assert.equal(await keys.makeFirst(), undefined);
    assert.equal(await (await ApiKeys.load(store, new ManualClock())).makeFirst(), undefined);
  });

  it("is not made where the environment has one", async (t) => {
    const { gateway, store } = await startApi(t);
    assert.equal(await gateway.keys.makeFirst(), undefined);
    assert.deepEqual(await store.apiKeys.all(), []);
  });
});

describe("the metrics' token", () => {
  const headersOf = (token: string): Record<string, string>[] => [
    { "X-API-Key": token },
    { Authorization: `Bearer ${token}` },
    { "X-Dograh-Devops-Secret": token },
  ];
  const PLACES = [
    "/metrics",
    "/openapi.json",
    "/api/v1/health/active-calls",
    "/api/v1/health/autoscale-metric",
  ];

  it("opens the metrics, health and the description beside any API key, and nothing else", async (t) => {
    const env = { PUBLIC_BASE_URL: "https://gw.example.com", HOST: "127.0.0.1", METRICS_TOKEN };
    const { client, gateway } = await startApi(t, { env });
    const { key } = await gateway.keys.create("Any");
    const admitted = [
      ...headersOf(METRICS_TOKEN),
      { "X-API-Key": key },
      { Authorization: `Bearer ${API_KEY}` },
    ];
    const refused = [{}, ...headersOf(`${METRICS_TOKEN}x`), ...headersOf("")];
    for (const path of PLACES) {
      for (const headers of admitted) assert.equal((await client.as(headers).get(path)).status, 200, path);
      for (const headers of refused) assert.equal((await client.as(headers).get(path)).status, 401, path);
    }
    for (const headers of headersOf(METRICS_TOKEN))
      assert.equal((await client.as(headers).get(COUNT)).status, 401);
  });

  it("is not asked for where only this machine can reach us; API keys are", async (t) => {
    const { client } = await startApi(t, { env: { METRICS_TOKEN } });
    for (const path of PLACES) assert.equal((await client.as({}).get(path)).status, 200, path);
    assert.equal((await client.as({}).get(COUNT)).status, 401);
  });
});
