// An exception in one call's code ends that call and no other, whenever and however it is thrown.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { counted } from "../../support/counts.ts";
import { ECHO_NUMBER, startStory, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { isReleased, recordOf } from "../../support/records.ts";
import { hasReturned, returned } from "../../support/returned.ts";
import { FRAME, tone, toneDb } from "../../support/sound.ts";
import { until } from "../../support/until.ts";

const lines: string[] = [];
// One worker, so that every call shares it with the one that fails.
const { gateway, twilio, held } = await startStory({
  env: { MEDIA_WORKERS: "1" },
  onLogLine: (line) => lines.push(line),
});

const FAILURES = [
  ["4", "is thrown while a key is handled", "the test agent was told to throw"],
  ["5", "is thrown later, in something the agent had waited for", "the test agent was told to throw later"],
  ["6", "is the reason of a promise that nobody looks at", "the test agent was told to reject"],
] as const;

describe("an exception in a call's code", { concurrency: true }, () => {
  for (const [key, when, message] of FAILURES) {
    it(`that ${when} ends this call alone`, async () => {
      const others = await Promise.all([ECHO_NUMBER, TEST_AGENT_NUMBER].map((to) => twilio.dial({ to })));
      const [echo, agent] = await Promise.all(others.map((call) => call.connect()));
      echo!.say(tone(650, 5_000));
      await hasReturned(echo!, 100);
      const call = await twilio.dial({ to: TEST_AGENT_NUMBER });
      const stream = await call.connect();
      stream.press(key);
      assert.equal((await call.ended).how, "failed");
      assert.equal(recordOf(gateway, call).outcome, "call_error");
      const documents = call.timeline.events.filter((event) => event.kind === "twiml");
      assert.deepEqual(
        documents.at(-1)!.verbs.map(({ verb }) => verb),
        ["Say", "Hangup"],
      );
      const told = lines.filter((line) => line.includes(call.sid) && line.includes("call ended by an error"));
      assert.equal(told.length, 1);
      assert.ok(JSON.parse(told[0]!).error.startsWith(`Error: ${message}\n`), told[0]);

      agent!.press("1");
      await hasReturned(agent!, 1_000);
      const heard = returned(echo!);
      for (let at = 5 * FRAME; at + FRAME <= heard.length; at += FRAME)
        assert.ok(toneDb(heard.subarray(at, at + FRAME), 650) > -14, `the echo has a hole at ${at / 8} ms`);
      await Promise.all(others.map((other) => other.hangUp()));
      for (const other of others) {
        await isReleased(gateway, other);
        assert.equal(recordOf(gateway, other).outcome, "caller_hung_up");
      }
    });
  }
});

describe("every such exception", () => {
  it("is counted, blamed on its call, and kills nobody", async () => {
    assert.equal(await counted(gateway, "call_errors_total"), FAILURES.length);
    assert.equal(await counted(gateway, "stray_errors_total"), 0);
    assert.equal(await counted(gateway, "worker_deaths_total"), 0);
    await until("everything to be free", () => Object.values(held()).every((value) => Number(value) === 0));
  });
});
