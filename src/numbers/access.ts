// As whom, and where, Twilio is asked about a configuration's account. Asks nothing itself.
import type { TwilioAccess } from "../twilio/rest.ts";
import type { Configuration } from "./directory.ts";

export interface ApiAddresses {
  /** Of every configuration but the demo's; undefined: Twilio's own. */
  readonly apiBaseUrl: string | undefined;
  /** Of the offline Twilio that knows the demo account; undefined while there is none. */
  readonly demoApiBaseUrl: string | undefined;
}

/** Port 9 discards what it gets and hardly anywhere is open: the demo account is never shown to the real Twilio. */
const NOBODY = "http://127.0.0.1:9";

/**
 * Requests are made with the API key where there is one, else with the account's own token. The addresses are read
 * for each access: the demo's is known only once its Twilio runs.
 */
export function accessBy(addresses: ApiAddresses): (configuration: Configuration) => TwilioAccess {
  return ({ accountSid, authTokens, apiKey, region, edge, isDemo }) => ({
    accountSid,
    username: apiKey?.sid ?? accountSid,
    password: apiKey?.secret ?? authTokens[0]!,
    region,
    edge,
    apiBaseUrl: isDemo ? (addresses.demoApiBaseUrl ?? NOBODY) : addresses.apiBaseUrl,
  });
}

/** Whether a URL's host is this machine. Twilio itself can never ask anything there. */
export function isLoopbackUrl(href: string): boolean {
  const { hostname } = new URL(href);
  return hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
}
