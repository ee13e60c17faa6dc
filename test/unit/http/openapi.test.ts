import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { z } from "zod";
import { type ApiInfo, openApiDocument, withOpenApi } from "../../../src/http/openapi.ts";
import { Encoded, idSchema, momentSchema, operation } from "../../../src/http/operation.ts";

const INFO: ApiInfo = {
  title: "Lines",
  version: "1.2.3",
  description: "What the test serves.",
  serverUrl: () => "http://127.0.0.1:8080",
};

const line = z
  .object({
    id: z.int(),
    made_at: momentSchema,
    note: z.string().nullable(),
    facts: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "Line", description: "A line." });
const toMake = z.strictObject({ name: z.string().trim().min(1).max(9), loud: z.boolean().default(false) });

const GET_LINES = operation({
  method: "GET",
  path: "/lines/{line_id}/of",
  tag: "Lines",
  summary: "Lists lines.",
  params: z.object({ line_id: idSchema }),
  headers: z.object({ "line-key": z.string().optional().describe("Makes a repeat harmless.") }),
  query: z.object({
    page: z.coerce.number().int().min(1).default(1).describe("Counts from 1."),
    is_loud: z.stringbool().optional(),
    states: z
      .string()
      .transform((text) => text.split(","))
      .pipe(z.array(z.enum(["up", "down"])))
      .optional(),
    after: momentSchema,
  }),
  answer: z.array(line),
  errors: [404],
  run: () => [],
});
const MAKE_LINE = operation({
  method: "POST",
  path: "/lines/{line_id}/of",
  tag: "Lines",
  summary: "Makes a line.",
  body: toMake,
  answer: line,
  run: () => ({ id: 1, made_at: "2026-01-01T00:00:00.000Z", note: null, facts: {} }),
});
const REPORT = operation({
  method: "GET",
  path: "/report",
  access: "open",
  tag: "Reports",
  summary: "Gives a report.",
  answer: "text/csv",
  run: () => new Encoded("text/csv", ""),
});

// biome-ignore lint/suspicious/noExplicitAny: a document is looked into by its reader's eye
const documentOf = async (...operations: Parameters<typeof openApiDocument>[0]): Promise<any> =>
  JSON.parse(JSON.stringify(await openApiDocument(operations, INFO)));

describe("the API's description", () => {
  it("has each operation with what it takes", async () => {
    const { paths, info, servers, tags } = await documentOf(GET_LINES, MAKE_LINE, REPORT);
    assert.deepEqual(info, { title: "Lines", version: "1.2.3", description: "What the test serves." });
    assert.deepEqual(servers, [{ url: "http://127.0.0.1:8080" }]);
    assert.deepEqual(tags, [{ name: "Lines" }, { name: "Reports" }]);
    assert.deepEqual(Object.keys(paths), ["/lines/{line_id}/of", "/report"]);
    const { get, post } = paths["/lines/{line_id}/of"];
    assert.deepEqual(
      get.parameters.map(({ name, in: where, required }: Record<string, unknown>) => [where, name, required]),
      [
        ["path", "line_id", true],
        ["query", "page", false],
        ["query", "is_loud", false],
        ["query", "states", false],
        ["query", "after", true],
        ["header", "line-key", false],
      ],
    );
    const [lineId, page, isLoud, states, after, lineKey] = get.parameters;
    assert.deepEqual(lineId.schema, { type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
    assert.deepEqual([page.schema.default, page.description], [1, "Counts from 1."]);
    assert.deepEqual(isLoud.schema, { type: "boolean" });
    assert.deepEqual(
      [states.schema.items, states.style, states.explode],
      [{ type: "string", enum: ["up", "down"] }, "form", false],
    );
    assert.deepEqual([lineKey.schema, lineKey.description], [{ type: "string" }, "Makes a repeat harmless."]);
    assert.deepEqual(after.schema, { type: "string", format: "date-time" });
    assert.deepEqual(post.requestBody.content["application/json"].schema, {
      type: "object",
      properties: {
        name: { type: "string", minLength: 1, maxLength: 9 },
        loud: { type: "boolean", default: false },
      },
      required: ["name"],
      additionalProperties: false,
    });
  });

  it("has every answer that can come: errors with their shape, too", async () => {
    const { paths, components } = await documentOf(GET_LINES, MAKE_LINE, REPORT);
    const { get, post } = paths["/lines/{line_id}/of"];
    assert.deepEqual(Object.keys(get.responses), ["200", "401", "404", "422"]);
    assert.deepEqual(Object.keys(post.responses), ["200", "401", "422"]);
    assert.deepEqual(Object.keys(paths["/report"].get.responses), ["200"]);
    const schemaOf = (status: number) => get.responses[status].content["application/json"].schema;
    assert.deepEqual(schemaOf(200), { type: "array", items: { $ref: "#/components/schemas/Line" } });
    assert.deepEqual(schemaOf(404), { $ref: "#/components/schemas/Error" });
    assert.deepEqual(schemaOf(422), { $ref: "#/components/schemas/FieldErrors" });
    assert.deepEqual(Object.keys(paths["/report"].get.responses[200].content), ["text/csv"]);
    assert.deepEqual(components.schemas.Line, {
      type: "object",
      description: "A line.",
      properties: {
        id: { type: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
        made_at: { type: "string", format: "date-time" },
        note: { type: ["string", "null"] },
        facts: { type: "object", additionalProperties: {} },
      },
      required: ["id", "made_at", "note", "facts"],
    });
  });

  it("says who may ask", async () => {
    const { paths, components } = await documentOf(...withOpenApi([GET_LINES, REPORT], INFO));
    const names = (requirements: object[]) => requirements.flatMap((each) => Object.keys(each));
    assert.deepEqual(names(paths["/lines/{line_id}/of"].get.security), ["apiKey", "bearer"]);
    assert.deepEqual(paths["/report"].get.security, []);
    assert.deepEqual(names(paths["/openapi.json"].get.security), ["apiKey", "bearer", "metricsToken"]);
    for (const name of ["apiKey", "bearer", "metricsToken"]) assert.ok(name in components.securitySchemes);
  });

  it("names operations apart, and refers to nothing that isn't there", async () => {
    const document = await documentOf(...withOpenApi([GET_LINES, MAKE_LINE, REPORT], INFO));
    const ids = Object.values<object>(document.paths)
      .flatMap((methods) => Object.values(methods))
      .map(({ operationId }) => operationId);
    assert.equal(new Set(ids).size, 4);
    const referred = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g);
    for (const [, name] of referred) assert.ok(name! in document.components.schemas, name);
    assert.ok(!JSON.stringify(document).includes("$defs"));
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    for (const schema of Object.values<object>(document.components.schemas))
      assert.ok(ajv.validateSchema(schema));
  });

  it("is made in many turns of the event loop, since frames of calls wait in each", async () => {
    const many = Array.from({ length: 20 }, (_, index) => ({ ...GET_LINES, path: `/${index}/{line_id}` }));
    let turns = 0;
    const count = () => {
      turns++;
      counting = setImmediate(count);
    };
    let counting = setImmediate(count);
    const { paths } = await documentOf(...many);
    clearImmediate(counting);
    assert.equal(Object.keys(paths).length, 20);
    assert.ok(turns >= 19, `${turns} turns`);
  });

  it("is not made when two schemas share a name", async () => {
    const other = operation({
      method: "GET",
      path: "/other",
      tag: "Lines",
      summary: "Gives another line.",
      answer: z.object({ id: z.string() }).meta({ id: "Line" }),
      run: () => ({ id: "1" }),
    });
    await assert.rejects(openApiDocument([GET_LINES, other], INFO), /two schemas are named Line/);
  });
});
