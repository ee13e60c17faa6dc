// What an agent's server may do on the line, what of it is not obeyed, and what happens when it sends too much or
// reads too little.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AgentServer } from "../../../../support/agentServer.ts";
import { until } from "../../../../support/until.ts";
import { startAgent } from "./rig.ts";

const TONE = Buffer.alloc(160, 0x21);
const CUT = { by: "caller", utterance: "u1", heardMs: 300, heardText: "Good" } as const;

async function talking(ready: object = {}) {
  const server = await AgentServer.start({ ready: { type: "ready", ...ready } });
  const rig = startAgent(server.url);
  await rig.does("ready");
  const { last: connection } = server;
  let marks = 0;
  /** Once everything sent before has been taken. */
  const taken = async () => {
    const name = `mark ${++marks}`;
    connection.send({ type: "transcript", role: "agent", text: name });
    await rig.does(`agent: ${name}`);
    rig.line.did.splice(rig.line.did.indexOf(`agent: ${name}`), 1);
    const answered = connection.pongs;
    connection.ping(); // its answer comes behind all the others
    await until("a pong", () => connection.pongs > answered);
  };
  rig.line.did.length = 0;
  return { ...rig, server, connection, taken };
}

describe("an agent on the line", () => {
  it("says utterances, marks, and all that the protocol has", async () => {
    const { line, agent, connection, taken } = await talking();
    connection.send({ type: "utterance_start", id: "u1", text: "Good day" });
    connection.say(TONE);
    connection.send({ type: "mark", name: "half" });
    connection.say(TONE.subarray(0, 7));
    connection.send({ type: "utterance_end", text: "Good day!" });
    connection.send({ type: "utterance_start" });
    connection.send({ type: "utterance_end" });
    connection.send({ type: "transcript", role: "caller", text: "Hello?" });
    connection.send({ type: "error", message: "the model is slow" });
    connection.send({ type: "hang_up", when: "now" });
    await taken();
    assert.deepEqual(line.did, [
      ...["begin u1 “Good day”", "mark half", "end “Good day!”", "begin utterance-1 “”", "end"],
      ...["caller: Hello?", "hang up now"],
    ]);
    assert.equal(line.saidBytes, 167);
    assert.deepEqual(line.told("agent_error"), [{ kind: "agent_error", text: "the model is slow" }]);
    agent.marked("half", 20.2);
    assert.deepEqual(await connection.next("mark"), { type: "mark", name: "half", heard_ms: 20 });
  });

  it("speaks pcm16 in samples", async () => {
    const { line, connection, taken } = await talking({ speaks: { encoding: "pcm16", rate_hz: 24_000 } });
    connection.say(Buffer.from([1, 0, 0xff, 0xff]));
    await taken();
    assert.deepEqual(
      line.said.map((audio) => [audio instanceof Int16Array, ...audio]),
      [[true, 1, -1]],
    );
  });

  it("is told what was heard when it says clear, and what follows is said", async () => {
    const { line, connection, taken } = await talking();
    connection.say(TONE);
    connection.send({ type: "clear" });
    connection.say(TONE);
    await taken();
    assert.deepEqual(line.did, ["clear"]);
    assert.equal(line.saidBytes, 320);
    assert.deepEqual(connection.all("interrupted"), [
      { type: "interrupted", by: "agent", utterance: "u1", heard_ms: 420, heard_text: "Hello", number: 0 },
    ]);
  });

  it("that gives up ends the call, and its reason is for the record alone", async () => {
    const { line, server, connection, does } = await talking();
    connection.send({ type: "error", message: "no model", fatal: true });
    await does("fail: the agent gave up");
    connection.close(1_011);
    await until("the connection to be gone", () => server.sockets === 0);
    assert.equal(line.did.length, 1); // no loss, and no new connection
    assert.ok(!line.failure!.includes("no model"));
    assert.deepEqual(line.told("agent_error"), [{ kind: "agent_error", text: "no model" }]);
  });
});

describe("an agent that the caller interrupts", () => {
  it("is told so, and nothing that still comes of the cut utterance is said", async () => {
    const { line, agent, connection, taken } = await talking();
    connection.send({ type: "utterance_start", id: "u1" });
    connection.say(TONE);
    await taken();
    agent.interrupted(CUT);
    assert.deepEqual(await connection.next("interrupted"), {
      ...{ type: "interrupted", by: "caller", utterance: "u1", heard_ms: 300, heard_text: "Good", number: 1 },
    });
    for (let n = 0; n < 10; n++) connection.say(TONE);
    connection.send({ type: "mark", name: "never heard" });
    connection.send({ type: "utterance_end" });
    // Written before it knew: it says which interruptions it knew of.
    connection.send({ type: "utterance_start", id: "u2", interruption: 0 });
    connection.say(TONE);
    connection.send({ type: "utterance_end" });
    connection.send({ type: "utterance_start", id: "u3", interruption: 1 });
    connection.say(TONE);
    await taken();
    assert.deepEqual(line.did, ["begin u1 “”", "begin u3 “”"]);
    assert.equal(line.saidBytes, 320);
    line.pass(1_000);
    const stale = () => line.told("agent_refused").reduce((sum, { count }) => sum + count, 0);
    await until("the stale audio to be told of, in sums", () => stale() === 11);
    assert.ok(line.told("agent_refused").every(({ what }) => what === "stale_audio"));
  });

  it("and names no utterances is heard again after a second's pause", async () => {
    const { line, agent, connection, taken } = await talking();
    agent.interrupted({ ...CUT, utterance: undefined });
    connection.say(TONE);
    await taken();
    assert.equal(line.saidBytes, 0);
    line.pass(1_000);
    connection.say(TONE);
    await taken();
    assert.equal(line.saidBytes, 160);
  });
});

describe("what an agent says that is not obeyed", () => {
  it("is answered with the reason, told of in sums, and changes nothing", async () => {
    const { line, connection, taken } = await talking({ speaks: { encoding: "pcm16", rate_hz: 8_000 } });
    connection.sendText("hello?");
    connection.send({ type: "sing", song: "…" });
    connection.send({ type: "mark" });
    connection.say(Buffer.alloc(3));
    connection.send({ type: "send_digits", digits: "12" });
    connection.send({ type: "transfer", to: "+12025550123" });
    connection.send({ type: "ready" });
    await taken();
    assert.deepEqual(line.did, []);
    assert.equal(line.saidBytes, 0);
    assert.deepEqual(
      connection.all("error").map(({ code, in_reply_to }) => [code, in_reply_to]),
      [
        ...[
          ["malformed", null],
          ["malformed", "sing"],
          ["malformed", "mark"],
          ["malformed", "audio"],
        ],
        ...[
          ["not_supported", "send_digits"],
          ["not_supported", "transfer"],
          ["malformed", "ready"],
        ],
      ],
    );
    line.pass(1_000);
    await until(
      "all to be told of",
      () => line.told("agent_refused").reduce((sum, { count }) => sum + count, 0) === 7,
    );
  });

  it("is answered no more often than ten times a second", async () => {
    const { connection, taken } = await talking();
    for (let n = 0; n < 200; n++) connection.sendText("nonsense");
    await taken();
    const answered = connection.all("error").length;
    assert.ok(answered >= 20 && answered < 60, `${answered} answers`);
  });
});

describe("an agent that sends anything at all", () => {
  it("reaches the line only with what the protocol has", async () => {
    const { line, connection, taken } = await talking({ speaks: { encoding: "pcm16", rate_hz: 8_000 } });
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .record({ type: fc.constantFrom("mark", "utterance_start", "clear", "ready"), name: fc.jsonValue() })
        .map((each) => JSON.stringify(each)),
    );
    const message = fc.oneof(text, fc.uint8Array({ maxLength: 400 }));
    const seed = Date.now() & 0x7fffffff;
    for (const [index, each] of fc.sample(message, { numRuns: 4_000, seed }).entries()) {
      if (typeof each === "string") connection.sendText(each);
      else connection.say(each);
      line.pass(15); // no more text than an agent may send
      line.queuedMs = 0;
      if (index % 20 === 0) await taken();
    }
    await until("all to be told of", () =>
      line.told("agent_refused").some(({ what }) => what === "malformed"),
    );
    assert.ok(
      line.said.every((audio) => audio instanceof Int16Array),
      `seed ${seed}`,
    );
    for (const did of line.did)
      assert.match(did, /^(mark .{1,64}|begin utterance-\d+ “”|clear)$/su, `seed ${seed}`);
    assert.ok(line.did.length > 0);
  });
});

describe("an agent that sends too much", () => {
  it("text: is told so, cut off, and the call fails", async () => {
    const { line, connection, does } = await talking();
    for (let n = 0; n < 1_000; n++) connection.send({ type: "mark", name: "m" });
    await does("fail: its server sends more than 100 messages a second");
    assert.equal((await connection.next("error")).code, "too_many");
    await until("the connection to be closed", () => connection.closed !== undefined);
    assert.equal(connection.closed!.code, 1_008);
    assert.ok(line.did.length < 400, `${line.did.length} marks`);
  });

  it("a message longer than any may be: is cut off, and found again", async () => {
    const { connection, server, line } = await talking();
    connection.say(Buffer.alloc(256 * 1_024 + 1));
    await server.connection(1);
    assert.equal(line.told("agent_dropped").length <= 1, true);
    assert.equal(line.saidBytes, 0);
  });

  it("audio: is read no further than thirty seconds ahead, and loses nothing", async () => {
    const { line, connection, does } = await talking();
    connection.flood(80);
    connection.send({ type: "hang_up" });
    await until("the line to be full", () => line.told("agent_paused").length === 1);
    let mostMs = 0;
    const player = setInterval(() => {
      mostMs = Math.max(mostMs, line.queuedMs);
      line.queuedMs = Math.max(0, line.queuedMs - 1_000);
    }, 2);
    await does("hang up heard");
    clearInterval(player);
    assert.equal(line.saidBytes, 80 * 8_000);
    assert.ok(mostMs <= 30_000, `${mostMs} ms queued`);
    const pauses = line.told("agent_paused").length;
    assert.ok(pauses >= 1 && pauses <= 20, `${pauses} pauses`);
    assert.equal(line.told("agent_behind").length, 0);
  });

  it("audio: is read at once when the caller interrupts, so that what is new comes through", async () => {
    const { line, agent, connection, does } = await talking();
    connection.send({ type: "utterance_start", id: "u1" });
    connection.flood(90);
    await until("the line to be full", () => line.told("agent_paused").length === 1);
    line.queuedMs = 0;
    agent.interrupted(CUT);
    await connection.next("interrupted");
    connection.send({ type: "utterance_start", id: "u2", interruption: 1 });
    connection.say(TONE);
    await does("begin u2");
    await until("the new audio", () => line.queuedMs === 20);
    assert.equal(line.failure, undefined);
    assert.ok(line.saidBytes <= 30 * 8_000 + 160);
  });
});

describe("an agent that pings", () => {
  it("is answered, and treated as one that sends text", async () => {
    const { line, connection } = await talking();
    let pings = 0;
    while (line.failure === undefined) {
      for (let n = 0; n < 20; n++) connection.ping();
      pings += 20;
      await until("an answer", () => connection.pongs === pings || line.failure !== undefined);
    }
    assert.match(line.failure, /its server sends more than 100 messages a second/);
    assert.ok(pings >= 300 && pings < 2_000, `${pings} pings`);
  });
});

describe("an agent that reads too little", () => {
  it("is not blamed for a time in which the gateway itself stood still", async () => {
    const { line, connection, elapse, taken } = await talking();
    connection.stopReading();
    elapse(600); // a ping is sent
    line.pass(60_000);
    elapse(100);
    connection.listen();
    await taken();
    assert.deepEqual(line.did, []);
    assert.deepEqual(line.told("agent_behind"), []);
  });

  it("gets no more audio until it has caught up", async () => {
    const { line, agent, connection, does, elapse } = await talking();
    connection.stopReading();
    elapse(2_600); // the first ping goes out after half a second
    await does("hold");
    assert.equal(line.told("agent_behind").length, 1);
    agent.hear(TONE);
    connection.listen();
    await does("ready mulaw/8000 mulaw/8000");
    agent.hear(TONE);
    await until("audio again", () => connection.audioBytes === 160);
  });

  it("is lost after five seconds", async () => {
    const { line, connection, server, does, elapse } = await talking();
    connection.stopReading();
    elapse(5_600);
    await server.connection(1);
    await does("ready");
    assert.equal(line.told("agent_dropped")[0]!.result, "reconnected");
  });

  it("gets no more audio while two seconds of it can't be sent", async () => {
    const { line, agent, connection, does } = await talking({
      hears: { encoding: "pcm16", rate_hz: 24_000 },
    });
    connection.stopReading();
    const frame = new Int16Array(480);
    // The kernels take some megabytes before the process has to keep any.
    for (let n = 0; n < 20_000 && !line.did.includes("hold"); n++) {
      agent.hear(frame);
      if (n % 50 === 0) agent.tick!(line.nowMs());
    }
    assert.ok(line.did.includes("hold"));
    assert.equal(line.told("agent_behind").length, 1);
    connection.listen();
    await does("ready");
  });
});
