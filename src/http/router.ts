// Finds the handler for a request and turns whatever it throws into an answer. Knows no socket; what the
// handlers do is theirs.
import assert from "node:assert/strict";
import type { Handler, HttpRequest, HttpResponse, Route } from "./http.ts";
import { isValue, readings, segmentsOf } from "./paths.ts";
import { answerTo, detail, INTERNAL_ERROR } from "./respond.ts";

/** A request before routing: its path may carry the public base's prefix. */
export type RawRequest = Omit<HttpRequest, "params">;

export interface RouterOptions {
  /** The public base's path: empty, or `/…` without a slash at its end. */
  readonly pathPrefix: string;
  /** Told of every failure that is answered with a 500. */
  readonly onError: (error: unknown, request: HttpRequest) => void;
  /** Told when a path exists but not for this method, so that the log can say what to change. */
  readonly onMethodNotAllowed?: (request: HttpRequest) => void;
}

export interface Router {
  /** Never throws or rejects. Answers at once where the handler does: Twilio waits for some of them. */
  handle(request: RawRequest): HttpResponse | Promise<HttpResponse>;
}

/**
 * Routes by method and raw path. Literal segments go before `{name}` segments; there is no trailing-slash
 * magic; HEAD is served by GET (the server leaves the body away). Two routes for one thing are a bug.
 */
export function createRouter(routes: readonly Route[], options: RouterOptions): Router {
  const { pathPrefix, onError, onMethodNotAllowed } = options;
  assert(pathPrefix === "" || /^\/.*[^/]$/.test(pathPrefix), `a path prefix is not written ${pathPrefix}`);
  const root = newNode();
  for (const route of routes) plant(root, route);

  function failed(error: unknown, request: HttpRequest): HttpResponse {
    const answer = answerTo(error);
    if (answer === undefined) onError(error, request);
    return answer ?? INTERNAL_ERROR;
  }

  function run(handle: Handler, request: HttpRequest): HttpResponse | Promise<HttpResponse> {
    try {
      const answer = handle(request);
      return answer instanceof Promise ? answer.catch((error) => failed(error, request)) : answer;
    } catch (error) {
      return failed(error, request);
    }
  }

  return {
    handle(raw) {
      const method = raw.method === "HEAD" ? "GET" : raw.method;
      for (const path of readings(raw.path, pathPrefix)) {
        const search: Search = { method, segments: segmentsOf(path), values: [], allowed: new Set() };
        const planted = find(root, 0, search);
        if (planted !== undefined) {
          const params = paramsOf(planted.names, search.values);
          if (params === undefined) return detail(400, "The path has a malformed percent-encoding.");
          return run(planted.handle, { ...raw, path, params });
        }
        if (search.allowed.size > 0) {
          onMethodNotAllowed?.({ ...raw, path, params: {} });
          return methodNotAllowed(search.allowed);
        }
      }
      return detail(404, "Not Found");
    },
  };
}

interface Planted {
  readonly handle: Handler;
  /** Of the `{name}` segments, in order. */
  readonly names: readonly string[];
}

interface Node {
  readonly literals: Map<string, Node>;
  value: Node | undefined;
  readonly methods: Map<string, Planted>;
}

interface Search {
  readonly method: string;
  readonly segments: readonly string[];
  /** Raw, of the `{name}` segments on the way to where the search is. */
  readonly values: string[];
  /** Methods of the routes that have this path and another method. */
  readonly allowed: Set<string>;
}

function newNode(): Node {
  return { literals: new Map(), value: undefined, methods: new Map() };
}

function plant(root: Node, route: Route): void {
  assert(route.path.startsWith("/"), `a route's path begins with a slash: ${route.path}`);
  const names: string[] = [];
  let node = root;
  for (const segment of segmentsOf(route.path)) {
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (name !== undefined) {
      assert(!names.includes(name), `{${name}} stands twice in ${route.path}`);
      names.push(name);
      node.value ??= newNode();
      node = node.value;
    } else {
      assert(!/[{}]/.test(segment), `a segment is a literal or a {name}: ${route.path}`);
      const next = node.literals.get(segment) ?? newNode();
      node.literals.set(segment, next);
      node = next;
    }
  }
  assert(!node.methods.has(route.method), `two routes for ${route.method} ${route.path}`);
  node.methods.set(route.method, { handle: route.handle, names });
}

/** Depth first, literals before values, going back where a branch ends without a route for the method. */
function find(node: Node, depth: number, search: Search): Planted | undefined {
  if (depth === search.segments.length) {
    const planted = node.methods.get(search.method);
    if (planted === undefined) for (const method of node.methods.keys()) search.allowed.add(method);
    return planted;
  }
  const segment = search.segments[depth]!;
  const literal = node.literals.get(segment);
  const planted = literal && find(literal, depth + 1, search);
  if (planted !== undefined || node.value === undefined || !isValue(segment)) return planted;
  search.values.push(segment);
  const deeper = find(node.value, depth + 1, search);
  if (deeper === undefined) search.values.pop();
  return deeper;
}

/** Undefined when a value's percent-encoding is not that of UTF-8 text. */
function paramsOf(names: readonly string[], values: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  try {
    for (const [index, name] of names.entries()) params[name] = decodeURIComponent(values[index]!);
  } catch {
    return undefined;
  }
  return params;
}

function methodNotAllowed(allowed: Set<string>): HttpResponse {
  if (allowed.has("GET")) allowed.add("HEAD");
  return { ...detail(405, "Method Not Allowed"), headers: { Allow: [...allowed].sort().join(", ") } };
}
