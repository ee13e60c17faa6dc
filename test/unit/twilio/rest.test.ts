import assert from "node:assert/strict";
import dns from "node:dns";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, afterEach, beforeEach, describe, it } from "node:test";
import tls from "node:tls";
import type { Clock } from "../../../src/domain/clock.ts";
import { AccountSid, CallSid } from "../../../src/domain/ids.ts";
import {
  type CallOrder,
  loadTwilioRest,
  type TwilioAccess,
  TwilioFailure,
  type TwilioRest,
} from "../../../src/twilio/rest.ts";
import { until } from "../../support/until.ts";
import { breaksOffInTheBody, error, hangs, json, page, resets, ScriptedTwilio } from "./scriptedTwilio.ts";
import { selfSigned } from "./selfSigned.ts";

const ACCOUNT = AccountSid(`AC${"1".repeat(32)}`);
const CALL = CallSid(`CA${"2".repeat(32)}`);
const NUMBER_SID = `PN${"3".repeat(32)}`;
const SECRET = "an-auth-token-that-nobody-may-see";
const NOW_MS = Date.UTC(2026, 10, 22, 12, 0, 0);
/** What a test waits for a Twilio that never answers. */
const IMPATIENT_MS = 1_000;

const ORDER: CallOrder = {
  to: "+14155550101",
  from: "+14155550100",
  url: "https://gw.example.com/answer/7",
  statusCallback: "https://gw.example.com/status/7",
  statusCallbackEvents: ["initiated", "ringing", "answered", "completed"],
};

const callBody = (more: object = {}): object => ({
  sid: CALL,
  status: "queued",
  to: ORDER.to,
  from: ORDER.from,
  direction: "outbound-api",
  date_created: "Sun, 22 Nov 2026 11:59:58 +0000",
  start_time: null,
  end_time: null,
  duration: null,
  price: null,
  answered_by: null,
  ...more,
});

const numberBody = (more: object = {}): object => ({
  sid: NUMBER_SID,
  phone_number: "+14155550100",
  friendly_name: "Front desk",
  voice_url: "",
  voice_method: "POST",
  voice_fallback_url: null,
  voice_fallback_method: "POST",
  status_callback: "",
  status_callback_method: "POST",
  voice_application_sid: "",
  trunk_sid: null,
  capabilities: { voice: true, sms: true, mms: false, fax: false },
  ...more,
});

/** Waits nothing, but keeps what it should have waited. */
class HastyClock implements Clock {
  readonly waitedMs: number[] = [];
  nowMs = (): number => 0;
  wallMs = (): number => NOW_MS;
  every(periodMs: number, tick: () => void): () => void {
    this.waitedMs.push(periodMs);
    const immediate = setImmediate(tick);
    return () => clearImmediate(immediate);
  }
}

describe("Twilio's REST API", () => {
  let twilio: ScriptedTwilio;
  let clock: HastyClock;
  let rest: TwilioRest;
  let impatient: TwilioRest;
  let access: TwilioAccess;

  beforeEach(async () => {
    twilio = await ScriptedTwilio.listening();
    clock = new HastyClock();
    rest = await loadTwilioRest({ clock, random: () => 0.5, timeoutMs: 60_000 });
    impatient = await loadTwilioRest({ clock, random: () => 0.5, timeoutMs: IMPATIENT_MS });
    access = { accountSid: ACCOUNT, username: ACCOUNT, password: SECRET, apiBaseUrl: twilio.url };
  });
  afterEach(async () => {
    rest.close();
    impatient.close();
    await twilio[Symbol.asyncDispose]();
  });

  async function failureOf(asking: Promise<unknown>): Promise<TwilioFailure> {
    const failure = await asking.then(
      () => assert.fail("it should have failed"),
      (thrown: unknown) => thrown,
    );
    assert.ok(failure instanceof TwilioFailure, String(failure));
    for (const text of [
      failure.message,
      JSON.stringify(failure),
      String((failure.cause as Error)?.message),
    ]) {
      assert.ok(!text.includes(SECRET) && !text.includes(ORDER.to), text);
    }
    return failure;
  }

  describe("placing a call", () => {
    it("asks for it as Twilio wants it, and tells what Twilio made of it", async () => {
      twilio.will(json(201, callBody()));
      const call = await rest.createCall(access, {
        ...ORDER,
        fallbackUrl: "https://gw.example.com/fallback",
        timeoutS: 25,
        timeLimitS: 600,
        machineDetection: "Enable",
        asyncAmdStatusCallback: "https://gw.example.com/amd/7",
      });
      assert.deepEqual(call, {
        sid: CALL,
        status: "queued",
        to: ORDER.to,
        from: ORDER.from,
        direction: "outbound-api",
        answeredBy: undefined,
        createdAtMs: NOW_MS - 2_000,
        startedAtMs: undefined,
        endedAtMs: undefined,
        durationS: undefined,
      });
      const [asked] = twilio.asked;
      assert.equal(`${asked!.method} ${asked!.path}`, `POST /2010-04-01/Accounts/${ACCOUNT}/Calls.json`);
      assert.equal(
        asked!.headers.authorization,
        `Basic ${Buffer.from(`${ACCOUNT}:${SECRET}`).toString("base64")}`,
      );
      assert.equal(asked!.headers["content-type"], "application/x-www-form-urlencoded");
      assert.deepEqual([...asked!.form].sort(), [
        ["AsyncAmd", "true"],
        ["AsyncAmdStatusCallback", "https://gw.example.com/amd/7"],
        ["AsyncAmdStatusCallbackMethod", "POST"],
        ["FallbackMethod", "POST"],
        ["FallbackUrl", "https://gw.example.com/fallback"],
        ["From", ORDER.from],
        ["MachineDetection", "Enable"],
        ["Method", "POST"],
        ["StatusCallback", ORDER.statusCallback],
        ["StatusCallbackEvent", "answered"],
        ["StatusCallbackEvent", "completed"],
        ["StatusCallbackEvent", "initiated"],
        ["StatusCallbackEvent", "ringing"],
        ["StatusCallbackMethod", "POST"],
        ["TimeLimit", "600"],
        ["Timeout", "25"],
        ["To", ORDER.to],
        ["Url", ORDER.url],
      ]);
    });

    it("is tried again when Twilio was too busy to process it, and then placed once", async () => {
      twilio.will(error(429, 20429), json(429, {}, { "Retry-After": "1" }), json(201, callBody()));
      assert.equal((await rest.createCall(access, ORDER)).sid, CALL);
      assert.equal(twilio.asked.length, 3);
      assert.deepEqual(clock.waitedMs, [200, 1_400]); // the second as long as asked, and some jitter
    });

    it("is given up when Twilio stays too busy", async () => {
      twilio.will(error(429, 20429), error(429, 20429), error(429, 20429), json(201, callBody()));
      const failure = await failureOf(rest.createCall(access, ORDER));
      assert.deepEqual(
        [failure.kind, failure.code, failure.mayHaveActed],
        ["rate_limited", "TWILIO_UNREACHABLE", false],
      );
      assert.equal(twilio.asked.length, 3);
    });

    for (const [header, retryAfterS] of [
      ["120", 120],
      ["Sun, 22 Nov 2026 12:00:30 GMT", 30],
    ] as const) {
      it(`is left to the caller when Twilio wants a wait of "${header}"`, async () => {
        twilio.will(json(429, { code: 20429 }, { "Retry-After": header }));
        const failure = await failureOf(rest.createCall(access, ORDER));
        assert.deepEqual([failure.kind, failure.retryAfterS], ["rate_limited", retryAfterS]);
        assert.equal(twilio.asked.length, 1);
      });
    }

    it("is refused with Twilio's code in our words, Twilio's own kept apart", async () => {
      twilio.will(error(400, 21219, `The number ${ORDER.to} is unverified.`));
      const asking = rest.createCall(access, ORDER);
      const failure = (await asking.catch((thrown: unknown) => thrown)) as TwilioFailure;
      assert.deepEqual(
        [failure.kind, failure.code, failure.twilioCode],
        ["refused", "TWILIO_REFUSED", 21219],
      );
      assert.match(failure.message, /trial account.*Verified Caller IDs/);
      assert.ok(!failure.message.includes(ORDER.to));
      assert.equal(failure.twilioWords, `The number ${ORDER.to} is unverified.`);
    });

    const maybePlaced = [
      ["hangs after reading the request", hangs],
      ["resets the connection after reading the request", resets],
      ["breaks off in the middle of its answer", breaksOffInTheBody],
      ["answers 500", error(500, 20500)],
      ["answers 503 with a proxy's page", page(503, "<h1>down</h1>")],
      ["answers 408", page(408, "")],
      ["redirects", json(302, {}, { Location: "https://elsewhere.example.com/" })],
      ["answers 201 with a page", page(201, "<p>welcome to the hotel's network</p>")],
      ["answers 201 with half a document", page(201, '{"sid":"CA')],
      ["answers 201 with a list", json(201, [])],
      ["answers 201 with another thing's SID", json(201, callBody({ sid: NUMBER_SID }))],
      ["answers 201 with nothing", json(201, {})],
    ] as const;
    for (const [what, step] of maybePlaced) {
      it(`may have been done when Twilio ${what}, so it is asked for once`, async () => {
        twilio.will(step);
        const asking = step === hangs ? impatient : rest;
        const failure = await failureOf(asking.createCall(access, ORDER));
        assert.deepEqual([failure.kind, failure.mayHaveActed], ["unknown", true]);
        assert.equal(twilio.asked.length, 1);
      });
    }

    it("has certainly not been done when Twilio refuses the connection", async () => {
      const { port } = twilio;
      await twilio[Symbol.asyncDispose]();
      try {
        const apiBaseUrl = `http://127.0.0.1:${port}`;
        const failure = await failureOf(rest.createCall({ ...access, apiBaseUrl }, ORDER));
        assert.deepEqual([failure.kind, failure.mayHaveActed], ["unreachable", false]);
        assert.match(failure.message, /ECONNREFUSED/);
      } finally {
        twilio = await ScriptedTwilio.listening();
      }
    });

    it("has certainly not been done when the host has no address", async () => {
      const failure = await failureOf(
        rest.createCall({ ...access, apiBaseUrl: "https://nowhere.invalid" }, ORDER),
      );
      assert.equal(failure.kind, "unreachable");
    });

    it("has certainly not been done when TLS fails, and nothing was sent", async () => {
      const failure = await failureOf(
        rest.createCall({ ...access, apiBaseUrl: `https://127.0.0.1:${twilio.port}` }, ORDER),
      );
      assert.equal(failure.kind, "unreachable");
      assert.equal(twilio.asked.length, 0);
    });

    it("has certainly not been done when TLS is never agreed on", async () => {
      let heard = Buffer.alloc(0);
      const mute = createServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", (bytes) => {
          heard = Buffer.concat([heard, bytes]);
        });
      }).listen(0, "127.0.0.1");
      await once(mute, "listening");
      const { port } = mute.address() as AddressInfo;
      try {
        const failure = await failureOf(
          impatient.createCall({ ...access, apiBaseUrl: `https://127.0.0.1:${port}` }, ORDER),
        );
        assert.deepEqual([failure.kind, failure.mayHaveActed], ["unreachable", false]);
        assert.equal(heard.at(0) ?? 22, 22); // a TLS handshake at most
      } finally {
        mute.close();
      }
    });
  });

  describe("looking at calls", () => {
    it("gives a call's state", async () => {
      twilio.will(
        json(
          200,
          callBody({
            status: "completed",
            duration: "61",
            answered_by: "human",
            end_time: "Sun, 22 Nov 2026 12:00:00 +0000",
          }),
        ),
      );
      const call = await rest.getCall(access, CALL);
      assert.deepEqual(
        [call!.status, call!.durationS, call!.answeredBy, call!.endedAtMs],
        ["completed", 61, "human", NOW_MS],
      );
      assert.equal(twilio.asked[0]!.path, `/2010-04-01/Accounts/${ACCOUNT}/Calls/${CALL}.json`);
    });

    it("says that there is no such call, but only when Twilio does", async () => {
      twilio.will(error(404, 20404), page(404, "<h1>nginx</h1>"));
      assert.equal(await rest.getCall(access, CALL), undefined);
      assert.equal((await failureOf(rest.getCall(access, CALL))).kind, "refused");
    });

    it("finds those made since a moment, and those that don't say when", async () => {
      const made = (sid: string, date_created: string | null): object => callBody({ sid, date_created });
      twilio.will(
        json(200, {
          calls: [
            made("CAa", "Sun, 22 Nov 2026 12:00:05 +0000"),
            made("CAb", null),
            made("CAc", "Sun, 22 Nov 2026 12:00:00 +0000"),
          ],
          next_page_uri: `/2010-04-01/Accounts/${ACCOUNT}/Calls.json?To=%2B14155550101&PageSize=50&Page=1&PageToken=PT`,
        }),
        json(200, { calls: [made("CAd", "Sun, 22 Nov 2026 11:59:59 +0000")], next_page_uri: null }),
      );
      const { to, from } = ORDER;
      const found = await rest.findCalls(access, { to, from, sinceMs: NOW_MS + 400 });
      assert.deepEqual(
        found.map(({ sid }) => sid),
        ["CAa", "CAb", "CAc"],
      );
      const [first, second] = twilio.asked;
      assert.deepEqual(
        [first!.query.get("To"), first!.query.get("From"), first!.query.get("StartTime>")],
        [to, from, null],
      );
      assert.deepEqual([second!.query.get("PageToken"), second!.query.getAll("To")], ["PT", [to]]);
    });
  });

  describe("ending a call", () => {
    it("asks Twilio to", async () => {
      twilio.will(json(200, callBody({ status: "completed" })));
      assert.equal(await rest.endCall(access, CALL, "completed"), "ended");
      assert.deepEqual([...twilio.asked[0]!.form], [["Status", "completed"]]);
    });

    for (const [status, code] of [
      [404, 20404],
      [400, 21220],
    ] as const) {
      it(`is done already when Twilio answers ${code}`, async () => {
        twilio.will(error(status, code));
        assert.equal(await rest.endCall(access, CALL, "completed"), "already_over");
      });
    }

    it("is done already when a call that should be cancelled is over", async () => {
      twilio.will(error(400, 21220), json(200, callBody({ status: "busy" })));
      assert.equal(await rest.endCall(access, CALL, "canceled"), "already_over");
    });

    it("is refused when a call that should be cancelled has just been answered, however Twilio says so", async () => {
      const talking = json(200, callBody({ status: "in-progress" }));
      for (const answers of [[error(400, 21220), talking], [talking]]) {
        twilio.will(...answers);
        const failure = await failureOf(rest.endCall(access, CALL, "canceled"));
        assert.deepEqual([failure.kind, failure.twilioCode], ["refused", 21220]);
      }
    });
  });

  describe("looking at numbers", () => {
    it("finds exactly the one that was asked for", async () => {
      twilio.will(
        json(200, {
          incoming_phone_numbers: [
            numberBody({ sid: "PNlonger", phone_number: "+141555501000" }),
            numberBody({ voice_url: "https://old.example.com/#rc=2", voice_application_sid: "AP1" }),
          ],
        }),
      );
      assert.deepEqual(await rest.findNumber(access, "+14155550100"), {
        sid: NUMBER_SID,
        phoneNumber: "+14155550100",
        friendlyName: "Front desk",
        voiceUrl: "https://old.example.com/#rc=2",
        voiceMethod: "POST",
        voiceFallbackUrl: undefined,
        voiceFallbackMethod: "POST",
        statusCallback: undefined,
        statusCallbackMethod: "POST",
        voiceApplicationSid: "AP1",
        trunkSid: undefined,
        capabilities: { voice: true },
      });
      assert.equal(twilio.asked[0]!.query.get("PhoneNumber"), "+14155550100");
    });

    it("finds none when others only contain it, or there are none", async () => {
      twilio.will(
        json(200, { incoming_phone_numbers: [numberBody({ phone_number: "+141555501000" })] }),
        json(200, { incoming_phone_numbers: [] }),
      );
      assert.equal(await rest.findNumber(access, "+14155550100"), undefined);
      assert.equal(await rest.findNumber(access, "+14155550100"), undefined);
    });

    it("lists all pages of them", async () => {
      const next_page_uri = `/2010-04-01/Accounts/${ACCOUNT}/IncomingPhoneNumbers.json?PageSize=50&Page=1`;
      twilio.will(
        json(200, { incoming_phone_numbers: [numberBody(), numberBody({ sid: "PNb" })], next_page_uri }),
        json(200, { incoming_phone_numbers: [numberBody({ sid: "PNc" })], next_page_uri: null }),
      );
      assert.deepEqual(
        (await rest.listNumbers(access)).map(({ sid }) => sid),
        [NUMBER_SID, "PNb", "PNc"],
      );
      assert.equal(twilio.asked[0]!.query.get("PageSize"), "50");
    });

    it("gets one by its SID, while it is the account's", async () => {
      twilio.will(json(200, numberBody()), error(404, 20404));
      assert.equal((await rest.getNumber(access, NUMBER_SID))?.phoneNumber, "+14155550100");
      assert.equal(await rest.getNumber(access, NUMBER_SID), undefined);
    });

    it("changes what it is told to, empty texts included, and gives the number as Twilio has it then", async () => {
      const voiceUrl =
        "https://gw.example.com/api/v1/telephony/inbound/run#rc=2&rp=ct,rt,5xx&ct=2000&rt=4000";
      twilio.will(json(200, numberBody({ voice_url: voiceUrl })));
      const changes = { voiceUrl, voiceMethod: "POST", voiceApplicationSid: "", trunkSid: "" } as const;
      assert.equal((await rest.updateNumber(access, NUMBER_SID, changes)).voiceUrl, voiceUrl);
      assert.deepEqual([...twilio.asked[0]!.form].sort(), [
        ["TrunkSid", ""],
        ["VoiceApplicationSid", ""],
        ["VoiceMethod", "POST"],
        ["VoiceUrl", voiceUrl],
      ]);
    });
  });

  describe("looking at the account", () => {
    it("gives its state", async () => {
      twilio.will(json(200, { sid: ACCOUNT, status: "active", type: "Trial", friendly_name: "Zoë's" }));
      assert.deepEqual(await rest.account(access), {
        status: "active",
        type: "Trial",
        friendlyName: "Zoë's",
      });
    });

    for (const [what, kind, step] of [
      ["a wrong token", "credentials", error(401, 20003)],
      ["a wrong token, by a proxy", "credentials", page(401, "")],
      ["another account's SID", "credentials", error(404, 20404)],
      ["a suspended account", "suspended", error(403, 20005)],
      ["test credentials", "refused", error(403, 20008)],
      ["an unknown reason", "refused", error(400, 29999)],
    ] as const) {
      it(`tells ${what} from other failures`, async () => {
        twilio.will(step);
        const failure = await failureOf(rest.account(access));
        assert.deepEqual([failure.kind, failure.mayHaveActed], [kind, false]);
      });
    }

    it("asks with an API key's name and secret about the account", async () => {
      twilio.will(json(200, { sid: ACCOUNT, status: "active", type: "Full", friendly_name: "" }));
      await rest.account({ ...access, username: "SK1", password: "key's secret" });
      assert.equal(twilio.asked[0]!.path, `/2010-04-01/Accounts/${ACCOUNT}.json`);
      const basic = Buffer.from("SK1:key's secret").toString("base64");
      assert.equal(twilio.asked[0]!.headers.authorization, `Basic ${basic}`);
    });

    for (const [what, wrong] of [
      ["no token", { password: "" }],
      ["no name", { username: "" }],
      ["a key's SID for the account's", { accountSid: AccountSid("SK1") }],
      ["a region that would lead elsewhere", { region: "evil.example.com/" }],
      ["an edge that would lead elsewhere", { edge: "x@evil.example.com#" }],
    ] as const) {
      it(`sends nothing with ${what}`, async () => {
        const failure = await failureOf(rest.account({ ...access, ...wrong }));
        assert.equal(failure.kind, "credentials");
        assert.equal(twilio.asked.length, 0);
      });
    }
  });

  describe("its connections", () => {
    const active = json(200, { sid: ACCOUNT, status: "active", type: "Full", friendly_name: "" });

    it("are kept for the next request, whoever's it is", async () => {
      twilio.will(active, active, active);
      await rest.account(access);
      await rest.account(access);
      await rest.account({ ...access, password: "another" });
      assert.equal(twilio.connections, 1);
    });

    it("go to a base with a path, and a host of two labels, as they are", async (t) => {
      const hosts: string[] = [];
      t.mock.method(dns, "lookup", (host: string, _: object, done: (e: Error) => void) => {
        hosts.push(host);
        done(Object.assign(new Error("no such host"), { code: "ENOTFOUND" }));
      });
      await failureOf(rest.account({ ...access, apiBaseUrl: "http://mock.local:4010", region: "ie1" }));
      assert.deepEqual(hosts, ["mock.local"]);
      twilio.will(active);
      await rest.account({ ...access, apiBaseUrl: `${twilio.url}/twin/` });
      assert.equal(twilio.asked[0]!.path, `/twin/2010-04-01/Accounts/${ACCOUNT}.json`);
    });

    it("go to Twilio's host for region and edge, and never where the environment says", async (t) => {
      const hosts: string[] = [];
      t.mock.method(dns, "lookup", (host: string, _: object, done: (e: Error) => void) => {
        hosts.push(host);
        done(Object.assign(new Error("no such host"), { code: "ENOTFOUND" }));
      });
      const environment = {
        TWILIO_REGION: "au1",
        TWILIO_EDGE: "sydney",
        TWILIO_LOG_LEVEL: "debug",
        HTTP_PROXY: twilio.url,
        HTTPS_PROXY: twilio.url,
        TWILIO_CA_BUNDLE: "/nowhere",
      };
      const before = { ...process.env };
      t.mock.method(console, "log", () => assert.fail("nothing is printed"));
      Object.assign(process.env, environment);
      try {
        const hosted = { ...access, apiBaseUrl: undefined };
        await failureOf(rest.account(hosted));
        await failureOf(rest.account({ ...hosted, region: "ie1", edge: "dublin" }));
        await failureOf(rest.account({ ...hosted, edge: "dublin" }));
      } finally {
        for (const name of Object.keys(environment)) delete process.env[name];
        Object.assign(process.env, before);
      }
      assert.deepEqual(hosts, ["api.twilio.com", "api.dublin.ie1.twilio.com", "api.dublin.us1.twilio.com"]);
      assert.equal(twilio.connections, 0);
    });

    it("are TLS with a certificate that is trusted, or nothing is sent", async () => {
      const identity = selfSigned();
      const secure = await ScriptedTwilio.listening(identity);
      const trusted = tls.getCACertificates("default");
      try {
        const securely = { ...access, apiBaseUrl: secure.url };
        const failure = await failureOf(rest.createCall(securely, ORDER));
        assert.deepEqual([failure.kind, failure.mayHaveActed], ["unreachable", false]);
        assert.equal(secure.asked.length, 0);

        tls.setDefaultCACertificates([...trusted, identity.cert]);
        secure.will(json(201, callBody()), json(200, callBody()), breaksOffInTheBody);
        assert.equal((await rest.createCall(securely, ORDER)).sid, CALL);
        assert.equal((await rest.getCall(securely, CALL))?.sid, CALL);
        assert.equal(secure.connections, 2);
        assert.equal((await failureOf(rest.createCall(securely, ORDER))).kind, "unknown");
      } finally {
        tls.setDefaultCACertificates(trusted);
        rest.close();
        await secure[Symbol.asyncDispose]();
      }
    });

    it("end with close, which fails what is under way and what comes after", async () => {
      twilio.will(hangs);
      const underWay = failureOf(rest.createCall(access, ORDER));
      await until("the request to arrive", () => twilio.asked.length === 1);
      rest.close();
      assert.equal((await underWay).kind, "unknown");
      assert.equal((await failureOf(rest.createCall(access, ORDER))).kind, "unreachable");
      assert.equal(twilio.asked.length, 1);
    });

    it("end with close also for a request that waits to be tried again, which is not sent any more", async () => {
      let waits = 0;
      const patient: Clock = {
        ...clock,
        nowMs: () => 0,
        wallMs: () => NOW_MS,
        every: () => {
          waits++;
          return () => {};
        },
      };
      const waiting = await loadTwilioRest({ clock: patient, random: () => 0.5 });
      twilio.will(error(429, 20429));
      const failed = failureOf(waiting.createCall(access, ORDER));
      await until("the wait", () => waits === 1);
      waiting.close();
      assert.equal((await failed).mayHaveActed, false);
      assert.equal(twilio.asked.length, 1);
    });

    it("are as many as are needed for many requests at once, within bounds", async () => {
      twilio.will(...Array.from({ length: 60 }, () => active));
      await Promise.all(Array.from({ length: 60 }, (_, i) => rest.account({ ...access, password: `p${i}` })));
      assert.ok(twilio.connections <= 20, `${twilio.connections}`);
      assert.equal(new Set(twilio.asked.map(({ headers }) => headers.authorization)).size, 60);
    });
  });

  after(() => assert.equal(process.env.TWILIO_REGION, undefined));
});
