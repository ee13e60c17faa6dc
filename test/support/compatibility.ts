// Whether what is served fits the contract: its clients' requests are taken, and its promises are kept. Both sides
// are looked at as OpenAPI describes them; narrower ranges and patterns are not held against us, other types are.
import { type ContractOperation, type JsonSchema, resolved } from "./contract.ts";

/** As much of our own OpenAPI document as is looked into. */
export interface ServedDocument {
  readonly paths: { readonly [path: string]: { readonly [method: string]: ServedOperation } };
  readonly components: { readonly schemas: { readonly [name: string]: JsonSchema } };
}

export interface ServedOperation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly object[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: {
    readonly [status: string]: { readonly description: string; readonly content: Content };
  };
}

type Content = { readonly [type: string]: { readonly schema: JsonSchema } };
type Resolve = (schema: JsonSchema) => JsonSchema;

const JSON_TYPE = "application/json";
const ALL_TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"];

/** A sentence for each thing in which the served operation falls short of the contract's. */
export function shortcomings(
  served: ServedOperation,
  promised: ContractOperation,
  document: ServedDocument,
): string[] {
  const ours: Resolve = (schema) => followed(schema, document);
  const found: string[] = [];
  const parameters = served.parameters ?? [];
  for (const { name, in: where } of promised.parameters) {
    if (where === "query" && !parameters.some((known) => known.in === where && known.name === name))
      found.push(`the query's ${name} is not known`);
  }
  for (const { name, required } of parameters.filter((known) => known.in === "query")) {
    if (required && !promised.parameters.some((known) => known.name === name && known.required))
      found.push(`the query's ${name} is wanted`);
  }
  const body = served.requestBody?.content[JSON_TYPE]?.schema;
  if (body !== undefined && promised.request === undefined) found.push("a body is wanted");
  if (body !== undefined && promised.request !== undefined)
    found.push(...misfits(promised.request, resolved, body, ours, "body"));
  const answer = served.responses["200"]?.content[JSON_TYPE]?.schema;
  if (answer !== undefined) found.push(...misfits(answer, ours, promised.answer, resolved, "answer"));
  return found;
}

/** Why a value that `from` describes would not always be one for `to`. */
function misfits(from: JsonSchema, fromOf: Resolve, to: JsonSchema, toOf: Resolve, at: string): string[] {
  const targets = alternatives(to, toOf);
  return alternatives(from, fromOf).flatMap((alternative) => {
    const tries = targets.map((target) => misfit(alternative, fromOf, target, toOf, at));
    return tries.find((found) => found.length === 0) ?? tries.sort((a, b) => a.length - b.length)[0]!;
  });
}

function misfit(from: JsonSchema, fromOf: Resolve, to: JsonSchema, toOf: Resolve, at: string): string[] {
  if (from.type !== to.type && !(from.type === "integer" && to.type === "number")) {
    return [`${at} may be ${from.type}, not ${to.type}`];
  }
  const found: string[] = [];
  if (from.enum !== undefined && to.enum !== undefined) {
    const unknown = from.enum.filter((value) => !to.enum!.includes(value));
    if (unknown.length > 0) found.push(`${at} may be ${unknown.join(" or ")}`);
  }
  for (const name of to.required ?? []) {
    if (!from.required?.includes(name)) found.push(`${at}.${name} may be missing`);
  }
  for (const [name, property] of Object.entries(from.properties ?? {})) {
    const target = to.properties?.[name];
    if (target !== undefined) found.push(...misfits(property, fromOf, target, toOf, `${at}.${name}`));
    else if (to.additionalProperties === false) found.push(`${at}.${name} is not known`);
  }
  if (from.items !== undefined && to.items !== undefined)
    found.push(...misfits(from.items, fromOf, to.items, toOf, `${at}[]`));
  return found;
}

/** One for each type that a value may have. */
function alternatives(schema: JsonSchema, resolve: Resolve): readonly JsonSchema[] {
  const { anyOf, oneOf, ...rest } = resolve(schema);
  const parts = anyOf ?? oneOf;
  if (parts !== undefined) return parts.flatMap((part) => alternatives(part, resolve));
  return typesOf(rest).map((type) => ({ ...rest, type }));
}

function typesOf({ type, const: only, enum: values }: JsonSchema): readonly string[] {
  if (typeof type === "string") return [type];
  if (type !== undefined) return type;
  const known = only === undefined ? values : [only];
  return known?.map((value) => (value === null ? "null" : typeof value)) ?? ALL_TYPES;
}

function followed(schema: JsonSchema, document: ServedDocument): JsonSchema {
  if (schema.$ref === undefined) return schema;
  return followed(document.components.schemas[schema.$ref.slice("#/components/schemas/".length)]!, document);
}
