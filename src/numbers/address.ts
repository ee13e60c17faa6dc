// A telephone number or SIP URI as a person types it, in the one form that is stored and compared. Whether it may be
// called, and whose it is, is decided elsewhere.
import {
  type CountryCode,
  getCountryCallingCode,
  isSupportedCountry,
  ParseError,
  type PhoneNumber,
  parsePhoneNumberWithError,
} from "libphonenumber-js/min";

export interface Address {
  readonly type: "pstn" | "sip_uri";
  /** `+` and 7 to 15 digits (E.164), or a SIP URI with scheme, host and parameters in lower case. */
  readonly normalized: string;
  /** ISO 3166, two capitals: the number's country where it tells, else the one that was given. */
  readonly countryCode: string | undefined;
  /** A sentence about what looks wrong but was kept. */
  readonly warning: string | undefined;
}

/** `problem` is for whoever typed the text: what is wrong with it and how it should be written. */
export type ReadAddress = { readonly ok: Address } | { readonly problem: string };

/** How a number is written, for everyone who has to say it. */
export const E164_ADVICE =
  "Write it in E.164: a plus sign, the country code and the number, such as +14155550100.";

const ADDRESS_LENGTH_MAX = 255;
const E164 = /^\+[1-9][0-9]{6,14}$/;
/** Spaces of any kind, dots, hyphens and dashes, brackets, and the invisible marks that copied numbers carry. */
const DECORATION = /[\s.()[\]\-\u2010-\u2015\u2212\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;
const FULL_WIDTH = /[\uff01-\uff5e]/gu;
const EXTENSION = /^\+?[0-9]+(?:x|ext|extension|;ext=|[#,;*]+)[0-9]+$/i;

/**
 * Reads a number with its `+` and country code, a national one when `countryCode` (ISO 3166, such as `IN`) tells
 * whose, or a `sip:` or `sips:` URI. Reading what it gave gives the same again. Never throws.
 */
export function readAddress(text: string, countryCode?: string | null): ReadAddress {
  const trimmed = text.trim();
  if (trimmed === "") return problem("There is no number.");
  if (trimmed.length > ADDRESS_LENGTH_MAX) {
    return problem(`This is longer than the ${ADDRESS_LENGTH_MAX} characters an address can have.`);
  }
  const country = readCountry(countryCode);
  if (country !== undefined && typeof country !== "string") return country;
  return /^sips?:/i.test(trimmed) ? readSipUri(trimmed, country) : readNumber(trimmed, country);
}

/** What is left of a number's text without decoration, in ASCII. */
export function undecorated(text: string): string {
  return text
    .replace(FULL_WIDTH, (character) => String.fromCharCode(character.charCodeAt(0) - 0xfee0))
    .replace(DECORATION, "");
}

function readCountry(countryCode: string | null | undefined): CountryCode | ReadAddress | undefined {
  const country = countryCode?.trim().toUpperCase();
  if (country === undefined || country === "") return undefined;
  return isSupportedCountry(country)
    ? country
    : { problem: "country_code is not a country: write the two letters of ISO 3166, such as US or IN." };
}

function readNumber(trimmed: string, country: CountryCode | undefined): ReadAddress {
  const compact = undecorated(trimmed);
  if (EXTENSION.test(compact)) {
    return problem("A number with an extension can't be called directly: leave the extension out.");
  }
  if (/\p{L}/u.test(compact)) return problem("A number has no letters.");
  if (!/^\+?[0-9]+$/.test(compact)) {
    return problem(
      "A number has only digits after its plus sign; spaces, dots, hyphens and brackets are left out.",
    );
  }
  if (compact.startsWith("00")) {
    return problem("00 is what some countries dial before a country code: write a plus sign instead.");
  }
  if (compact.startsWith("+")) return E164.test(compact) ? readE164(compact, country) : misshapen(compact);
  if (country !== undefined) return readNational(compact, country);
  return problem(
    "Without a plus sign this is a national number, and country_code doesn't say of which country.",
  );
}

function misshapen(compact: string): ReadAddress {
  if (compact.startsWith("+0")) return problem("No country code begins with 0.");
  return compact.length < 8
    ? problem("This is too short: with its country code a number has at least 7 digits.")
    : problem("This is too long: with its country code a number has at most 15 digits.");
}

function readE164(normalized: string, country: CountryCode | undefined): ReadAddress {
  const known = parse(normalized);
  const isForeign =
    known !== undefined &&
    country !== undefined &&
    known.countryCallingCode !== getCountryCallingCode(country);
  const countryCode = known?.country ?? (isForeign ? undefined : country);
  const warning = isForeign
    ? `${normalized} is not a number of ${country}: its own country code counts.`
    : warningAbout(normalized, known);
  return { ok: { type: "pstn", normalized, countryCode, warning } };
}

function readNational(digits: string, country: CountryCode): ReadAddress {
  const known = parse(digits, country);
  if (known === undefined) return problem(`This can't be a number of ${country}.`);
  // The country's way to dial abroad stood before it, such as 011 in the United States.
  if (known.countryCallingCode !== getCountryCallingCode(country)) {
    return problem(`This is a number of another country as it is dialled from ${country}.`);
  }
  const normalized = known.number;
  if (!E164.test(normalized)) return misshapen(normalized);
  const countryCode = known.country ?? country;
  return { ok: { type: "pstn", normalized, countryCode, warning: warningAbout(normalized, known) } };
}

function warningAbout(normalized: string, known: PhoneNumber | undefined): string | undefined {
  if (known?.isPossible()) {
    // Most often the 0 that is dialled within a country only: +44 (0)20 …
    return known.number === normalized
      ? undefined
      : `${normalized} was kept as it was written, but is probably ${known.number}: add that one if so.`;
  }
  // Numbering plans are newer than any library, so this is no reason to refuse it.
  return `${normalized} does not look like a number of any country: it was kept, but check its digits.`;
}

function parse(text: string, defaultCountry?: CountryCode): PhoneNumber | undefined {
  try {
    return parsePhoneNumberWithError(text, { ...(defaultCountry && { defaultCountry }), extract: false });
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}

const SIP_EXAMPLE = "Write it as sip:user@host, such as sip:desk@pbx.example.com.";
/** Scheme, user with password, host, port, and parameters with headers: RFC 3261, 25.1, without its rarities. */
const SIP_URI =
  /^(sips?):(?:([a-z0-9\-_.!~*'()&=+$,;?/:%]+)@)?([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?([;?][a-z0-9\-_.!~*'()&=+$,;?/:%[\]]*)?$/i;
const SIP_PORTS: Readonly<Record<string, number>> = { sip: 5060, sips: 5061 };

function readSipUri(trimmed: string, country: CountryCode | undefined): ReadAddress {
  const parts = SIP_URI.exec(trimmed);
  if (parts === null) return { problem: `This is no SIP address. ${SIP_EXAMPLE}` };
  const [, , user, host, , rest = ""] = parts;
  const scheme = parts[1]!.toLowerCase();
  const port = parts[4] === undefined ? undefined : Number(parts[4]);
  if (port !== undefined && (port < 1 || port > 65_535)) {
    return { problem: `No port has the number ${port}. ${SIP_EXAMPLE}` };
  }
  const named = user === undefined ? "" : `${user}@`; // a user's name has upper and lower case
  const place = `${host!.toLowerCase()}${port === undefined || port === SIP_PORTS[scheme] ? "" : `:${port}`}`;
  const normalized = `${scheme}:${named}${place}${rest.toLowerCase()}`;
  return { ok: { type: "sip_uri", normalized, countryCode: country, warning: undefined } };
}

function problem(sentence: string): ReadAddress {
  return { problem: `${sentence} ${E164_ADVICE}` };
}
