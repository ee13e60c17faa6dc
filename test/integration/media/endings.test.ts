// However a call ends, it ends once: one line in the log, one outcome on record, and nothing of it is kept.
import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import type { Outcome } from "../../../src/domain/endings.ts";
import type { TwinCall } from "../../../src/twin/call.ts";
import { startBody } from "../../../src/twin/messages.ts";
import { ECHO_NUMBER, startStory, TEST_AGENT_NUMBER } from "../../support/gateway.ts";
import { isReleased, recordOf } from "../../support/records.ts";
import { hasReturned } from "../../support/returned.ts";
import { until } from "../../support/until.ts";
import { clientFrame, handshake, RawPeer } from "../front/rig.ts";

const TEXT = 1;
/** 20 ms. */
const PAYLOAD = Buffer.alloc(160, 0x20).toString("base64");
const STATUS_CALLBACK = "/api/v1/telephony/twilio/status-callback";

const lines: string[] = [];
const { gateway, twilio, origin, held } = await startStory({ onLogLine: (line) => lines.push(line) });

/** Asserts that the call is over for this reason, and was ended once. */
async function endedOnce(call: { readonly sid: string }, outcome: Outcome): Promise<void> {
  await isReleased(gateway, call);
  const record = recordOf(gateway, call);
  assert.equal(record.outcome, outcome);
  assert.notEqual(record.endedAtMs, undefined);
  assert.deepEqual(
    record.events.filter(({ kind }) => kind === "ended").map(({ detail }) => detail),
    [outcome],
  );
  const endings = lines.filter((line) => line.includes(call.sid) && line.includes('"call ended'));
  assert.equal(endings.length, 1, endings.join(""));
}

function statusOf(call: TwinCall, status: "completed" | "canceled" | "no-answer") {
  return call.reportStatus(origin + STATUS_CALLBACK, status);
}

/** The call's stream as bare bytes, started. `frame` makes one of Twilio's messages. */
async function rawStream(call: TwinCall) {
  const [, path] = /url="ws:\/\/[^/]+(\/media\/[^"]+)"/.exec(call.webhook!.body)!;
  const peer = new RawPeer(net.connect({ host: "127.0.0.1", port: gateway.settings.port }));
  await peer.connected;
  peer.send(handshake(path!));
  assert.equal((await peer.answer()).status, 101);
  const streamSid = `MZ${call.sid.slice(2)}`;
  const frame = (event: string, body: object) =>
    clientFrame(TEXT, Buffer.from(JSON.stringify({ event, streamSid, [event]: body })));
  const { accountSid } = twilio.account;
  peer.send(frame("start", startBody({ accountSid, callSid: call.sid, streamSid, parameters: {} })));
  return { peer, frame };
}

describe("a call ends once", { concurrency: true }, () => {
  for (const status of ["completed", "canceled", "no-answer"] as const) {
    it(`when Twilio reports it as ${status} before its stream came`, async () => {
      const call = await twilio.dial({ to: ECHO_NUMBER });
      assert.equal((await statusOf(call, status))?.status, 204);
      await endedOnce(call, "caller_hung_up");
      // The stream comes all the same, and is not let in.
      await assert.rejects(call.connect());
      await endedOnce(call, "caller_hung_up");
    });
  }

  it("when the caller hangs up while the stream is being set up", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const stream = await call.connect({ automatic: false });
    await statusOf(call, "completed");
    const { by, code } = await stream.ended;
    assert.deepEqual([by, code], ["gateway", 1000]);
    await endedOnce(call, "caller_hung_up");
  });

  it("when the caller hangs up in mid-stream", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const stream = await call.connect();
    await hasReturned(stream, 100);
    await call.hangUp();
    await statusOf(call, "completed");
    await endedOnce(call, "caller_hung_up");
    assert.deepEqual(call.complaints, []);
  });

  it("when the caller hangs up after the agent has", async () => {
    const call = await twilio.dial({ to: TEST_AGENT_NUMBER });
    const stream = await call.connect();
    stream.press("3");
    await stream.ended;
    await call.hangUp();
    assert.equal((await statusOf(call, "completed"))?.status, 204);
    await endedOnce(call, "agent_hung_up");
  });

  it("when both hang up at once", async () => {
    const call = await twilio.dial({ to: TEST_AGENT_NUMBER });
    const stream = await call.connect();
    stream.press("3");
    await call.hangUp();
    await isReleased(gateway, call);
    await endedOnce(call, recordOf(gateway, call).outcome!);
    assert.match(recordOf(gateway, call).outcome!, /^(agent|caller)_hung_up$/);
  });

  it("when its socket is closed without a stop", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const stream = await call.connect();
    await hasReturned(stream, 100);
    await stream.close();
    await endedOnce(call, "media_lost");
  });

  for (const how of ["cut", "reset"] as const) {
    it(`when its socket is ${how} in mid-stream`, async () => {
      const call = await twilio.dial({ to: ECHO_NUMBER });
      const stream = await call.connect();
      await hasReturned(stream, 100);
      await stream.break(how);
      await endedOnce(call, "media_lost");
    });

    it(`when its socket is ${how} before the start`, async () => {
      const call = await twilio.dial({ to: ECHO_NUMBER });
      const stream = await call.connect({ automatic: false });
      await stream.break(how);
      await endedOnce(call, "no_stream");
    });
  }

  it("when its socket is reset in the middle of a frame", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const { peer, frame } = await rawStream(call);
    const media = frame("media", { track: "inbound", chunk: "1", timestamp: "20", payload: PAYLOAD });
    peer.send(media);
    await until("the echo to come back", () => peer.rest.includes('"media"'));
    const half = media.subarray(0, media.length / 2);
    await new Promise<void>((sent) => peer.socket.write(half, () => sent()));
    peer.reset();
    await endedOnce(call, "media_lost");
  });

  it("when its socket dies right behind a stop", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const { peer, frame } = await rawStream(call);
    peer.finish(frame("stop", { accountSid: twilio.account.accountSid, callSid: call.sid }));
    await endedOnce(call, "caller_hung_up");
  });

  it("when its agent fails as the caller hangs up", async () => {
    const call = await twilio.dial({ to: TEST_AGENT_NUMBER });
    const stream = await call.connect();
    stream.press("4");
    await Promise.all([call.hangUp(), stream.break("cut")]);
    await isReleased(gateway, call);
    await endedOnce(call, recordOf(gateway, call).outcome!);
  });
});

describe("after every ending", () => {
  it("nothing is held", async () => {
    await until("everything to be free", () => Object.values(held()).every((value) => Number(value) === 0));
  });
});
