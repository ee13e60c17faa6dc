// The body of Twilio's webhooks: application/x-www-form-urlencoded bytes to parameters, exactly as they are
// signed. What the parameters mean is the readers' business.
import { GatewayError } from "../domain/errors.ts";

/**
 * Decoded parameters by name, without a prototype. Values are neither trimmed nor dropped when empty, or the
 * signature over them would break. A name that occurs more than once has an array, which Twilio's voice
 * webhooks never need.
 */
export type FormParams = Readonly<Record<string, string | readonly string[]>>;

/** Twilio sends about 40; new ones appear without notice. */
export const FORM_PARAMS_MAX = 200;

const UTF_8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Throws a GatewayError, REQUEST_MALFORMED, when there are more than `FORM_PARAMS_MAX` parameters. */
export function parseForm(body: Uint8Array): FormParams {
  const params: Record<string, string | string[]> = Object.create(null);
  let count = 0;
  // The `&` in front keeps URLSearchParams from taking a leading `?` away; it adds no parameter.
  for (const [name, value] of new URLSearchParams(`&${UTF_8.decode(body)}`)) {
    if (++count > FORM_PARAMS_MAX) {
      throw new GatewayError("REQUEST_MALFORMED", `the form has more than ${FORM_PARAMS_MAX} parameters`);
    }
    const before = params[name];
    if (before === undefined) params[name] = value;
    else if (typeof before === "string") params[name] = [before, value];
    else before.push(value);
  }
  return params;
}

/** The one value of a parameter; undefined when it is missing or repeated. */
export function param(params: FormParams, name: string): string | undefined {
  const value = params[name];
  return typeof value === "string" ? value : undefined;
}
