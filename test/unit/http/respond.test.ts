import assert from "node:assert/strict";
import { it } from "node:test";
import { FieldsInvalid, GatewayError } from "../../../src/domain/errors.ts";
import { answerTo, detail, INTERNAL_ERROR, json, text } from "../../../src/http/respond.ts";

it("writes values as JSON and leaves the content type to the server", () => {
  assert.deepEqual(json(201, { id: 7, name: null }), { status: 201, body: '{"id":7,"name":null}' });
});

it("writes text as UTF-8 text", () => {
  assert.deepEqual(text(200, "ok"), {
    status: 200,
    headers: { "Content-Type": "text/plain; charset=utf-8" },
    body: "ok",
  });
});

it("puts the reason of an error under detail", () => {
  assert.deepEqual(detail(404, "Not Found"), { status: 404, body: '{"detail":"Not Found"}' });
});

it("answers expected failures in their own words and no others", () => {
  assert.deepEqual(answerTo(new GatewayError("REQUEST_MALFORMED", "why")), {
    ...detail(400, "why"),
    headers: {},
  });
  assert.equal(answerTo(new GatewayError("SETTINGS_INVALID", "why")), undefined);
  assert.equal(answerTo(new Error("why")), undefined);
  assert.equal(INTERNAL_ERROR.body, '{"detail":"Internal Server Error"}');
});

it("names each field that is wrong, with where it stands", () => {
  const faults = [
    { path: ["body", "slots", 3, "start"], message: "a time is wanted", type: "invalid_type" },
    { path: ["query", "page"], message: "too small" },
  ];
  const { status, body } = answerTo(new FieldsInvalid(faults))!;
  assert.equal(status, 422);
  assert.deepEqual(JSON.parse(String(body)), {
    detail: [
      { loc: ["body", "slots", 3, "start"], msg: "a time is wanted", type: "invalid_type" },
      { loc: ["query", "page"], msg: "too small", type: "value_error" },
    ],
  });
});

it("says how to get in, and when to come again", () => {
  assert.deepEqual(answerTo(new GatewayError("UNAUTHORIZED", "no"))!.headers, {
    "WWW-Authenticate": "Bearer",
  });
  const later = new GatewayError("TWILIO_UNREACHABLE", "later", { retryAfterS: 7 });
  assert.deepEqual(answerTo(later), { ...detail(503, "later"), headers: { "Retry-After": "7" } });
});
