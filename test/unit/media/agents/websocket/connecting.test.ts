// How an agent's server is found, and found again: real sockets, and every way a server can fail to answer.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Breaker } from "../../../../../src/media/agents/websocket/breaker.ts";
import { AgentServer } from "../../../../support/agentServer.ts";
import { until } from "../../../../support/until.ts";
import { startAgent } from "./rig.ts";

const failures = ({ line }: ReturnType<typeof startAgent>) =>
  line.told("agent_connect_failed").map(({ failure }) => failure);

describe("a call's first connection", { concurrency: true }, () => {
  it("says who calls, and lets audio flow once the server is ready", async () => {
    const server = await AgentServer.start({
      ready: {
        type: "ready",
        hears: { encoding: "pcm16", rate_hz: 16_000, message_ms: 40 },
        resume_id: "session-1",
      },
    });
    const { line, agent, does } = startAgent(server.url, { settings: { agent_secret: "the-secret" } });
    agent.dtmf("5"); // pressed before anyone is there
    const connection = await server.connection();
    await does("ready pcm16/16000 mulaw/8000");
    assert.equal(connection.request.headers.authorization, "Bearer the-secret");
    assert.equal(connection.request.headers["sec-websocket-extensions"], undefined);
    assert.deepEqual(connection.hello, {
      type: "hello",
      version: 1,
      call: {
        run_id: 7,
        call_sid: "CA0123456789abcdef0123456789abcdef",
        account_sid: "AC0123456789abcdef0123456789abcdef",
        direction: "inbound",
        from: "+14155550142",
        to: "+12025550100",
        workflow: { id: 3, name: "Reception", version: 2 },
        variables: { company: "Example" },
        parameters: { customer: 17 },
      },
      resumed: false,
    });
    assert.equal(line.did[0], "leave behind session-1");
    const [connected] = line.told("agent_connected");
    assert.deepEqual(
      { ...connected, tookMs: 0 },
      {
        ...{ kind: "agent_connected", tookMs: 0, tries: 1, isResumed: false },
        ...{ hears: "pcm16/16000", speaks: "mulaw/8000", path: "mixed" },
      },
    );
    assert.equal((await connection.next("dtmf")).digit, "5");
    for (let n = 1; n <= 4; n++) agent.hear(new Int16Array(320).fill(n));
    await until("two messages of audio", () => connection.audio.length === 2);
    assert.equal(connection.audio[0]!.length, 1_280);
    assert.deepEqual(
      [0, 640, 1_278].map((at) => connection.audio[1]!.readInt16LE(at)),
      [3, 4, 4],
    );
  });

  it("ends with the call: the server is told why, and the socket closed", async () => {
    const server = await AgentServer.start();
    const { does, end } = startAgent(server.url);
    await does("ready");
    end("max_duration");
    const connection = server.last;
    assert.deepEqual(await connection.next("ended"), { type: "ended", reason: "max_duration" });
    await until("the connection to be closed", () => connection.closed !== undefined);
    assert.equal(connection.closed!.code, 1_000);
  });

  it("is cut when the server doesn't close in its turn", async () => {
    const server = await AgentServer.start();
    const { does, end } = startAgent(server.url);
    await does("ready");
    server.last.stopReading();
    const sinceMs = performance.now();
    end();
    await until("the connection to be cut", () => {
      server.last.sendText("still there?"); // who reads nothing learns of it by writing
      return server.sockets === 0;
    });
    const tookMs = performance.now() - sinceMs;
    assert.ok(tookMs > 1_900 && tookMs < 8_000, `cut after ${tookMs} ms`);
  });

  it("is tried again with growing pauses while the server can't be reached", async () => {
    const server = await AgentServer.start();
    await server.stop();
    const rig = startAgent(server.url);
    await until("two failures", () => failures(rig).length >= 2);
    await server.listen();
    await rig.does("ready");
    assert.ok(failures(rig).every((failure) => failure === "refused"));
    assert.equal(rig.line.told("agent_connected")[0]!.tries, failures(rig).length + 1);
  });

  it("is given up after three seconds, with the reason in words", async () => {
    const server = await AgentServer.start({ reception: 503 });
    const rig = startAgent(server.url);
    await rig.does("fail: the agent's server could not be reached: 127.0.0.1 answered 503, and no WebSocket");
    assert.equal(server.tries, 5);
    assert.deepEqual(failures(rig), Array(5).fill("status"));
  });

  for (const status of [401, 403, 404, 302, 200]) {
    it(`is not tried again after a ${status}`, async () => {
      const server = await AgentServer.start({ reception: status });
      const rig = startAgent(server.url);
      await rig.does(`fail: the agent's server could not be reached: 127.0.0.1 answered ${status}`);
      assert.equal(server.tries, 1);
    });
  }

  it("is given up when the server never answers, and when it never says ready", async () => {
    const mute = await AgentServer.start({ reception: "ignore" });
    const unready = await AgentServer.start({ ready: undefined });
    const [first, second] = [startAgent(mute.url), startAgent(unready.url)];
    await until("both to be dialled", () => mute.tries === 1 && unready.last.hello !== undefined);
    first.elapse(3_000);
    second.elapse(3_000);
    await first.does("fail: the agent's server could not be reached: 127.0.0.1 did not answer in time");
    await second.does(
      "fail: the agent's server could not be reached: 127.0.0.1 is connected, but did not say ready",
    );
    assert.deepEqual([failures(first), failures(second)], [["timeout"], ["timeout"]]);
    await until("the connections to be gone", () => mute.sockets + unready.sockets === 0);
  });

  it("is not that of a server whose ready can't be understood", async () => {
    const server = await AgentServer.start({ ready: { type: "ready", speaks: { encoding: "opus" } } });
    const rig = startAgent(server.url);
    await rig.does(
      "fail: the agent's server could not be reached: 127.0.0.1: its ready was not understood: speaks.encoding must be mulaw or pcm16",
    );
    assert.deepEqual(failures(rig), ["protocol"]);
    assert.equal((await server.last.next("error")).code, "malformed");
  });

  it("comes to nothing with a server that closes or cuts it before it is ready", async () => {
    const server = await AgentServer.start({ ready: undefined });
    const rig = startAgent(server.url);
    (await server.connection()).close(1_000);
    server.reception = "cut";
    await rig.does("fail: ");
    assert.deepEqual(failures(rig), Array(5).fill("closed"));
  });

  it("takes no audio and no other message before ready, and says so once", async () => {
    const server = await AgentServer.start({ ready: undefined });
    const { line, does } = startAgent(server.url);
    const early = () =>
      line.told("agent_refused").reduce((sum, { what, count }) => sum + (what === "early" ? count : 0), 0);
    const connection = await server.connection();
    connection.say(Buffer.alloc(160));
    connection.send({ type: "clear" });
    connection.send({ type: "ready" });
    await does("ready");
    line.pass(1_000); // they are told in sums
    await until("both early messages to be told of", () => early() === 2);
    await connection.next("error");
    assert.deepEqual(connection.all("error"), [
      { type: "error", code: "early", message: "ready comes first", in_reply_to: "audio" },
    ]);
    assert.equal(line.saidBytes, 0);
  });

  it("goes nowhere that a server sends it, and its secret neither", async () => {
    const elsewhere = await AgentServer.start();
    for (const status of [301, 302, 307, 308]) {
      const server = await AgentServer.start({ reception: status });
      server.location = elsewhere.url;
      const rig = startAgent(server.url, { settings: { agent_secret: "s-3" } });
      await rig.does("fail: the agent's server could not be reached");
      assert.deepEqual([failures(rig), server.tries], [["status"], 1]);
    }
    assert.equal(elsewhere.tries, 0);
  });

  it("is told of the newest of what has happened meanwhile, and of no more than it may be", async () => {
    const server = await AgentServer.start();
    const { agent, line } = startAgent(server.url);
    for (let n = 0; n < 100; n++) agent.marked(`mark-${n}`, 0);
    await until("it to be ready", () => line.did.some((did) => did.startsWith("ready")));
    await until("the newest", () => server.last.all("mark").at(-1)?.name === "mark-99");
    assert.equal(server.last.all("mark").length, 64);
  });

  it("is not even tried while a server fails again and again", async () => {
    const server = await AgentServer.start({ reception: 500 });
    const breaker = new Breaker();
    const rigs = Array.from({ length: 5 }, () => startAgent(server.url, { tools: { breaker } }));
    await until("five failures", () => server.tries >= 5);
    await until("each to be told", () => rigs.every((rig) => failures(rig).length > 0));
    const probe = startAgent(server.url, { tools: { breaker } });
    const refused = startAgent(server.url, { tools: { breaker } });
    await refused.does("fail: the agent's server could not be reached: 127.0.0.1 has failed again and again");
    assert.deepEqual(failures(refused), ["breaker"]);
    server.reception = "accept";
    const elsewhere = startAgent(`${server.url}/another`, { tools: { breaker } });
    await elsewhere.does("ready"); // another workflow's, which has done nothing
    await probe.does("ready");
  });
});

describe("a connection that is lost in mid-call", { concurrency: true }, () => {
  it("is found again: the call holds, and the server is told what was heard", async () => {
    const server = await AgentServer.start({ ready: { type: "ready", resume_id: "s-9" } });
    const { line, agent, does } = startAgent(server.url);
    await does("ready");
    line.heardMs = 1_234.4;
    server.last.die();
    await does("hold");
    agent.dtmf("7");
    const connection = await server.connection(1);
    await until("the call to go on", () => line.did.filter((did) => did.startsWith("ready")).length === 2);
    assert.equal(connection.hello!.resumed, true);
    assert.deepEqual(connection.messages.map(({ type }) => type).slice(0, 2), ["hello", "resumed"]);
    const { away_ms: awayMs, ...resumed } = await connection.next("resumed");
    assert.deepEqual(resumed, { type: "resumed", lost: "socket", heard_ms: 1_234, resume_id: "s-9" });
    assert.ok((awayMs as number) < 2_000, `${awayMs} ms away`);
    assert.equal((await connection.next("dtmf")).digit, "7");
    const [dropped] = line.told("agent_dropped");
    assert.deepEqual(
      { ...dropped, awayMs: 0 },
      { kind: "agent_dropped", code: 1_006, result: "reconnected", awayMs: 0 },
    );
  });

  for (const code of [1_001, 1_011, 1_012, 4_000]) {
    it(`is lost when the server closes it with ${code}`, async () => {
      const server = await AgentServer.start();
      const { does } = startAgent(server.url);
      await does("ready");
      server.last.close(code);
      assert.equal((await server.connection(1)).hello!.resumed, true);
    });
  }

  it("has the server's word for it in the call's record, and in no text for the log", async () => {
    const server = await AgentServer.start();
    const { line, does } = startAgent(server.url);
    for (const times of [1, 2]) {
      await until("it to be ready", () => line.did.filter((did) => did.startsWith("ready")).length === times);
      server.last.close(4_000, "+14155550142 said no");
    }
    await does("fail: 127.0.0.1 closed the connection (4000), for the second time within 10 s");
    const word = { kind: "agent_error", text: "+14155550142 said no" } as const;
    assert.deepEqual(line.told("agent_error"), [word, word]);
  });

  it("ends the call when it is not found within two seconds", async () => {
    const server = await AgentServer.start();
    const rig = startAgent(server.url);
    await rig.does("ready");
    await server.stop();
    await rig.does("fail: 127.0.0.1 closed the connection (1006), and could not be reached again");
    assert.deepEqual(failures(rig), Array(4).fill("refused"));
    assert.equal(rig.line.told("agent_dropped")[0]!.result, "failed");
  });

  it("ends the call when it is lost again within ten seconds, and not when that is later", async () => {
    const server = await AgentServer.start();
    const { line, does } = startAgent(server.url);
    for (let number = 0; number < 3; number++) {
      await server.connection(number);
      await until(
        "the call to go on",
        () => line.did.filter((did) => did.startsWith("ready")).length === number + 1,
      );
      line.pass(10_000);
      server.last.die();
    }
    await server.connection(3);
    assert.equal(line.failure, undefined);
    server.last.die();
    await does("fail: 127.0.0.1 closed the connection (1006), for the second time within 10 s");
    assert.equal(line.told("agent_dropped").at(-1)!.result, "failed");
  });

  it("is no loss when the server closes in good order: the call ends once all is heard", async () => {
    const server = await AgentServer.start();
    const { line, does } = startAgent(server.url);
    await does("ready");
    server.last.flood(40);
    server.last.close();
    await until("the line to be full", () => line.queuedMs > 25_000);
    assert.ok(!line.did.includes("hang up heard"));
    line.queuedMs = 0;
    await does("hang up heard");
    assert.equal(line.saidBytes, 40 * 8_000);
    assert.equal(server.tries, 1);
  });

  it("is no loss after the agent has hung up", async () => {
    const server = await AgentServer.start();
    const { line, does } = startAgent(server.url);
    await does("ready");
    server.last.send({ type: "hang_up" });
    await does("hang up heard");
    server.last.die();
    await until("the connection to be gone", () => server.sockets === 0);
    assert.deepEqual(line.did.slice(1), ["hang up heard"]);
  });
});

describe("an agent that takes over from a dead worker's", () => {
  it("is told what was heard, and by what name the session was left behind", async () => {
    const server = await AgentServer.start();
    const resumed = { heardMs: 4_200, resumeId: "s-1" };
    const { line, does } = startAgent(server.url, { facts: { resumed } });
    await does("ready");
    const connection = server.last;
    assert.equal(connection.hello!.resumed, true);
    assert.deepEqual(await connection.next("resumed"), {
      ...{ type: "resumed", lost: "worker", heard_ms: 4_200, resume_id: "s-1", away_ms: null },
    });
    assert.equal(line.told("agent_connected")[0]!.isResumed, true);
  });
});
