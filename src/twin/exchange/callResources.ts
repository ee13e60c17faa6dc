// The Calls resource: what is accepted, with Twilio's error for everything that isn't, and lists of calls.
import type { Breach } from "../contract/contract.ts";
import type { Redirection } from "../dial.ts";
import type { HttpMethod } from "../twiml.ts";
import type { TwinAccount } from "./account.ts";
import { CALLBACK_EVENTS, type CallbackEvent, type CallbackTarget } from "./callbacks.ts";
import { RestError } from "./errors.ts";
import type { LiveCall } from "./liveCall.ts";
import { pageOf } from "./paging.ts";
import { type Detection, type Order, PlacedCall } from "./placed.ts";
import type { CallRecord } from "./record.ts";
import { type Answer, isWebAddress, ok, type Question } from "./resources.ts";

const TIMEOUT_S = 60;
const TIMEOUT_MAX_S = 600;
/** Of a call, where it gives no TimeLimit: four hours. */
const TIME_LIMIT_S = 14_400;
const TWIML_MAX_CHARACTERS = 4_000;
const E164 = /^\+[1-9]\d{6,14}$/;
/** Reachable by no telephone number, but allowed as a destination. */
const ADDRESS = /^(?:sip|client):.+/;

/** The error of a create or update that the contract doesn't allow. */
export function refusedCall(breaches: readonly Breach[], form: URLSearchParams): RestError | undefined {
  if (breaches.some((breach) => breach.in !== "body")) return undefined;
  const about = (parameter: string) => breaches.find((breach) => breach.parameter === parameter);
  if (about("To")?.kind === "missing") return new RestError(21201);
  if (about("From")?.kind === "missing") return new RestError(21213);
  if (about("Timeout")?.kind === "invalid") return new RestError(21208, form.get("Timeout") ?? "");
  return new RestError(21200, breaches[0]!.text);
}

export function createCall({ exchange, account, form }: Question): Answer {
  const to = form.get("To") ?? "";
  const from = form.get("From") ?? "";
  checkNumbers(account, to, from);
  const url = form.get("Url") || undefined;
  const twiml = form.get("Twiml") || undefined;
  // An application's own settings are not played, so its call has no TwiML here.
  if (url === undefined && twiml === undefined) throw new RestError(21205, "");
  if (twiml !== undefined && twiml.length > TWIML_MAX_CHARACTERS) {
    throw new RestError(21200, `Twiml has more than ${TWIML_MAX_CHARACTERS} characters`);
  }
  const fallbackUrl = form.get("FallbackUrl") || undefined;
  for (const address of [url, fallbackUrl]) {
    if (address !== undefined && !isWebAddress(address)) throw new RestError(21205, address);
  }
  const timeoutS = Number(form.get("Timeout") || TIMEOUT_S);
  if (timeoutS < 1 || timeoutS > TIMEOUT_MAX_S) throw new RestError(21208, String(timeoutS));
  const { callbacks, isMisread } = readCallbacks(form);
  const order: Order = {
    to,
    from,
    phoneNumberSid: account.number(from)?.sid ?? null,
    ...(url !== undefined && { url }),
    ...(twiml !== undefined && { twiml }),
    method: methodOf(form, "Method"),
    ...(fallbackUrl !== undefined && { fallbackUrl }),
    fallbackMethod: methodOf(form, "FallbackMethod"),
    callbacks,
    timeoutMs: 1_000 * timeoutS,
    timeLimitMs: 1_000 * Number(form.get("TimeLimit") || TIME_LIMIT_S),
    detection: form.get("SendDigits") ? undefined : readDetection(form),
  };
  const call = exchange.place(account, order);
  if (isMisread) {
    const { text } = call.leg.timeline.complain(21626, form.getAll("StatusCallbackEvent").join(", "));
    exchange.complain({ operation: "CreateCall", parameter: "StatusCallbackEvent", text });
  }
  return { status: 201, body: call.record.json() };
}

function checkNumbers(account: TwinAccount, to: string, from: string): void {
  if (!E164.test(to) && !ADDRESS.test(to)) throw new RestError(21211, to);
  if (!E164.test(from) && !ADDRESS.test(from)) throw new RestError(21212, from);
  const { trial, forbiddenPrefixes } = account;
  if (account.number(from) === undefined && !trial?.verified.includes(from)) throw new RestError(21210, from);
  if (forbiddenPrefixes.some((prefix) => to.startsWith(prefix))) throw new RestError(21215, to);
  if (trial !== undefined && !trial.verified.includes(to)) throw new RestError(trial.refusalCode, to);
}

/** Who is called back, and whether the events can't be read, in which case nobody is. */
function readCallbacks(form: URLSearchParams): { callbacks: CallbackTarget | undefined; isMisread: boolean } {
  const url = form.get("StatusCallback");
  if (!url) return { callbacks: undefined, isMisread: false };
  if (!isWebAddress(url) || new URL(url).hostname.includes("_")) throw new RestError(21609, url);
  const given = form.getAll("StatusCallbackEvent");
  const isEvent = (word: string): word is CallbackEvent =>
    (CALLBACK_EVENTS as readonly string[]).includes(word);
  if (!given.every(isEvent)) return { callbacks: undefined, isMisread: true };
  const events = new Set<CallbackEvent>(given.length === 0 ? ["completed"] : given);
  return { callbacks: { url, method: methodOf(form, "StatusCallbackMethod"), events }, isMisread: false };
}

function readDetection(form: URLSearchParams): Detection | undefined {
  const mode = form.get("MachineDetection");
  if (!mode) return undefined;
  if (mode !== "Enable" && mode !== "DetectMessageEnd")
    throw new RestError(21200, `MachineDetection ${mode}`);
  const waitsForEnd = mode === "DetectMessageEnd";
  if (form.get("AsyncAmd") !== "true") return { waitsForEnd, tell: "twiml" };
  const url = form.get("AsyncAmdStatusCallback");
  if (!url) return { waitsForEnd, tell: undefined };
  if (!isWebAddress(url)) throw new RestError(21205, url);
  return { waitsForEnd, tell: { url, method: methodOf(form, "AsyncAmdStatusCallbackMethod") } };
}

function methodOf(form: URLSearchParams, name: string): HttpMethod {
  return form.get(name) === "GET" ? "GET" : "POST";
}

export function fetchCall(question: Question): Answer {
  return ok(callOf(question).record.json());
}

/** Ends a call, or gives it other TwiML. */
export function updateCall(question: Question): Answer {
  const { form } = question;
  const call = callOf(question);
  const redirection = readRedirection(form);
  const status = form.get("Status");
  const { record } = call;
  if (!record.isLive) throw new RestError(21220);
  if (redirection !== undefined) {
    if (status) throw new RestError(21200, "Status and Url can't be given together");
    if (record.status !== "in-progress") throw new RestError(21220);
    call.redirect(redirection);
    const { callbacks } = readCallbacks(form);
    if (callbacks !== undefined && call instanceof PlacedCall) call.retarget(callbacks);
  } else if (status === "completed") call.hangUp();
  // To cancel a call that has been answered is no error, but changes nothing.
  else if (status === "canceled" && record.status !== "in-progress") call.hangUp();
  return ok(record.json());
}

function readRedirection(form: URLSearchParams): Redirection | undefined {
  const url = form.get("Url");
  const twiml = form.get("Twiml");
  if (url && twiml) throw new RestError(21200, "Url and Twiml can't be given together");
  if (url && !isWebAddress(url)) throw new RestError(21205, url);
  if (url) return { url, method: methodOf(form, "Method") };
  return twiml ? { twiml } : undefined;
}

function callOf({ exchange, account, path, url }: Question): LiveCall {
  const call = exchange.call(path.Sid!);
  if (call?.record.facts.accountSid !== account.accountSid) throw new RestError(20404, url.pathname);
  return call;
}

export function listCalls({ exchange, account, query, url }: Question): Answer {
  const found = exchange.calls
    .map(({ record }) => record)
    .filter((record) => isListed(record, account, query));
  const items = found.map((record) => ({ sid: record.facts.sid, record }));
  return ok(pageOf("calls", items, ({ record }) => record.json(), url));
}

function isListed(record: CallRecord, account: TwinAccount, query: URLSearchParams): boolean {
  const { accountSid, to, from } = record.facts;
  return (
    accountSid === account.accountSid &&
    is(query.get("To"), to) &&
    is(query.get("From"), from) &&
    is(query.get("Status"), record.status) &&
    !query.get("ParentCallSid") &&
    isWithin(record.startedMs, "StartTime", query) &&
    isWithin(record.endedMs, "EndTime", query)
  );
}

function is(wanted: string | null, value: string): boolean {
  return wanted === null || wanted === "" || wanted === value;
}

const DAY_MS = 86_400_000;

/** `Name=` is a day in UTC or a moment's, `Name<=` and `Name>=` include it. A call without the time fits none. */
function isWithin(atMs: number | undefined, name: string, query: URLSearchParams): boolean {
  const moment = (suffix: string) => {
    const text = query.get(name + suffix);
    return text ? { ms: Date.parse(text), isDay: text.length === 10 } : undefined;
  };
  const [on, until, since] = [moment(""), moment("<"), moment(">")];
  if (on === undefined && until === undefined && since === undefined) return true;
  if (atMs === undefined) return false;
  const seconds = Math.floor(atMs / 1_000) * 1_000; // what is shown has no fractions
  if (on !== undefined && Math.floor(seconds / DAY_MS) !== Math.floor(on.ms / DAY_MS)) return false;
  if (until !== undefined && seconds > until.ms + (until.isDay ? DAY_MS - 1 : 0)) return false;
  return since === undefined || seconds >= since.ms;
}
