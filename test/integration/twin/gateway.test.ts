// The exchange and a real gateway: what Twilio keeps at a number brings the caller to the agent.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { VOICE_PATH } from "../../../src/twin/call.ts";
import { Exchange } from "../../../src/twin/exchange/exchange.ts";
import { ACCOUNT_SID, AUTH_TOKEN, ECHO_NUMBER, startStory } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";

describe("a call to a number of the exchange", () => {
  it("is answered by a real gateway's agent, and ended by the caller once it is quiet", async () => {
    const { origin, gateway } = await startStory();
    const base = gateway.settings.publicBase.href.replace(/\/$/, "");
    const exchange = await Exchange.start({
      accounts: [{ accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN, numbers: [ECHO_NUMBER] }],
      publicBase: base,
      gatewayBase: origin,
    });
    after(() => exchange.close());
    const { settings } = exchange.accounts[0]!.numbers[0]!;
    settings.VoiceUrl = `${base}${VOICE_PATH}#rc=2&rp=ct,rt,5xx&ct=2000&rt=4000`;
    const call = exchange.phone({ to: ECHO_NUMBER }, { says: "question", quietMs: 1_500 });
    await until("the call's end", () => call.end !== undefined, 30_000);
    assert.deepEqual(call.end, { how: "caller", status: "completed", reason: "" });
    assert.ok(call.stream!.playedMs > 1_000, `${call.stream!.playedMs} ms of echo`);
    assert.deepEqual(call.complaints, []);
  });
});
