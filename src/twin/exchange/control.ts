// The exchange in the hands of another process: calls in, people and faults, as JSON over the same port, which
// listens on the loopback interface alone.
import type { NumberOptions, TwinAccount } from "./account.ts";
import type { Exchange } from "./exchange.ts";
import type { CallbackFault, RestFault, WebhookFault } from "./faults.ts";
import type { LiveCall } from "./liveCall.ts";
import { PERSON_HELP, type Person, readPerson } from "./people.ts";

const PREFIX = "/twin/";

export const CONTROL_HELP = `While it runs, other processes can ask for more, with JSON under the same address:
  GET  /twin/calls                            every call, newest first, with its complaints
  GET  /twin/complaints                       what the gateway asked that Twilio's contract doesn't allow
  POST /twin/dial      {"to", "from"?, "says"?, "quietMs"?, "hangUpAfterMs"?}
                                              someone calls a number of the exchange; answers with the call's SID
  POST /twin/hangup    {"callSid"}            whoever is not the gateway hangs up
  POST /twin/press     {"callSid", "digits"}  and presses keys
  POST /twin/people    {"number", "person"}   who is called at a number; "*" for all others
  POST /twin/numbers   {"phoneNumber", …}     the account buys a number; settings as in Twilio's API
  POST /twin/account   {"status"?, "authToken"?, "callsPerSecond"?}
                                              suspends the account, revokes its token
  POST /twin/faults    {"next"?, "callbacks"?, "webhooks"?, "clear"?}
                                              e.g. {"next": {"on": "Calls.create", "answer": "timeout", "placed": true}},
                                              {"callbacks": {"event": "answered", "deliver": "twice"}}`;

/** Whether a request is for this surface. */
export function isControl(target: string): boolean {
  return target.startsWith(PREFIX);
}

type Json = Readonly<Record<string, unknown>>;

/** Obeys one request. */
export function control(
  exchange: Exchange,
  method: string,
  target: string,
  text: string,
): { status: number; body: object } {
  try {
    const name = target.slice(PREFIX.length);
    if (method === "GET") return { status: 200, body: show(exchange, name) };
    if (method !== "POST") throw new ControlError(405, `${method} is nothing the twin can do`);
    return { status: 200, body: act(exchange, name, parse(text)) };
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    return { status: error.status, body: { error: error.message } };
  }
}

class ControlError extends Error {
  readonly status: number;

  constructor(status: number, what: string) {
    super(what);
    this.status = status;
  }
}

function show(exchange: Exchange, name: string): object {
  switch (name) {
    case "calls":
      return exchange.calls.map(({ record, leg }) => ({
        ...record.json(),
        ended: leg.end ?? null,
        heard_ms: Math.round(leg.stream?.playedMs ?? 0),
        complaints: leg.complaints,
      }));
    case "complaints":
      return exchange.complaints;
    default:
      throw new ControlError(404, `the twin has no ${PREFIX}${name} to look at`);
  }
}

function act(exchange: Exchange, name: string, given: Json): object {
  switch (name) {
    case "dial":
      return dial(exchange, given);
    case "hangup": {
      const { leg } = callOf(exchange, given);
      void leg.hangUp();
      return { callSid: leg.sid };
    }
    case "press": {
      const { leg } = callOf(exchange, given);
      if (leg.stream === undefined)
        throw new ControlError(409, `the call ${leg.sid} has no stream to press keys on`);
      for (const digit of textOf(given, "digits")) leg.stream.press(digit);
      return { callSid: leg.sid };
    }
    case "people": {
      const person = personOf(given.person);
      const number = textOf(given, "number");
      if (number === "*") exchange.anyoneElse = person;
      else exchange.people.set(number, person);
      return { number, person };
    }
    case "numbers": {
      const { accountSid: _, ...options } = given;
      const phoneNumber = textOf(given, "phoneNumber");
      const { sid } = accountOf(exchange, given).addNumber(options as unknown as NumberOptions);
      return { sid, phoneNumber };
    }
    case "account":
      return changeAccount(exchange, given);
    case "faults":
      return setFaults(exchange, given);
    default:
      throw new ControlError(404, `the twin has no ${PREFIX}${name} to do`);
  }
}

function dial(exchange: Exchange, given: Json): object {
  const to = textOf(given, "to");
  if (!exchange.accounts.some((account) => account.number(to) !== undefined)) {
    throw new ControlError(404, `no account of the twin owns ${to}`);
  }
  const { from, says } = given;
  const leg = exchange.phone(
    { to, ...(typeof from === "string" && { from }) },
    {
      ...(isSaid(says) && { says }),
      ...numberOf(given, "quietMs"),
      ...numberOf(given, "hangUpAfterMs"),
    },
  );
  return { callSid: leg.sid };
}

function isSaid(says: unknown): says is "hello" | "question" | "stop" | "" {
  if (says === undefined) return false;
  if (["hello", "question", "stop", ""].includes(says as string)) return true;
  throw new ControlError(400, 'says must be "hello", "question", "stop" or ""');
}

function numberOf(given: Json, name: string): Readonly<Record<string, number>> {
  const value = given[name];
  if (value === undefined) return {};
  if (typeof value !== "number" || !(value >= 0))
    throw new ControlError(400, `${name} must be a number of milliseconds`);
  return { [name]: value };
}

function changeAccount(exchange: Exchange, given: Json): object {
  const account = accountOf(exchange, given);
  const { status, authToken, callsPerSecond } = given;
  if (status === "active" || status === "suspended" || status === "closed") account.status = status;
  else if (status !== undefined) throw new ControlError(400, "status must be active, suspended or closed");
  if (typeof authToken === "string") account.authToken = authToken;
  if (typeof callsPerSecond === "number" && callsPerSecond > 0) account.callsPerSecond = callsPerSecond;
  return { accountSid: account.accountSid, status: account.status, callsPerSecond: account.callsPerSecond };
}

const REST_ANSWERS: readonly unknown[] = [401, 429, 500, 503, "timeout", "reset", "late"];
const DELIVERIES: readonly unknown[] = ["lost", "late", "twice", "afterNext"];

function setFaults(exchange: Exchange, given: Json): object {
  if (given.clear === true) exchange.faults.clear();
  const { next, callbacks, webhooks } = given as { next?: Json; callbacks?: Json; webhooks?: Json };
  if (next !== undefined) {
    if (!REST_ANSWERS.includes(next.answer))
      throw new ControlError(400, `answer must be ${REST_ANSWERS.join(", ")}`);
    exchange.faults.next(next as unknown as RestFault);
  }
  if (callbacks !== undefined) {
    const { deliver } = callbacks;
    if (!DELIVERIES.includes(deliver) && !isDelays(deliver)) {
      throw new ControlError(400, `deliver must be ${DELIVERIES.join(", ")} or a list of milliseconds`);
    }
    exchange.faults.callbacks(callbacks as unknown as CallbackFault);
  }
  if (webhooks !== undefined) {
    if (webhooks.lose !== "connect" && webhooks.lose !== "answer") {
      throw new ControlError(400, "lose must be connect or answer");
    }
    exchange.faults.webhooks(webhooks as unknown as WebhookFault);
  }
  return {};
}

function isDelays(deliver: unknown): boolean {
  return Array.isArray(deliver) && deliver.every((delayMs) => typeof delayMs === "number" && delayMs >= 0);
}

function personOf(person: unknown): Person {
  const read = typeof person === "string" ? readPerson(person) : undefined;
  if (read === undefined) throw new ControlError(400, `person must be ${PERSON_HELP}`);
  return read;
}

function callOf(exchange: Exchange, given: Json): LiveCall {
  const callSid = textOf(given, "callSid");
  const call = exchange.call(callSid);
  if (call === undefined) throw new ControlError(404, `the twin has no call ${callSid}`);
  return call;
}

/** The one that is named, or the first. */
function accountOf(exchange: Exchange, { accountSid }: Json): TwinAccount {
  const account = accountSid === undefined ? exchange.accounts[0] : exchange.account(String(accountSid));
  if (account === undefined) throw new ControlError(404, "the twin has no such account");
  return account;
}

function textOf(given: Json, name: string): string {
  const value = given[name];
  if (typeof value !== "string" || value === "") throw new ControlError(400, `${name} is missing`);
  return value;
}

function parse(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Json;
  } catch {
    // said below, as for what is JSON but no object
  }
  throw new ControlError(400, "the body must be a JSON object");
}
