// X-Twilio-Signature, made from its public description (Twilio's "Security" page). The twin's own.
import { createHmac } from "node:crypto";

/**
 * Signs what Twilio would request.
 *
 * @param url as Twilio sees it; user, password, fragment and, over https and wss, the port are no part of it
 * @param params of a form POST; none for GET and for WebSocket upgrades
 */
export function sign(authToken: string, url: string, params: Readonly<Record<string, string>> = {}): string {
  // Byte order, upper case before lower: what sort() does with the ASCII names Twilio uses.
  const fields = Object.keys(params)
    .sort()
    .map((name) => name + params[name]);
  return createHmac("sha1", authToken)
    .update(signedUrl(url) + fields.join(""), "utf8")
    .digest("base64");
}

/** Edits the text and never parses it: a URL class would normalise the query, and Twilio signs it raw. */
function signedUrl(url: string): string {
  const withoutFragment = url.replace(/#.*$/s, "");
  const withoutUser = withoutFragment.replace(/^(\w+:\/\/)[^/?@]*@/, "$1");
  return withoutUser.replace(/^((?:https|wss):\/\/[^/?]*):\d+(?=[/?]|$)/, "$1");
}
