// The protocol's reader and writer against its published schema: the two must say the same of every message.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Ajv } from "ajv";
import fc from "fast-check";
import * as protocol from "../../../../../src/media/agents/websocket/protocol.ts";
import { FACTS } from "./rig.ts";

const SCHEMA = new URL("../../../../../docs/agent-protocol.schema.json", import.meta.url);
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true }).addSchema(
  JSON.parse(readFileSync(SCHEMA, "utf8")),
);
const isOfAgent = ajv.getSchema("agent-protocol#/definitions/agent_to_gateway")!;
const isOfGateway = ajv.getSchema("agent-protocol#/definitions/gateway_to_agent")!;

const read = (message: unknown) => protocol.readMessage(Buffer.from(JSON.stringify(message)));
const FIELDS = Object.values(
  JSON.parse(readFileSync(SCHEMA, "utf8")).definitions as Record<string, { properties?: object }>,
).flatMap(({ properties }) => Object.keys(properties ?? {}));

describe("what an agent says", () => {
  it("is understood exactly where the schema allows it", () => {
    const name = fc.oneof(
      fc.string(),
      fc.constantFrom("a".repeat(64), "a".repeat(65), "😀".repeat(64), "", " "),
    );
    const format = fc.record(
      {
        encoding: fc.constantFrom("mulaw", "pcm16", "pcmu", null, 1),
        rate_hz: fc.constantFrom(8_000, 16_000, 24_000, 48_000, "8000", null),
        message_ms: fc.constantFrom(20, 40, 60, 80, 100, 120, 0, 30, null, "20"),
      },
      { requiredKeys: [] },
    );
    const value = fc.oneof(
      name,
      format,
      fc.constantFrom("heard", "now", "caller", "agent", true, false, null, 0, 1, -1, 1.5, 2 ** 53),
      fc.jsonValue(),
    );
    const type = fc.constantFrom(
      ...["ready", "utterance_start", "utterance_end", "mark", "clear", "transcript", "hang_up"],
      ...["send_digits", "transfer", "error", "hello", "nonsense", "__proto__", "constructor"],
    );
    const field = fc.oneof(fc.constantFrom(...FIELDS), fc.string());
    const message = fc
      .tuple(type, fc.dictionary(field, value, { maxKeys: 4 }))
      .map(([type, fields]): Record<string, unknown> => ({ ...fields, type }));
    let understood = 0;
    fc.assert(
      fc.property(message, (message) => {
        const json = JSON.parse(JSON.stringify(message)) as unknown;
        const answer = read(json);
        if (answer.type !== "malformed") understood++;
        const verdict = isOfAgent(json);
        assert.equal(answer.type !== "malformed", verdict, JSON.stringify({ json, answer }));
      }),
      { numRuns: 3_000 },
    );
    assert.ok(understood > 300, `only ${understood} messages were fit to be understood`);
  });

  it("is malformed, and no exception, whatever bytes it is", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array(), fc.string().map(Buffer.from), fc.json().map(Buffer.from)),
        (bytes) => {
          protocol.readMessage(Buffer.from(bytes));
        },
      ),
      { numRuns: 1_000 },
    );
    const long = JSON.stringify({ type: "transcript", role: "agent", text: "a".repeat(64 * 1_024) });
    assert.equal(protocol.readMessage(Buffer.from(long)).type, "malformed");
  });

  it("has the telephone's own format where it names none, and null means the same as nothing", () => {
    const mulaw = { encoding: "mulaw", rateHz: 8_000 };
    const usual = { type: "ready", hears: mulaw, framesPerMessage: 1, speaks: mulaw, resumeId: undefined };
    assert.deepEqual(read({ type: "ready" }), usual);
    assert.deepEqual(read({ type: "ready", hears: null, speaks: {}, resume_id: null }), usual);
    const hears = { encoding: "pcm16", rate_hz: 16_000, message_ms: 60 };
    assert.deepEqual(
      read({ type: "ready", hears, speaks: { encoding: "pcm16", rate_hz: 24_000 }, resume_id: "s-1" }),
      {
        type: "ready",
        hears: { encoding: "pcm16", rateHz: 16_000 },
        framesPerMessage: 3,
        speaks: { encoding: "pcm16", rateHz: 24_000 },
        resumeId: "s-1",
      },
    );
  });

  it("is refused in words that name the field", () => {
    for (const [message, why] of [
      [
        { type: "ready", hears: { encoding: "pcm16" } },
        "hears.rate_hz must be 8000 or 16000 or 24000 for pcm16",
      ],
      [{ type: "ready", speaks: { rate_hz: 16_000 } }, "speaks.rate_hz must be 8000 for mulaw"],
      [{ type: "ready", hears: { message_ms: 30 } }, "hears.message_ms must be 20, 40, 60, 80 or 100"],
      [{ type: "mark" }, "name must be 1 to 64 characters"],
      [{ type: "greet" }, "there is no message of this type"],
      [[], "a text frame must be a JSON object with a type"],
    ] as const) {
      const answer = read(message);
      assert.ok(answer.type === "malformed");
      assert.equal(answer.why, why);
    }
  });
});

describe("what the gateway says", () => {
  it("is of the schema", () => {
    const cut = { by: "caller", utterance: undefined, heardMs: 12.3, heardText: "" } as const;
    const resumption = { lost: "worker", heardMs: 1_234.5, resumeId: "", awayMs: undefined } as const;
    for (const text of [
      protocol.hello(FACTS, false),
      protocol.hello({ ...FACTS, variables: {}, parameters: { a: [1] } }, true),
      protocol.resumed(resumption),
      protocol.resumed({ lost: "socket", heardMs: 0, resumeId: "s-1", awayMs: 200.7 }),
      protocol.dtmf("#"),
      protocol.mark("greeted", 300.2),
      protocol.interrupted(cut, 1),
      protocol.interrupted({ ...cut, by: "agent", utterance: "u1", heardText: "Hel" }, 0),
      protocol.ended("agent_hung_up"),
      protocol.error("too_many", "slower", null),
    ]) {
      assert.ok(isOfGateway(JSON.parse(text)), `${text}: ${ajv.errorsText(isOfGateway.errors)}`);
    }
  });
});
