// One request's native response, safe to touch at any time: it is forgotten once answered or aborted, since
// uWebSockets.js throws, or worse, when a response is used after that.
import assert from "node:assert/strict";
import { STATUS_CODES } from "node:http";
import type { Clock } from "../domain/clock.ts";
import { type BodySource, type HttpResponse, isSource } from "../http/http.ts";
import { Pouring } from "./pouring.ts";
import type { NativeResponse, UpgradeContext } from "./uws.ts";

export class Reply {
  readonly #withoutBody: boolean;
  readonly #clock: Clock;
  #native: NativeResponse | undefined;
  #gone: (() => void) | undefined;
  #pouring: Pouring | undefined;

  /** `withoutBody`, for HEAD: answers have the headers of their body, and no body. */
  constructor(native: NativeResponse, withoutBody: boolean, clock: Clock) {
    this.#native = native;
    this.#withoutBody = withoutBody;
    this.#clock = clock;
    native.onAborted(() => {
      this.#pouring?.abort();
      this.#forget();
    });
  }

  /** Calls `gone` when the request is answered, or begins to be, or aborted, whichever comes first. One at a time. */
  onceGone(gone: () => void): void {
    this.#gone = gone;
  }

  /** Hands over the body's chunks, each valid during that call only. The last is marked, and may be empty. */
  onBody(take: (chunk: ArrayBuffer, isLast: boolean) => void): void {
    this.#native?.onData(take);
  }

  /**
   * Answers, or does nothing if the request is gone. Throws before writing anything if the answer is malformed.
   * `close` ends the connection after the answer. The promise is of a body that is read while it is sent: it settles
   * when that is over, and rejects when the body failed.
   */
  send(response: HttpResponse, { close = false } = {}): void | Promise<void> {
    const native = this.#native;
    const { status, body = "" } = response;
    if (native === undefined) return isSource(body) ? body.close() : undefined;
    assert(Number.isInteger(status) && status >= 200 && status <= 599, `${status} is not a final status`);
    const isBody = typeof body === "string" || body instanceof Uint8Array || isSource(body);
    assert(isBody, "a body is text, bytes, or something to read them from");
    const headers = completeHeaders(response);
    this.#forget();
    const writeHead = () => {
      native.writeStatus(`${status} ${STATUS_CODES[status] ?? ""}`);
      for (const [name, value] of headers) native.writeHeader(name, value);
    };
    if (isSource(body)) return this.#pour(native, body, writeHead);
    const bodiless = status === 204 || status === 304;
    native.cork(() => {
      writeHead();
      if (close) {
        native.end(this.#withoutBody ? "" : body, true);
      } else if (this.#withoutBody || bodiless) {
        // Told the length, endWithoutBody would wait for a body of that length to be written.
        if (!bodiless) native.writeHeader("Content-Length", String(Buffer.byteLength(body)));
        native.endWithoutBody();
      } else {
        native.end(body);
      }
    });
  }

  /** Makes a media socket of the connection; `userData`'s properties become the socket's. */
  upgrade<UserData>(userData: UserData, key: string, context: UpgradeContext): void {
    const native = this.#native;
    assert(native !== undefined, "an upgrade is decided while its request is open");
    this.#forget();
    native.upgrade(userData, key, "", "", context); // no subprotocol, no extensions: Twilio asks for neither
  }

  #pour(native: NativeResponse, body: BodySource, writeHead: () => void): Promise<void> {
    const isWhole = this.#withoutBody || body.bytes === 0;
    native.cork(() => {
      writeHead();
      if (!isWhole) return;
      native.writeHeader("Content-Length", String(body.bytes));
      native.endWithoutBody();
    });
    if (isWhole) return body.close();
    this.#pouring = new Pouring(native, body, this.#clock);
    return this.#pouring.run();
  }

  #forget(): void {
    this.#native = undefined;
    const gone = this.#gone;
    this.#gone = undefined;
    gone?.();
  }
}

const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const HEADER_VALUE = /^[^\x00-\x08\x0a-\x1f\x7f]*$/;
/** The server's own: a handler that set one would frame the answer twice. */
const FRAMING = new Set(["connection", "content-length", "date", "transfer-encoding"]);

/** The answer's headers and our defaults. The native side writes values as they are, so line breaks stop here. */
function completeHeaders({ headers = {}, body }: HttpResponse): readonly (readonly [string, string])[] {
  const complete: (readonly [string, string])[] = [["X-Content-Type-Options", "nosniff"]];
  let hasType = body === undefined;
  let hasCaching = false;
  for (const name in headers) {
    const value = headers[name]!;
    assert(HEADER_NAME.test(name), `malformed header name ${JSON.stringify(name)}`);
    assert(typeof value === "string" && HEADER_VALUE.test(value), `malformed value of header ${name}`);
    const lowerCase = name.toLowerCase();
    assert(!FRAMING.has(lowerCase), `${name} is the server's to set`);
    if (lowerCase === "content-type") hasType = true;
    if (lowerCase === "cache-control") hasCaching = true;
    complete.push([name, value]);
  }
  if (!hasType) complete.push(["Content-Type", "application/json; charset=utf-8"]);
  if (!hasCaching) complete.push(["Cache-Control", "no-store"]); // answers name callers and calls
  return complete;
}
