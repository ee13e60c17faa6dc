// Where Twilio thinks the gateway is: everything it is told, and every signature, is over the configured public
// base, whatever a proxy or a stranger writes into the request.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { CallSid } from "../../../src/domain/ids.ts";
import { sign } from "../../../src/twin/signature.ts";
import { TwilioTwin } from "../../../src/twin/twin.ts";
import { counted } from "../../support/counts.ts";
import { ACCOUNT_SID, AUTH_TOKEN, ECHO_NUMBER, type Story, startStory } from "../../support/gateway.ts";
import { recordOf } from "../../support/records.ts";
import { allFree } from "../../support/until.ts";
import { INBOUND, type Params, ringing, send, streamEnded, streamStatus } from "./requests.ts";

const BASE = "https://gw.example.com/voice";
const story = await startStory({
  env: { PUBLIC_BASE_URL: BASE, HOST: "127.0.0.1", MEDIA_WORKERS: "1" },
});
const local = await startStory({ env: { MEDIA_WORKERS: "1" } });

/** What is written into requests by proxies, and by those who hope to be taken for one. */
const SPOOFS: Readonly<Record<string, string>> = {
  Host: "evil.example.com",
  "X-Forwarded-Host": "evil.example.com",
  "X-Forwarded-Proto": "http",
  "X-Forwarded-Port": "8443",
  "X-Forwarded-Prefix": "/evil",
  "X-Forwarded-For": "127.0.0.1",
  "X-Original-URL": "/metrics",
  "X-Rewrite-URL": "/metrics",
  "X-HTTP-Method-Override": "GET",
  Forwarded: "host=evil.example.com;proto=http",
};

/** Ends a call that was only asked about. */
async function forget(asked: Story, { CallSid: callSid }: Params): Promise<void> {
  asked.gateway.calls.find(CallSid(callSid!))?.apply({ type: "caller_left" });
  await allFree(asked);
}

describe("the public base", () => {
  it("is what TwiML names: the stream over wss, the action and the callback over https", async () => {
    const params = ringing(ECHO_NUMBER);
    const { body } = await send({ origin: story.origin, path: INBOUND, signedUrl: BASE + INBOUND, params });
    const { run } = story.gateway.records.find(CallSid(params.CallSid!))!;
    const [, token] = /\/media\/([\w-]+\.[\w-]{43})"/.exec(body) ?? [];
    assert.equal(
      body,
      `<?xml version="1.0" encoding="UTF-8"?><Response><Connect action="${BASE}${streamEnded(run)}"><Stream url="wss://gw.example.com/voice/media/${token}" statusCallback="${BASE}${streamStatus(run)}"/></Connect></Response>`,
    );
    await forget(story, params);
  });

  it("is what is signed, with the prefix stripped by a proxy and with it kept", async () => {
    for (const path of [INBOUND, `/voice${INBOUND}`]) {
      const params = ringing(ECHO_NUMBER);
      const signed = await send({ origin: story.origin, path, signedUrl: BASE + INBOUND, params });
      assert.equal(signed.status, 200, path);
      await forget(story, params);
      const others = [
        `https://gw.example.com${INBOUND}`,
        `http://gw.example.com/voice${INBOUND}`,
        `wss://gw.example.com/voice${INBOUND}`,
        `${story.origin}${path}`,
        `https://gw.example.com/voice/voice${INBOUND}`,
        `https://GW.example.com/voice${INBOUND}`,
        `https://gw.example.com.evil.test/voice${INBOUND}`,
      ];
      for (const signedUrl of others) {
        const answer = await send({ origin: story.origin, path, signedUrl, params: ringing(ECHO_NUMBER) });
        assert.deepEqual([answer.status, answer.body], [403, ""], `${path} over ${signedUrl}`);
      }
    }
  });

  it("may be signed with its scheme's port, as Twilio sometimes does", async () => {
    const params = ringing(ECHO_NUMBER);
    const url = `https://gw.example.com:443/voice${INBOUND}`;
    // By hand: the twin's own signing drops the port, which is the other of the two ways.
    const text = Object.keys(params)
      .sort()
      .reduce((all, name) => all + name + params[name], url);
    const signature = createHmac("sha1", AUTH_TOKEN).update(text).digest("base64");
    assert.equal((await send({ origin: story.origin, path: INBOUND, params, signature })).status, 200);
    await forget(story, params);
  });

  it("is what a query is part of, as it was written", async () => {
    for (const query of ["?a=1", "?", "?x=%2F&y='@:"]) {
      const params = ringing(ECHO_NUMBER);
      const path = INBOUND + query;
      const right = await send({ origin: story.origin, path, signedUrl: BASE + path, params });
      assert.equal(right.status, 200, query);
      await forget(story, params);
      const wrong = await send({
        origin: story.origin,
        path,
        signedUrl: `${BASE + INBOUND}?b=2`,
        params: ringing(ECHO_NUMBER),
      });
      assert.equal(wrong.status, 403, query);
    }
  });

  for (const { what, from, base } of [
    { what: "https behind a proxy", from: story, base: BASE },
    { what: "plain http on this machine", from: local, base: local.origin },
  ]) {
    it(`is not changed by what a request's headers say: ${what}`, async () => {
      const params = ringing(ECHO_NUMBER);
      const spoofed = { origin: from.origin, path: INBOUND, params, headers: SPOOFS };
      const plain = await send({ ...spoofed, signedUrl: base + INBOUND, headers: {} });
      const same = await send({ ...spoofed, signedUrl: base + INBOUND });
      assert.deepEqual([same.status, same.body], [200, plain.body]);
      await forget(from, params);

      const first = ringing(ECHO_NUMBER);
      const { body } = await send({ ...spoofed, params: first, signedUrl: base + INBOUND });
      assert.ok(body.includes(`action="${base}/api/`), body);
      assert.doesNotMatch(body, /evil/);
      await forget(from, first);

      for (const host of [
        "https://evil.example.com",
        "http://evil.example.com",
        "http://evil.example.com:8443",
      ]) {
        const signedUrl = host + INBOUND;
        const answer = await send({ ...spoofed, params: ringing(ECHO_NUMBER), signedUrl });
        assert.equal(answer.status, 403, signedUrl);
      }
    });
  }
});

describe("a whole call through a proxy that ends TLS", () => {
  for (const { what, suffix } of [
    { what: "strips the prefix", suffix: "" },
    { what: "keeps the prefix", suffix: "/voice" },
  ]) {
    it(`is heard, and ends well, when the proxy ${what}`, async (t) => {
      const twilio = new TwilioTwin({
        accountSid: ACCOUNT_SID,
        authToken: AUTH_TOKEN,
        publicBase: BASE,
        gatewayBase: story.origin + suffix,
      });
      t.after(() => twilio.close());
      const call = await twilio.dial({ to: ECHO_NUMBER });
      const stream = await call.connect();
      assert.match(stream.facts.publicUrl, /^wss:\/\/gw\.example\.com\/voice\/media\/[\w.-]+$/);
      await stream.hasPlayed(60);
      assert.equal((await call.hangUp()).how, "caller");
      await call.settled();
      assert.deepEqual(call.complaints, []);
      const record = recordOf(story.gateway, call);
      assert.equal(record.outcome, "caller_hung_up");
      const statuses = record.events.filter(({ kind }) => kind === "stream_status");
      assert.deepEqual(
        statuses.map(({ detail }) => detail),
        ["stream-started", "stream-stopped"],
      );
    });
  }
});

describe("streams with a base of their own", () => {
  const NODES = [
    { node: "https://node-1.example.com", kept: "" },
    { node: "https://node-1.example.com/n1", kept: "" },
    { node: "https://node-1.example.com/n1", kept: "/n1" },
  ];
  for (const { node, kept } of NODES) {
    const which = `${node}, of which the proxy leaves ${kept === "" ? "no prefix" : kept}`;
    it(`are dialled and signed there, and webhooks at the public base: ${which}`, async (t) => {
      const node1 = await startStory({
        env: {
          PUBLIC_BASE_URL: BASE,
          STREAM_BASE_URL: node.replace("https", "wss"),
          HOST: "127.0.0.1",
          MEDIA_WORKERS: "1",
        },
      });
      const { gateway, twilio, origin } = node1;
      const call = await twilio.dial({ to: ECHO_NUMBER });
      const [connect] = call.verbs;
      assert.equal(connect?.verb, "Connect");
      const { url } = connect.stream;
      const streamBase = node.replace("https", "wss");
      assert.ok(url.startsWith(`${streamBase}/media/`), url);
      assert.ok(connect.action?.startsWith(`${BASE}/api/`));

      const streams = new TwilioTwin({
        accountSid: ACCOUNT_SID,
        authToken: AUTH_TOKEN,
        publicBase: node,
        gatewayBase: origin + kept,
      });
      t.after(() => streams.close());
      const overPublicBase = sign(AUTH_TOKEN, url.replace(streamBase, "wss://gw.example.com/voice"));
      const refused = streams.openStream({ url, callSid: call.sid }, { signing: { forged: overPublicBase } });
      assert.equal((await refused.ended).opened, false);
      assert.equal(await counted(gateway, "stream_refused_total", { reason: "signature" }), 1);

      const stream = streams.openStream({ url, callSid: call.sid });
      await stream.hasPlayed(40);
      await stream.stop();
      await allFree(node1);
      assert.equal(recordOf(gateway, call).outcome, "caller_hung_up");
    });
  }
});
