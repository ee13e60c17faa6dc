import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ServedDocument, type ServedOperation, shortcomings } from "../../support/compatibility.ts";
import { CONTRACT, type ContractOperation, contractOperation } from "../../support/contract.ts";
import { startApi } from "./rig.ts";

/** What is served beside the contract, each with the reason why. */
const OURS: Readonly<Record<string, string>> = {
  "GET /openapi.json": "describes the API as it is served",
  "POST /api/v1/organizations/telephony-configs/{config_id}/phone-numbers/{phone_number_id}/sync":
    "the contract has no way to set a number at Twilio again",
  "GET /metrics": "Prometheus' own format",
  "GET /api/v1/calls/live": "the contract has no look at calls that are going on",
  "POST /api/v1/calls/live/{run}/hangup": "nor a way to end one",
};

/** What of the contract is not described as served, by how its path begins, each with the reason why. */
const NOT_DESCRIBED: Readonly<Record<string, string>> = {
  "/api/v1/telephony/inbound/":
    "Twilio's webhooks, signed and answered in TwiML, are no business of a client's",
  "/api/v1/telephony/twilio/status-callback/": "the same",
  "/api/v1/telephony/transfer-result/": "calls are not transferred yet",
  "/api/v1/campaign/": "there are no campaigns yet",
};

describe("what is served", () => {
  it("is the contract's, and takes and gives what it promises, or is on the list of what is ours", async (t) => {
    const { client } = await startApi(t);
    const { body } = await client.get("/openapi.json");
    const document: ServedDocument = body;
    const wrong: string[] = [];
    const ours = new Set(Object.keys(OURS));
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, served] of Object.entries(methods)) {
        const name = `${method.toUpperCase()} ${path}`;
        const promised = contractOperation(method.toUpperCase(), path);
        if (promised === undefined) {
          if (!ours.delete(name)) wrong.push(`${name} is not in the contract, and not on the list of ours`);
        } else {
          wrong.push(...shortcomings(served, promised, document).map((what) => `${name}: ${what}`));
        }
      }
    }
    assert.deepEqual(wrong, []);
    assert.deepEqual([...ours], [], "the list names what is not served");
  });

  it("is all of the contract, but for what is on the list", async (t) => {
    const document: ServedDocument = (await (await startApi(t)).client.get("/openapi.json")).body;
    const served = new Set(
      Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => contractOperation(method.toUpperCase(), path)),
      ),
    );
    const beginnings = Object.keys(NOT_DESCRIBED);
    const begun = (path: string) => beginnings.find((beginning) => path.startsWith(beginning));
    const absent = CONTRACT.filter((promised) => !served.has(promised)).map(({ path }) => path);
    assert.deepEqual(
      absent.filter((path) => begun(path) === undefined),
      [],
      "is in the contract, not served, and not on the list",
    );
    assert.deepEqual(new Set(absent.map(begun)), new Set(beginnings), "the list names what is served");
  });

  it("takes an Idempotency-Key wherever a call is placed, and says so", async (t) => {
    const document: ServedDocument = (await (await startApi(t)).client.get("/openapi.json")).body;
    const headed = Object.entries(document.paths).filter(([, { post }]) =>
      post?.parameters?.some(({ name, in: where }) => where === "header" && name === "idempotency-key"),
    );
    assert.deepEqual(headed.map(([path]) => path).sort(), [
      "/api/v1/public/agent/test/workflow/{workflow_uuid}",
      "/api/v1/public/agent/test/{uuid}",
      "/api/v1/public/agent/workflow/{workflow_uuid}",
      "/api/v1/public/agent/{uuid}",
      "/api/v1/telephony/initiate-call",
    ]);
  });

  it("is summed up in our own words, and every error is described", async (t) => {
    const document: ServedDocument = (await (await startApi(t)).client.get("/openapi.json")).body;
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    for (const { operationId, summary } of operations) assert.match(summary, /^[A-Z].+\.$/, operationId);
    const prose = JSON.stringify(document).matchAll(/"(?:summary|description|title)":"((?:[^"\\]|\\.)*)"/g);
    for (const [, words] of prose) {
      assert.ok(words!.length > 0);
      assert.doesNotMatch(words!, /dograh/i);
    }
    for (const { operationId, responses } of operations) {
      for (const [status, { description }] of Object.entries(responses))
        assert.ok(description.length > 0, `${operationId} ${status}`);
    }
  });
});

describe("the comparison with the contract", () => {
  const promised: ContractOperation = {
    method: "POST",
    path: "/lines",
    parameters: [{ name: "page", in: "query", required: false, schema: { type: "integer" } }],
    request: {
      type: "object",
      properties: { name: { type: "string" }, note: { anyOf: [{ type: "string" }, { type: "null" }] } },
      required: ["name"],
    },
    answer: {
      type: "object",
      properties: { id: { type: "integer" }, state: { enum: ["up", "down"], type: "string" } },
      required: ["id"],
    },
  };
  const fits = {
    parameters: [{ name: "page", in: "query", required: false }],
    request: {
      type: "object",
      properties: { name: { type: "string" }, note: { type: ["string", "null"] } },
      required: ["name"],
      additionalProperties: false,
    },
    answer: {
      type: "object",
      properties: { id: { type: "integer" }, state: { const: "up", type: "string" }, more: {} },
      required: ["id"],
    },
  };

  function compared(changes: Partial<Record<keyof typeof fits, unknown>>): string[] {
    const { parameters, request, answer } = { ...fits, ...changes };
    const content = (schema: unknown) => ({ content: { "application/json": { schema } } });
    const served = { parameters, requestBody: content(request), responses: { 200: content(answer) } };
    return shortcomings(served as unknown as ServedOperation, promised, {
      paths: {},
      components: { schemas: {} },
    });
  }

  it("finds nothing where a client sees no difference", () => {
    assert.deepEqual(compared({}), []);
  });

  it("finds what clients send and we don't take", () => {
    assert.deepEqual(compared({ parameters: [] }), ["the query's page is not known"]);
    const wanted = [...fits.parameters, { name: "limit", in: "query", required: true }];
    assert.deepEqual(compared({ parameters: wanted }), ["the query's limit is wanted"]);
    const { properties } = fits.request;
    const request = (changes: object) => compared({ request: { ...fits.request, ...changes } });
    assert.deepEqual(request({ properties: { name: properties.name } }), ["body.note is not known"]);
    assert.deepEqual(request({ required: ["name", "note"] }), ["body.note may be missing"]);
    assert.deepEqual(request({ properties: { ...properties, note: { type: "string" } } }), [
      "body.note may be null, not string",
    ]);
  });

  it("finds what is promised and we don't give", () => {
    const answer = (changes: object) => compared({ answer: { ...fits.answer, ...changes } });
    assert.deepEqual(answer({ required: [] }), ["answer.id may be missing"]);
    const { properties } = fits.answer;
    assert.deepEqual(answer({ properties: { ...properties, id: { type: "number" } } }), [
      "answer.id may be number, not integer",
    ]);
    assert.deepEqual(
      answer({ properties: { ...properties, state: { type: "string", enum: ["up", "gone"] } } }),
      ["answer.state may be gone"],
    );
    assert.deepEqual(answer({ type: "array" }), ["answer may be array, not object"]);
  });
});
