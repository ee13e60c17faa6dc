// The operations that the exchange plays, by Twilio's name for each, with accounts and numbers. Calls have a file of
// their own.
import type { Breach } from "../contract/contract.ts";
import { rfc2822 } from "../params.ts";
import type { NumberSettings, OwnedNumber, TwinAccount } from "./account.ts";
import { createCall, fetchCall, listCalls, refusedCall, updateCall } from "./callResources.ts";
import { RestError } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import type { RestName } from "./faults.ts";
import { pageOf } from "./paging.ts";

/** A request that the contract allows. */
export interface Question {
  readonly exchange: Exchange;
  readonly account: TwinAccount;
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
  readonly url: URL;
}

export interface Answer {
  readonly status: number;
  readonly body: object | undefined;
}

export interface Resource {
  readonly name: RestName;
  /** Throws RestError for what is refused. */
  answer(question: Question): Answer;
  /** The error for breaches that have a number of their own here. */
  refusal?(breaches: readonly Breach[], form: URLSearchParams): RestError | undefined;
}

/** By the contract's operation id. */
export const RESOURCES: Readonly<Record<string, Resource>> = {
  FetchAccount: { name: "Accounts.fetch", answer: ({ account }) => ok(accountJson(account)) },
  ListAccount: {
    name: "Accounts.list",
    answer: ({ account, url }) =>
      ok(pageOf("accounts", [{ sid: account.accountSid }], () => accountJson(account), url)),
  },
  ListIncomingPhoneNumber: { name: "Numbers.list", answer: listNumbers },
  FetchIncomingPhoneNumber: {
    name: "Numbers.fetch",
    answer: (question) => ok(numberJson(question.account, ownedNumber(question))),
  },
  UpdateIncomingPhoneNumber: { name: "Numbers.update", answer: updateNumber },
  ListCall: { name: "Calls.list", answer: listCalls },
  CreateCall: { name: "Calls.create", answer: createCall, refusal: refusedCall },
  FetchCall: { name: "Calls.fetch", answer: fetchCall },
  UpdateCall: { name: "Calls.update", answer: updateCall, refusal: refusedCall },
};

export function ok(body: object): Answer {
  return { status: 200, body };
}

/** Whether Twilio could request this. */
export function isWebAddress(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text);
}

const ACCOUNT_SUBRESOURCES = ["Calls", "IncomingPhoneNumbers", "Recordings"];

function accountJson(account: TwinAccount): object {
  const { accountSid: sid, authToken, createdMs, friendlyName, status, trial } = account;
  const uri = `/2010-04-01/Accounts/${sid}`;
  const snake = (name: string) => name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
  return {
    auth_token: authToken,
    date_created: rfc2822(createdMs),
    date_updated: rfc2822(createdMs),
    friendly_name: friendlyName,
    owner_account_sid: sid,
    sid,
    status,
    subresource_uris: Object.fromEntries(
      ACCOUNT_SUBRESOURCES.map((name) => [snake(name), `${uri}/${name}.json`]),
    ),
    type: trial === undefined ? "Full" : "Trial",
    uri: `${uri}.json`,
  };
}

function listNumbers({ account, query, url }: Question): Answer {
  const pattern = query.get("PhoneNumber");
  const friendlyName = query.get("FriendlyName");
  const fits = pattern === null || pattern === "" ? () => true : matcher(pattern);
  const found = account.numbers.filter(
    ({ phoneNumber, settings }) =>
      fits(phoneNumber) && (friendlyName === null || settings.FriendlyName === friendlyName),
  );
  return ok(pageOf("incoming_phone_numbers", found, (number) => numberJson(account, number), url));
}

/** Twilio's filter: part of a number is enough, and `*` stands for any digit. */
function matcher(pattern: string): (phoneNumber: string) => boolean {
  const source = pattern.replace(/[^0-9*]/g, (other) => (other === "+" ? "\\+" : "")).replaceAll("*", "\\d");
  const expression = new RegExp(source);
  return (phoneNumber) => expression.test(phoneNumber);
}

function ownedNumber({ account, path, url }: Question): OwnedNumber {
  const found = account.numbers.find(({ sid }) => sid === path.Sid);
  if (found === undefined) throw new RestError(20404, url.pathname);
  return found;
}

const URL_SETTINGS = [
  "VoiceUrl",
  "VoiceFallbackUrl",
  "StatusCallback",
  "SmsUrl",
  "SmsFallbackUrl",
] as const satisfies readonly (keyof NumberSettings)[];

function updateNumber(question: Question): Answer {
  const { account, exchange, form } = question;
  const number = ownedNumber(question);
  const changed: Record<string, string> = { ...number.settings };
  for (const [name, value] of form) {
    if (!Object.hasOwn(changed, name)) throw new RestError(20001, `${name} can't be changed at this twin`);
    changed[name] = value;
  }
  for (const name of URL_SETTINGS) {
    const value = changed[name]!;
    if (value !== "" && !isWebAddress(value)) throw new RestError(21402, `${name} ${value}`);
  }
  if (changed.VoiceFallbackUrl !== "" && changed.VoiceUrl === "") throw new RestError(21405);
  if (changed.FriendlyName!.length > 64)
    throw new RestError(20001, "FriendlyName has more than 64 characters");
  Object.assign(number.settings, changed);
  number.updatedMs = exchange.wallMs;
  return ok(numberJson(account, number));
}

function numberJson(
  { accountSid }: TwinAccount,
  { sid, phoneNumber, settings, createdMs, updatedMs }: OwnedNumber,
): object {
  const orNull = (text: string) => text || null;
  return {
    account_sid: accountSid,
    address_sid: orNull(settings.AddressSid),
    address_requirements: "none",
    api_version: "2010-04-01",
    beta: false,
    capabilities: { voice: true, sms: true, mms: true, fax: false },
    date_created: rfc2822(createdMs),
    date_updated: rfc2822(updatedMs),
    friendly_name: settings.FriendlyName,
    identity_sid: orNull(settings.IdentitySid),
    phone_number: phoneNumber,
    origin: "twilio",
    sid,
    sms_application_sid: settings.SmsApplicationSid,
    sms_fallback_method: settings.SmsFallbackMethod,
    sms_fallback_url: settings.SmsFallbackUrl,
    sms_method: settings.SmsMethod,
    sms_url: settings.SmsUrl,
    status_callback: settings.StatusCallback,
    status_callback_method: settings.StatusCallbackMethod,
    trunk_sid: orNull(settings.TrunkSid),
    uri: `/2010-04-01/Accounts/${accountSid}/IncomingPhoneNumbers/${sid}.json`,
    voice_receive_mode: settings.VoiceReceiveMode,
    voice_application_sid: settings.VoiceApplicationSid,
    voice_caller_id_lookup: settings.VoiceCallerIdLookup.toLowerCase() === "true",
    voice_fallback_method: settings.VoiceFallbackMethod,
    voice_fallback_url: orNull(settings.VoiceFallbackUrl),
    voice_method: settings.VoiceMethod,
    voice_url: orNull(settings.VoiceUrl),
    emergency_status: settings.EmergencyStatus,
    emergency_address_sid: orNull(settings.EmergencyAddressSid),
    emergency_address_status: "unregistered",
    bundle_sid: orNull(settings.BundleSid),
    status: "in-use",
    type: "local",
  };
}
