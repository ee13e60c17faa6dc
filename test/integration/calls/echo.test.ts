// The story everything else stands on: someone calls, speaks, and hears themselves.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ECHO_NUMBER, startStory } from "../../support/gateway.ts";

describe("a call to the echo workflow", () => {
  it("is answered, heard, and ended by the caller, once", async () => {
    const { gateway, twilio, held } = await startStory();
    const call = await twilio.dial({ to: ECHO_NUMBER });
    assert.equal(call.webhook?.status, 200);
    const stream = await call.connect();
    stream.say(Int16Array.from({ length: 8_000 }, (_, n) => Math.round(8_000 * Math.sin(n / 3))));
    await stream.hasPlayed(1_000);
    const end = await call.hangUp();
    assert.equal(end.how, "caller");
    assert.deepEqual(call.complaints, []);
    const [record] = [gateway.records.find(call.sid as never)];
    assert.equal(record?.outcome, "caller_hung_up");
    assert.equal(held().calls, 0);
  });
});
