import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { RESERVATION_MS } from "../../../../src/calls/live/lifecycle.ts";
import { StreamTokens } from "../../../../src/calls/live/streamToken.ts";
import { AccountSid, CallSid } from "../../../../src/domain/ids.ts";

const CALL = CallSid(`CA${"1".repeat(32)}`);
const ACCOUNT = AccountSid(`AC${"2".repeat(32)}`);
const SKEW_MS = 5_000;
const NOON_MS = Date.UTC(2026, 0, 1, 12);

const tokens = new StreamTokens();
const minted = tokens.mint(CALL, ACCOUNT, NOON_MS);
const check = (token: string, wallMs = NOON_MS) => tokens.check(token, wallMs);

describe("a stream's token", () => {
  it("says whose stream it lets in, until when, and which one it is", () => {
    assert.deepEqual(check(minted.token), {
      callSid: CALL,
      accountSid: ACCOUNT,
      expiresAtMs: NOON_MS + RESERVATION_MS,
      nonce: minted.nonce,
    });
  });

  it("needs no escaping in a path, and is short enough to be looked at with the longest SIDs there may be", () => {
    const longest = tokens.mint(CallSid(`CA${"z".repeat(62)}`), AccountSid(`AC${"z".repeat(62)}`), NOON_MS);
    for (const { token } of [minted, longest]) {
      assert.equal(encodeURIComponent(token), token);
      assert.match(token, /^[\w-]+\.[\w-]{43}$/);
      assert.equal(typeof check(token), "object");
    }
  });

  it("is another one every time, for the same call in the same millisecond", () => {
    const many = Array.from({ length: 1_000 }, () => tokens.mint(CALL, ACCOUNT, NOON_MS));
    assert.equal(new Set(many.map(({ token }) => token)).size, many.length);
    assert.equal(new Set(many.map(({ nonce }) => nonce)).size, many.length);
  });

  it("is good from its making to its expiry, with five seconds of skew on both sides", () => {
    const first = NOON_MS - SKEW_MS;
    const last = NOON_MS + RESERVATION_MS + SKEW_MS;
    fc.assert(
      fc.property(fc.integer({ min: first - 10_000, max: last + 10_000 }), (wallMs) => {
        const isGood = typeof check(minted.token, wallMs) === "object";
        assert.equal(isGood, wallMs >= first && wallMs <= last);
      }),
    );
    const edges = [first - 1, first, last, last + 1].map((wallMs) => check(minted.token, wallMs));
    assert.deepEqual(
      edges.map((claims) => typeof claims === "object"),
      [false, true, true, false],
    );
    for (const wallMs of [first - 1, last + 1, 0, Number.MAX_SAFE_INTEGER, Number.NaN]) {
      assert.equal(check(minted.token, wallMs), "token_expired");
    }
    // Clocks have fractions; tokens don't.
    const odd = tokens.mint(CALL, ACCOUNT, NOON_MS + 0.4);
    assert.deepEqual(check(odd.token), { ...(check(minted.token) as object), nonce: odd.nonce });
  });

  it("is forged or malformed when any character is any other", () => {
    const { token } = minted;
    const printable = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 1 });
    fc.assert(
      fc.property(fc.nat(token.length - 1), printable, (at, letter) => {
        fc.pre(letter !== token[at]);
        const altered = token.slice(0, at) + letter + token.slice(at + 1);
        const verdict = check(altered) as string;
        assert.ok(["token_forged", "token_malformed"].includes(verdict), `${altered}: ${verdict}`);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is forged when its claims are another token's, or its key is another process's", () => {
    const [body, mac] = minted.token.split(".");
    const [otherBody, otherMac] = tokens.mint(CALL, ACCOUNT, NOON_MS).token.split(".");
    assert.equal(check(`${otherBody}.${mac}`), "token_forged");
    assert.equal(check(`${body}.${otherMac}`), "token_forged");
    assert.equal(new StreamTokens().check(minted.token, NOON_MS), "token_forged");
    const longer = Buffer.from(`${Buffer.from(body!, "base64url")} more`).toString("base64url");
    assert.equal(check(`${longer}.${mac}`), "token_forged");
  });

  it("is absent when there is none, malformed when it looks like none", () => {
    assert.equal(check(""), "token_absent");
    const { token } = minted;
    const [body, mac] = token.split(".");
    const wrong = [
      ".",
      "..",
      body!,
      mac!,
      `${token}.`,
      `.${token}`,
      `${token}=`,
      ` ${token}`,
      `${token}\n`,
      `${body}..${mac}`,
      `${body}.${mac}x`,
      "é.é",
    ];
    wrong.push(`${"A".repeat(400)}.${mac}`, "A".repeat(100_000));
    for (const text of wrong) assert.equal(check(text), "token_malformed", text.slice(0, 60));
  });

  it("is judged without throwing, whatever it is", () => {
    const almost = fc.tuple(fc.string(), fc.string()).map((parts) => parts.join("."));
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 500 }), almost), fc.double(), (text, wallMs) => {
        assert.equal(typeof tokens.check(text, wallMs), "string");
      }),
    );
  });
});
