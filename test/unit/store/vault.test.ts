import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SealBroken, Vault } from "../../../src/store/vault.ts";

const newVault = () => new Vault(createSecretKey(randomBytes(32)));
const PLACE = "configurations/7/auth_token";
/** Version, key's mark, nonce, tag: as the layout is promised. */
const NONCE_AT = 5;
const HEAD_BYTES = 33;

describe("a sealed secret", () => {
  const vault = newVault();

  it("opens in its place, whatever it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.string(), (secret, place) => {
        const wellFormed = secret.toWellFormed();
        assert.equal(vault.open(vault.seal(wellFormed, place), place), wellFormed);
      }),
    );
  });

  it("holds nothing of what it seals, and no more than it must", () => {
    const secret = "a secret that must not be seen";
    const sealed = vault.seal(secret, PLACE);
    assert.ok(!sealed.includes(secret.slice(0, 4)));
    assert.equal(sealed.length, HEAD_BYTES + secret.length);
  });

  it("is refused with any one bit turned", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), fc.nat(), (secret, at) => {
        const sealed = vault.seal(secret, PLACE);
        const bit = at % (8 * sealed.length);
        sealed[bit >> 3]! ^= 1 << (bit & 7);
        assert.throws(() => vault.open(sealed, PLACE), SealBroken);
      }),
      { numRuns: 2_000 },
    );
    const sealed = vault.seal("one secret, every bit", PLACE);
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const turned = Buffer.from(sealed);
      turned[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(() => vault.open(turned, PLACE), SealBroken, `bit ${bit}`);
    }
  });

  it("is refused when a part of it is missing or more is there", () => {
    const sealed = vault.seal("secret", PLACE);
    for (let length = 0; length < sealed.length; length++)
      assert.throws(() => vault.open(sealed.subarray(0, length), PLACE), SealBroken, `${length} bytes`);
    assert.throws(() => vault.open(Buffer.concat([sealed, Buffer.of(0)]), PLACE), SealBroken);
  });

  it("is refused in another row or column", () => {
    const sealed = vault.seal("secret", PLACE);
    for (const place of [
      "configurations/8/auth_token",
      "configurations/7/api_key_secret",
      "configurations/77/auth_token",
      "configurations/7/auth_token ",
      "",
    ])
      assert.throws(() => vault.open(sealed, place), SealBroken, place);
  });

  it("is refused by another key, and the refusal says nothing of it", () => {
    const sealed = vault.seal("secret", PLACE);
    assert.throws(
      () => newVault().open(sealed, PLACE),
      (error: Error) => error instanceof SealBroken && !/secret\b.*secret/.test(error.message),
    );
  });

  it("never has another's nonce", () => {
    const SEALS = 100_000;
    const nonces = new Set<string>();
    for (let n = 0; n < SEALS; n++)
      nonces.add(vault.seal("", PLACE).toString("latin1", NONCE_AT, NONCE_AT + 12));
    assert.equal(nonces.size, SEALS);
  });
});
