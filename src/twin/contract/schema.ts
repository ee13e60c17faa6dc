// As much of JSON Schema as Twilio's API description uses.

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

export type Schemas = Readonly<Record<string, Schema>>;

const REF = "#/components/schemas/";
const RFC_2822 = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000$/;
const DATE = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?Z?)?$/;

/**
 * The first thing that is wrong with a value, in words that begin with `name`; undefined when nothing is.
 * Of an object all described properties must be there: Twilio leaves none out. URLs are not looked at here, since
 * each has its own error.
 */
export function schemaProblem(
  value: unknown,
  given: Schema,
  schemas: Schemas,
  name: string,
): string | undefined {
  const schema = given.$ref === undefined ? given : schemas[given.$ref.slice(REF.length)]!;
  if (value === null) return schema.nullable ? undefined : `${name} must not be null`;
  switch (schema.type) {
    case "object":
      return objectProblem(value, schema, schemas, name);
    case "array": {
      if (!Array.isArray(value)) return `${name} must be a list`;
      return firstOf(
        value.map((item, index) => schemaProblem(item, schema.items!, schemas, `${name}[${index}]`)),
      );
    }
    case "integer":
      return Number.isInteger(value)
        ? rangeProblem(value as number, schema, name)
        : `${name} must be a whole number`;
    case "boolean":
      return typeof value === "boolean" ? undefined : `${name} must be true or false`;
    case "string":
      return typeof value === "string" ? textProblem(value, schema, name) : `${name} must be a string`;
    default:
      return undefined;
  }
}

function objectProblem(value: unknown, schema: Schema, schemas: Schemas, name: string): string | undefined {
  if (typeof value !== "object" || Array.isArray(value)) return `${name} must be an object`;
  if (schema.properties === undefined) return undefined;
  const object = value as Record<string, unknown>;
  const extra = Object.keys(object).find((key) => !Object.hasOwn(schema.properties!, key));
  if (extra !== undefined) return `${name} must not have ${extra}`;
  return firstOf(
    Object.entries(schema.properties).map(([key, property]) =>
      Object.hasOwn(object, key)
        ? schemaProblem(object[key], property, schemas, `${name}.${key}`)
        : `${name} must have ${key}`,
    ),
  );
}

function textProblem(value: string, schema: Schema, name: string): string | undefined {
  if (schema.nullable && value === "") return undefined; // Twilio's own answers have both for what is unset
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return `${name} must be one of ${schema.enum.join(", ")}, not ${value}`;
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) {
    return `${name} must look like ${schema.pattern}, unlike ${value}`;
  }
  if (schema.minLength !== undefined && value.length < schema.minLength) return `${name} is too short`;
  if (schema.maxLength !== undefined && value.length > schema.maxLength) return `${name} is too long`;
  if (schema.format === "date-time-rfc-2822" && !RFC_2822.test(value)) return `${name} is no RFC 2822 date`;
  if (schema.format?.match(/^date(?:-time)?$/) && !DATE.test(value)) return `${name} is no ISO 8601 date`;
  return undefined;
}

function rangeProblem(value: number, { minimum, maximum }: Schema, name: string): string | undefined {
  if (minimum !== undefined && value < minimum) return `${name} must be at least ${minimum}`;
  if (maximum !== undefined && value > maximum) return `${name} must be at most ${maximum}`;
  return undefined;
}

function firstOf(problems: readonly (string | undefined)[]): string | undefined {
  return problems.find((problem) => problem !== undefined);
}
