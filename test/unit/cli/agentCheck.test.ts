// `npm run agent-check` against servers that do it right and servers that don't, each with the advice it gets.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import fc from "fast-check";
import { messageProblem } from "../../../src/cli/agentCheck/schema.ts";
import { AgentServer } from "../../support/agentServer.ts";
import { lastLine, run } from "./commands.ts";

const SCHEMA = new URL("../../../docs/agent-protocol.schema.json", import.meta.url);
const SPEECH = fileURLToPath(new URL("../../../src/twin/recordings/stop.wav", import.meta.url));
const TONE = Buffer.alloc(160, 0x21);

interface Findings {
  readonly isGood: boolean;
  readonly checks: readonly { readonly isGood: boolean; readonly what: string; readonly advice?: string }[];
}

async function check(server: AgentServer, ...args: string[]) {
  const outcome = await run("agentCheck", ["--url", server.url, "--json", "--say", SPEECH, ...args]);
  assert.equal(outcome.stderr, "");
  const findings = lastLine(outcome) as Findings;
  const wrong = findings.checks.filter(({ isGood }) => !isGood).map(({ what }) => what);
  return { status: outcome.status, findings, wrong, stdout: outcome.stdout };
}

describe("checking an agent's server", { concurrency: 4 }, () => {
  it("finds nothing wrong with one that says back what it hears and begins anew when interrupted", async () => {
    const ready = { type: "ready", hears: { encoding: "pcm16", rate_hz: 16_000, message_ms: 40 } };
    const server = await AgentServer.start({ ready: { ...ready, resume_id: "s-1" } });
    server.onAudio = (_audio, connection) => connection.say(Buffer.alloc(320, 0x21));
    server.onMessage = ({ type, number }, connection) => {
      if (type === "interrupted") connection.send({ type: "utterance_start", interruption: number });
    };
    const { status, wrong, stdout } = await check(server, "--secret", "a-secret");
    assert.deepEqual(wrong, []);
    assert.equal(status, 0);
    assert.match(stdout, /✓ it hears pcm16 at 16000 Hz in messages of 40 ms, and speaks mu-law at 8000 Hz/);
    assert.match(stdout, /✓ it stops when the caller speaks over it/);
    const [first, second] = server.connections;
    assert.equal(first!.request.headers.authorization, "Bearer a-secret");
    assert.ok(first!.audio.every(({ length }) => length === 1_280));
    assert.deepEqual(second!.all("resumed"), [
      { type: "resumed", lost: "socket", heard_ms: 1_000, resume_id: "s-1", away_ms: 200 },
    ]);
  });

  it("says of one that goes on after an interruption, and sends nonsense, what to do", async () => {
    const server = await AgentServer.start();
    server.onAudio = (_audio, connection) => connection.say(TONE);
    server.onMessage = ({ type }, connection) => {
      if (type === "dtmf") connection.send({ type: "transcript", role: "robot", text: "beep" });
    };
    const { status, wrong, stdout } = await check(server);
    assert.equal(status, 1);
    assert.deepEqual(wrong, [
      "after interrupted it goes on as if nothing had been",
      "not all that it sent is of the protocol: transcript.role must be caller or agent",
    ]);
    assert.match(stdout, /stop at interrupted, and send/);
  });

  it("takes a server's hanging up for what it is", async () => {
    const server = await AgentServer.start();
    let isSaid = false;
    server.onAudio = (_audio, connection) => {
      if (isSaid) return;
      isSaid = true;
      connection.say(TONE);
      connection.send({ type: "hang_up" });
    };
    const { status, stdout } = await check(server);
    assert.equal(status, 0);
    assert.match(stdout, /✓ it hangs up\n✓ it closes when the call has ended/);
    assert.equal(server.connections[0]!.all("ended")[0]!.reason, "agent_hung_up");
  });

  for (const [what, changes, wrong] of [
    ["says nothing at all", { ready: undefined }, /^it answers hello with ready: not within 3 s$/],
    [
      "is ready for what nobody has",
      { ready: { type: "ready", speaks: { encoding: "mp3" } } },
      /ready\.speaks\.encoding must be mulaw or pcm16/,
    ],
    ["wants a secret", { reception: 401 }, /^it accepts the connection: .*401/],
  ] as const) {
    it(`stops at one that ${what}`, async () => {
      const { status, findings, ...found } = await check(await AgentServer.start(changes));
      assert.equal(status, 1);
      assert.match(found.wrong[0]!, wrong);
      assert.ok(findings.checks.at(-1)!.advice);
    });
  }

  it("wants an address", async () => {
    for (const args of [
      [],
      ["--url", "http://127.0.0.1"],
      ["--url", "ws://127.0.0.1", "--say", "/nowhere.wav"],
    ]) {
      const { status, stderr } = await run("agentCheck", args);
      assert.equal(status, 2);
      assert.match(stderr, /^agent-check: /);
    }
  });
});

describe("the reading of the protocol's schema", () => {
  it("is the one that Ajv has", () => {
    const document = JSON.parse(readFileSync(SCHEMA, "utf8"));
    const ajv = new Ajv({ allowUnionTypes: true }).addSchema(document);
    const validate = ajv.getSchema("agent-protocol#/definitions/agent_to_gateway")!;
    const types = Object.values(
      document.definitions as Record<string, { properties?: { type: { const: string } } }>,
    );
    const type = fc.constantFrom(
      ...types.flatMap(({ properties }) => properties?.type.const ?? []),
      "nonsense",
    );
    const field = fc.constantFrom(
      "name",
      "role",
      "text",
      "id",
      "interruption",
      "when",
      "hears",
      "speaks",
      "resume_id",
    );
    const format = fc.record(
      {
        encoding: fc.constantFrom("mulaw", "pcm16", "mp3", null),
        rate_hz: fc.constantFrom(8_000, 16_000, 44_100, null),
        message_ms: fc.constantFrom(20, 30, null),
      },
      { requiredKeys: [] },
    );
    const value = fc.oneof(
      format,
      fc.string(),
      fc.constantFrom("agent", "heard", "a".repeat(64), "😀".repeat(65), null, 0, 1, -1, 1.5, true, [], {}),
    );
    fc.assert(
      fc.property(type, fc.dictionary(field, value, { maxKeys: 3 }), (type, fields) => {
        const message: unknown = JSON.parse(JSON.stringify({ ...fields, type }));
        assert.equal(messageProblem(message) === undefined, validate(message), JSON.stringify(message));
      }),
      { numRuns: 2_000 },
    );
  });
});
