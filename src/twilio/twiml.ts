// What Twilio is told to do with a call, as TwiML. Which of these a call gets is decided elsewhere.
import assert from "node:assert/strict";
import VoiceResponse from "twilio/lib/twiml/VoiceResponse.js";

/** XML 1.0's `Char` production, negated: most control characters, lone surrogates, U+FFFE and U+FFFF. */
const ILLEGAL_IN_XML = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

const REJECTED = documentOf((response) => response.reject());
const REJECTED_AS_BUSY = documentOf((response) => response.reject({ reason: "busy" }));
const HUNG_UP = documentOf((response) => response.hangup());

/** Refuses a call that isn't answered yet: it is neither answered nor billed. Without a reason: number not in service. */
export function reject(reason?: "busy"): string {
  return reason === "busy" ? REJECTED_AS_BUSY : REJECTED;
}

export function hangUp(): string {
  return HUNG_UP;
}

/** Never ends in dead air: the caller hears `text`, less what XML can't hold, and then the line closes. */
export function apologizeAndHangUp(text: string): string {
  return documentOf((response) => {
    response.say(text.replace(ILLEGAL_IN_XML, ""));
    response.hangup();
  });
}

/**
 * Joins the call to a media stream. When the stream is over Twilio asks `actionUrl` what comes next.
 * All three URLs are absolute, and ours: one with characters that XML can't hold is a bug.
 */
export function connectStream(urls: {
  /** `wss` (or `ws` on loopback), without a query. */
  readonly streamUrl: string;
  readonly statusCallbackUrl: string;
  readonly actionUrl: string;
}): string {
  for (const url of Object.values(urls)) assert(url.search(ILLEGAL_IN_XML) < 0, "a URL that XML can hold");
  return documentOf((response) => {
    const connect = response.connect({ action: urls.actionUrl });
    connect.stream({ url: urls.streamUrl, statusCallback: urls.statusCallbackUrl });
  });
}

function documentOf(write: (response: VoiceResponse) => void): string {
  const response = new VoiceResponse();
  write(response);
  return response.toString();
}
