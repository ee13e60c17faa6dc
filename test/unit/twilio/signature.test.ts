import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { FormParams } from "../../../src/twilio/forms.ts";
import { isJsonSignedBy, isSignedBy, isUpgradeSigned } from "../../../src/twilio/signature.ts";

interface Vector {
  readonly id: string;
  readonly kind: "form" | "json" | "ws";
  readonly authToken: string;
  readonly verifyWithToken?: string;
  readonly signedUrl: string;
  readonly receivedUrl?: string;
  readonly params: Record<string, string>;
  readonly presentedParams?: Record<string, string>;
  readonly body?: string;
  readonly signature: string;
  readonly expectValid: boolean;
}

const { vectors } = JSON.parse(
  readFileSync(new URL("../../vectors/twilio-signature.json", import.meta.url), "utf8"),
) as { vectors: Vector[] };

function isValid(vector: Vector, tokens: readonly string[], signature: string): boolean {
  const url = vector.receivedUrl ?? vector.signedUrl;
  switch (vector.kind) {
    case "form":
      return isSignedBy(tokens, signature, url, vector.presentedParams ?? vector.params);
    case "json":
      return isJsonSignedBy(tokens, signature, url, Buffer.from(vector.body!));
    case "ws":
      return isUpgradeSigned(tokens, signature, url);
  }
}

const tokenOf = (vector: Vector): string => vector.verifyWithToken ?? vector.authToken;

/** As Twilio documents it, written apart from the helper that is tested. */
function sign(token: string, url: string, params: Readonly<Record<string, string>> = {}): string {
  const hmac = createHmac("sha1", token).update(url);
  for (const name of Object.keys(params).sort()) hmac.update(name).update(params[name]!);
  return hmac.digest("base64");
}

const TOKEN = "1c892n40nd03kdnc0112slzkl3091j20";
const URL_OF_CALL = "https://gw.example.com/api/v1/telephony/inbound/run";
const PARAMS = { CallSid: "CA1", From: "+14155550100", To: "", Name: "Zoë 🦊 & co" };

describe("a signature vector", () => {
  assert.ok(vectors.length >= 15);
  for (const vector of vectors) {
    it(`${vector.id} is ${vector.expectValid ? "accepted" : "refused"}`, () => {
      assert.equal(isValid(vector, [tokenOf(vector)], vector.signature), vector.expectValid);
    });
  }

  it("is judged alike wherever its token stands among others", () => {
    for (const vector of vectors) {
      const token = tokenOf(vector);
      for (const tokens of [
        [token, "x", "y"],
        ["x", token, "y"],
        ["x", "y", token],
        [token, token],
      ]) {
        assert.equal(isValid(vector, tokens, vector.signature), vector.expectValid, vector.id);
      }
    }
  });

  it("is refused without its token or its signature", () => {
    for (const vector of vectors) {
      for (const tokens of [[], ["x"], [""], [`${tokenOf(vector)} `]]) {
        assert.ok(!isValid(vector, tokens, vector.signature), vector.id);
      }
      const others = [
        "",
        " ",
        vector.signature.slice(0, -1),
        `${vector.signature}=`,
        `${vector.signature}, x`,
      ];
      for (const signature of others) assert.ok(!isValid(vector, [tokenOf(vector)], signature), vector.id);
    }
  });

  it("is refused when one character of its signature is another", () => {
    for (const vector of vectors) {
      for (let at = 0; at < vector.signature.length; at++) {
        assert.ok(!isValid(vector, [tokenOf(vector)], replaced(vector.signature, at, "!")), vector.id);
      }
    }
  });
});

describe("a signed webhook", () => {
  it("is refused when one character of its URL, a name, a value or its signature is another", () => {
    const characters = fc.constantFrom(..."aZ09_-.~/\\:@?#&=%+ '\"\t\n\0é🦊");
    const change = fc.record({
      part: fc.constantFrom("url", "name", "value", "signature"),
      at: fc.nat(),
      to: characters,
    });
    const form = fc.dictionary(
      fc.stringMatching(/^[A-Za-z_]{1,12}$/),
      fc.string({ unit: "grapheme", maxLength: 20 }),
      { minKeys: 1 },
    );
    const urls = fc.constantFrom<string>(
      URL_OF_CALL,
      `${URL_OF_CALL}?name=O'Brien&x=1`,
      "https://gw.example.com/prefix/b.php?foo=1",
      "http://127.0.0.1:8080/api/v1/telephony/inbound/run",
    );
    let changed = 0;
    fc.assert(
      fc.property(form, urls, change, (params, url, { part, at, to }) => {
        const names = Object.keys(params);
        const name = names[at % names.length]!;
        const sent = { url, name, value: params[name]!, signature: sign(TOKEN, url, params) };
        assert.ok(isSignedBy([TOKEN], sent.signature, url, params));
        const seen = { ...sent, [part]: replaced(sent[part], at, to) };
        if (seen[part] === sent[part] || (part === "name" && seen.name in params)) return;
        const { [name]: _, ...others } = params;
        changed++;
        assert.ok(!isSignedBy([TOKEN], seen.signature, seen.url, { ...others, [seen.name]: seen.value }));
      }),
      { numRuns: 3_000 },
    );
    assert.ok(changed > 2_000, `${changed} of 3,000 were changed at all`);
  });

  it("is accepted whatever its parameters are", () => {
    const form = fc.dictionary(fc.string({ unit: "grapheme-ascii" }), fc.string({ unit: "grapheme" }));
    fc.assert(
      fc.property(form, (params) => {
        assert.ok(isSignedBy(["old", TOKEN], sign(TOKEN, URL_OF_CALL, params), URL_OF_CALL, params));
      }),
    );
  });

  it("has the values of a repeated name signed once each and in order", () => {
    const params: FormParams = { a: ["2", "1", "2"], b: "" };
    const signature = createHmac("sha1", TOKEN).update(`${URL_OF_CALL}a1a2b`).digest("base64");
    assert.ok(isSignedBy([TOKEN], signature, URL_OF_CALL, params));
  });

  it("may be signed with its port or without", () => {
    for (const [signed, received] of [
      ["https://gw.example.com:443/a", "https://gw.example.com/a"],
      ["https://gw.example.com/a", "https://gw.example.com:443/a"],
      ["http://127.0.0.1/a", "http://127.0.0.1:8080/a"],
      ["http://127.0.0.1:8080/a", "http://127.0.0.1:8080/a"],
      ["http://[::1]:8080/a", "http://[::1]:8080/a"],
      ["https://gw.example.com", "https://gw.example.com"],
    ] as const) {
      assert.ok(isSignedBy([TOKEN], sign(TOKEN, signed, PARAMS), received, PARAMS), signed);
    }
  });

  it("is refused at a URL that only becomes the signed one by rewriting", () => {
    const signature = sign(TOKEN, "https://gw.example.com/a/b", PARAMS);
    assert.ok(isSignedBy([TOKEN], signature, "https://gw.example.com/a/b", PARAMS));
    const others = [
      "GW.example.com/a/b",
      "gw.example.com/a\\b",
      "gw.example.com/a/./b",
      "gw.example.com/a/c/../b",
    ];
    others.push(
      "gw.example.com/a/%2e/b",
      "gw.example.com/a/\tb",
      "gw.example.com/a/b#",
      "u:p@gw.example.com/a/b",
    );
    for (const other of others) assert.ok(!isSignedBy([TOKEN], signature, `https://${other}`, PARAMS), other);
    const withFragment = "https://gw.example.com/a/b#c";
    assert.ok(!isSignedBy([TOKEN], sign(TOKEN, withFragment, PARAMS), withFragment, PARAMS));
  });

  it("is refused, not an exception, when its URL is none", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), (url, signature) => {
        assert.ok(!isSignedBy([TOKEN], signature, url, PARAMS));
        assert.ok(!isUpgradeSigned([TOKEN], signature, url));
        assert.ok(!isJsonSignedBy([TOKEN], signature, url, Buffer.from(url)));
      }),
    );
    for (const url of ["", "/a", "gw.example.com/a", "https://", "//gw/a"]) {
      assert.ok(!isSignedBy([TOKEN], sign(TOKEN, url, PARAMS), url, PARAMS), url);
      assert.ok(!isUpgradeSigned([TOKEN], sign(TOKEN, url), url), url);
    }
  });

  it("can't be signed with the empty key of an unset token", () => {
    assert.ok(!isSignedBy([""], sign("", URL_OF_CALL, PARAMS), URL_OF_CALL, PARAMS));
    assert.ok(!isSignedBy([], sign("no token", URL_OF_CALL, PARAMS), URL_OF_CALL, PARAMS));
  });
});

describe("a signed JSON webhook", () => {
  const body = Buffer.from('{"CallSid":"CA1","note":"Zoë"}');
  const hashed = (bytes: Uint8Array): string =>
    `${URL_OF_CALL}?bodySHA256=${createHash("sha256").update(bytes).digest("hex")}`;

  it("is accepted with exactly its body", () => {
    const url = hashed(body);
    const signature = sign(TOKEN, url);
    assert.ok(isJsonSignedBy(["x", TOKEN], signature, url, body));
    for (let at = 0; at < body.length; at++) {
      const other = Buffer.from(body);
      other[at]! ^= 1;
      assert.ok(!isJsonSignedBy([TOKEN], signature, url, other), `byte ${at}`);
    }
    const withBom = Buffer.concat([Buffer.from("\ufeff"), body]);
    assert.ok(!isJsonSignedBy([TOKEN], signature, url, withBom));
    assert.ok(isJsonSignedBy([TOKEN], sign(TOKEN, hashed(withBom)), hashed(withBom), withBom));
  });

  it("is refused without a hash, with the hash of another body, or with bytes that are no text", () => {
    assert.ok(!isJsonSignedBy([TOKEN], sign(TOKEN, URL_OF_CALL), URL_OF_CALL, body));
    const url = hashed(Buffer.from("{}"));
    assert.ok(!isJsonSignedBy([TOKEN], sign(TOKEN, url), url, body));
    const noText = Buffer.from([0x7b, 0xff, 0x7d]);
    // Nor with the hash of what such bytes would be shown as.
    for (const signed of [noText, Buffer.from("{\ufffd}")]) {
      assert.ok(!isJsonSignedBy([TOKEN], sign(TOKEN, hashed(signed)), hashed(signed), noText));
    }
  });
});

describe("a signed upgrade", () => {
  it("may be signed with or without a trailing slash and the port of wss", () => {
    const ways = ["wss://gw.example.com/media/t", "wss://gw.example.com:443/media/t"].flatMap((url) => [
      url,
      `${url}/`,
    ]);
    for (const signed of ways) {
      for (const received of ways)
        assert.ok(isUpgradeSigned(["x", TOKEN], sign(TOKEN, signed), received), signed);
    }
    const local = "ws://127.0.0.1:8080/media/t";
    assert.ok(isUpgradeSigned([TOKEN], sign(TOKEN, local), local));
    assert.ok(isUpgradeSigned([TOKEN], sign(TOKEN, "wss://[2001:db8::1]:443/t"), "wss://[2001:db8::1]/t"));
  });

  it("is refused with another scheme, host, port or path, or with a query", () => {
    const url = "wss://gw.example.com/media/t";
    const signature = sign(TOKEN, url);
    for (const other of [
      "https://gw.example.com/media/t",
      "ws://gw.example.com/media/t",
      "wss://gw.example.org/media/t",
    ]) {
      assert.ok(!isUpgradeSigned([TOKEN], signature, other), other);
    }
    for (const other of [`${url}x`, `${url}//`, `${url}?`, `${url}?a=b`, "wss://gw.example.com/media//t"]) {
      assert.ok(!isUpgradeSigned([TOKEN], signature, other), other);
      assert.ok(!isUpgradeSigned([TOKEN], sign(TOKEN, `${url}?a=b`), `${url}?a=b`), other);
    }
  });

  it("is refused when one character of its path is another", () => {
    const url = "wss://gw.example.com/media/token";
    for (let at = 0; at < url.length; at++) {
      for (const to of "aZ0/\\.?#%:") {
        const other = replaced(url, at, to);
        if (other !== url) assert.ok(!isUpgradeSigned([TOKEN], sign(TOKEN, url), other), other);
      }
    }
  });
});

/** `text` with `to` in place of one character. */
function replaced(text: string, at: number, to: string): string {
  if (text.length === 0) return to;
  const index = at % text.length;
  return text.slice(0, index) + to + text.slice(index + 1);
}
