// The inbound webhook over a real socket: who is answered, who is refused and why, and that asking twice changes
// nothing.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TWILIO_PATHS } from "../../../src/calls/webhooks/twilioPaths.ts";
import { AccountSid, CallSid } from "../../../src/domain/ids.ts";
import { WRONG_SIGNATURE } from "../../../src/twin/webhook.ts";
import { counted } from "../../support/counts.ts";
import {
  ACCOUNT_SID,
  configuration,
  ECHO_NUMBER,
  number,
  startStory,
  TEST_AGENT_NUMBER,
  workflow,
} from "../../support/gateway.ts";
import { allFree, until } from "../../support/until.ts";
import { INBOUND, type Posting, ringing, send, streamEnded } from "./requests.ts";

const REJECT = '<?xml version="1.0" encoding="UTF-8"?><Response><Reject/></Response>';
const HANG_UP = '<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>';
const OTHER_ACCOUNT = "AC00000000000000000000000000000002";
const OTHER_TOKEN = "ffffffffffffffffffffffffffffffff";

/** A number for each reason why nobody answers. */
const UNANSWERED = {
  number_unknown: "+12025550199",
  number_inactive: "+12025550110",
  workflow_missing: "+12025550111",
  workflow_archived: "+12025550113",
  workflow_invalid: "+12025550114",
} as const;

const lines: string[] = [];
const story = await startStory({
  configurations: [
    configuration("Another account", { accountSid: AccountSid(OTHER_ACCOUNT), authToken: OTHER_TOKEN }),
  ],
  numbers: [
    number(UNANSWERED.number_inactive, 1, { isActive: false }),
    number(UNANSWERED.workflow_missing, undefined),
    number(UNANSWERED.workflow_archived, 10),
    number(UNANSWERED.workflow_invalid, 11),
    number("+12025550115", 12),
    number("+12025550116", 13),
    number("+12025550117", 1, { configurationName: "Another account" }),
  ],
  workflows: [
    workflow(10, { type: "echo" }, { isArchived: true }),
    workflow(11, { type: "echo", rate_hz: 11_025 }),
    workflow(12, { type: "nobody" }),
    workflow(13, {}, { definition: "echo" }),
  ],
  onLogLine: (line) => lines.push(line),
});
const { gateway, twilio, origin, held } = story;
const { records } = gateway;
const NUMBER = (await story.store.numbers.all()).find(({ address }) => address === ECHO_NUMBER)!;
const ask = (posting: Partial<Posting> & Pick<Posting, "params">) =>
  send({ origin, path: INBOUND, ...posting });
const recordOf = (params: Posting["params"]) => records.find(CallSid(params.CallSid!));
/** The newest record's run; runs count up by one, so what is between two of these is what was recorded. */
let asked = 0;
async function newestRun(): Promise<number> {
  asked += 1;
  const params = ringing(UNANSWERED.number_unknown);
  await ask({ params });
  return recordOf(params)!.run - asked;
}

describe("a webhook that Twilio did not sign", () => {
  const params = ringing(ECHO_NUMBER);
  const forgeries: Record<string, Partial<Posting>> = {
    "no signature": { signature: null },
    "an empty signature": { signature: "" },
    "a signature that no token makes": { signature: (WRONG_SIGNATURE as { forged: string }).forged },
    "another token's": { authToken: "0".repeat(32) },
    "the token of another account": { authToken: OTHER_TOKEN },
    "one over another host": { signedUrl: `http://evil.example.com${INBOUND}` },
    "one over another scheme": { signedUrl: `${origin.replace("http:", "https:")}${INBOUND}` },
    "one over another path": { signedUrl: `${origin}${INBOUND}/` },
    "one over a target without its query": { path: `${INBOUND}?a=1`, signedUrl: `${origin}${INBOUND}` },
    "one over other parameters": { signedParams: { ...params, To: "+12025550101" } },
    "one over fewer parameters": { params: { ...params, Extra: "1" }, signedParams: params },
    "an account nobody configured": { params: ringing(ECHO_NUMBER, { AccountSid: `AC${"9".repeat(32)}` }) },
    "no account": { params: ringing(ECHO_NUMBER, { AccountSid: "" }) },
  };
  for (const [what, posting] of Object.entries(forgeries)) {
    it(`is forbidden, says nothing and leaves no trace: ${what}`, async () => {
      const before = await newestRun();
      const forbidden = await counted(gateway, "webhook_answers_total", { answer: "forbidden" });
      const answer = await ask({ params, ...posting });
      assert.deepEqual([answer.status, answer.body], [403, ""]);
      assert.equal(await counted(gateway, "webhook_answers_total", { answer: "forbidden" }), forbidden + 1);
      assert.equal(recordOf(posting.params ?? params), undefined);
      assert.equal(await newestRun(), before);
      assert.equal(held().calls, 0);
    });
  }

  it("is the same to every signed route", async () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`Name${n}`, ""]));
    const unsigned: Partial<Posting>[] = [
      ...[null, "", "x".repeat(28)].map((signature) => ({ params, signature })),
      { params: {} },
      { params: { ...params, AccountSid: OTHER_ACCOUNT } },
      { params: { ...params, ...many } },
    ];
    for (const planted of Object.values(TWILIO_PATHS)) {
      for (const run of ["1", "999999", "0", "-1", "1.5", "none", "%31"]) {
        const path = planted.replace("{run}", run);
        for (const posting of unsigned) {
          const { status, body, headers } = await ask({ params, ...posting, path });
          assert.deepEqual([status, body, headers["content-type"]], [403, "", undefined], path);
        }
        if (path === planted) break;
      }
    }
  });

  it("is no key to another account's call", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const run = records.find(CallSid(call.sid))!.run;
    const theirs = ringing("+12025550117", { AccountSid: OTHER_ACCOUNT, CallSid: call.sid });
    const attempts: Partial<Posting>[] = [
      {},
      { params: { ...theirs, CallStatus: "completed" } },
      { path: streamEnded(run) },
      { path: "/api/v1/telephony/twilio/status-callback", params: { ...theirs, CallStatus: "completed" } },
    ];
    for (const attempt of attempts) {
      const answer = await ask({ params: theirs, authToken: OTHER_TOKEN, ...attempt });
      assert.deepEqual([answer.status, answer.body], [403, ""]);
    }
    await call.connect();
    assert.equal((await call.hangUp()).how, "caller");
    await allFree(story);
  });
});

describe("a call that nobody answers", () => {
  const numbers: [reason: string, to: string][] = [
    ...Object.entries(UNANSWERED),
    ["workflow_invalid", "+12025550115"],
    ["workflow_invalid", "+12025550116"],
    ["number_unknown", "+12025550117"], // another account's
    ["number_unknown", "anonymous"],
    ["number_unknown", "sip:echo@example.com"],
    ["number_unknown", ""],
  ];
  for (const [reason, to] of numbers) {
    it(`is rejected and recorded once, however often it is asked: ${reason} (${to || "empty"})`, async () => {
      const before = await newestRun();
      const ended = await counted(gateway, "calls_ended_total", { direction: "inbound", reason });
      const params = ringing(to);
      for (let time = 0; time < 3; time++) {
        const { status, headers, body } = await ask({ params });
        assert.deepEqual([status, headers["content-type"], body], [200, "text/xml; charset=utf-8", REJECT]);
      }
      const record = recordOf(params);
      assert.equal(record?.outcome, reason);
      assert.deepEqual(
        record?.events.map(({ kind, detail }) => [kind, detail]),
        [
          ["received", undefined],
          ["ended", reason],
        ],
      );
      const unsaid = reason === "number_unknown" ? 1 : 0; // newestRun's own
      assert.equal(await newestRun(), before + 1);
      const endedNow = await counted(gateway, "calls_ended_total", { direction: "inbound", reason });
      assert.equal(endedNow, ended + 1 + unsaid);
      assert.equal(held().calls, 0);
    });
  }

  it("is hung up by Twilio as not answered", async () => {
    const call = await twilio.dial({ to: UNANSWERED.number_unknown });
    call.answer();
    assert.deepEqual(await call.ended, { how: "refused", status: "no-answer", reason: "rejected" });
    assert.deepEqual(call.complaints, []);
  });
});

describe("a webhook about a call's end", () => {
  for (const status of ["completed", "busy", "failed", "no-answer", "canceled"]) {
    it(`is noted, and begins nothing: ${status}`, async () => {
      const params = ringing(ECHO_NUMBER, { CallStatus: status });
      const answer = await ask({ params });
      assert.deepEqual([answer.status, answer.body], [204, ""]);
      assert.equal(recordOf(params), undefined);
    });
  }

  it("ends a call whose stream has not come, and frees its slot", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    assert.equal(held().calls, 1);
    const answer = await ask({ params: { ...call.params, CallStatus: "completed" } });
    assert.equal(answer.status, 204);
    assert.equal(recordOf(call.params)?.outcome, "caller_hung_up");
    await allFree(story);
    await assert.rejects(call.connect(), /status 403|answered with 403/);
    assert.equal(recordOf(call.params)?.outcome, "caller_hung_up");
    // The direction is not looked at: an ending is an ending.
    const again = await ask({
      params: { ...call.params, CallStatus: "completed", Direction: "outbound-api" },
    });
    assert.equal(again.status, 204);
  });

  it("ends a live call and closes its stream", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER });
    const stream = await call.connect();
    await stream.hasPlayed(40);
    assert.equal((await ask({ params: { ...call.params, CallStatus: "completed" } })).status, 204);
    assert.equal(recordOf(call.params)?.outcome, "caller_hung_up");
    const end = await stream.ended;
    assert.deepEqual([end.by, end.code], ["gateway", 1000]);
    await allFree(story);
  });
});

describe("a webhook that is no inbound call's", () => {
  for (const direction of ["outbound-api", "outbound-dial", "trunking-terminating", ""]) {
    it(`is hung up: ${direction || "no direction"}`, async () => {
      const params = ringing(ECHO_NUMBER, { Direction: direction });
      const { status, body } = await ask({ params });
      assert.deepEqual([status, body], [200, HANG_UP]);
      assert.equal(recordOf(params), undefined);
    });
  }

  it("is malformed without a CallSid, though signed", async () => {
    const { status, body } = await ask({ params: { AccountSid: ACCOUNT_SID, Direction: "inbound" } });
    assert.equal(status, 400);
    assert.match(body, /CallSid/);
  });

  it("is refused as a GET, and the log says what to change", async () => {
    lines.length = 0;
    const { status, headers } = await ask({ params: {}, method: "GET" });
    assert.deepEqual([status, headers.allow], [405, "POST"]);
    assert.match(lines.join(""), /GET \/api\/v1\/telephony\/inbound\/run was refused/);
    assert.match(lines.join(""), /set the webhook's method to HTTP POST/);
    const call = await twilio.dial({ to: ECHO_NUMBER, voiceMethod: "GET" });
    assert.equal(call.end?.how, "refused");
  });

  it("is one line in the log, whatever run or method a stranger makes up, and none where Twilio has no business", async () => {
    lines.length = 0;
    for (let run = 1; run <= 5; run++) {
      const path = `${origin}/api/v1/telephony/twilio/answer/${run}`;
      for (const method of ["GET", "PUT", `X${run}`])
        assert.equal((await fetch(path, { method })).status, 405);
    }
    assert.equal((await fetch(`${origin}/api/v1/telephony/initiate-call`)).status, 405);
    const told = lines.filter((line) => line.includes("was refused"));
    assert.equal(told.length, 1, told.join(""));
    assert.match(told[0]!, /GET \/api\/v1\/telephony\/twilio\/answer\/\{run\} was refused/);
  });
});

describe("a webhook that comes again", () => {
  it("gets the same TwiML byte for byte while the call lives, and its own goodbye afterwards", async () => {
    const before = await newestRun();
    const call = await twilio.dial({ to: TEST_AGENT_NUMBER });
    const first = call.webhook!.body;
    assert.match(first, /<Connect .*<Stream /);
    assert.equal((await call.repeatWebhook()).body, first, "before the stream");
    const stream = await call.connect({ automatic: false });
    assert.equal((await call.repeatWebhook()).body, first, "while the stream introduces itself");
    stream.introduce();
    await until("the call to be live", () => recordOf(call.params)?.startedAtMs !== undefined);
    assert.equal((await call.repeatWebhook()).body, first, "while they talk");
    stream.press("3");
    assert.equal((await call.ended).how, "agent");
    assert.equal((await call.repeatWebhook()).body, HANG_UP);
    assert.equal(recordOf(call.params)?.outcome, "agent_hung_up");
    assert.equal(await newestRun(), before + 1);
    assert.equal(await counted(gateway, "webhook_answers_total", { answer: "repeat" }), 3);
  });

  it("gets the apology of a call that failed", async () => {
    const call = await twilio.dial({ to: TEST_AGENT_NUMBER });
    const stream = await call.connect();
    stream.press("4");
    await call.ended;
    const action = call.timeline.events.findLast(({ kind }) => kind === "twiml");
    const repeated = await call.repeatWebhook();
    assert.match(repeated.body, /<Say>.+<\/Say><Hangup\/>/);
    assert.deepEqual(
      (action as { verbs?: { verb: string }[] }).verbs?.map(({ verb }) => verb),
      ["Say", "Hangup"],
    );
  });

  it("five times at once makes one record, takes one slot, and has one answer", async () => {
    const before = await newestRun();
    const params = ringing(ECHO_NUMBER);
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask({ params })));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    assert.equal(new Set(answers.map(({ body }) => body)).size, 1);
    assert.deepEqual([held().calls, held().tasks, held().slotsTaken], [1, 1, 1]);
    assert.equal(await newestRun(), before + 1);
    await ask({ params: { ...params, CallStatus: "completed" } });
    await allFree(story);
  });
});

describe("a caller", () => {
  for (const from of [
    "anonymous",
    "+266696687",
    "client:bob",
    "sip:zoë@example.com",
    "",
    " ",
    "'; DROP--<&>\"",
    "Žluťoučký 🐎",
    "x".repeat(1_000),
  ]) {
    it(`may be anyone: ${JSON.stringify(from.slice(0, 24))}`, async () => {
      const params = ringing(ECHO_NUMBER, { From: from, Caller: from });
      const { status, body } = await ask({ params });
      assert.equal(status, 200);
      assert.match(body, /<Stream /);
      assert.equal(recordOf(params)?.from, from);
      await ask({ params: { ...params, CallStatus: "completed" } });
      await allFree(story);
    });
  }

  it("is kept with what the network says of them, and of how they came here", async () => {
    const params = ringing(ECHO_NUMBER, {
      StirVerstat: "TN-Validation-Failed-C",
      ForwardedFrom: "+12025550177",
      CallerName: "ZOË & SONS",
      SomethingNew: "kept by nobody",
    });
    assert.equal((await ask({ params })).status, 200);
    const record = recordOf(params);
    assert.deepEqual(
      [record?.stirVerstat, record?.forwardedFrom, record?.callerName, record?.to],
      ["TN-Validation-Failed-C", "+12025550177", "ZOË & SONS", ECHO_NUMBER],
    );
    assert.deepEqual(
      [
        record?.direction,
        record?.configurationId,
        record?.numberId,
        record?.workflowId,
        record?.workflowVersion,
      ],
      ["inbound", NUMBER.configurationId, NUMBER.id, story.workflowId(1), 1],
    );
    assert.equal(record?.definitionId, gateway.directory.workflow(story.workflowId(1))?.definitionId);
    assert.deepEqual(
      [record?.state, record?.mode, record?.name],
      ["ringing", "twilio", `WR-TEL-IN-${String(record?.run).padStart(8, "0")}`],
    );
    await ask({ params: { ...params, CallStatus: "completed" } });
    const plain = ringing(ECHO_NUMBER, { StirVerstat: "" });
    await ask({ params: plain });
    const bare = recordOf(plain);
    assert.deepEqual(
      [bare?.stirVerstat, bare?.forwardedFrom, bare?.callerName],
      [undefined, undefined, undefined],
    );
    await ask({ params: { ...plain, CallStatus: "completed" } });
    await allFree(story);
  });

  it("may dial the number in any of its spellings", async () => {
    for (const to of ["12025550100", " 12025550100", "+1 (202) 555-0100"]) {
      const params = ringing(to);
      assert.match((await ask({ params })).body, /<Stream /, to);
      assert.equal(recordOf(params)?.to, to);
      await ask({ params: { ...params, CallStatus: "completed" } });
    }
    await allFree(story);
  });
});
