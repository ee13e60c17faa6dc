import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Addresses } from "../../../src/twin/addresses.ts";

describe("addresses", () => {
  it("replace the public base by the gateway's, and map the scheme", () => {
    const { dialable } = bound(new Addresses("https://gw.example.com/line/", "http://127.0.0.1:8080"));
    assert.equal(dialable("https://gw.example.com/line/a?b=c"), "http://127.0.0.1:8080/a?b=c");
    assert.equal(dialable("wss://gw.example.com/line/media/t"), "ws://127.0.0.1:8080/media/t");
    assert.equal(dialable("wss://gw.example.com/line"), "ws://127.0.0.1:8080");
  });

  it("keep a prefix that the gateway's base has too", () => {
    const { dialable } = bound(new Addresses("https://gw.example.com/line", "http://127.0.0.1:8080/line"));
    assert.equal(dialable("wss://gw.example.com/line/media/t"), "ws://127.0.0.1:8080/line/media/t");
  });

  it("leave every other address alone", () => {
    const { dialable } = bound(new Addresses("https://gw.example.com/line", "http://127.0.0.1:8080"));
    for (const url of [
      "https://gw.example.com/liner",
      "https://other.example.com/line",
      "ws://gw.example.com/line",
    ]) {
      assert.equal(dialable(url), url);
    }
  });

  it("are the same when there is one base only", () => {
    const { dialable } = bound(new Addresses("http://127.0.0.1:8080"));
    assert.equal(dialable("ws://127.0.0.1:8080/media/t"), "ws://127.0.0.1:8080/media/t");
  });

  it("are resolved against the document's", () => {
    const document = "https://gw.example.com/line/voice?x=1";
    assert.equal(Addresses.resolve("next", document), "https://gw.example.com/line/next");
    assert.equal(Addresses.resolve("/next?a='", document), "https://gw.example.com/next?a=%27");
    assert.equal(Addresses.resolve("https://h/a?b='", document), "https://h/a?b='");
  });

  it("must be http or https, without query, fragment or user", () => {
    for (const base of ["ftp://h", "https://h/?a", "https://h/#a", "https://u@h", "h"]) {
      assert.throws(() => new Addresses(base), TypeError, base);
    }
  });
});

function bound(addresses: Addresses): { dialable: (url: string) => string } {
  return { dialable: (url) => addresses.dialable(url) };
}
