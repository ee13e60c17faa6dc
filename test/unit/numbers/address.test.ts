import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { getCountries, getExampleNumber } from "libphonenumber-js/min";
import examples from "libphonenumber-js/mobile/examples";
import { type Address, readAddress } from "../../../src/numbers/address.ts";

const RUNS = { numRuns: 500 };

function addressOf(text: string, country?: string): Address {
  const read = readAddress(text, country);
  if ("problem" in read) assert.fail(`${text}: ${read.problem}`);
  return read.ok;
}

function problemOf(text: string, country?: string): string {
  const read = readAddress(text, country);
  if ("ok" in read) assert.fail(`${text} was read as ${read.ok.normalized}`);
  return read.problem;
}

/** Whatever people put between digits, and what copying leaves there. */
export const decoration = fc.constantFrom(
  "",
  "",
  " ",
  ".",
  "-",
  "(",
  ")",
  "[",
  "]",
  "\u00a0",
  "\u2011",
  "\u202d",
  "  ",
);

/** The text with decoration between its characters; the ends too. */
function decorated(text: string): fc.Arbitrary<string> {
  return fc
    .array(decoration, { minLength: text.length + 1, maxLength: text.length + 1 })
    .map((between) => [...text].map((character, i) => between[i] + character).join("") + between.at(-1));
}

const e164 = fc.stringMatching(/^\+[1-9][0-9]{6,14}$/);

describe("a telephone number", () => {
  for (const [text, country, normalized, countryCode] of [
    ["+14155550100", undefined, "+14155550100", "US"],
    [" +1 (415) 555-0100 ", undefined, "+14155550100", "US"],
    ["+1.415.555.0100", "US", "+14155550100", "US"],
    ["＋４９ ３０ １２３４５６", undefined, "+4930123456", "DE"],
    ["\u202a+49\u00a030\u00a0123456\u202c", undefined, "+4930123456", "DE"],
    ["+1 416 555 0100", undefined, "+14165550100", "CA"],
    ["08043071383", "IN", "+918043071383", "IN"],
    ["080 4307-1383", "in", "+918043071383", "IN"],
    ["918043071383", "IN", "+918043071383", "IN"],
    ["(415) 555-0100", "US", "+14155550100", "US"],
    ["1 415 555 0100", "US", "+14155550100", "US"],
    ["06 1234 5678", "IT", "+390612345678", "IT"],
    ["06 30 123 4567", "HU", "+36301234567", "HU"],
    ["8 916 123-45-67", "RU", "+79161234567", "RU"],
    ["+8821234567", undefined, "+8821234567", undefined],
  ] as const) {
    it(`written "${text}"${country ? ` in ${country}` : ""} is ${normalized}`, () => {
      assert.deepEqual(addressOf(text, country), {
        type: "pstn",
        normalized,
        countryCode,
        warning: undefined,
      });
    });
  }

  for (const [text, country, why] of [
    ["", undefined, /no number/],
    ["   ", undefined, /no number/],
    ["4155550100", undefined, /national number/],
    ["14155550100", undefined, /national number/],
    ["0049 30 123456", undefined, /plus sign instead/],
    ["0049 30 123456", "DE", /plus sign instead/],
    ["011 49 30 123456", "US", /another country/],
    ["+0 415 555 0100", undefined, /begins with 0/],
    ["+123456", undefined, /too short/],
    ["+1234567890123456", undefined, /too long/],
    ["12345", "US", /too short/],
    ["+1-800-FLOWERS", undefined, /no letters/],
    ["+1 415 555 0100 x12", undefined, /extension/],
    ["+1 415 555 0100 ext. 12", undefined, /extension/],
    ["+1 415 555 0100;ext=12", undefined, /extension/],
    ["+1 415 555 0100,,12#", undefined, /only digits/],
    ["+1 415 555 0100#12", undefined, /extension/],
    ["++14155550100", undefined, /only digits/],
    ["+1415+5550100", undefined, /only digits/],
    ["+1/415/5550100", undefined, /only digits/],
    ["+١٤١٥٥٥٥٠١٠٠", undefined, /only digits/],
    ["anonymous", undefined, /no letters/],
    ["+", undefined, /only digits/],
    [`+1${" ".repeat(300)}4155550100`, undefined, /longer than/],
  ] as const) {
    it(`can't be "${text.slice(0, 30)}"${country ? ` in ${country}` : ""}, and why not is said with an example`, () => {
      const sentence = problemOf(text, country);
      assert.match(sentence, why);
      assert.match(sentence, /E\.164: .*such as \+14155550100\.$/);
    });
  }

  it("needs a country that exists where it is national", () => {
    assert.match(problemOf("4155550100", "XX"), /ISO 3166/);
    assert.match(problemOf("4155550100", "USA"), /ISO 3166/);
    assert.match(problemOf("4155550100", ""), /national number/);
  });

  it("that no numbering plan knows is kept, with a warning", () => {
    for (const text of ["+1234567890", "+9991234567"]) {
      const { normalized, warning } = addressOf(text);
      assert.equal(normalized, text);
      assert.match(warning!, /check its digits/);
    }
  });

  it("that has a national prefix behind its country code is kept, and the likely one is named", () => {
    for (const [text, normalized, likely] of [
      ["+44 (0)20 7946 0958", "+4402079460958", "+442079460958"],
      ["+49 (0)30 123456", "+49030123456", "+4930123456"],
    ] as const) {
      const read = addressOf(text);
      assert.equal(read.normalized, normalized);
      assert.ok(read.warning?.includes(`probably ${likely}`), read.warning);
      assert.equal(addressOf(likely).warning, undefined);
    }
    assert.equal(addressOf("+39 06 1234 5678").warning, undefined, "in Italy the 0 belongs to it");
  });

  it("of another country than the one given is kept, with its own country and a warning", () => {
    const { countryCode, warning } = addressOf("+4930123456", "US");
    assert.equal(countryCode, "DE");
    assert.match(warning!, /not a number of US/);
  });

  it("is kept in every country, in its national and international form", () => {
    for (const country of getCountries()) {
      const example = getExampleNumber(country, examples)!;
      const asE164 = addressOf(example.number);
      assert.equal(asE164.normalized, example.number);
      assert.equal(asE164.warning, undefined);
      assert.equal(addressOf(example.formatInternational()).normalized, example.number);
      if (example.formatNational().startsWith("00")) continue; // refused as a way to dial abroad
      assert.equal(addressOf(example.formatNational(), country).normalized, example.number, country);
    }
  });

  it("is the same however it is decorated, and read again", () => {
    fc.assert(
      fc.property(
        e164.chain((number) => fc.tuple(fc.constant(number), decorated(number))),
        ([number, written]) => {
          const address = addressOf(written);
          assert.equal(address.normalized, number);
          assert.deepEqual(addressOf(address.normalized), address);
        },
      ),
      RUNS,
    );
  });

  it("that was national is the same when it is read again, alone or with its country", () => {
    const national = fc.tuple(fc.constantFrom(...getCountries()), fc.stringMatching(/^[0-9]{3,14}$/));
    fc.assert(
      fc.property(national, ([country, digits]) => {
        const read = readAddress(digits, country);
        if ("problem" in read) return;
        assert.equal(addressOf(read.ok.normalized).normalized, read.ok.normalized);
        assert.equal(addressOf(read.ok.normalized, country).normalized, read.ok.normalized);
      }),
      RUNS,
    );
  });

  it("is never anything but an address or a problem with advice, whatever is typed", () => {
    const noise = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.stringMatching(/^[-+0-9 ().x#;,*a-f:@sip]{0,30}$/),
      fc.stringMatching(/^sips?:[-+0-9a-zA-Z.@:;?=[\]%]{0,30}$/),
    );
    fc.assert(
      fc.property(
        noise,
        fc.option(fc.constantFrom("US", "de", "XX", ""), { nil: undefined }),
        (text, country) => {
          const read = readAddress(text, country);
          if ("problem" in read) return assert.match(read.problem, /such as /);
          assert.match(read.ok.normalized, /^(?:\+[1-9][0-9]{6,14}|sips?:.+)$/);
          assert.equal(addressOf(read.ok.normalized).normalized, read.ok.normalized);
        },
      ),
      RUNS,
    );
  });
});

describe("a SIP address", () => {
  for (const [text, normalized] of [
    ["sip:desk@pbx.example.com", "sip:desk@pbx.example.com"],
    [" SIP:Desk@PBX.Example.com ", "sip:Desk@pbx.example.com"],
    ["sip:desk@pbx.example.com:5060", "sip:desk@pbx.example.com"],
    ["sip:desk@pbx.example.com:5061", "sip:desk@pbx.example.com:5061"],
    ["sips:desk@pbx.example.com:5061", "sips:desk@pbx.example.com"],
    ["sip:desk@pbx.example.com;Transport=TLS?X-Id=A", "sip:desk@pbx.example.com;transport=tls?x-id=a"],
    ["sip:+14155550100@[2001:DB8::1]:5070", "sip:+14155550100@[2001:db8::1]:5070"],
    ["sip:pbx.example.com", "sip:pbx.example.com"],
  ] as const) {
    it(`written "${text}" is ${normalized}`, () => {
      const address = { type: "sip_uri", normalized, countryCode: undefined, warning: undefined };
      assert.deepEqual(addressOf(text), address);
      assert.deepEqual(addressOf(normalized), address);
    });
  }

  for (const text of [
    ...["sip:", "sip:@host", "sip:a b@host", "sip:a@b@c", "sip:a@host:0", "sip:a@host:70000", "sip:a@host:x"],
    ...['sip:"a"@host', "sip:<a@host>", "sip:a@ho_st", "sip:a@host\r\nX: 1", "sips://a@host/"],
  ]) {
    it(`can't be ${JSON.stringify(text)}`, () => {
      assert.match(problemOf(text), /such as sip:desk@pbx\.example\.com\.$/);
    });
  }
});
