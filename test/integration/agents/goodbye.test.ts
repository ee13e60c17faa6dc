// How a call with a WebSocket agent comes to its end by the agent's will: heard to the last sample, at once, or because
// its server closes in good order. Nothing is heard after it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  codes,
  connectionOf,
  farewell,
  recordAfter,
  startAgentStory,
  told,
} from "../../support/agentStory.ts";
import { returnedCodes } from "../../support/returned.ts";
import { allFree, until } from "../../support/until.ts";

const story = await startAgentStory({ polite: {} });
const GOODBYE = codes(1_210, 5); // no whole number of frames

/** What the caller was sent: the goodbye, and the silence that fills its last frame. */
const HEARD = Buffer.concat([GOODBYE, Buffer.alloc(80, 0xff)]);

describe("a WebSocket agent says goodbye", { concurrency: true }, () => {
  it("and hangs up: the caller has heard its last sample before the stream closes, and nothing after it", async () => {
    const { call, stream, agent } = await story.talk("polite");
    agent.send({ type: "utterance_start", id: "goodbye", text: "Goodbye." });
    agent.say(GOODBYE);
    agent.send({ type: "hang_up", when: "heard" });
    for (let frame = 0; frame < 10; frame++) agent.say(codes(20, 9));
    const { how } = await call.ended;
    assert.equal(how, "agent");
    assert.ok(returnedCodes(stream).equals(HEARD));
    assert.equal(stream.playedMs, 1_220);
    const record = await recordAfter(story, call);
    assert.deepEqual([record.outcome, record.endedBy, record.heardMs], ["agent_hung_up", "agent", 1_220]);
    assert.deepEqual(
      told(record, "utterance").map(({ id, isInterrupted, heardText }) => [id, isInterrupted, heardText]),
      [["goodbye", false, "Goodbye."]],
    );
    assert.deepEqual(farewell(call), ["Hangup"]);
    assert.deepEqual(
      call.complaints.map(({ code }) => code),
      [31921],
    );
    await until("the agent's server to see the end", () => agent.closed !== undefined);
    assert.deepEqual(agent.messages.at(-1), { type: "ended", reason: "agent_hung_up" });
  });

  it("before the caller's stream is there, and is heard all the same", async () => {
    const call = await story.dial("polite");
    const agent = await connectionOf(story.servers.polite, call);
    agent.say(GOODBYE);
    agent.send({ type: "hang_up" });
    agent.say(codes(20, 9));
    const stream = await call.connect();
    await call.ended;
    assert.ok(returnedCodes(stream).equals(HEARD));
    assert.equal(stream.playedMs, 1_220);
    const record = await recordAfter(story, call);
    assert.deepEqual([record.outcome, record.heardMs], ["agent_hung_up", 1_220]);
    assert.deepEqual(farewell(call), ["Hangup"]);
  });

  it("and hangs up at once: what was not heard never is", async () => {
    const { call, stream, agent } = await story.talk("polite");
    agent.say(codes(10_000, 6));
    await stream.hasPlayed(300);
    agent.send({ type: "hang_up", when: "now" });
    await call.ended;
    assert.ok(stream.playedMs < 5_000, `${stream.playedMs} ms were played`);
    const record = await recordAfter(story, call);
    assert.equal(record.outcome, "agent_hung_up");
    assert.ok(Math.abs(record.heardMs - stream.playedMs) <= 4 * 40, `${record.heardMs} ms by the record`);
    assert.deepEqual(farewell(call), ["Hangup"]);
  });

  it("and its server closes with 1000: what it had said is heard first", async () => {
    const { call, stream, agent } = await story.talk("polite");
    agent.say(GOODBYE);
    agent.close(1_000, "done");
    const { how } = await call.ended;
    assert.equal(how, "agent");
    assert.ok(returnedCodes(stream).equals(HEARD));
    assert.equal(stream.playedMs, 1_220);
    const record = await recordAfter(story, call);
    assert.deepEqual([record.outcome, farewell(call)], ["agent_hung_up", ["Hangup"]]);
    assert.deepEqual(told(record, "agent_dropped"), []);
  });
});

describe("after all of them", () => {
  it("nothing is held", async () => {
    await allFree(story);
    await until("the agent's server to be alone", () => story.servers.polite.sockets === 0);
  });
});
