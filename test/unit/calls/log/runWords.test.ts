import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CallLogEvent, CallRecord } from "../../../../src/calls/log/records.ts";
import { eventText, outcomeText, twilioErrorOf } from "../../../../src/calls/log/runWords.ts";
import { OUTCOMES } from "../../../../src/domain/endings.ts";
import { explainTwilioCode } from "../../../../src/twilio/errors.ts";
import { storedRun } from "./storedRuns.ts";

const text = (kind: CallLogEvent["kind"], detail?: string) =>
  eventText({ atMs: 0, kind, ...(detail !== undefined && { detail }) });

describe("the call log in words", () => {
  it("says of every outcome what it means, each in a sentence of its own", () => {
    const texts = OUTCOMES.map(outcomeText);
    assert.equal(new Set(texts).size, OUTCOMES.length);
    for (const each of texts) assert.match(each, /^[A-Z].+\.$/);
  });

  it("says what Twilio reported, and explains its codes", () => {
    assert.equal(text("call_status", "ringing"), "The phone rings.");
    assert.equal(
      text("call_status", "busy: The line was engaged. Try later."),
      "The line was busy. The line was engaged. Try later.",
    );
    assert.equal(
      text("stream_status", "stream-error: 31921 - Stream - WebSocket - Close Error"),
      `Twilio reports an error of the media stream. ${explainTwilioCode(31921).sentence}`,
    );
    assert.ok(text("fallback", "11200").endsWith(` ${explainTwilioCode(11200).sentence}`));
    assert.ok(text("stream_status", "stream-error: 39999").includes("39999"), "one it has no words for");
    assert.equal(text("ended", "no_stream: Nobody came."), `${outcomeText("no_stream")} Nobody came.`);
    assert.equal(text("answering_machine", "machine_start"), "An answering machine picked up.");
  });

  it("stays with what the kind says where a detail is none it knows", () => {
    for (const detail of [undefined, "constructor", "no code", "other", ""])
      assert.equal(text("stream_status", detail), "Twilio reported on the media stream.");
  });
});

describe("Twilio's part in an ending", () => {
  const error: CallLogEvent = { atMs: 1, kind: "stream_status", detail: "stream-error: 31920 - handshake" };
  const codeOf = (changes: Partial<CallRecord>) => twilioErrorOf(storedRun(1, changes))?.code;

  it("is the code of the record, else the last one of the timeline", () => {
    assert.equal(codeOf({ twilioCode: 13805, events: [error] }), 13805);
    assert.equal(codeOf({ outcome: "no_stream", endedBy: "twilio", events: [error] }), 31920);
    const later = { ...error, detail: "stream-error: 31904" };
    assert.equal(codeOf({ outcome: "media_lost", endedBy: "gateway", events: [error, later] }), 31904);
  });

  it("is nothing where a person or the agent ended the call, or nothing was reported", () => {
    assert.equal(codeOf({ outcome: "agent_hung_up", endedBy: "agent", events: [error] }), undefined);
    assert.equal(codeOf({ outcome: "caller_hung_up", endedBy: "caller", events: [error] }), undefined);
    assert.equal(codeOf({ outcome: "no_stream", endedBy: "twilio", events: [] }), undefined);
  });
});
