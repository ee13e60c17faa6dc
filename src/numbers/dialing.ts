// What may be called: a destination that can be a telephone number, is no emergency or short number in any
// disguise, and lies where this installation may call. Nothing is dialled here.
import {
  getCountryCallingCode,
  isSupportedCountry,
  parsePhoneNumberWithError,
  validatePhoneNumberLength,
} from "libphonenumber-js/min";
import { type Address, E164_ADVICE, readAddress, undecorated } from "./address.ts";

export interface DialRules {
  /** ISO 3166: whose national numbers are meant. */
  readonly countryCode?: string | null | undefined;
  /** Beginnings of E.164 numbers, each with its `+`. Empty: any destination. */
  readonly prefixes: readonly string[];
}

export type ReadDestination = { readonly ok: Address } | { readonly problem: string };

const EMERGENCY =
  "Emergency and short numbers can't be called from here: use a telephone, which tells rescuers where you are.";

/**
 * A destination as it is given to Twilio, or why it can't be called. Never throws.
 *
 * `sip:` URIs are called as they are, since Twilio dials them, but not where there are prefixes: a SIP server may
 * connect the call to anywhere, so an allow-list of numbers would mean nothing. `sips:` isn't, as Twilio secures a
 * call by `;transport=tls`.
 */
export function readDestination(text: string, { countryCode, prefixes }: DialRules): ReadDestination {
  // First as it would be dialled on a telephone: `112` has to be called what it is, not too short.
  if (isShortDialString(text)) return { problem: EMERGENCY };
  const read = readAddress(text, countryCode);
  if ("problem" in read) return read;
  if (isAfterCallingCode(text, read.ok)) return { problem: EMERGENCY };
  return read.ok.type === "pstn" ? checkNumber(read.ok, prefixes) : checkSipUri(read.ok, prefixes);
}

function checkNumber(address: Address, prefixes: readonly string[]): ReadDestination {
  if (isEmergencyOrShort(address.normalized)) return { problem: EMERGENCY };
  if (prefixes.length > 0 && !prefixes.some((prefix) => address.normalized.startsWith(prefix))) {
    const allowed = `Only numbers that begin with ${prefixes.join(", ")} may be called from this gateway`;
    return { problem: `${allowed} (DIAL_PREFIXES).` };
  }
  return { ok: address };
}

function checkSipUri(address: Address, prefixes: readonly string[]): ReadDestination {
  const uri = address.normalized;
  if (uri.startsWith("sips:")) {
    return { problem: "Twilio doesn't call sips addresses. Write sip: and add ;transport=tls at the end." };
  }
  const at = uri.indexOf("@");
  if (at < 0) {
    return {
      problem:
        "Twilio calls a user at a SIP host. Write it as sip:user@host, such as sip:desk@pbx.example.com.",
    };
  }
  if (isEmergencyUser(uri.slice("sip:".length, at))) return { problem: EMERGENCY };
  if (prefixes.length > 0) {
    return {
      problem: `Where only some numbers may be called (DIAL_PREFIXES) SIP addresses can't be. ${E164_ADVICE}`,
    };
  }
  return { ok: address };
}

/** Emergency numbers that telephone networks of many countries know, so that they are refused for all of them. */
const EVERYWHERE: ReadonlySet<string> = new Set(["112", "911", "999", "000", "110", "118", "119"]);

function isKnownEverywhere(digits: string): boolean {
  for (let zeros = 0; ; zeros++) {
    if (EVERYWHERE.has(digits.slice(zeros))) return true;
    if (digits[zeros] !== "0") return false;
  }
}

/** What no numbering plan is needed for: an emergency number as on a telephone's keys, or after a country code. */
function isShortDialString(text: string): boolean {
  const compact = undecorated(text.trim());
  const digits = compact.replace(/^\++/, "");
  if (!/^[0-9]{1,6}$/.test(digits)) return false;
  if (digits.length <= SERVICE_CODE_DIGITS || isKnownEverywhere(digits)) return true;
  // Country codes have one to three digits, and no number is as short as this with one.
  return compact !== digits && [1, 2, 3].some((code) => isKnownEverywhere(digits.slice(code)));
}

/** The country code was written without its plus, and taken for the beginning of a national number. */
function isAfterCallingCode(text: string, { countryCode }: Address): boolean {
  if (countryCode === undefined || !isSupportedCountry(countryCode)) return false;
  const digits = undecorated(text.trim());
  return digits.startsWith(getCountryCallingCode(countryCode)) && isEmergencyOrShort(`+${digits}`);
}

/** Emergency numbers of more than three digits, by country calling code. */
const LONG_EMERGENCY: Readonly<Record<string, readonly string[]>> = {
  "27": ["10111", "10177"], // South Africa
  "39": ["1515", "1522", "1530"], // Italy
  "41": ["1414", "1415"], // Switzerland: air rescue
  "44": ["18000"], // United Kingdom: 999 for who can't hear or speak
  "49": ["19222", "116117"], // Germany: ambulances, doctors on call
  "66": ["1155", "1669"], // Thailand
  "86": ["12110", "12395"], // China: police by text, rescue at sea
  "91": ["1070", "1091", "1098"], // India
  "92": ["1122"], // Pakistan
};

/** What is dialled before a national number, besides zeros. */
const TRUNK_PREFIXES: Readonly<Record<string, readonly string[]>> = {
  "1": ["1"],
  "7": ["8"],
  "36": ["06"],
  "52": ["01"],
  "370": ["8"],
  "375": ["8"],
  "992": ["8"],
  "993": ["8"],
  "998": ["8"],
};

/** No subscriber anywhere has as few digits after country code and trunk prefix. */
const SERVICE_CODE_DIGITS = 3;
/** Up to here a national part that the numbering plan has no numbers as short as is a service, not a person. */
const SERVICE_DIGITS_MAX = 6;

/** Whether an E.164 number is an emergency or short number behind a country code, with or without trunk prefixes. */
function isEmergencyOrShort(e164: string): boolean {
  const parts = splitCallingCode(e164);
  if (parts === undefined) return false; // a country code that no country has
  const { callingCode, national } = parts;
  if (national.length <= SERVICE_DIGITS_MAX && validatePhoneNumberLength(e164) === "TOO_SHORT") return true;
  return cores(national, callingCode).some(
    (core) =>
      core.length <= SERVICE_CODE_DIGITS ||
      LONG_EMERGENCY[callingCode]?.includes(core) ||
      (callingCode === "1" && NORTH_AMERICAN.test(core)) ||
      (callingCode === "49" && GERMAN.test(core)),
  );
}

/** 911 and its like stand where an area code would, whatever follows, or after an area code, alone. */
const NORTH_AMERICAN = /^[2-9]11|^[2-9][0-9]{2}[2-9]11$/;
/** A town's emergency centre, by its area code; few real numbers are as short. */
const GERMAN = /^[2-9][0-9]{1,2}11[02]$/;

/** The national part, and what remains of it as trunk prefixes are taken away one after the other. */
function cores(national: string, callingCode: string): string[] {
  const found = [national];
  for (const core of found) {
    for (const prefix of ["0", ...(TRUNK_PREFIXES[callingCode] ?? [])]) {
      if (core.startsWith(prefix)) found.push(core.slice(prefix.length));
    }
  }
  return found;
}

function splitCallingCode(e164: string): { callingCode: string; national: string } | undefined {
  try {
    const { countryCallingCode } = parsePhoneNumberWithError(e164, { extract: false });
    // Not the library's national number: it has taken trunk prefixes away already.
    return { callingCode: countryCallingCode, national: e164.slice(1 + countryCallingCode.length) };
  } catch {
    return undefined;
  }
}

/** `sip:911@…`, written with escapes, as a number with its country code, or after an exchange's prefix for a line. */
function isEmergencyUser(user: string): boolean {
  const [written] = unescaped(user).split(/[;:]/, 1) as [string];
  if (/^(?:sos|urn)(?![a-z0-9])/i.test(written)) return true; // SIP's own words for it
  const name = undecorated(written);
  const digits = name.replace(/^\++/, "");
  if (!/^[0-9]+$/.test(digits)) return false;
  if (isKnownEverywhere(digits) || /^[019](?:911|112)$/.test(digits)) return true;
  // Without a plus it may be anyone's extension there.
  return name !== digits && (isShortDialString(name) || isEmergencyOrShort(`+${digits}`));
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not UTF-8: no digit hides in it that a network would read
  }
}
