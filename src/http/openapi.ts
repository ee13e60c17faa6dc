// Describes the API as it is served: an OpenAPI 3.1 document made from the same operations as the routes.
import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";
import { type Access, Encoded, type Operation, operation } from "./operation.ts";

export interface ApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  /** Where it is served, without a slash at its end. */
  serverUrl(): string;
}

type Json = { readonly [name: string]: unknown };

const OPENAPI_VERSION = "3.1.0";
const JSON_TYPE = "application/json";

const errorSchema = z
  .object({ detail: z.string().describe("What happened, and what to do about it.") })
  .meta({ id: "Error" });
const fieldErrorsSchema = z
  .object({
    detail: z.array(
      z.object({
        loc: z
          .array(z.union([z.string(), z.int()]))
          .describe("The field, from the outside in: `body`, `query`, `path` or `header` first."),
        msg: z.string().describe("What is wrong with it."),
        type: z.string().describe("The same as a word for programs."),
      }),
    ),
  })
  .meta({ id: "FieldErrors", description: "Everything that is wrong with the request's fields." });

const ERROR_WORDS: Readonly<Record<number, string>> = {
  400: "It can't be done as things stand; the text says why.",
  401: "No key came along, or none that counts.",
  403: "Not allowed; the text says why.",
  404: "There is no such thing.",
  409: "It conflicts with something that is there already.",
  416: "Nothing of it lies in the range that was asked for.",
  422: "Fields are missing, unknown or wrong; each is named.",
  429: "Too many requests or calls; `Retry-After` says when to come again.",
  502: "Twilio refused; the text says why.",
  503: "Twilio or the database can't be reached at the moment; try again in a while.",
};

const SECURITY: Readonly<Record<Access, readonly Json[]>> = {
  open: [],
  key: [{ apiKey: [] }, { bearer: [] }],
  metrics: [{ apiKey: [] }, { bearer: [] }, { metricsToken: [] }],
};

const SECURITY_SCHEMES = {
  apiKey: { type: "apiKey", in: "header", name: "X-API-Key", description: "An API key." },
  bearer: { type: "http", scheme: "bearer", description: "An API key, as a bearer token." },
  metricsToken: {
    type: "http",
    scheme: "bearer",
    description: "The metrics' token. Nothing is asked for where only this machine can reach the gateway.",
  },
};

/**
 * The document. Two schemas of one name that differ are a bug, and it rejects. An operation takes a few milliseconds,
 * and all of them as long as several frames of a call, so they are described one in a turn of the event loop.
 */
export async function openApiDocument(operations: readonly Operation[], info: ApiInfo): Promise<Json> {
  const schemas = new Schemas();
  const paths: Record<string, Record<string, Json>> = {};
  for (const declared of operations) {
    await nextTurn();
    paths[declared.path] ??= {};
    paths[declared.path]![declared.method.toLowerCase()] = describe(declared, schemas);
  }
  const { title, version, description } = info;
  return {
    openapi: OPENAPI_VERSION,
    info: { title, version, description },
    servers: [{ url: info.serverUrl() }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: { schemas: schemas.named(), securitySchemes: SECURITY_SCHEMES },
  };
}

/** Serves the document of these operations and of itself. */
export function withOpenApi(operations: readonly Operation[], info: ApiInfo): readonly Operation[] {
  const served: Operation[] = [...operations];
  let text: Promise<string> | undefined;
  served.push(
    operation({
      method: "GET",
      path: "/openapi.json",
      access: "metrics",
      tag: "Description",
      summary: "Describes this API.",
      answer: JSON_TYPE,
      run: async () => {
        text ??= openApiDocument(served, info).then((document) => JSON.stringify(document));
        return new Encoded(JSON_TYPE, await text);
      },
    }),
  );
  return served;
}

function describe(declared: Operation, schemas: Schemas): Json {
  const { method, path, access, tag, summary, params, query, headers, body, answer, errors } = declared;
  const parameters = [
    ...parametersOf("path", params, schemas),
    ...parametersOf("query", query, schemas),
    ...parametersOf("header", headers, schemas),
  ];
  const isChecked = parameters.length > 0 || body !== undefined;
  const statuses = new Set([...errors, ...(access === "open" ? [] : [401]), ...(isChecked ? [422] : [])]);
  const error = (status: number): Json => ({
    description: ERROR_WORDS[status] ?? "It failed; the text says why.",
    content: {
      [JSON_TYPE]: { schema: schemas.of(status === 422 ? fieldErrorsSchema : errorSchema, "output") },
    },
  });
  return {
    operationId: operationId(method, path),
    tags: [tag],
    summary,
    security: SECURITY[access],
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: { required: true, content: { [JSON_TYPE]: { schema: schemas.of(body, "input") } } },
    }),
    responses: {
      200: { description: "Done.", content: answerContent(answer, schemas) },
      ...Object.fromEntries([...statuses].sort().map((status) => [status, error(status)])),
    },
  };
}

function answerContent(answer: Operation["answer"], schemas: Schemas): Json {
  if (typeof answer !== "string") return { [JSON_TYPE]: { schema: schemas.of(answer, "output") } };
  const type = answer.split(";", 1)[0]!;
  return { [answer]: { schema: { type: type === JSON_TYPE ? "object" : "string" } } };
}

/** Each property of the schema. All come as text; what is described is what they are read as. */
function parametersOf(
  where: "path" | "query" | "header",
  schema: z.ZodType | undefined,
  schemas: Schemas,
): Json[] {
  if (schema === undefined) return [];
  const read = schemas.of(schema, "output") as { properties?: Record<string, Json> };
  const { required = [] } = schemas.of(schema, "input") as { required?: readonly string[] };
  return Object.entries(read.properties ?? {}).map(([name, { description, ...property }]) => ({
    name,
    in: where,
    required: where === "path" || required.includes(name),
    ...(description !== undefined && { description }),
    schema: property,
    ...(property.type === "array" && { style: "form", explode: false }), // with commas between
  }));
}

/** `get_api_v1_workflow_fetch_workflow_id`. */
function operationId(method: string, path: string): string {
  const words = path.split(/\W+/).filter((word) => word !== "");
  return [method.toLowerCase(), ...words].join("_");
}

/** JSON Schemas of zod's, with those that have a name of their own kept apart and referred to. */
class Schemas {
  readonly #named = new Map<string, Json>();

  of(schema: z.ZodType, io: "input" | "output"): Json {
    const made = z.toJSONSchema(schema, { io, unrepresentable: "any", override: tidy(io) }) as Json;
    const { $schema, $defs = {}, ...rest } = referring(made) as { $schema: unknown; $defs?: Json };
    void $schema; // the document has one dialect
    for (const [name, named] of Object.entries($defs)) this.#add(name, named as Json);
    return rest;
  }

  named(): Json {
    return Object.fromEntries([...this.#named].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #add(name: string, schema: Json): void {
    const known = this.#named.get(name);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
      throw new Error(`two schemas are named ${name}`);
    }
    this.#named.set(name, schema);
  }
}

function tidy(io: "input" | "output") {
  return ({ jsonSchema }: { jsonSchema: Record<string, unknown> }) => {
    // Answers may get fields that a client of today doesn't know.
    if (io === "output" && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    // The format says it; the pattern is a screen long.
    if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
    // Every JSON object has text for names.
    delete jsonSchema.propertyNames;
  };
}

function referring(schema: Json): Json {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'));
}
