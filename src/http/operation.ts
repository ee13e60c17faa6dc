// An operation of the API: what it takes and gives, as schemas, and the rule that answers it. From one list of
// operations come the routes (here) and the OpenAPI document (openapi.ts), so that neither can disagree.
import { z } from "zod";
import { type FieldFault, FieldsInvalid, GatewayError } from "../domain/errors.ts";
import type { ApiKeyId } from "../domain/ids.ts";
import type { Body, HttpRequest, HttpResponse, Route } from "./http.ts";
import { json } from "./respond.ts";

/** Who asks, as far as a key tells. */
export interface Caller {
  /** Undefined for the environment's key, and for the metrics' token. */
  readonly keyId: ApiKeyId | undefined;
}

/** `key`: an API key. `metrics`: that, or the metrics' token. */
export type Access = "open" | "key" | "metrics";

/** Finds out who asks; undefined when no key that counts came along. Synchronous: keys are known in memory. */
export type Authenticate = (request: HttpRequest, access: Access) => Caller | undefined;

/** An answer that is encoded already, such as CSV, a list that the store's thread wrote, or a file. */
export class Encoded {
  readonly contentType: string;
  readonly body: Body;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;

  constructor(contentType: string, body: Body, headers: Readonly<Record<string, string>> = {}, status = 200) {
    this.contentType = contentType;
    this.body = body;
    this.headers = headers;
    this.status = status;
  }
}

type Schema = z.ZodType;
type Read<Of extends Schema | undefined> = Of extends Schema ? z.output<Of> : undefined;

export interface Input<Params, Query, Headers, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly headers: Headers;
  readonly body: Body;
  readonly caller: Caller;
  readonly request: HttpRequest;
}

export interface Operation {
  readonly method: Route["method"];
  readonly path: string;
  readonly access: Access;
  /** Groups operations in the document. */
  readonly tag: string;
  /** One line, in our own words. */
  readonly summary: string;
  readonly params: Schema | undefined;
  readonly query: Schema | undefined;
  /** Of an object with names in lower case; other headers are nobody's mistake. */
  readonly headers: Schema | undefined;
  readonly body: Schema | undefined;
  /** Of a JSON answer; a content type for any other. */
  readonly answer: Schema | string;
  /** Statuses it may answer with beside 200, 401 and 422. */
  readonly errors: readonly number[];
  readonly run: (input: Input<unknown, unknown, unknown, unknown>) => unknown;
}

/** Declares an operation; `run` gets what the schemas have read, and gives the answer or a promise of it. */
export function operation<
  Params extends Schema | undefined = undefined,
  Query extends Schema | undefined = undefined,
  Headers extends Schema | undefined = undefined,
  Body extends Schema | undefined = undefined,
  Answer extends Schema | string = string,
>(declared: {
  readonly method: Route["method"];
  readonly path: string;
  readonly access?: Access;
  readonly tag: string;
  readonly summary: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly headers?: Headers;
  readonly body?: Body;
  readonly answer: Answer;
  readonly errors?: readonly number[];
  readonly run: (
    input: Input<Read<Params>, Read<Query>, Read<Headers>, Read<Body>>,
  ) => AnswerOf<Answer> | Promise<AnswerOf<Answer>>;
}): Operation {
  const { access = "key", errors = [], params, query, headers, body, run, ...rest } = declared;
  return { ...rest, access, errors, params, query, headers, body, run: run as Operation["run"] };
}

type AnswerOf<Answer extends Schema | string> = Encoded | (Answer extends Schema ? z.input<Answer> : never);

/** The routes of the operations. */
export function routesOf(operations: readonly Operation[], authenticate: Authenticate): readonly Route[] {
  return operations.map((declared) => ({
    method: declared.method,
    path: declared.path,
    handle: (request) => answer(declared, request, authenticate),
  }));
}

async function answer(
  declared: Operation,
  request: HttpRequest,
  authenticate: Authenticate,
): Promise<HttpResponse> {
  const caller = declared.access === "open" ? { keyId: undefined } : authenticate(request, declared.access);
  if (caller === undefined) throw new GatewayError("UNAUTHORIZED", "Invalid API key");
  const result = await declared.run({ ...readInput(declared, request), caller, request });
  if (!(result instanceof Encoded)) return json(200, result);
  const headers = { "Content-Type": result.contentType, ...result.headers };
  return { status: result.status, headers, body: result.body };
}

/** Reads path, query, headers and body; throws FieldsInvalid that names everything that is wrong with any of them. */
function readInput({ params, query, headers, body }: Operation, request: HttpRequest) {
  const faults: FieldFault[] = [];
  const read = (where: string, schema: Schema | undefined, value: unknown): unknown => {
    const result = schema?.safeParse(value);
    if (result?.success === false) faults.push(...faultsOf(result.error, where));
    return result?.data;
  };
  const readBody = (schema: Schema): unknown => {
    const parsed = jsonOf(request.body);
    if ("value" in parsed) return read("body", schema, parsed.value);
    faults.push(parsed);
    return undefined;
  };
  const input = {
    params: read("path", params, request.params),
    query: read("query", query, queryOf(request.query)),
    headers: read("header", headers, Object.fromEntries(request.headers)),
    body: body && readBody(body),
  };
  if (faults.length > 0) throw new FieldsInvalid(faults);
  return input;
}

/** Values as text; the last of a repeated name counts, and an empty value is one that was not given. */
function queryOf(text: string | undefined): Record<string, string> {
  return Object.fromEntries([...new URLSearchParams(text)].filter(([, value]) => value !== ""));
}

const UTF_8 = new TextDecoder("utf-8", { fatal: true });
/** Values are copied from thread to thread level by level: a body of brackets alone would be the end of a stack. */
const NESTING_MAX = 64;

function jsonOf(body: Uint8Array): { readonly value: unknown } | FieldFault {
  if (body.length === 0) return { path: ["body"], message: "a JSON body is wanted", type: "missing" };
  let value: unknown;
  try {
    value = JSON.parse(UTF_8.decode(body));
  } catch {
    return { path: ["body"], message: "the body is not JSON", type: "json_invalid" };
  }
  if (isNestedWithin(NESTING_MAX, value)) return { value };
  const message = `the body is nested more than ${NESTING_MAX} levels deep`;
  return { path: ["body"], message, type: "nested_too_deeply" };
}

function isNestedWithin(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((part) => isNestedWithin(levels - 1, part));
}

/** What zod found, under the place it was read from; `where` may hold several steps. */
export function faultsOf(error: z.ZodError, ...where: readonly (string | number)[]): FieldFault[] {
  return error.issues.flatMap((issue) => {
    const path = [...where, ...issue.path.filter((step) => typeof step !== "symbol")];
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: "there is no such field",
        type: "unknown",
      }));
    }
    return [{ path, message: issue.message, type: issue.code }];
  });
}

/** An id in a path or a query: a whole number from 1 on. */
export const idSchema = z
  .string()
  .regex(/^[0-9]+$/, "A whole number from 1 on is wanted.")
  .transform(Number)
  .pipe(z.int().min(1));
/** One line of text; surrounding space is dropped. */
export const lineSchema = z
  .string()
  .trim()
  .regex(/^\P{Cc}*$/u, "This is one line, without line breaks or other control characters.");
const NAME_MAX = 255;
/** What a person calls something. */
export const nameSchema = lineSchema.min(1).max(NAME_MAX);
/** Kept in memory with calls and workflows, of which there are thousands, and given to agents. */
const CONTEXT_CHARS_MAX = 16_384;
/** Facts that an agent is told. */
export const contextSchema = z
  .record(z.string(), z.unknown())
  .refine((context) => JSON.stringify(context).length <= CONTEXT_CHARS_MAX, {
    message: `it may have ${CONTEXT_CHARS_MAX} characters as JSON at most`,
  });
/** A moment, ISO 8601 with milliseconds and `Z`. */
export const momentSchema = z.iso.datetime();
export { moment } from "../domain/moment.ts";
