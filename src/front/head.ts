// A request's head, copied out of the native request, and the rules of framing that uWebSockets.js leaves to
// us. What two servers could read differently is refused, so that nothing can be smuggled past a proxy.
import type { NativeRequest } from "./uws.ts";

export interface Head {
  /** As received. */
  readonly method: string;
  /** Raw, as received: may carry the public base's prefix. */
  readonly path: string;
  /** Raw, without its `?`; undefined when the target has none. */
  readonly query: string | undefined;
  /** Lower-case names; values of a name that occurs again joined with `, `. */
  readonly headers: ReadonlyMap<string, string>;
  /** Names that occur more than once. */
  readonly repeated: readonly string[];
}

export function readHead(request: NativeRequest): Head {
  const headers = new Map<string, string>();
  const repeated: string[] = [];
  request.forEach((name, value) => {
    const before = headers.get(name);
    if (before !== undefined) repeated.push(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  });
  return {
    method: request.getCaseSensitiveMethod(),
    path: request.getUrl(),
    query: request.getQuery(),
    headers,
    repeated,
  };
}

/** Whether every server on the way reads the same host and the same end of the body. */
export function isFramedClearly({ headers, repeated }: Head): boolean {
  if (repeated.includes("host") || !headers.get("host")) return false;
  // Repeated, these two are lists by now, and a list is neither a number nor `chunked`.
  const length = headers.get("content-length");
  const coding = headers.get("transfer-encoding");
  if (coding !== undefined) return coding === "chunked" && length === undefined;
  return length === undefined || /^\d+$/.test(length);
}

/** Whether a body may follow the head. */
export function hasBody({ headers }: Head): boolean {
  return headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > 0;
}

/** Whether the request means to become a WebSocket at all. */
export function asksForWebSocket({ method, headers }: Head): boolean {
  return method === "GET" && hasToken(headers.get("upgrade"), "websocket");
}

/** Sixteen bytes in base64. */
const HANDSHAKE_KEY = /^[A-Za-z0-9+/]{22}==$/;

/** RFC 6455, 4.2.1, of which uWebSockets.js checks the key's length alone; the key, or undefined. */
export function handshakeKey(head: Head): string | undefined {
  const { headers, repeated } = head;
  if (!isFramedClearly(head) || hasBodyFraming(head)) return undefined;
  if (repeated.some((name) => name.startsWith("sec-websocket-"))) return undefined;
  if (!hasToken(headers.get("connection"), "upgrade")) return undefined;
  if (headers.get("sec-websocket-version") !== "13") return undefined;
  const key = headers.get("sec-websocket-key") ?? "";
  return HANDSHAKE_KEY.test(key) ? key : undefined;
}

function hasBodyFraming({ headers }: Head): boolean {
  return headers.has("content-length") || headers.has("transfer-encoding");
}

function hasToken(list: string | undefined, token: string): boolean {
  return list?.split(",").some((item) => item.trim().toLowerCase() === token) ?? false;
}
