// The contract of the API under /api/v1, as tests hold answers against it: `test/contracts`, as its authors published
// it. Knows nothing of what is served here.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

/** As much of JSON Schema as is looked into by hand; ajv reads the rest. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly additionalProperties?: boolean | JsonSchema;
}

export interface ContractParameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: JsonSchema;
}

export interface ContractOperation {
  /** Upper case. */
  readonly method: string;
  /** With `{name}` segments. */
  readonly path: string;
  readonly parameters: readonly ContractParameter[];
  /** Of a JSON body; undefined where none is taken. */
  readonly request: JsonSchema | undefined;
  /** Of the answer 200. */
  readonly answer: JsonSchema;
}

interface OperationText {
  readonly parameters?: readonly ContractParameter[];
  readonly requestBody?: { readonly content: { readonly [type: string]: { readonly schema: JsonSchema } } };
  readonly responses: {
    readonly [status: string]: {
      readonly content?: { readonly [type: string]: { readonly schema: JsonSchema } };
    };
  };
}

interface Document {
  readonly paths: { readonly [path: string]: { readonly [method: string]: OperationText } };
  readonly components: { readonly schemas: { readonly [name: string]: JsonSchema } };
}

const FILE = new URL("../contracts/dograh-telephony-openapi.json", import.meta.url);
const JSON_TYPE = "application/json";
const DOCUMENT: Document = JSON.parse(readFileSync(FILE, "utf8"));

/** Beside 200 and 422: what the facts of the API list, and 503 for what is to be tried again. */
const ERROR_STATUSES = [400, 401, 402, 403, 404, 405, 408, 409, 413, 429, 500, 502, 503];

export const CONTRACT: readonly ContractOperation[] = Object.entries(DOCUMENT.paths).flatMap(
  ([path, methods]) =>
    Object.entries(methods).map(([method, text]) => ({
      method: method.toUpperCase(),
      path,
      parameters: text.parameters ?? [],
      request: text.requestBody?.content[JSON_TYPE]?.schema,
      answer: text.responses["200"]?.content?.[JSON_TYPE]?.schema ?? {},
    })),
);

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ components: DOCUMENT.components }, "contract");
const compiled = new Map<JsonSchema, ValidateFunction>();

/** The operation for a method and a path, which may be a template, whatever its names, or a request's own target. */
export function contractOperation(method: string, path: string): ContractOperation | undefined {
  const segments = path.split("?", 1)[0]!.split("/");
  const literals = ({ path: template }: ContractOperation) =>
    template.split("/").filter((segment) => !segment.startsWith("{")).length;
  const fits = (template: string) => {
    const wanted = template.split("/");
    if (wanted.length !== segments.length) return false;
    return wanted.every(
      (want, index) => want === segments[index] || (want.startsWith("{") && segments[index] !== ""),
    );
  };
  return CONTRACT.filter((operation) => operation.method === method && fits(operation.path)).sort(
    (a, b) => literals(b) - literals(a),
  )[0];
}

/**
 * Holds one answer against the contract: its 200 has the promised shape, its errors are `{detail}`, and 422 names
 * what is wrong. `body` is the parsed JSON, or the text of what is not JSON.
 */
export function assertContract(method: string, path: string, status: number, body: unknown): void {
  const operation = contractOperation(method, path);
  assert.ok(operation !== undefined, `${method} ${path} is not in the contract`);
  const exchange = `${method} ${operation.path} → ${status}`;
  if (status === 200) assertValid(operation.answer, body, exchange);
  else assertError(status, body, exchange);
}

/** The same for a request's body. */
export function assertContractRequest(method: string, path: string, body: unknown): void {
  const operation = contractOperation(method, path);
  assert.ok(operation?.request !== undefined, `${method} ${path} takes no body in the contract`);
  assertValid(operation.request, body, `the body of ${method} ${operation.path}`);
}

/** An error as every route under /api/v1 answers it, ours outside the contract too. */
export function assertError(status: number, body: unknown, exchange = `an answer ${status}`): void {
  if (status === 422) {
    assertValid({ $ref: "#/components/schemas/HTTPValidationError" }, body, exchange);
    const { detail } = body as { detail: { loc: unknown[]; msg: string }[] };
    assert.ok(detail.length > 0, `${exchange} names nothing`);
    for (const { loc, msg } of detail) {
      assert.ok(["body", "query", "path", "header"].includes(String(loc[0])), `${exchange}: loc ${loc}`);
      assert.ok(msg.length > 0, `${exchange}: ${loc} has no message`);
    }
  } else {
    assert.ok(ERROR_STATUSES.includes(status), `${exchange} is no status of this API`);
    const { detail } = body as { detail: unknown };
    assert.ok(
      typeof detail === "string" && detail.length > 0,
      `${exchange}: detail is ${JSON.stringify(detail)}`,
    );
  }
  assert.deepEqual(Object.keys(body as object), ["detail"], exchange);
}

/** Follows `$ref` into the contract's named schemas. */
export function resolved(schema: JsonSchema): JsonSchema {
  if (schema.$ref === undefined) return schema;
  return resolved(DOCUMENT.components.schemas[schema.$ref.slice("#/components/schemas/".length)]!);
}

function assertValid(schema: JsonSchema, value: unknown, what: string): void {
  const validate = compiled.get(schema) ?? ajv.compile(absolute(schema));
  compiled.set(schema, validate);
  const text = JSON.stringify(value, null, 1)?.slice(0, 2_000);
  assert.ok(validate(value), `${what} breaks the contract: ${ajv.errorsText(validate.errors)}\n${text}`);
}

/** References are to the contract, wherever the schema stands. */
function absolute(schema: JsonSchema): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"contract#/components/'));
}
