// What the world may do to us and we answer with words. A bug is an assert, not one of these.

/** Closed: a code labels the metric and picks the HTTP status. */
export type GatewayErrorCode =
  | "SETTINGS_INVALID"
  | "ADDRESS_IN_USE"
  | "REQUEST_MALFORMED"
  | "FIELDS_INVALID" //      a well-formed request with wrong fields
  | "UNAUTHORIZED" //        no key, or none that counts
  | "NOT_POSSIBLE" //        understood, and it can't be done as things stand
  | "FORBIDDEN" //           nobody may ask for it, whatever their key
  | "NOT_FOUND"
  | "CONFLICT" //            with something that is there already
  | "TOO_MANY"
  | "NOT_NOW" //             full, or shutting down; to be tried again
  | "TWILIO_REFUSED"
  | "TWILIO_UNREACHABLE" //  or too busy; to be tried again
  | "STORE_UNAVAILABLE" //   disk full, database locked or broken
  | "DATABASE_IN_USE" //     by another process
  | "DATABASE_UNUSABLE"; //  corrupt, newer than this program, or under another key

/** An expected failure; `message` is written for the person who will read it and holds no secret. */
export class GatewayError extends Error {
  readonly code: GatewayErrorCode;
  /** When trying again makes sense, in whole seconds. */
  readonly retryAfterS: number | undefined;

  constructor(
    code: GatewayErrorCode,
    message: string,
    options: ErrorOptions & { readonly retryAfterS?: number } = {},
  ) {
    super(message, options);
    this.name = "GatewayError";
    this.code = code;
    this.retryAfterS = options.retryAfterS;
  }
}

/** What is wrong with one field of a request. */
export interface FieldFault {
  /** From the outside in: `["body", "config", "account_sid"]`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** A word for programs. */
  readonly type?: string;
}

/** A request whose fields are wrong, each named. */
export class FieldsInvalid extends GatewayError {
  readonly faults: readonly FieldFault[];

  constructor(faults: readonly FieldFault[]) {
    super("FIELDS_INVALID", faults.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
    this.name = "FieldsInvalid";
    this.faults = faults;
  }
}

/** A new member of a union does not compile until the switch that ends here handles it. */
export function assertNever(value: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(value)}`);
}
