// The media upgrade where the public base is https: signed over the stream's own address, without query or Origin.
// Whoever is turned away has not touched the call.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AccountSid } from "../../../src/domain/ids.ts";
import type { TwinCall } from "../../../src/twin/call.ts";
import { sign } from "../../../src/twin/signature.ts";
import type { StreamOptions } from "../../../src/twin/stream.ts";
import { WRONG_SIGNATURE } from "../../../src/twin/webhook.ts";
import { counted } from "../../support/counts.ts";
import { AUTH_TOKEN, configuration, ECHO_NUMBER, startStory } from "../../support/gateway.ts";
import { recordOf } from "../../support/records.ts";
import { allFree } from "../../support/until.ts";
import { INBOUND, ringing, send, upgrade } from "./requests.ts";

const BASE = "https://gw.example.com/voice";
const OTHER_ACCOUNT = `AC${"2".repeat(32)}`;
const OTHER_TOKEN = "f".repeat(32);
const NEXT_TOKEN = "e".repeat(32);

const story = await startStory({
  env: { PUBLIC_BASE_URL: BASE, HOST: "127.0.0.1" },
  configurations: [
    configuration("Another account", { accountSid: AccountSid(OTHER_ACCOUNT), authToken: OTHER_TOKEN }),
    configuration("The test account, while its token is being changed", { authToken: NEXT_TOKEN }),
  ],
});
const { gateway, twilio, origin } = story;
const local = await startStory({ env: { MEDIA_WORKERS: "1" } });

/** What is on record of it: its end, if it has one, and its timeline. */
function told(call: TwinCall) {
  const { outcome, events } = recordOf(gateway, call);
  return [outcome, events.map(({ kind }) => kind)];
}

/** The address the call's TwiML names. */
function urlOf(call: TwinCall): string {
  const [connect] = call.verbs;
  assert.equal(connect?.verb, "Connect");
  return connect.stream.url;
}

const over = (url: string, authToken = AUTH_TOKEN): StreamOptions => ({
  signing: { forged: sign(authToken, url) },
});

/** Knocks at the call's own stream, or at `url`; false when it was turned away, with 403. */
async function isLetIn(call: TwinCall, options: StreamOptions, url = urlOf(call)): Promise<boolean> {
  const stream = twilio.openStream({ url, callSid: call.sid }, options);
  const came = await stream.opened.then(
    () => true,
    () => false,
  );
  if (!came) {
    assert.match((await stream.ended).reason, /answered with 403/);
    return false;
  }
  await stream.hasPlayed(20);
  await stream.stop();
  await allFree(story);
  assert.equal(recordOf(gateway, call).outcome, "caller_hung_up");
  return true;
}

describe("a stream's signature", () => {
  it("is Twilio's over the stream's address, with or without a slash at its end, and perhaps its port", async () => {
    const signings: ((url: string) => StreamOptions)[] = [
      () => ({ signing: "valid" }),
      (url) => over(url),
      (url) => over(`${url}/`),
      (url) => over(url, NEXT_TOKEN),
    ];
    for (const signing of signings) {
      const call = await twilio.dial({ to: ECHO_NUMBER });
      assert.ok(await isLetIn(call, signing(urlOf(call))));
    }
  });

  it("is refused when it is missing, or anything else, and the call is still there for the right one", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const url = urlOf(call);
    const wrong: Record<string, StreamOptions> = {
      missing: { signing: "missing" },
      empty: { signing: { forged: "" } },
      wrong: { signing: WRONG_SIGNATURE },
      "over https": over(url.replace("wss:", "https:")),
      "over ws": over(url.replace("wss:", "ws:")),
      "over another host": over(url.replace("gw.example.com", "evil.example.com")),
      "over the address without its prefix": over(url.replace("/voice/", "/")),
      "over another token's address": over(url.slice(0, -1) + (url.endsWith("A") ? "B" : "A")),
      "over an address with a query": over(`${url}?a=1`),
      "over two slashes": over(`${url}//`),
      "by another account": over(url, OTHER_TOKEN),
      "by nobody": over(url, ""),
      "over what the Host header says": {
        ...over(url.replace("gw.example.com", "evil.example.com")),
        headers: { Host: "evil.example.com", "X-Forwarded-Host": "evil.example.com" },
      },
    };
    for (const [what, options] of Object.entries(wrong)) {
      const before = await counted(gateway, "stream_refused_total", { reason: "signature" });
      assert.equal(await isLetIn(call, options), false, what);
      assert.equal(await counted(gateway, "stream_refused_total", { reason: "signature" }), before + 1, what);
    }
    assert.deepEqual(told(call), [undefined, ["received"]]);
    const spoofed = { "X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "http" };
    assert.ok(await isLetIn(call, { signing: "valid", headers: spoofed }));
  });

  it("is no way round the token: it is refused before the signature is looked at", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const url = urlOf(call);
    const forged = url.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    const before = await counted(gateway, "stream_refused_total", { reason: "token_forged" });
    assert.equal(await isLetIn(call, { signing: "valid" }, forged), false);
    assert.equal(await counted(gateway, "stream_refused_total", { reason: "token_forged" }), before + 1);
    assert.ok(await isLetIn(call, {}));
  });

  it("of another account lets in that account's own calls only", async () => {
    const params = ringing("+12025550199", { AccountSid: OTHER_ACCOUNT });
    const theirs = await send({
      origin,
      path: INBOUND,
      signedUrl: BASE + INBOUND,
      params,
      authToken: OTHER_TOKEN,
    });
    assert.match(theirs.body, /<Reject\/>/); // known, and without a number
    const call = await twilio.dial({ to: ECHO_NUMBER });
    assert.equal(await isLetIn(call, over(urlOf(call), OTHER_TOKEN)), false);
    assert.ok(await isLetIn(call, {}));
  });

  it("is not asked for where the base is plain http", async () => {
    const call = await local.twilio.dial({ to: ECHO_NUMBER });
    const stream = await call.connect({ signing: "missing" });
    await stream.hasPlayed(20);
    assert.equal((await call.hangUp()).how, "caller");
    assert.deepEqual(call.complaints, []);
  });
});

describe("an upgrade that Twilio would not send", () => {
  const odd: Record<
    string,
    { reason: string; status: number; path: string; headers: Record<string, string> }
  > = {
    "a query": { reason: "query", status: 403, path: "?a=1", headers: {} },
    "an empty query": { reason: "query", status: 403, path: "?", headers: {} },
    "a browser's Origin": {
      reason: "origin",
      status: 403,
      path: "",
      headers: { Origin: "https://gw.example.com" },
    },
    "an opaque Origin": { reason: "origin", status: 403, path: "", headers: { Origin: "null" } },
    "another version": {
      reason: "framing",
      status: 400,
      path: "",
      headers: { "Sec-WebSocket-Version": "8" },
    },
    "a short key": { reason: "framing", status: 400, path: "", headers: { "Sec-WebSocket-Key": "c2hvcnQ=" } },
    "a body": { reason: "framing", status: 400, path: "", headers: { "Content-Length": "0" } },
  };
  for (const [what, { reason, status, path, headers }] of Object.entries(odd)) {
    it(`is refused, counted, and leaves the call as it was: ${what}`, async () => {
      const call = await twilio.dial({ to: ECHO_NUMBER });
      const url = urlOf(call);
      const before = await counted(gateway, "stream_refused_total", { reason });
      const signature = { "X-Twilio-Signature": sign(AUTH_TOKEN, url) };
      const target = url.replace("wss://gw.example.com", "") + path;
      assert.equal(await upgrade(origin, target, { ...signature, ...headers }), status);
      assert.equal(await counted(gateway, "stream_refused_total", { reason }), before + 1);
      assert.deepEqual(told(call), [undefined, ["received"]]);
      assert.ok(await isLetIn(call, {}));
    });
  }

  it("is a query even where it is signed with the address", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const url = `${urlOf(call)}?a=1`;
    assert.equal(await isLetIn(call, { signing: "valid" }, url), false);
    assert.ok(await isLetIn(call, {}));
  });
});
