// A client of the API for stories. Holds every answer against the contract on the way.
import assert from "node:assert/strict";
import { assertContract, assertError, contractOperation } from "./contract.ts";
import { API_KEY } from "./gateway.ts";

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed where it is JSON, else its text. */
  // biome-ignore lint/suspicious/noExplicitAny: every route's own shape, which the contract has been asked about
  readonly body: any;
}

type Headed = Readonly<Record<string, string>>;

export class ApiClient {
  readonly #origin: string;
  readonly #headers: Headed;

  /** With the key that a story's gateway always accepts, or with whatever `headers` say instead. */
  constructor(origin: string, headers: Headed = { "X-API-Key": API_KEY }) {
    this.#origin = origin;
    this.#headers = headers;
  }

  /** The same gateway, asked with another key. */
  as(headers: Headed): ApiClient {
    return new ApiClient(this.#origin, headers);
  }

  /** The same with further headers. */
  with(headers: Headed): ApiClient {
    return new ApiClient(this.#origin, { ...this.#headers, ...headers });
  }

  /** `body` is sent as JSON; a string as it is. */
  async ask(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    const isText = typeof body === "string";
    const response = await fetch(this.#origin + path, {
      method,
      headers: { ...this.#headers, ...(body !== undefined && { "Content-Type": "application/json" }) },
      ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
    const parsed: unknown = isJson ? JSON.parse(text) : text;
    if (contractOperation(method, path) !== undefined) assertContract(method, path, response.status, parsed);
    else if (response.status !== 200) assertError(response.status, parsed, `${method} ${path}`);
    return { status: response.status, headers: response.headers, body: parsed };
  }

  get(path: string): Promise<ApiAnswer> {
    return this.ask("GET", path);
  }

  post(path: string, body?: unknown): Promise<ApiAnswer> {
    return this.ask("POST", path, body);
  }

  put(path: string, body?: unknown): Promise<ApiAnswer> {
    return this.ask("PUT", path, body);
  }

  delete(path: string): Promise<ApiAnswer> {
    return this.ask("DELETE", path);
  }
}

/** Asserts a 422 that blames exactly these fields, each with dots: `body.workflow_definition.agent.rate_hz`. */
export function assertBlames({ status, body }: ApiAnswer, ...fields: readonly string[]): void {
  assert.equal(status, 422, JSON.stringify(body));
  const named = new Set(body.detail.map(({ loc }: { loc: unknown[] }) => loc.join(".")));
  assert.deepEqual([...named].sort(), [...fields].sort());
}
