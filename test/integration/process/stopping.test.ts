// The program is told to stop: with nobody on the line, with callers who may finish, with callers who don't, and by
// someone who does not want to wait.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { demoAccount } from "../../../src/numbers/firstStart.ts";
import type { TwinCall } from "../../../src/twin/call.ts";
import { TwilioTwin } from "../../../src/twin/twin.ts";
import { type Environment, type RunningGateway, startGatewayProcess } from "../../support/process.ts";
import { tone } from "../../support/sound.ts";
import { until } from "../../support/until.ts";

interface Staged {
  readonly gateway: RunningGateway;
  readonly twilio: TwilioTwin;
  /** The demo number, answered by echo. */
  readonly to: string;
}

/** A gateway process with one worker, and its Twilio in this process. */
async function stage(t: TestContext, env: Environment = {}): Promise<Staged> {
  const gateway = await startGatewayProcess(t, { MEDIA_WORKERS: "1", ...env });
  const { phoneNumber: to, ...account } = demoAccount(gateway.databasePath);
  const twilio = new TwilioTwin({ ...account, publicBase: gateway.origin });
  t.after(() => twilio.close());
  return { gateway, twilio, to };
}

async function talk({ twilio, to }: Staged): Promise<TwinCall> {
  const call = await twilio.dial({ to });
  const stream = await call.connect();
  stream.say(tone(440, 600));
  await stream.hasPlayed(100);
  return call;
}

/** Sends a signal, and resolves once it has been seen. */
async function signal({ gateway }: Staged, name: NodeJS.Signals, words: RegExp): Promise<void> {
  gateway.program.signal(name);
  await gateway.program.wrote(words);
}

const DRAINING = /"msg":"draining: no new calls"/;

/** The log's lines that end calls. */
function outcomes(stdout: string): string[] {
  return [...stdout.matchAll(/"outcome":"(\w+)".*"msg":"call ended"/g)].map(([, outcome]) => outcome!);
}

describe("a program that is told to stop", { concurrency: true }, () => {
  it("ends at once when nobody is on the line", async (t) => {
    const { gateway } = await stage(t);
    const askedMs = performance.now();
    gateway.program.signal("SIGTERM");
    const { status, stderr } = await gateway.program.exited;
    const tookMs = performance.now() - askedMs;
    t.diagnostic(`gone after ${Math.round(tookMs)} ms`);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.ok(tookMs < 8_000);
  });

  it("takes no new call, lets those there are finish, and exits by itself", async (t) => {
    const staged = await stage(t);
    const { gateway, twilio, to } = staged;
    const talking = await talk(staged);
    const promised = await twilio.dial({ to });
    await signal(staged, "SIGTERM", DRAINING);

    const ready = await fetch(`${gateway.origin}/readyz`);
    assert.equal(ready.status, 503);
    assert.match(await ready.text(), /"refusal":"draining"/);
    assert.equal((await fetch(`${gateway.origin}/livez`)).status, 200);
    assert.match(await (await fetch(gateway.origin)).text(), /Shutting down.*2 calls/);
    const refused = await twilio.dial({ to });
    assert.match(refused.webhook!.body, /<Reject reason="busy"\/>/);

    const late = await promised.connect();
    late.say(tone(500, 300));
    await late.hasPlayed(400);
    const before = talking.stream!.playedMs;
    await talking.stream!.hasPlayed(before + 500);
    for (const call of [talking, promised]) {
      assert.equal((await call.hangUp()).how, "caller");
      await call.settled();
      assert.deepEqual(call.complaints, []);
    }
    const { status, stdout, stderr } = await gateway.program.exited;
    assert.deepEqual([status, stderr], [0, ""]);
    assert.deepEqual(outcomes(stdout), ["draining", "caller_hung_up", "caller_hung_up"]);
  });

  it("cuts those who have not finished in time, with a word to each, and says so by its exit status", async (t) => {
    const staged = await stage(t, { DRAIN_TIMEOUT_MS: "300" });
    const { gateway } = staged;
    const calls = [await talk(staged), await talk(staged)];
    await signal(staged, "SIGTERM", DRAINING);
    for (const call of calls) {
      const end = await call.stream!.ended;
      assert.deepEqual([end.by, end.code], ["gateway", 1001]);
      assert.equal((await call.ended).how, "failed");
      const [action] = call.timeline.events.filter(({ kind }) => kind === "action");
      assert.deepEqual(
        action?.kind === "action" && action.status,
        200,
        "it is still there to be asked what comes next",
      );
      const verbs = call.timeline.events.flatMap((event) => (event.kind === "twiml" ? [event.verbs] : []));
      assert.deepEqual(
        verbs.at(-1)?.map(({ verb }) => verb),
        ["Say", "Hangup"],
      );
    }
    const { status, stdout, stderr } = await gateway.program.exited;
    assert.deepEqual([status, stderr], [1, ""]);
    assert.deepEqual(outcomes(stdout), ["drained", "drained"]);
    assert.match(stdout, /"cut":2,"msg":"drained"/);
  });

  it("answers what comes after a call that ended just before", async (t) => {
    const staged = await stage(t);
    const { gateway, twilio } = staged;
    const call = await talk(staged);
    const { webhook } = call;
    const action = /action="([^"]+)"/.exec(webhook!.body)![1]!;
    assert.equal((await call.hangUp()).how, "caller");
    await until("the call to be over", async () =>
      /, 0 calls now/.test(await (await fetch(gateway.origin)).text()),
    );
    await signal(staged, "SIGINT", DRAINING);
    const answer = await twilio.post(action, { ...call.params, CallStatus: "completed" });
    assert.equal(answer.status, 200);
    assert.equal((await gateway.program.exited).status, 0);
  });

  it("ends at once when it is told twice", async (t) => {
    const staged = await stage(t);
    const { gateway } = staged;
    const calls = [await talk(staged), await talk(staged)];
    await signal(staged, "SIGTERM", DRAINING);
    const askedMs = performance.now();
    gateway.program.signal("SIGTERM");
    const { status, stdout } = await gateway.program.exited;
    const tookMs = performance.now() - askedMs;
    t.diagnostic(`gone after ${Math.round(tookMs)} ms (wanted: 2,000)`);
    assert.equal(status, 1, "calls were cut");
    assert.ok(tookMs < 8_000);
    assert.deepEqual(outcomes(stdout), ["drained", "drained"]);
    for (const call of calls) assert.equal((await call.stream!.ended).opened, true);
  });
});
