// What all operations have in common, asked of every one that is described.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { assertBlames } from "../../support/api.ts";
import type { ServedDocument, ServedOperation } from "../../support/compatibility.ts";
import { type ApiStory, startApi } from "./rig.ts";

interface Described extends ServedOperation {
  readonly method: string;
  /** With `{name}` segments. */
  readonly path: string;
}

async function startDescribed(t: TestContext, env = {}): Promise<ApiStory & { operations: Described[] }> {
  const story = await startApi(t, { env });
  const document: ServedDocument = (await story.client.get("/openapi.json")).body;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, served]) => ({ ...served, method: method.toUpperCase(), path })),
  );
  assert.ok(operations.length > 30);
  return { ...story, operations };
}

const filled = (path: string, value: string) => path.replaceAll(/\{\w+\}/g, value);

describe("every operation", () => {
  it("wants a key before it says anything, but for those that are open", async (t) => {
    const env = { PUBLIC_BASE_URL: "https://gw.example.com", HOST: "127.0.0.1" };
    const { client, operations, gateway } = await startDescribed(t, env);
    const { key, stored } = await gateway.keys.create("Revoked");
    await gateway.keys.archive(stored.id);
    const strangers = [{}, { "X-API-Key": "wrong" }, { Authorization: `Bearer ${key}` }];
    const open: string[] = [];
    for (const { method, path, security } of operations) {
      for (const headers of strangers) {
        const { status } = await client
          .as(headers)
          .ask(method, filled(path, "1"), method === "GET" ? undefined : "{");
        if (security.length > 0) assert.equal(status, 401, `${method} ${path}`);
        else open.push(path);
      }
    }
    // A download's token is its key.
    const download = "/api/v1/public/download/workflow/{token}/{artifact_type}";
    assert.deepEqual(new Set(open), new Set(["/api/v1/health", download]));
  });

  it("names an id that is none, and finds nothing under one that nobody has", async (t) => {
    const { client, operations } = await startDescribed(t);
    for (const { method, path, parameters = [], requestBody } of operations) {
      const ids = parameters.filter((known) => known.in === "path").map(({ name }) => name);
      if (ids.length === 0 || ids.includes("token")) continue;
      if (requestBody === undefined) {
        const { status } = await client.ask(method, filled(path, "987654"));
        assert.equal(status, 404, `${method} ${path}`);
      }
      const { status, body } = await client.ask(method, filled(path, "none"), requestBody && {});
      if (ids.some((name) => name.endsWith("uuid"))) continue; // any text may be one
      assert.equal(status, 422, `${method} ${path}`);
      const blamed = body.detail.map(({ loc }: { loc: string[] }) => loc.join("."));
      for (const id of ids) assert.ok(blamed.includes(`path.${id}`), `${method} ${path}: ${blamed}`);
    }
  });

  it("that takes a body names what is no JSON, no object, and no field of its", async (t) => {
    const { client, operations } = await startDescribed(t);
    const taking = operations.filter(({ requestBody }) => requestBody !== undefined);
    assert.ok(taking.length > 8);
    for (const { method, path } of taking) {
      const target = filled(path, "1");
      for (const body of ["{", "", "name=value", "[]", '"text"', "null", "7"])
        assertBlames(await client.ask(method, target, body), "body");
      const { status, body } = await client.ask(method, target, { no_such_field: 1 });
      assert.equal(status, 422, `${method} ${path}`);
      const blamed = body.detail.map(({ loc }: { loc: string[] }) => loc.join("."));
      assert.ok(blamed.includes("body.no_such_field"), `${method} ${path}: ${blamed}`);
    }
  });

  it("answers another method with 405, and another path with 404, as every error is answered", async (t) => {
    const { client, operations } = await startDescribed(t);
    let refused = 0;
    const methodsOf = Map.groupBy(operations, ({ path }) => filled(path, "{}"));
    for (const [, same] of methodsOf) {
      const taken = new Set(same.map(({ method }) => method));
      const other = ["DELETE", "PATCH", "POST", "PUT", "GET"].find((method) => !taken.has(method))!;
      const path = filled(same[0]!.path, "1");
      const { status, body } = await client.ask(other, path, other === "GET" ? undefined : "{}");
      // Another route may have this path with a literal where this one has a value.
      if (status !== 405) continue;
      refused += 1;
      assert.deepEqual(body, { detail: "Method Not Allowed" });
    }
    assert.ok(refused > methodsOf.size / 2, `${refused} of ${methodsOf.size}`);
    const { status, body } = await client.get("/api/v1/nowhere");
    assert.deepEqual([status, body], [404, { detail: "Not Found" }]);
  });
});
