// The few shapes our answers have, and how a thrown error becomes one of them. Knows no route and no socket.
import { FieldsInvalid, GatewayError, type GatewayErrorCode } from "../domain/errors.ts";
import type { HttpResponse } from "./http.ts";

/** A value as JSON. The server adds the content type. */
export function json(status: number, value: unknown): HttpResponse {
  return { status, body: JSON.stringify(value) };
}

/** A line or more of plain text, UTF-8. */
export function text(status: number, body: string): HttpResponse {
  return { status, headers: { "Content-Type": "text/plain; charset=utf-8" }, body };
}

/** An error body: `{"detail": …}`, the same for every route under `/api/v1`. */
export function detail(status: number, message: string): HttpResponse {
  return json(status, { detail: message });
}

/** What a client is told of a fault of ours: that it was ours, and nothing else. */
export const INTERNAL_ERROR: HttpResponse = detail(500, "Internal Server Error");

/** 500 marks what no request can cause: reported like a bug, its message kept from the client. */
const STATUS_OF: Readonly<Record<GatewayErrorCode, number>> = {
  SETTINGS_INVALID: 500,
  ADDRESS_IN_USE: 500,
  DATABASE_IN_USE: 500,
  DATABASE_UNUSABLE: 500,
  REQUEST_MALFORMED: 400,
  FIELDS_INVALID: 422,
  UNAUTHORIZED: 401,
  NOT_POSSIBLE: 400,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  TOO_MANY: 429,
  NOT_NOW: 503,
  TWILIO_REFUSED: 502,
  TWILIO_UNREACHABLE: 503,
  STORE_UNAVAILABLE: 503,
};

/** The answer an expected failure picks for itself; undefined for a fault of ours. */
export function answerTo(error: unknown): HttpResponse | undefined {
  if (!(error instanceof GatewayError)) return undefined;
  const status = STATUS_OF[error.code];
  if (status === 500) return undefined;
  const response = error instanceof FieldsInvalid ? fieldsInvalid(error) : detail(status, error.message);
  const headers: Record<string, string> = {};
  if (error.retryAfterS !== undefined) headers["Retry-After"] = String(error.retryAfterS);
  if (status === 401) headers["WWW-Authenticate"] = "Bearer";
  return { ...response, headers };
}

function fieldsInvalid({ faults }: FieldsInvalid): HttpResponse {
  return json(422, {
    detail: faults.map(({ path, message, type = "value_error" }) => ({ loc: path, msg: message, type })),
  });
}
