import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import type { ApiKeyId } from "../../../src/domain/ids.ts";
import {
  type Authenticate,
  Encoded,
  idSchema,
  moment,
  momentSchema,
  nameSchema,
  type Operation,
  operation,
  routesOf,
} from "../../../src/http/operation.ts";
import { createRouter } from "../../../src/http/router.ts";
import { assertError } from "../../support/contract.ts";

const KEY = 7 as ApiKeyId;

/** `yes` is a key; `scraper` is only good for metrics. */
const authenticate: Authenticate = ({ headers }, access) => {
  const shown = headers.get("x-api-key");
  if (shown === "yes") return { keyId: KEY };
  return shown === "scraper" && access === "metrics" ? { keyId: undefined } : undefined;
};

interface Asked {
  readonly path?: string;
  readonly query?: string;
  readonly body?: string | Uint8Array;
  readonly key?: string;
}

/** Asks the one operation; what it was told is given back with the answer. */
async function ask(declared: Operation, asked: Asked = {}) {
  const errors: unknown[] = [];
  const router = createRouter(routesOf([declared], authenticate), {
    pathPrefix: "",
    onError: (error) => errors.push(error),
  });
  const { path = declared.path, query, body = "", key = "yes" } = asked;
  const answer = await router.handle({
    method: declared.method,
    path,
    query,
    headers: new Map(key === "" ? [] : [["x-api-key", key]]),
    body: typeof body === "string" ? Buffer.from(body) : body,
  });
  const text = String(answer.body);
  const isJson = answer.headers?.["Content-Type"] === undefined;
  return { ...answer, text, value: isJson ? JSON.parse(text) : undefined, errors };
}

const blamed = ({ status, value }: Awaited<ReturnType<typeof ask>>): string[] => {
  assert.equal(status, 422);
  assertError(status, value);
  return value.detail.map(({ loc, type }: { loc: unknown[]; type: string }) => `${loc.join(".")} ${type}`);
};

const echoed = z.object({ params: z.unknown(), query: z.unknown(), body: z.unknown(), key: z.unknown() });
const EVERYTHING = operation({
  method: "POST",
  path: "/lines/{line_id}/of/{name}",
  tag: "Lines",
  summary: "Gives back what it was told.",
  params: z.object({ line_id: idSchema, name: z.string() }),
  query: z.object({ page: z.coerce.number().int().min(1).default(1), word: z.string().optional() }),
  body: z.strictObject({
    name: nameSchema,
    facts: z.array(z.strictObject({ at: momentSchema })).default([]),
  }),
  answer: echoed,
  run: ({ params, query, body, caller }) => ({ params, query, body, key: caller.keyId ?? null }),
});

describe("an operation", () => {
  it("is told what its schemas have read, and who asks", async () => {
    const asked = {
      path: "/lines/12/of/a%2Fb",
      query: "page=3&word=&other=x&word=b%20c",
      body: '{"name":" A "}',
    };
    const { status, value } = await ask(EVERYTHING, asked);
    assert.equal(status, 200);
    assert.deepEqual(value, {
      params: { line_id: 12, name: "a/b" },
      query: { page: 3, word: "b c" },
      body: { name: "A", facts: [] },
      key: KEY,
    });
  });

  it("is told of the headers that it names, and of no other", async () => {
    const headed = operation({
      ...{ method: "GET", path: "/headed", tag: "Any", summary: "Reads a header." },
      headers: z.object({ "x-api-key": z.string().max(3), "line-key": z.string().optional() }),
      answer: z.unknown(),
      run: ({ headers }) => headers,
    });
    assert.deepEqual((await ask(headed)).value, { "x-api-key": "yes" });
    const narrower = operation({
      ...{ method: "GET", path: "/headed", tag: "Any", summary: "Reads a header." },
      headers: z.object({ "x-api-key": z.string().max(2) }),
      answer: z.unknown(),
      run: ({ headers }) => headers,
    });
    assert.deepEqual(blamed(await ask(narrower)), ["header.x-api-key too_big"]);
  });

  it("takes an empty value in a query for one that was not given", async () => {
    const { value } = await ask(EVERYTHING, {
      path: "/lines/1/of/a",
      query: "page=&word=",
      body: '{"name":"A"}',
    });
    assert.deepEqual(value.query, { page: 1 });
  });

  it("is not run with anything wrong: all of it is named at once", async () => {
    const body = JSON.stringify({
      nmae: "A",
      facts: [{ at: "2026-01-01T00:00:00Z" }, { at: "noon", to: 1 }],
    });
    const answer = await ask(EVERYTHING, { path: "/lines/none/of/a", query: "page=0", body });
    assert.deepEqual(blamed(answer).sort(), [
      "body.facts.1.at invalid_format",
      "body.facts.1.to unknown",
      "body.name invalid_type",
      "body.nmae unknown",
      "path.line_id invalid_format",
      "query.page too_small",
    ]);
  });

  it("knows a thing by one spelling of its id", async () => {
    for (const id of ["0", "-1", "0x1", "1e0", "1.0", "%201", "+1", "", "9007199254740992"]) {
      const { status, value } = await ask(EVERYTHING, { path: `/lines/${id}/of/a`, body: '{"name":"A"}' });
      assert.equal(status, id === "" ? 404 : 422, id);
      if (id !== "") assert.deepEqual(value.detail[0].loc, ["path", "line_id"]);
    }
  });

  it("wants a body that is JSON in UTF-8", async () => {
    const path = "/lines/1/of/a";
    assert.deepEqual(blamed(await ask(EVERYTHING, { path })), ["body missing"]);
    for (const body of ["{", "name=A", '{"name":"A"} x', Uint8Array.of(0x22, 0xff, 0x22)])
      assert.deepEqual(blamed(await ask(EVERYTHING, { path, body })), ["body json_invalid"]);
    for (const body of ["null", "7", '"A"', "[]"])
      assert.deepEqual(blamed(await ask(EVERYTHING, { path, body })), ["body invalid_type"]);
  });

  it("wants a body that is not nested without an end, whatever of it is kept as it is", async () => {
    const kept = operation({
      ...{ method: "POST", path: "/kept", tag: "Any", summary: "Keeps it." },
      body: z.strictObject({ facts: z.record(z.string(), z.unknown()) }),
      answer: z.unknown(),
      run: ({ body }) => body,
    });
    const nested = (levels: number) => `{"facts":{"a":${"[".repeat(levels - 2)}${"]".repeat(levels - 2)}}}`;
    const { status, text } = await ask(kept, { body: nested(64) });
    assert.deepEqual([status, text], [200, nested(64)]);
    for (const body of [nested(65), nested(30_000), "[".repeat(30_000) + "]".repeat(30_000)])
      assert.deepEqual(blamed(await ask(kept, { body })), ["body nested_too_deeply"]);
    const wide = JSON.stringify({
      facts: Object.fromEntries(Array.from({ length: 99 }, (_, i) => [i, [i]])),
    });
    assert.equal((await ask(kept, { body: wide })).status, 200);
  });

  it("answers every body there can be, with 200 or by naming what is wrong", async () => {
    const bodies = fc.oneof(
      fc.json(),
      fc.string(),
      fc.uint8Array(),
      fc
        .record({ name: fc.oneof(fc.string(), fc.anything()) })
        .map((value) => JSON.stringify(value, bigintsAsText)),
    );
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        const answer = await ask(EVERYTHING, { path: "/lines/1/of/a", body });
        assert.deepEqual(answer.errors, []);
        if (answer.status !== 200) blamed(answer);
      }),
    );
  });

  it("is asked with a key, unless it is open; the metrics' token opens only what is for it", async () => {
    const declared = (access: "open" | "key" | "metrics") =>
      operation({
        method: "GET",
        path: "/any",
        access,
        tag: "Any",
        summary: "Answers.",
        answer: z.object({ key: z.unknown() }),
        run: ({ caller }) => ({ key: caller.keyId ?? null }),
      });
    const statuses = async (access: "open" | "key" | "metrics") =>
      Promise.all(
        ["", "no", "scraper", "yes"].map(async (key) => (await ask(declared(access), { key })).status),
      );
    assert.deepEqual(await statuses("open"), [200, 200, 200, 200]);
    assert.deepEqual(await statuses("key"), [401, 401, 401, 200]);
    assert.deepEqual(await statuses("metrics"), [401, 401, 200, 200]);
    const stranger = await ask(EVERYTHING, { path: "/lines/none/of/a", body: "{", key: "no" });
    assert.deepEqual([stranger.status, stranger.value], [401, { detail: "Invalid API key" }]);
    assert.equal(stranger.headers?.["WWW-Authenticate"], "Bearer");
  });

  it("may answer what is encoded already", async () => {
    const report = operation({
      method: "GET",
      path: "/report",
      tag: "Reports",
      summary: "Gives a report.",
      answer: "text/csv",
      run: () => new Encoded("text/csv; charset=utf-8", "a,b\r\n", { "Content-Disposition": "attachment" }),
    });
    const { status, headers, body } = await ask(report);
    assert.deepEqual(
      { status, headers, body },
      {
        status: 200,
        headers: { "Content-Type": "text/csv; charset=utf-8", "Content-Disposition": "attachment" },
        body: "a,b\r\n",
      },
    );
  });

  it("that fails in our own code says so and nothing else", async () => {
    const secret = new Error("secret");
    const broken = operation({
      method: "GET",
      path: "/broken",
      tag: "Any",
      summary: "Fails.",
      answer: z.object({}),
      run: async () => {
        throw secret;
      },
    });
    const { status, value, errors } = await ask(broken);
    assert.deepEqual([status, value, errors], [500, { detail: "Internal Server Error" }, [secret]]);
  });
});

describe("a moment", () => {
  it("is written as it is read", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (atMs) => {
        assert.equal(Date.parse(momentSchema.parse(moment(atMs))), atMs);
      }),
    );
  });
});

describe("a name", () => {
  it("is 1 to 255 characters without control characters, whatever stands around it", () => {
    assert.equal(nameSchema.parse("\t Zoë's 電話 📞\n"), "Zoë's 電話 📞");
    assert.equal(nameSchema.parse("n".repeat(255)).length, 255);
    for (const wrong of ["", " \n", "n".repeat(256), "a\nb", "a\0b", "a\u009fb", 7, null])
      assert.ok(!nameSchema.safeParse(wrong).success, JSON.stringify(wrong));
  });
});

function bigintsAsText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
