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

export type Direction = "inbound" | "outbound-api";

export interface CallFacts {
  readonly accountSid: string;
  readonly callSid: string;
  readonly from: string;
  readonly to: string;
}

/** The full set of an inbound call's webhook; some values are empty, as Twilio's are. */
export function inboundParams(facts: CallFacts): Record<string, string> {
  return {
    ...standardParams(facts, "inbound", "ringing"),
    CallToken: "%7B%22parentCallInfoToken%22%3A%22eyJhbGciOiJFUzI1NiJ9.e30.c2ln%22%7D",
    StirVerstat: "TN-Validation-Passed-A",
  };
}

/** The full set of a call placed by REST; its TwiML is fetched once it was answered. */
export function outboundParams(facts: CallFacts): Record<string, string> {
  return standardParams(facts, "outbound-api", "in-progress");
}

function standardParams(
  { accountSid, callSid, from, to }: CallFacts,
  direction: Direction,
  callStatus: CallStatus,
): Record<string, string> {
  return {
    AccountSid: accountSid,
    ApiVersion: "2010-04-01",
    CallSid: callSid,
    CallStatus: callStatus,
    Direction: direction,
    From: from,
    To: to,
    ...geography("From", "SAN FRANCISCO", "CA", "94105"),
    ...geography("To", "", "CA", ""),
    Caller: from,
    Called: to,
    ...geography("Caller", "SAN FRANCISCO", "CA", "94105"),
    ...geography("Called", "", "CA", ""),
  };
}

/** A moment as Twilio writes it into callbacks and resources: RFC 2822, in UTC. */
export function rfc2822(wallMs: number): string {
  return new Date(wallMs).toUTCString().replace("GMT", "+0000");
}

/** What a status callback says of a call's length, from the moment it was answered; both are rounded up. */
export function lengthParams(talkedMs: number): { Duration: string; CallDuration: string } {
  const seconds = Math.ceil(talkedMs / 1_000);
  return { Duration: String(Math.ceil(seconds / 60)), CallDuration: String(seconds) };
}

function geography(prefix: string, city: string, state: string, zip: string): Record<string, string> {
  return {
    [`${prefix}City`]: city,
    [`${prefix}State`]: state,
    [`${prefix}Zip`]: zip,
    [`${prefix}Country`]: "US",
  };
}
