import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../../src/domain/errors.ts";
import { FORM_PARAMS_MAX, type FormParams, param, parseForm } from "../../../src/twilio/forms.ts";
import { isSignedBy } from "../../../src/twilio/signature.ts";

const parse = (text: string): FormParams => parseForm(Buffer.from(text));
/** Without the null prototype, which deepEqual would tell apart. */
const plain = (text: string): Record<string, unknown> => ({ ...parse(text) });

describe("a form", () => {
  it("has + as a space and %XX as UTF-8", () => {
    assert.deepEqual(plain("From=%2B14155550100&City=SAN+FRANCISCO&Name=Zo%C3%AB+%F0%9F%A6%8A&N%2b=1"), {
      From: "+14155550100",
      City: "SAN FRANCISCO",
      Name: "Zoë 🦊",
      "N+": "1",
    });
  });

  it("keeps empty values and white space", () => {
    assert.deepEqual(plain("ToCity=&ToZip&From=+%20a%09%0A&=x"), {
      ToCity: "",
      ToZip: "",
      From: "  a\t\n",
      "": "x",
    });
  });

  it("takes what is no escape, or no UTF-8, for what it is", () => {
    assert.deepEqual(plain("a=100%&b=%zz&c=%FF&d=x=y&?e=1"), {
      a: "100%",
      b: "%zz",
      c: "\ufffd",
      d: "x=y",
      "?e": "1",
    });
    assert.deepEqual(plain("?a=1"), { "?a": "1" });
    assert.deepEqual(plain("\ufeffa=1"), { "\ufeffa": "1" });
    assert.deepEqual({ ...parseForm(Buffer.from([0x61, 0x3d, 0xff])) }, { a: "\ufffd" });
  });

  it("is empty when its body is", () => {
    for (const body of ["", "&", "&&"]) assert.deepEqual(plain(body), {});
  });

  it("has no names but its own", () => {
    const params = parse("__proto__=a&constructor=b&toString=c&__proto__=d");
    assert.equal(Object.getPrototypeOf(params), null);
    assert.deepEqual(Object.entries(params), [
      ["__proto__", ["a", "d"]],
      ["constructor", "b"],
      ["toString", "c"],
    ]);
    assert.equal(param(parse("a=1"), "constructor"), undefined);
  });

  it("keeps every value of a repeated name, so that the signature over them holds", () => {
    const params = parse("a=2&b=x&a=1&a=2");
    assert.deepEqual({ ...params }, { a: ["2", "1", "2"], b: "x" });
    assert.equal(param(params, "a"), undefined);
    assert.equal(param(params, "b"), "x");
    const url = "https://gw.example.com/a";
    const signature = createHmac("sha1", "t").update(`${url}a1a2bx`).digest("base64");
    assert.ok(isSignedBy(["t"], signature, url, params));
  });

  it("has a bounded number of parameters, repeated ones counted", () => {
    const form = (count: number, name: (index: number) => string): string =>
      Array.from({ length: count }, (_, index) => `${name(index)}=1`).join("&");
    assert.equal(Object.keys(parse(form(FORM_PARAMS_MAX, (index) => `p${index}`))).length, FORM_PARAMS_MAX);
    for (const name of [(index: number) => `p${index}`, () => "p"]) {
      assert.throws(
        () => parse(form(FORM_PARAMS_MAX + 1, name)),
        (error) => error instanceof GatewayError && error.code === "REQUEST_MALFORMED",
      );
    }
  });

  it("comes back as it was encoded", () => {
    const entries = fc.dictionary(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), {
      maxKeys: 20,
    });
    fc.assert(
      fc.property(entries, (params) => {
        const body = Object.entries(params).map((entry) => entry.map(encodeURIComponent).join("="));
        assert.deepEqual({ ...parse(body.join("&")) }, { ...params });
      }),
    );
  });

  it("is parsed, or refused for its size, whatever its bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        for (const value of Object.values(parseForm(bytes))) assert.ok(value.length >= 0);
      }),
    );
  });
});
