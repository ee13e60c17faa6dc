import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Contract } from "../../../src/twin/contract/contract.ts";

const contract = new Contract();
const AC = `AC${"0".repeat(32)}`;
const CA = `CA${"0".repeat(32)}`;
const CALLS = `/2010-04-01/Accounts/${AC}/Calls.json`;

function operation(method: string, path: string) {
  const found = contract.find(method, path);
  assert.ok(found !== undefined && found !== "method");
  return found;
}

function breaches(method: string, path: string, { query = "", body = "" } = {}): string[] {
  const found = operation(method, path);
  const request = { query: new URLSearchParams(query), body: new URLSearchParams(body) };
  return found.operation
    .breaches(found.path, request)
    .map(({ in: where, parameter, kind }) => `${where} ${parameter} ${kind}`);
}

describe("an operation of the contract", () => {
  for (const [method, path, id] of [
    ["GET", "/2010-04-01/Accounts.json", "ListAccount"],
    ["GET", `/2010-04-01/Accounts/${AC}.json`, "FetchAccount"],
    ["POST", CALLS, "CreateCall"],
    ["GET", CALLS, "ListCall"],
    ["POST", `/2010-04-01/Accounts/${AC}/Calls/${CA}.json`, "UpdateCall"],
    ["DELETE", `/2010-04-01/Accounts/${AC}/Calls/${CA}.json`, "DeleteCall"],
    ["GET", `/2010-04-01/Accounts/${AC}/IncomingPhoneNumbers.json`, "ListIncomingPhoneNumber"],
  ] as const) {
    it(`${id} is found by ${method} and its path`, () => {
      assert.equal(operation(method, path).operation.id, id);
    });
  }

  it("is not found under another path, and a wrong method is told apart", () => {
    assert.equal(contract.find("GET", `/2010-04-01/Accounts/${AC}/Calls`), undefined);
    assert.equal(contract.find("GET", `${CALLS}/`), undefined);
    assert.equal(contract.find("GET", "/2010-04-01/Accounts/a/b.json"), undefined);
    assert.equal(contract.find("PUT", CALLS), "method");
    assert.equal(contract.find("DELETE", CALLS), "method");
  });

  it("has the path's parameters", () => {
    const { path } = operation("GET", `/2010-04-01/Accounts/${AC}/Calls/${CA}.json`);
    assert.deepEqual({ ...path }, { AccountSid: AC, Sid: CA });
  });
});

describe("a request", () => {
  const to = "To=%2B14155550123&From=%2B12025550100";

  it("is allowed with what the contract knows, repeated keys of lists and cleared values included", () => {
    assert.deepEqual(
      breaches("POST", CALLS, {
        body: `${to}&StatusCallbackEvent=ringing&StatusCallbackEvent=answered&Timeout=30`,
      }),
      [],
    );
    assert.deepEqual(
      breaches("GET", CALLS, { query: "Status=in-progress&PageSize=1000&StartTime%3E=2026-01-01" }),
      [],
    );
    const number = `/2010-04-01/Accounts/${AC}/IncomingPhoneNumbers/PN${"0".repeat(32)}.json`;
    assert.deepEqual(breaches("POST", number, { body: "VoiceApplicationSid=&TrunkSid=&VoiceUrl=" }), []);
  });

  for (const [what, body, found] of [
    ["no destination", "From=%2B12025550100", "body To missing"],
    ["an empty destination", "To=&From=%2B12025550100", "body To missing"],
    ["a name in the wrong case", `${to}&statuscallback=http://a`, "body statuscallback unknown"],
    ["a repeated key that is no list", `${to}&Url=http://a&Url=http://b`, "body Url repeated"],
    ["a method that is none", `${to}&Method=PUT`, "body Method invalid"],
    ["a whole number with a fraction", `${to}&Timeout=1.5`, "body Timeout invalid"],
    ["a truth that is none", `${to}&Record=maybe`, "body Record invalid"],
    ["another resource's SID", `${to}&ApplicationSid=${CA}`, "body ApplicationSid invalid"],
  ] as const) {
    it(`is not allowed with ${what}`, () => {
      assert.deepEqual(breaches("POST", CALLS, { body }), [found]);
    });
  }

  it("is not allowed with malformed SIDs in the path, or a query that is out of bounds", () => {
    assert.deepEqual(breaches("GET", `/2010-04-01/Accounts/${AC}/Calls/${AC}.json`), ["path Sid invalid"]);
    assert.deepEqual(breaches("GET", CALLS, { query: "PageSize=1001" }), ["query PageSize invalid"]);
    assert.deepEqual(breaches("GET", CALLS, { query: "Status=initiated" }), ["query Status invalid"]);
    assert.deepEqual(breaches("GET", CALLS, { query: "StartTime=yesterday" }), ["query StartTime invalid"]);
    assert.deepEqual(breaches("GET", CALLS, { query: "Foo=1" }), ["query Foo unknown"]);
  });
});

describe("an answer", () => {
  const { operation: fetch } = operation("GET", `/2010-04-01/Accounts/${AC}.json`);
  const good = {
    auth_token: "t",
    date_created: "Thu, 30 Jul 2015 20:00:00 +0000",
    date_updated: null,
    friendly_name: "",
    owner_account_sid: AC,
    sid: AC,
    status: "active",
    subresource_uris: {},
    type: "Full",
    uri: "/",
  };

  it("is as promised with every field, in its form", () => {
    assert.equal(fetch.answerProblem(200, good), undefined);
  });

  for (const [what, change, problem] of [
    ["a field is missing", { uri: undefined }, /uri must be a string/],
    ["one is too many", { more: 1 }, /must not have more/],
    ["a SID is malformed", { sid: "AC1" }, /sid must look like/],
    ["an enum has another value", { status: "gone" }, /status must be one of active, suspended, closed/],
    [
      "a date is in another form",
      { date_updated: "2026-01-01T00:00:00Z" },
      /date_updated is no RFC 2822 date/,
    ],
    ["null stands where it must not", { status: null }, /status must not be null/],
  ] as const) {
    it(`is a problem where ${what}`, () => {
      assert.match(fetch.answerProblem(200, { ...good, ...change })!, problem);
    });
  }

  it("is a problem with a status that isn't promised", () => {
    assert.match(fetch.answerProblem(201, good)!, /FetchAccount has no answer 201/);
    const { uri: _, ...less } = good;
    assert.match(fetch.answerProblem(200, less)!, /must have uri/);
  });
});
