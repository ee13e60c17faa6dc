import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseForm } from "../../../src/twilio/forms.ts";
import {
  CALL_STATUSES,
  isTerminal,
  phoneNumberIn,
  readStreamStatus,
  readVoiceWebhook,
  type StreamStatus,
  type VoiceWebhook,
} from "../../../src/twilio/voiceWebhook.ts";

const CALL_SID = `CA${"0".repeat(31)}1`;
const ACCOUNT_SID = `AC${"0".repeat(31)}2`;
const STREAM_SID = `MZ${"0".repeat(31)}3`;
const SIDS = `CallSid=${CALL_SID}&AccountSid=${ACCOUNT_SID}`;

const voice = (form: string): VoiceWebhook | undefined => readVoiceWebhook(parseForm(Buffer.from(form)));
const stream = (form: string): StreamStatus | undefined => readStreamStatus(parseForm(Buffer.from(form)));

describe("a voice webhook", () => {
  it("says who calls whom, and how the call is", () => {
    const form = `${SIDS}&ApiVersion=2010-04-01&CallStatus=ringing&Direction=inbound&From=%2B14155550100&To=%2B15005550006&StirVerstat=TN-Validation-Passed-A&CallerName=ZO%C3%8B&ForwardedFrom=%2B15005550007&ToCity=&New=x`;
    assert.deepEqual(voice(form), {
      callSid: CALL_SID,
      accountSid: ACCOUNT_SID,
      from: "+14155550100",
      to: "+15005550006",
      fromNumber: "+14155550100",
      toNumber: "+15005550006",
      callStatus: "ringing",
      direction: "inbound",
      stirVerstat: "TN-Validation-Passed-A",
      forwardedFrom: "+15005550007",
      callerName: "ZOË",
    });
  });

  it("may say nothing but its SIDs, or words that are new", () => {
    const bare = {
      callSid: CALL_SID,
      accountSid: ACCOUNT_SID,
      from: "",
      to: "",
      fromNumber: undefined,
      toNumber: undefined,
      callStatus: undefined,
      direction: undefined,
      stirVerstat: undefined,
      forwardedFrom: undefined,
      callerName: undefined,
    };
    assert.deepEqual(voice(SIDS), bare);
    assert.deepEqual(voice(`${SIDS}&From=&To=&CallerName=&CallStatus=parked&Direction=trunking`), bare);
  });

  it("keeps its caller as sent, whoever that is", () => {
    for (const from of ["anonymous", "client:zoë", "sip:a@b.example", " +1 ", "", "toString", "+266696687"]) {
      assert.equal(voice(`${SIDS}&From=${encodeURIComponent(from)}`)?.from, from);
    }
    const webhook = voice(`${SIDS}&To=+1(500)%20555-0006+`);
    assert.equal(webhook?.to, " 1(500) 555-0006 ");
    assert.equal(webhook?.toNumber, "+15005550006");
  });

  it("takes the short SIDs of Twilio's documentation", () => {
    assert.equal(voice("CallSid=CA1234567890ABCDE&AccountSid=ACXX")?.callSid, "CA1234567890ABCDE");
  });

  it("is none without one CallSid and one AccountSid that look it", () => {
    const garbled = [
      "",
      "CA",
      "ca1",
      "AC1",
      "CA1 ",
      " CA1",
      "CA-1",
      "CA1\n",
      `CA${"0".repeat(63)}`,
      "CA1/../2",
      "CAé",
    ];
    for (const sid of garbled)
      assert.equal(voice(`CallSid=${encodeURIComponent(sid)}&AccountSid=AC1`), undefined, sid);
    for (const sid of garbled) {
      const account = sid === "AC1" ? "CA1" : sid.replace("CA", "AC");
      assert.equal(voice(`CallSid=CA1&AccountSid=${encodeURIComponent(account)}`), undefined, account);
    }
    for (const form of ["", "CallSid=CA1", "AccountSid=AC1", "CallSid=CA1&CallSid=CA2&AccountSid=AC1"]) {
      assert.equal(voice(form), undefined, form);
    }
  });
});

describe("a call's status", () => {
  it("is terminal when the call is over", () => {
    assert.deepEqual(CALL_STATUSES.filter(isTerminal), [
      "completed",
      "busy",
      "failed",
      "no-answer",
      "canceled",
    ]);
    for (const word of ["", "Completed", "no_answer", "toString", undefined]) assert.ok(!isTerminal(word));
  });
});

describe("a telephone number", () => {
  it("has one form however it is written", () => {
    for (const text of [
      "+15005550006",
      "15005550006",
      " 15005550006",
      "+1 500 555-0006",
      "+1.500.555.0006",
    ]) {
      assert.equal(phoneNumberIn(text), "+15005550006", text);
    }
  });

  it("is not found where there is none", () => {
    const others = [
      "",
      "+",
      "anonymous",
      "sip:15005550006@b",
      "client:1",
      "+05005550006",
      "123456",
      "++15005550006",
    ];
    others.push("+1234567890123456", "+1500555000x", "1+5005550006");
    for (const text of others) assert.equal(phoneNumberIn(text), undefined, text);
  });
});

describe("a stream's status", () => {
  const form = `${SIDS}&StreamSid=${STREAM_SID}&StreamName=${STREAM_SID}&Timestamp=2024-11-29T00%3A09%3A39.602648368Z`;
  const said = {
    callSid: CALL_SID,
    accountSid: ACCOUNT_SID,
    streamSid: STREAM_SID,
    event: "other",
    error: undefined,
    timestamp: "2024-11-29T00:09:39.602648368Z",
  };

  it("says what became of which stream of which call", () => {
    for (const event of ["stream-started", "stream-stopped", "stream-error"]) {
      assert.deepEqual(stream(`${form}&StreamEvent=${event}`), { ...said, event });
    }
    assert.deepEqual(stream(`${form}&StreamEvent=stream-error&StreamError=31921`), {
      ...said,
      event: "stream-error",
      error: "31921",
    });
  });

  it("may be of an event that is new, or lack one", () => {
    for (const end of ["&StreamEvent=stream-paused", "&StreamEvent=", ""])
      assert.deepEqual(stream(form + end), said);
  });

  it("is none without its three SIDs", () => {
    for (const name of ["CallSid", "AccountSid", "StreamSid"]) {
      assert.equal(stream(form.replace(`${name}=`, "Other=")), undefined, name);
      assert.equal(stream(form.replace(`${name}=`, `${name}=x`)), undefined, name);
    }
  });
});
