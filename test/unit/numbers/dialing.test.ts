import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  getExampleNumber,
} from "libphonenumber-js/min";
import examples from "libphonenumber-js/mobile/examples";
import { readDestination } from "../../../src/numbers/dialing.ts";

const RUNS = { numRuns: 3_000 };
const ANYWHERE: readonly string[] = [];

function destinationOf(text: string, prefixes = ANYWHERE, countryCode?: string): string {
  const read = readDestination(text, { prefixes, countryCode });
  if ("problem" in read) assert.fail(`${text}: ${read.problem}`);
  return read.ok.normalized;
}

function problemOf(text: string, prefixes = ANYWHERE, countryCode?: string): string {
  const read = readDestination(text, { prefixes, countryCode });
  if ("ok" in read) assert.fail(`${text} (${countryCode}) would be called as ${read.ok.normalized}`);
  return read.problem;
}

/** Who is called in need, by country, with what is dialled there before a number of another town. */
const EMERGENCY: Readonly<Record<string, readonly [trunk: string, ...numbers: string[]]>> = {
  AR: ["0", "911", "100", "101", "103", "107"],
  AT: ["0", "112", "122", "133", "140", "144"],
  AU: ["0", "000", "106", "112"],
  BR: ["0", "190", "192", "193", "911"],
  BY: ["8", "101", "102", "103", "112"],
  CA: ["1", "911"],
  CH: ["0", "112", "117", "118", "144", "1414"],
  CN: ["0", "110", "119", "120", "122", "12395"],
  DE: ["0", "110", "112", "19222"],
  DO: ["1", "911", "112"],
  ES: ["0", "112", "061", "062", "091"],
  FR: ["0", "15", "17", "18", "112", "114", "119"],
  GB: ["0", "999", "112", "18000"],
  GR: ["0", "100", "112", "166", "199"],
  HK: ["0", "999", "992", "112"],
  HU: ["06", "104", "105", "107", "112"],
  IE: ["0", "112", "999"],
  IL: ["0", "100", "101", "102", "112"],
  IN: ["0", "100", "101", "102", "108", "112", "1091"],
  IT: ["0", "112", "113", "115", "118", "1530"],
  JM: ["1", "110", "119", "911"],
  JP: ["0", "110", "118", "119"],
  KR: ["0", "112", "119"],
  MX: ["01", "911", "066"],
  NZ: ["0", "111"],
  PK: ["0", "15", "16", "115", "1122"],
  PL: ["0", "112", "997", "998", "999"],
  RU: ["8", "01", "02", "03", "101", "102", "103", "112"],
  SG: ["0", "995", "999"],
  TH: ["0", "191", "199", "1669"],
  TR: ["0", "112", "155"],
  US: ["1", "911", "112"],
  ZA: ["0", "112", "10111", "10177"],
};

const decoration = fc.constantFrom("", "", " ", ".", "-", "(", ")", "\u00a0", "\u2011", "\u202d");
const fullWidth = (text: string): string =>
  text.replace(/[+0-9]/g, (character) => String.fromCharCode(character.charCodeAt(0) + 0xfee0));

/** An emergency number, and all that may be before it. */
const disguised = fc
  .constantFrom(
    ...Object.entries(EMERGENCY).flatMap(([country, [trunk, ...numbers]]) =>
      numbers.map((number) => ({ country, trunk, number })),
    ),
  )
  .chain(({ country, trunk, number }) => {
    const callingCode = getCountryCallingCode(country as CountryCode);
    const before = fc.array(fc.constantFrom(trunk, "0"), { maxLength: 3 }).map((digits) => digits.join(""));
    const abroad = fc.constantFrom(
      "",
      "+",
      callingCode,
      `+${callingCode}`,
      `00${callingCode}`,
      `++${callingCode}`,
    );
    return fc.record({
      country: fc.constantFrom(country, undefined),
      text: fc.tuple(abroad, before).map((parts) => parts.join("") + number),
    });
  })
  .chain(({ country, text }) =>
    fc.record({
      country: fc.constant(country),
      text: fc
        .tuple(fc.array(decoration, { minLength: text.length, maxLength: text.length }), fc.boolean())
        .map(([between, isWide]) =>
          [...(isWide ? fullWidth(text) : text)].map((character, i) => character + between[i]).join(""),
        ),
    }),
  );

describe("a destination", () => {
  it("is called in its canonical form", () => {
    assert.equal(destinationOf("+1 (415) 555-0100"), "+14155550100");
    assert.equal(destinationOf("080 4307 1383", ANYWHERE, "IN"), "+918043071383");
  });

  it("keeps the address's warning: Twilio knows newer numbering plans", () => {
    const read = readDestination("+1234567890", { prefixes: ANYWHERE });
    assert.ok("ok" in read && read.ok.warning);
  });

  it("that is no number is refused as an address would be", () => {
    assert.match(problemOf("0049 30 123456"), /plus sign instead.*E\.164/);
    assert.match(problemOf("4155550100"), /national number/);
  });

  it("may be a real number of any country", () => {
    for (const country of getCountries()) {
      const { number } = getExampleNumber(country, examples)!;
      assert.equal(destinationOf(number), number, country);
    }
    // Short ones that exist: the Falklands, Niue, Vienna's and a German town's, and Delhi's, which begins with 112.
    for (const number of ["+50022112", "+6834123", "+4314000", "+4351717", "+49712341", "+911126123456"]) {
      assert.equal(destinationOf(number), number);
    }
    assert.equal(destinationOf("22112", ANYWHERE, "FK"), "+50022112");
  });
});

describe("an emergency number", () => {
  for (const text of [
    ...[
      "112",
      "911",
      "999",
      "000",
      "110",
      "118",
      "119",
      "9-1-1",
      "(9)11",
      "+911",
      "+112",
      "0112",
      "15",
      "1",
      "116",
    ],
    ...[
      "+1911",
      "+1 1 911",
      "+1 001 911",
      "+1-212-911",
      "+1 911 555 0100",
      "+44999",
      "+44 0999",
      "+44 00 999",
    ],
    ...[
      "+49112",
      "+49 0112",
      "+49 00 112",
      "+49 30 112",
      "+27 10111",
      "+44 18000",
      "+49 19222",
      "+7 8 112",
      "+7 8 0 112",
    ],
    ...[
      "+36 06 112",
      "+52 01 911",
      "+52 01 066",
      "+971 0999",
      "+33 000 15",
      "+1 268 911",
      "＋１９１１",
      "\u202a911\u202c",
    ],
  ]) {
    it(`is never called as "${text}"`, () => assert.match(problemOf(text), /Emergency and short numbers/));
  }

  for (const uri of [
    ...["sip:911@example.com", "sip:+1911@example.com", "sip:9911@pbx.example.com", "SIP:112@[::1]:5070"],
    ...[
      "sip:%39%31%31@example.com",
      "sip:9-1-1@example.com",
      "sip:+44-0999@example.com",
      "sip:sos@example.com",
    ],
    ...[
      "sip:sos.fire@example.com",
      "sip:urn:service:sos@example.com",
      "sip:911;phone-context=us@example.com",
    ],
    ...[
      "sip:911:password@example.com",
      "sip:000@example.com",
      "sip:+2710111@example.com",
      "sip:0112@example.com",
    ],
  ]) {
    it(`is never called as ${uri}`, () => assert.match(problemOf(uri), /Emergency/));
  }

  it("is never called in any spelling", () => {
    fc.assert(
      fc.property(disguised, ({ text, country }) => {
        problemOf(text, ANYWHERE, country);
        problemOf(text, ["+"], country);
      }),
      RUNS,
    );
  });

  it("isn't found where only its digits are", () => {
    for (const number of ["+14159110112", "+12129991122", "+4930112112", "+442079110999", "+911123456789"]) {
      assert.equal(destinationOf(number), number);
    }
  });
});

describe("the list of prefixes", () => {
  it("lets numbers through that begin with one of them, however they are written", () => {
    assert.equal(destinationOf("+1 415 555 0100", ["+44", "+1"]), "+14155550100");
    assert.equal(destinationOf("030 123456", ["+49"], "DE"), "+4930123456");
  });

  it("refuses others, and says which there are", () => {
    assert.match(problemOf("+4930123456", ["+44", "+1"]), /\+44, \+1 .*DIAL_PREFIXES/);
  });

  it("never lets an emergency number through", () => {
    assert.match(problemOf("+1911", ["+1911"]), /Emergency/);
  });
});

describe("a SIP destination", () => {
  it("is called as Twilio takes it", () => {
    for (const uri of [
      "sip:desk@pbx.example.com",
      "sip:100@pbx.example.com",
      "sip:+14155550100@pbx.example.com;transport=tls",
    ]) {
      assert.equal(destinationOf(uri), uri);
    }
  });

  it("is refused in forms that Twilio doesn't call", () => {
    assert.match(problemOf("sips:desk@pbx.example.com"), /transport=tls/);
    assert.match(problemOf("sip:pbx.example.com"), /user@host/);
  });

  it("is refused where only some numbers may be called: it could lead to any", () => {
    assert.match(problemOf("sip:desk@pbx.example.com", ["+1"]), /DIAL_PREFIXES/);
  });
});
