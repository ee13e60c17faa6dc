// What the world may do to us and we answer with words. A bug is an assert, not one of these.

/** Closed: a code labels the metric and picks the HTTP status. */
export type GatewayErrorCode = "SETTINGS_INVALID" | "ADDRESS_IN_USE" | "REQUEST_MALFORMED";

/** An expected failure; `message` is written for the person who will read it and holds no secret. */
export class GatewayError extends Error {
  readonly code: GatewayErrorCode;

  constructor(code: GatewayErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "GatewayError";
    this.code = code;
  }
}

/** A new member of a union does not compile until the switch that ends here handles it. */
export function assertNever(value: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(value)}`);
}
