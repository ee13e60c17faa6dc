// Why an account can't have a number twice, for whoever tries.
import { GatewayError } from "../domain/errors.ts";

/** CONFLICT; `configurationName` is who has it already. */
export function taken(address: string, configurationName: string): GatewayError {
  return new GatewayError(
    "CONFLICT",
    `Phone number ${address} is registered already, under the configuration '${configurationName}' of the same Twilio ` +
      "account. A call to it could not be routed if it stood there twice.",
  );
}
