// What the log must never hold, whatever happens to calls: secrets, numbers, keys pressed, and who it was.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { VOICE_PATH } from "../../../src/twin/call.ts";
import { sign } from "../../../src/twin/signature.ts";
import { WRONG_SIGNATURE } from "../../../src/twin/webhook.ts";
import { AUTH_TOKEN, ECHO_NUMBER, startStory, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { tone } from "../../support/sound.ts";
import { until } from "../../support/until.ts";

const PUBLIC_BASE_URL = "https://gw.example.com";
const FROM = "+14155550167";
const UNKNOWN = "+12025550188";
const WHO = {
  CallerName: "CANARY CALLER",
  ForwardedFrom: "+12025550189",
  StirVerstat: "TN-Validation-Canary",
};
const METRICS_TOKEN = "the canary of Prometheus";

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

describe("the log", () => {
  it("tells of good and bad calls, without a secret, a number, a key or a name", async () => {
    const lines: string[] = [];
    const story = await startStory({
      env: { PUBLIC_BASE_URL, HOST: "127.0.0.1", METRICS_TOKEN },
      onLogLine: (line) => lines.push(line),
    });
    const { gateway, twilio, origin } = story;
    const dial = { from: FROM, params: WHO };
    const canaries = [AUTH_TOKEN, METRICS_TOKEN, ...Object.values(WHO)];

    const echoed = await twilio.dial({ ...dial, to: ECHO_NUMBER });
    const stream = await echoed.connect();
    stream.say(tone(440, 200));
    for (const key of "9137*#") stream.press(key);
    await stream.hasPlayed(300);
    const token = new URL(stream.facts.publicUrl).pathname.replace("/media/", "");
    const { publicUrl } = stream.facts;
    canaries.push(token, ...token.split("."), sign(AUTH_TOKEN, publicUrl), sign(AUTH_TOKEN, `${publicUrl}/`));
    canaries.push(sign(AUTH_TOKEN, PUBLIC_BASE_URL + VOICE_PATH, echoed.params));
    await echoed.hangUp();

    // An agent that hangs up, one that throws, one that throws later, one that fails, and one that kills its worker.
    for (const key of ["3", "4", "5", "9"]) {
      const call = await twilio.dial({ ...dial, to: TEST_AGENT_NUMBER });
      (await call.connect()).press(key);
      await call.ended;
    }
    const moved = await twilio.dial({ ...dial, to: TEST_AGENT_NUMBER });
    (await moved.connect()).press("7");
    const MOVED = "call moved to another worker";
    await until("the call to move", () => lines.some((line) => line.includes(MOVED)));
    await moved.hangUp();

    const silenced = await twilio.dial({ ...dial, to: ECHO_NUMBER });
    const refusing = await silenced.connect({ automatic: false });
    refusing.press("9");
    await silenced.ended;

    await twilio.dial({ ...dial, to: UNKNOWN });
    await twilio.dial({ ...dial, to: ECHO_NUMBER, signing: WRONG_SIGNATURE });
    canaries.push((WRONG_SIGNATURE as { forged: string }).forged);
    const streamBase = PUBLIC_BASE_URL.replace("https", "wss");
    for (const path of [token, `${token}x`, "canary-token"])
      await twilio.openStream({ url: `${streamBase}/media/${path}` }).ended;
    canaries.push("canary-token");
    await fetch(`${origin}${VOICE_PATH}?From=${encodeURIComponent(FROM)}&AuthToken=${AUTH_TOKEN}`);
    await fetch(`${origin}/metrics`, { headers: { Authorization: `Bearer ${METRICS_TOKEN}x` } });
    await until("all calls to be over", () => gateway.calls.size === 0);

    const read = lines.map((line) => JSON.parse(line) as Line);
    const outcomes = read.flatMap(({ outcome }) => (outcome === undefined ? [] : [outcome])).sort();
    assert.deepEqual(outcomes, [
      ...["agent_failed", "agent_hung_up", "call_error", "call_error", "caller_hung_up"],
      ...["caller_hung_up", "no_stream", "number_unknown"],
    ]);
    for (const words of [
      "media upgrade refused",
      "stream broke the contract",
      `GET ${VOICE_PATH} was refused`,
    ])
      assert.ok(
        read.some(({ msg }) => msg === words),
        `it tells of: ${words}`,
      );

    const text = lines.join("");
    for (const canary of canaries) assert.ok(!text.includes(canary), `the log holds ${canary}`);
    for (const number of [FROM, UNKNOWN, ECHO_NUMBER, TEST_AGENT_NUMBER, WHO.ForwardedFrom])
      assert.ok(!text.includes(number.slice(1)), `the log holds ${number}`);
    for (const line of read) {
      for (const [field, value] of Object.entries(line)) {
        assert.doesNotMatch(field, /digit|dtmf/i);
        assert.ok(!/^[\d*#]$/.test(String(value)) || typeof value === "number", `${field} is ${value}`);
      }
    }
  });
});
