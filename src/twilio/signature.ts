// Whether Twilio sent what we received: X-Twilio-Signature over webhooks and media upgrades. It judges one URL
// that the caller builds from the configured base and the raw request target; it never reads a Host header.
import { validateRequest, validateRequestWithBody } from "twilio/lib/webhooks/webhooks.js";
import type { FormParams } from "./forms.ts";

/**
 * A form webhook, or a GET with empty params. `url` is origin + prefix + the rest of the raw target; Twilio may
 * have signed it with or without its port. None of these functions throws, and all `tokens` are always tried,
 * so that the time taken doesn't tell which one fits or that there is none.
 */
export function isSignedBy(
  tokens: readonly string[],
  signature: string,
  url: string,
  params: FormParams,
): boolean {
  return isCanonical(url) && anyFits(tokens, (token) => validateRequest(token, signature, url, params));
}

/** A JSON webhook: the signed URL's `bodySHA256` must be the hash of `body`, the raw bytes. */
export function isJsonSignedBy(
  tokens: readonly string[],
  signature: string,
  url: string,
  body: Uint8Array,
): boolean {
  const text = utf8(body);
  if (text === undefined || !isCanonical(url)) return false;
  return anyFits(tokens, (token) => validateRequestWithBody(token, signature, url, text));
}

/**
 * A media stream's upgrade, over its `wss` or `ws` URL. Twilio signs it with or without a trailing slash, and
 * perhaps with the port it is known to use, 443. `<Stream url>` can't carry a query, so a URL with one is refused.
 */
export function isUpgradeSigned(tokens: readonly string[], signature: string, url: string): boolean {
  if (url.includes("?") || !isCanonical(url)) return false;
  // The helper tries a URL that has its port without it too, so two variants make four.
  const bare = with443(url.replace(/\/$/, ""));
  return anyFits(tokens, (token) =>
    fitsAny([bare, `${bare}/`], (variant) => validateRequest(token, signature, variant, {})),
  );
}

/** Stands in where there are no tokens, so that having none takes as long as having a wrong one. */
const NO_TOKEN = "no token";

function anyFits(tokens: readonly string[], fits: (token: string) => boolean): boolean {
  // An empty token would be a key that everyone knows.
  const usable = tokens.filter((token) => token !== "");
  const isFitting = fitsAny(usable.length > 0 ? usable : [NO_TOKEN], fits);
  return isFitting && usable.length > 0;
}

/** Like `some`, but asks about every candidate. */
function fitsAny(candidates: readonly string[], fits: (candidate: string) => boolean): boolean {
  let fitting = 0;
  for (const candidate of candidates) if (fits(candidate)) fitting++;
  return fitting > 0;
}

/**
 * Twilio's helper also tries the URL as `new URL()` would rewrite it, because some queries are signed in their
 * escaped form. Before the query, rewriting would let another target (`\`, `..`, an upper-case host) pass for the
 * signed one; so there only what rewriting leaves alone is accepted. Fragments are neither sent nor signed.
 */
function isCanonical(url: string): boolean {
  const address = url.split("?", 1)[0]!;
  const parsed = URL.parse(address);
  if (parsed === null || url.includes("#")) return false;
  // Rewriting drops the scheme's own port, which is no other target.
  const written = parsed.port === "" ? address.replace(/^(\w+:\/\/[^/]*):[0-9]+(?=\/|$)/, "$1") : address;
  return parsed.href === written || parsed.href === `${written}/`;
}

function with443(url: string): string {
  return url.replace(/^(wss:\/\/(?:\[[^\]]*\]|[^/:]*))(?=\/|$)/, "$1:443");
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined; // JSON is UTF-8; anything else isn't what Twilio hashed
  }
}
