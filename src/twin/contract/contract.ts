// Twilio's published description of its REST API, as far as a twin needs it: which request is allowed, and whether
// an answer has the promised shape. Reads the OpenAPI document beside it and knows no account and no call.
import { readFileSync } from "node:fs";
import { type Schema, type Schemas, schemaProblem } from "./schema.ts";

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Media {
  readonly schema: Schema;
}

interface OperationText {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}

interface ContractText {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationText>>>>;
  readonly components: { readonly schemas: Schemas };
}

const FORM = "application/x-www-form-urlencoded";
const JSON_TYPE = "application/json";

/** A parameter that the contract doesn't allow. */
export interface Breach {
  /** The parameter's name; empty when it is about none. */
  readonly parameter: string;
  readonly in: "path" | "query" | "body";
  readonly kind: "unknown" | "missing" | "repeated" | "invalid";
  /** A sentence about it. */
  readonly text: string;
}

/** A request as it came, decoded. */
export interface ContractRequest {
  readonly query: URLSearchParams;
  readonly body: URLSearchParams;
}

/** One operation of the API. */
export class Operation {
  /** Twilio's name for it, such as `CreateCall`. */
  readonly id: string;
  readonly #pattern: RegExp;
  readonly #text: OperationText;
  readonly #schemas: Schemas;

  constructor(path: string, text: OperationText, schemas: Schemas) {
    this.id = text.operationId;
    const parts = path.split(/\{(\w+)\}/);
    const source = parts.map((part, index) =>
      index % 2 === 1 ? `(?<${part}>[^/]+?)` : part.replace(/[.]/g, "\\."),
    );
    this.#pattern = new RegExp(`^${source.join("")}$`);
    this.#text = text;
    this.#schemas = schemas;
  }

  /** The path's parameters; undefined for another path. */
  match(path: string): Readonly<Record<string, string>> | undefined {
    return this.#pattern.exec(path)?.groups ?? (this.#pattern.test(path) ? {} : undefined);
  }

  /** Everything in a request that the contract doesn't allow. */
  breaches(path: Readonly<Record<string, string>>, { query, body }: ContractRequest): Breach[] {
    const declared = this.#text.parameters ?? [];
    const inPath = declared.filter(({ in: where }) => where === "path");
    const inQuery = declared.filter(({ in: where }) => where === "query");
    return [
      ...inPath.flatMap(({ name, schema }) => this.#invalid("path", name, schema, [path[name] ?? ""])),
      ...this.#check("query", query, inQuery),
      ...this.#check("body", body, this.#form()),
    ];
  }

  /** What an answer's JSON lacks or has wrong; undefined when it is as promised. */
  answerProblem(status: number, body: unknown): string | undefined {
    const answer = this.#text.responses[String(status)];
    if (answer === undefined) return `${this.id} has no answer ${status}`;
    const schema = answer.content?.[JSON_TYPE]?.schema;
    if (schema === undefined) return body === undefined ? undefined : `${this.id} ${status} has no body`;
    return schemaProblem(body, schema, this.#schemas, "the answer");
  }

  #form(): Parameter[] {
    const schema = this.#text.requestBody?.content[FORM]?.schema;
    const required = schema?.required ?? [];
    return Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
      name,
      in: "body",
      required: required.includes(name),
      schema: property,
    }));
  }

  #check(where: "query" | "body", given: URLSearchParams, declared: readonly Parameter[]): Breach[] {
    const found: Breach[] = [];
    for (const name of new Set(given.keys())) {
      const parameter = declared.find((candidate) => candidate.name === name);
      if (parameter === undefined) {
        found.push({
          parameter: name,
          in: where,
          kind: "unknown",
          text: `${this.id} has no parameter ${name}`,
        });
        continue;
      }
      const values = given.getAll(name);
      if (values.length > 1 && parameter.schema.type !== "array") {
        found.push({
          parameter: name,
          in: where,
          kind: "repeated",
          text: `${name} is given ${values.length} times`,
        });
      }
      found.push(...this.#invalid(where, name, parameter.schema, values));
    }
    for (const { name, required } of declared) {
      if (!required || given.get(name)) continue;
      found.push({ parameter: name, in: where, kind: "missing", text: `${this.id} needs ${name}` });
    }
    return found;
  }

  #invalid(where: Breach["in"], name: string, schema: Schema, values: readonly string[]): Breach[] {
    const item = schema.type === "array" ? schema.items! : schema;
    return values.flatMap((value) => {
      // An empty value is how a property is cleared, whatever its form.
      const problem =
        value === "" ? undefined : schemaProblem(decoded(value, item), item, this.#schemas, name);
      return problem === undefined
        ? []
        : [{ parameter: name, in: where, kind: "invalid" as const, text: problem }];
    });
  }
}

/** A form's text as what its schema says it is, where it can be read so. */
function decoded(value: string, { type }: Schema): unknown {
  if (type === "integer" && /^-?\d+$/.test(value)) return Number(value);
  if (type === "boolean" && /^(?:true|false)$/i.test(value)) return value.toLowerCase() === "true";
  return value;
}

/** All of the API that the document describes. */
export class Contract {
  readonly #byMethod = new Map<string, Operation[]>();

  constructor() {
    const source = readFileSync(new URL("./twilio-api-subset.json", import.meta.url), "utf8");
    const { paths, components } = JSON.parse(source) as ContractText;
    for (const [path, item] of Object.entries(paths)) {
      for (const method of ["get", "post", "delete"]) {
        const text = item[method];
        if (text === undefined) continue;
        const operations = this.#byMethod.get(method) ?? [];
        this.#byMethod.set(method, operations);
        operations.push(new Operation(path, text, components.schemas));
      }
    }
  }

  /** The operation a request is for: undefined for no such path, "method" when the path has others only. */
  find(
    method: string,
    path: string,
  ):
    | { readonly operation: Operation; readonly path: Readonly<Record<string, string>> }
    | "method"
    | undefined {
    let isKnown = false;
    for (const [name, operations] of this.#byMethod) {
      for (const operation of operations) {
        const parameters = operation.match(path);
        if (parameters === undefined) continue;
        if (name === method.toLowerCase()) return { operation, path: parameters };
        isKnown = true;
      }
    }
    return isKnown ? "method" : undefined;
  }
}
