// As much of JSON Schema as the agent protocol's document uses, so that a developer's messages are checked against the
// document itself.
import { readFileSync } from "node:fs";

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly oneOf?: readonly Schema[];
  readonly if?: Schema;
  readonly then?: Schema;
  readonly else?: Schema;
}

const DOCUMENT = new URL("../../../docs/agent-protocol.schema.json", import.meta.url);
const { definitions } = JSON.parse(readFileSync(DOCUMENT, "utf8")) as {
  definitions: Readonly<Record<string, Schema>>;
};
const DEFINITIONS = "#/definitions/";

/** What an agent may say, by its type. */
const messages = new Map(
  definitions.agent_to_gateway!.oneOf!.map(({ $ref }) => {
    const schema = definitions[$ref!.slice(DEFINITIONS.length)]!;
    return [schema.properties!.type!.const, schema];
  }),
);

/** What is wrong with an agent's message, in words; undefined: nothing is. */
export function messageProblem(message: unknown): string | undefined {
  if (!isObject(message) || typeof message.type !== "string") return "it must be a JSON object with a type";
  const schema = messages.get(message.type);
  if (schema === undefined) return `there is no message of type ${message.type}`;
  return problem(message, schema, message.type);
}

function problem(value: unknown, schema: Schema, name: string): string | undefined {
  const { type, enum: allowed } = schema;
  if (type !== undefined && ![type].flat().some((each) => isOfType(value, each)))
    return `${name} must be ${[type].flat().join(" or ")}`;
  if (schema.const !== undefined && value !== schema.const) return `${name} must be ${schema.const}`;
  if (allowed !== undefined && !allowed.includes(value))
    return `${name} must be ${allowed.filter((each) => each !== null).join(" or ")}`;
  if (typeof value === "number") return numberProblem(value, schema, name);
  if (typeof value === "string") return textProblem(value, schema, name);
  return isObject(value) ? objectProblem(value, schema, name) : undefined;
}

function objectProblem(value: Record<string, unknown>, schema: Schema, name: string): string | undefined {
  const missing = schema.required?.find((field) => !Object.hasOwn(value, field));
  if (missing !== undefined) return `${name} must have ${missing}`;
  for (const [field, of] of Object.entries(schema.properties ?? {})) {
    const found = Object.hasOwn(value, field) ? problem(value[field], of, `${name}.${field}`) : undefined;
    if (found !== undefined) return found;
  }
  if (schema.if === undefined) return undefined;
  const branch = problem(value, schema.if, name) === undefined ? schema.then : schema.else;
  return branch && problem(value, branch, name);
}

function numberProblem(value: number, { minimum, maximum }: Schema, name: string): string | undefined {
  if (minimum !== undefined && value < minimum) return `${name} must be at least ${minimum}`;
  if (maximum !== undefined && value > maximum) return `${name} must be at most ${maximum}`;
  return undefined;
}

function textProblem(value: string, { pattern, ...schema }: Schema, name: string): string | undefined {
  const { length } = [...value];
  if (schema.minLength !== undefined && length < schema.minLength) return `${name} is too short`;
  if (schema.maxLength !== undefined && length > schema.maxLength)
    return `${name} must have at most ${schema.maxLength} characters`;
  if (pattern !== undefined && !new RegExp(pattern, "u").test(value))
    return `${name} must look like ${pattern}`;
  return undefined;
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case "object":
      return isObject(value);
    case "null":
      return value === null;
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
