// Calls whose agent is somebody's server: the protocol from the gateway's webhook to the caller's ear, every message
// held against the published schema.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import WebSocket from "ws";
import { encode } from "../../../src/twin/mulaw.ts";
import { type AgentConnection, AgentServer } from "../../support/agentServer.ts";
import { number, startStory, TEST_AGENT_NUMBER, workflow } from "../../support/gateway.ts";
import { recordOf } from "../../support/records.ts";
import { hasReturned, returned, returnedCodes } from "../../support/returned.ts";
import { RATE_HZ, tone, toneDb } from "../../support/sound.ts";
import { allFree, until } from "../../support/until.ts";

const SCHEMA = new URL("../../../docs/agent-protocol.schema.json", import.meta.url);
const EXAMPLE = fileURLToPath(new URL("../../../docs/examples/agentServer.ts", import.meta.url));
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true }).addSchema(
  JSON.parse(readFileSync(SCHEMA, "utf8")),
);

function assertOf(direction: "gateway_to_agent" | "agent_to_gateway", messages: readonly object[]): void {
  const validate = ajv.getSchema(`agent-protocol#/definitions/${direction}`)!;
  for (const message of messages)
    assert.ok(validate(message), `${JSON.stringify(message)}: ${ajv.errorsText(validate.errors)}`);
}

/** The example server in a process of its own; resolves with its address. */
async function startExample(): Promise<string> {
  const child = spawn(process.execPath, [EXAMPLE, "0"], { stdio: ["ignore", "pipe", "inherit"] });
  after(() => child.kill());
  const { promise, resolve } = Promise.withResolvers<string>();
  child.stdout.on("data", (chunk) => resolve(/ws:\S+/.exec(String(chunk))![0]));
  return promise;
}

const NUMBERS = { agent: "+12025550110", example: "+12025550111" };
const server = await AgentServer.start();
const AGENTS = [server.url, await startExample()];
const logged: string[] = [];
const story = await startStory({
  onLogLine: (line) => logged.push(line),
  env: { AGENT_PRIVATE_HOSTS: "127.0.0.1" },
  workflows: AGENTS.map((url, index) =>
    workflow(10 + index, { type: "websocket", url, interruption: "off", agent_secret: "a-secret" }),
  ),
  numbers: [number(NUMBERS.agent, 10), number(NUMBERS.example, 11)],
});

describe("a call whose agent is a server", () => {
  const dial = async (to: string) => {
    const call = await story.twilio.dial({ to });
    return { call, stream: await call.connect() };
  };
  let taken = 0;
  const nextConnection = (): Promise<AgentConnection> => server.connection(taken++);

  it("is answered in its own voice, bit for bit, and learns what was heard", async () => {
    const { call, stream } = await dial(NUMBERS.agent);
    const agent = await nextConnection();
    assert.equal(agent.request.headers.authorization, "Bearer a-secret");
    const { call: facts, resumed } = agent.hello as unknown as {
      call: Record<string, unknown>;
      resumed: boolean;
    };
    assert.deepEqual(
      [facts.call_sid, facts.to, facts.direction, resumed],
      [call.sid, NUMBERS.agent, "inbound", false],
    );

    const greeting = Buffer.from(encode(tone(440, 600)));
    agent.send({ type: "utterance_start", id: "greeting", text: "Good day" });
    for (let at = 0; at < greeting.length; at += 700) agent.say(greeting.subarray(at, at + 700));
    agent.send({ type: "utterance_end" });
    agent.send({ type: "mark", name: "greeted" });
    const mark = await agent.next("mark");
    assert.equal(mark.name, "greeted");
    assert.ok(Math.abs((mark.heard_ms as number) - 600) <= 20, `${mark.heard_ms} ms`);
    assert.deepEqual(returnedCodes(stream).subarray(0, greeting.length), greeting);

    const said = encode(tone(700, 400));
    stream.say(said);
    await until("the caller's voice", () =>
      Buffer.concat(agent.audio).includes(Buffer.from(said.subarray(0, 160))),
    );
    stream.press("4");
    assert.equal((await agent.next("dtmf")).digit, "4");

    agent.say(Buffer.from(encode(tone(440, 5_000))));
    await stream.hasPlayed(900);
    agent.send({ type: "clear" });
    const cut = await agent.next("interrupted");
    assert.equal(cut.by, "agent");
    assert.ok((cut.heard_ms as number) > 0 && (cut.heard_ms as number) < 4_900, `${cut.heard_ms} ms`);

    agent.send({ type: "utterance_start", id: "goodbye", text: "Goodbye" });
    agent.say(Buffer.from(encode(tone(880, 500))));
    agent.send({ type: "hang_up" });
    assert.equal((await call.ended).how, "agent");
    assert.equal((await agent.next("ended")).reason, "agent_hung_up");
    await until("the connection to be closed", () => agent.closed !== undefined);
    assert.equal(agent.closed!.code, 1_000);
    const goodbye = returned(stream).subarray(-0.4 * RATE_HZ, -0.1 * RATE_HZ);
    assert.ok(toneDb(goodbye, 880) > -14, "its last words were heard");
    assertOf("gateway_to_agent", agent.messages);
    await allFree(story);
  });

  it("goes on when its worker dies: the server finds its session by what it left behind", async () => {
    server.ready = { type: "ready", resume_id: "session-42" };
    // One of the two workers has both the call and the agent that ends its process.
    const callers = [await dial(NUMBERS.agent), await dial(NUMBERS.agent)];
    const agents = [await nextConnection(), await nextConnection()];
    for (const agent of agents) agent.say(Buffer.from(encode(tone(440, 500))));
    await Promise.all(callers.map(({ stream }) => hasReturned(stream, 500)));
    await Promise.all(callers.map(({ stream }) => stream.hasPlayed(450)));
    const killer = await dial(TEST_AGENT_NUMBER);
    killer.stream.press("7");
    const agent = await nextConnection();
    assert.equal(agent.hello!.resumed, true);
    const { heard_ms: heardMs, ...resumed } = await agent.next("resumed");
    assert.deepEqual(resumed, { type: "resumed", lost: "worker", resume_id: "session-42", away_ms: null });
    assert.ok((heardMs as number) >= 200 && (heardMs as number) <= 500, `${heardMs} ms`);
    const moved = agents.findIndex(({ closed }) => closed !== undefined);
    agent.say(Buffer.from(encode(tone(880, 500))));
    await hasReturned(callers[moved]!.stream, 1_000);
    assert.ok(toneDb(returned(callers[moved]!.stream).subarray(-0.4 * RATE_HZ), 880) > -14);
    assertOf("gateway_to_agent", [...agent.messages]);
    await Promise.all([...callers, killer].map(({ call }) => call.hangUp()));
    for (const each of [agent, agents[1 - moved]!])
      assert.equal((await each.next("ended")).reason, "caller_hung_up");
    await allFree(story);
  });

  it("fails before its stream is there when its server refuses it, and the log has the reason", async () => {
    server.reception = 403;
    const call = await story.twilio.dial({ to: NUMBERS.agent });
    await until("the call to fail", () => recordOf(story.gateway, call).outcome === "agent_failed");
    const why = /could not be reached: 127\.0\.0\.1 answered 403/;
    await until("the log to say why", () => logged.some((line) => why.test(line)));
    assert.ok(!logged.some((line) => line.includes("a-secret")));
    await call.hangUp();
    await allFree(story);
  });

  it("is greeted, repeated and hung up on by the example of the documentation", async () => {
    const { call, stream } = await dial(NUMBERS.example);
    await hasReturned(stream, 600);
    await stream.hasPlayed(580);
    const greeting = returned(stream);
    assert.ok(
      toneDb(greeting.subarray(800, 2_000), 660) > -16 && toneDb(greeting.subarray(3_200, 4_400), 880) > -16,
    );
    await until("the echo", () => returned(stream).length > greeting.length + 800);
    stream.say(tone(500, 600));
    await until(
      "the caller's voice to come back",
      () => toneDb(returned(stream).subarray(-1_600), 500) > -14,
    );
    stream.press("#");
    assert.equal((await call.ended).how, "agent");
    await allFree(story);
  });
});

describe("the example of the documentation", () => {
  it("speaks the protocol as its schema has it", async () => {
    const socket = new WebSocket(await startExample());
    const said: object[] = [];
    let audioBytes = 0;
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) audioBytes += data.length;
      else said.push(JSON.parse(data.toString()));
    });
    await new Promise((opened) => socket.once("open", opened));
    const say = (message: object) => socket.send(JSON.stringify(message));
    say({ type: "hello", version: 1, call: {}, resumed: false });
    await until("the greeting", () => said.some((message) => "name" in message));
    assert.equal(audioBytes, 2 * 300 * 8);
    say({
      type: "interrupted",
      by: "caller",
      utterance: "greeting",
      heard_ms: 40,
      heard_text: "",
      number: 1,
    });
    socket.send(Buffer.alloc(160));
    say({ type: "dtmf", digit: "#" });
    await until("it to hang up", () =>
      said.some((message) => "type" in message && message.type === "hang_up"),
    );
    assert.equal(audioBytes, 2 * 300 * 8 + 160);
    assertOf("agent_to_gateway", said);
    socket.close();
  });
});
