// What Twilio would write into its debugger about the gateway, under Twilio's own numbers.

/** Twilio's error and warning numbers that the twin can tell apart. */
export const COMPLAINTS = {
  11100: "a URL in the TwiML is malformed",
  11200: "the webhook could not be fetched",
  11205: "the webhook could not be reached",
  11215: "too many documents for one call",
  11750: "the TwiML is larger than 64 kB",
  12100: "the TwiML could not be understood",
  12300: "the answer's content type is not TwiML",
  13805: "a trial account's call was ended after ten minutes",
  15003: "a status callback was not answered with 2xx",
  21626: "StatusCallbackEvent is wrongly formatted, so nothing is called back",
  31901: "the media server did not answer the WebSocket connect",
  31902: "the media server refused the connection",
  31903: "the stream's connection broke while it was in use",
  31904: "the media server's host could not be reached",
  31910: "TLS to the media server failed",
  31920: "the WebSocket upgrade was answered with something other than 101",
  31921: "the media server closed the stream",
  31922: "the stream's URL is not wss",
  31923: "the stream's URL is malformed",
  31924: "the media server broke the WebSocket protocol",
  31931: "more than ten minutes of audio are waiting to be played; what came on top is lost",
  31941: "a stream to connect to can only have the inbound track",
  31950: "a binary message came on the stream",
  31951: "an invalid message came on the stream",
} as const;
export type ComplaintCode = keyof typeof COMPLAINTS;

export interface Complaint {
  readonly code: ComplaintCode;
  /** On the time axis of the call. */
  readonly atMs: number;
  /** What the number means and, after a colon, what it was this time. */
  readonly text: string;
}

/** One complaint in words. */
export function complaint(code: ComplaintCode, atMs: number, detail?: string): Complaint {
  return { code, atMs, text: detail === undefined ? COMPLAINTS[code] : `${COMPLAINTS[code]}: ${detail}` };
}
