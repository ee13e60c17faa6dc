// The parameters of Twilio's voice webhooks.

/** What Twilio calls the state of a call. */
export type CallStatus =
  | "queued"
  | "ringing"
  | "in-progress"
  | "completed"
  | "busy"
  | "failed"
  | "no-answer"
  | "canceled";

export interface CallFacts {
  readonly accountSid: string;
  readonly callSid: string;
  readonly from: string;
  readonly to: string;
}

/** The full set of an inbound call's webhook; some values are empty, as Twilio's are. */
export function inboundParams({ accountSid, callSid, from, to }: CallFacts): Record<string, string> {
  return {
    AccountSid: accountSid,
    ApiVersion: "2010-04-01",
    CallSid: callSid,
    CallStatus: "ringing",
    CallToken: "%7B%22parentCallInfoToken%22%3A%22eyJhbGciOiJFUzI1NiJ9.e30.c2ln%22%7D",
    Direction: "inbound",
    From: from,
    To: to,
    StirVerstat: "TN-Validation-Passed-A",
    ...geography("From", "SAN FRANCISCO", "CA", "94105"),
    ...geography("To", "", "CA", ""),
    Caller: from,
    Called: to,
    ...geography("Caller", "SAN FRANCISCO", "CA", "94105"),
    ...geography("Called", "", "CA", ""),
  };
}

function geography(prefix: string, city: string, state: string, zip: string): Record<string, string> {
  return {
    [`${prefix}City`]: city,
    [`${prefix}State`]: state,
    [`${prefix}Zip`]: zip,
    [`${prefix}Country`]: "US",
  };
}
