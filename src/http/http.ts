// The shapes HTTP handlers speak. The server that fits them to sockets lives in front/.

/** One request, complete: its body has arrived and is within bounds. */
export interface HttpRequest {
  /** Upper case, as received. */
  readonly method: string;
  /** The raw path, not decoded, without the public base's path prefix: always begins with `/`. */
  readonly path: string;
  /** The raw query without its `?`; undefined when the target has no `?`. */
  readonly query: string | undefined;
  /** Lower-case names. Names that occur twice are joined with `, ` (framing headers never get here twice). */
  readonly headers: ReadonlyMap<string, string>;
  /** Empty when there is none. Belongs to the handler. */
  readonly body: Uint8Array;
  /** What the route's `{name}` segments matched, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Strings are sent as UTF-8. */
  readonly body?: Body;
}

export type Body = string | Uint8Array | BodySource;

/** A body that is read while it is sent, a piece at a time, such as a long file. Goes with one response. */
export interface BodySource {
  /** How many bytes its pieces have in all. */
  readonly bytes: number;
  /** The next piece, never an empty one; asked for again only when that one is on its way. */
  read(): Promise<Uint8Array>;
  /** Called once, last, however much was read, and while nothing is being read. */
  close(): Promise<void>;
}

export function isSource(body: Body): body is BodySource {
  return typeof body === "object" && "read" in body;
}

/** Parse, ask, answer. A throw becomes a 500 without internals; a GatewayError picks its own status. */
export type Handler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE" | "PATCH";
  /** Literal segments and `{name}` segments: `/api/v1/telephony/twilio/stream-ended/{run}`. */
  readonly path: string;
  readonly handle: Handler;
}
