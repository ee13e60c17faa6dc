// The call log as its users read it: calls through the offline Twilio, then what the API tells of them. Every answer
// is held against the contract on the way.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ApiClient, assertBlames } from "../../support/api.ts";
import { ACCOUNT_SID, ECHO_NUMBER, number, startStory, workflow } from "../../support/gateway.ts";
import { isReleased, recordOf } from "../../support/records.ts";
import { parseCsv } from "../../unit/calls/log/csv.ts";
import { send, streamEnded, streamStatus } from "../calls/requests.ts";

const UNKNOWN_NUMBER = "+12025550199";
const OTHER_NUMBER = "+12025550188";
const FROM = "+14155550123";

const story = await startStory({
  numbers: [number(OTHER_NUMBER, 3)],
  workflows: [workflow(3, { type: "echo" })],
});
const { gateway, twilio } = story;
const api = new ApiClient(story.origin);
const ECHO = story.workflowId(1);
const OTHER = story.workflowId(3);
const runPath = (run: number, of: number = ECHO) => `/api/v1/workflow/${of}/runs/${run}`;
const listPath = (query: Readonly<Record<string, string>> = {}, of: number = ECHO) =>
  `/api/v1/workflow/${of}/runs?${new URLSearchParams(query)}`;
const usagePath = (query: Readonly<Record<string, string>> = {}) =>
  `/api/v1/organizations/usage/runs?${new URLSearchParams(query)}`;
const filters = (...each: readonly object[]) => ({ filters: JSON.stringify(each) });

/** Calls, talks, presses keys and hangs up; the run. */
async function talk(to = ECHO_NUMBER): Promise<number> {
  const call = await twilio.dial({ to, from: FROM });
  const stream = await call.connect();
  for (const digit of "739") stream.press(digit);
  stream.say(Int16Array.from({ length: 4_000 }, (_, n) => Math.round(8_000 * Math.sin(n / 3))));
  await stream.hasPlayed(500);
  await call.hangUp();
  await isReleased(gateway, call);
  return recordOf(gateway, call).run;
}

describe("one run", () => {
  it("tells who called whom, when, for how long, how it ended and who ended it", async () => {
    const run = await talk();
    const { status, body } = await api.get(runPath(run));
    assert.equal(status, 200);
    const record = gateway.records.get(run as never)!;
    const {
      id,
      workflow_id,
      workflow_version,
      definition_id,
      mode,
      direction,
      call_type,
      from,
      to,
      call_sid,
    } = body;
    assert.deepEqual(
      { id, workflow_id, workflow_version, definition_id, mode, direction, call_type, from, to, call_sid },
      {
        id: run,
        workflow_id: ECHO,
        workflow_version: 1,
        definition_id: record.definitionId,
        mode: "twilio",
        direction: "inbound",
        call_type: "inbound",
        from: FROM,
        to: ECHO_NUMBER,
        call_sid: record.callSid,
      },
    );
    assert.match(body.name, /^WR-TEL-IN-\d{8}$/);
    assert.deepEqual(
      [body.is_completed, body.state, body.outcome, body.ended_by, body.twilio_error],
      [true, "ended", "caller_hung_up", "caller", null],
    );
    assert.equal(body.outcome_text, "The person on the phone hung up.");
    assert.ok(body.talking_ms >= 500 && body.heard_ms >= 400 && body.ringing_ms >= 0, JSON.stringify(body));
    assert.equal(body.usage_info.call_duration_seconds, Math.round(body.talking_ms / 1_000));
    assert.equal(Date.parse(body.answered_at) + body.talking_ms, Date.parse(body.ended_at));
    assert.equal(Date.parse(body.received_at) + body.ringing_ms, Date.parse(body.answered_at));
    assert.deepEqual(body.initial_context, {
      caller_number: FROM,
      called_number: ECHO_NUMBER,
      phone_number: FROM,
      direction: "inbound",
      provider: "twilio",
      telephony_configuration_id: record.configurationId,
      from_phone_number_id: record.numberId,
      stir_verstat: record.stirVerstat,
    });
    assert.deepEqual(body.gathered_context, {
      provider: "twilio",
      call_id: record.callSid,
      call_disposition: "caller_hung_up",
      mapped_call_disposition: "caller_hung_up",
    });
    assert.deepEqual(
      ["recording_url", "transcript_url", "cost_info", "annotations"].map((field) => body[field]),
      [null, null, null, null],
    );
  });

  it("has its timeline in order, each line in words too", async () => {
    const { body } = await api.get(runPath(await talk()));
    const kinds = body.events
      .map(({ kind }: { kind: string }) => kind)
      .filter((kind: string) => kind !== "stream_status" && kind !== "utterance");
    assert.deepEqual(kinds, ["received", "stream_opened", "stream_started", "first_audio", "ended"]);
    const heard = body.events.find(({ kind }: { kind: string }) => kind === "utterance").facts;
    assert.ok(heard.heardMs > 0 && heard.heardMs <= heard.sentMs, "what the caller heard of the agent");
    const times = body.events.map(({ at }: { at: string }) => at);
    assert.deepEqual(times, [...times].sort());
    for (const { text } of body.events) assert.match(text, /^[A-Z].+\.$/);
    assert.equal(body.events.find(({ kind }: { kind: string }) => kind === "ended").detail, "caller_hung_up");
  });

  it("counts the keys that were pressed and names none", async () => {
    const { body } = await api.get(runPath(await talk()));
    assert.equal(body.digits_pressed, 3);
    const words = body.events.map(({ kind, detail, text }: Record<string, string>) => [kind, detail, text]);
    assert.doesNotMatch(JSON.stringify(words), /\b[739]\b|739/);
  });

  it("can be read while its call goes on", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER, from: FROM });
    const { run } = recordOf(gateway, call);
    const ringing = (await api.get(runPath(run))).body;
    assert.deepEqual(
      [ringing.is_completed, ringing.outcome, ringing.ended_at, ringing.usage_info, ringing.talking_ms],
      [false, null, null, null, 0],
    );
    assert.equal(ringing.gathered_context.call_disposition, undefined);
    const stream = await call.connect();
    stream.say(new Int16Array(1_600));
    await stream.hasPlayed(100);
    const live = (await api.get(runPath(run))).body;
    assert.ok(live.talking_ms >= 100, `${live.talking_ms}`);
    assert.ok(live.events.some(({ kind }: { kind: string }) => kind === "stream_started"));
    const [listed] = (await api.get(listPath({ limit: "1" }))).body.runs;
    assert.deepEqual([listed.id, listed.is_completed], [run, false], "in the list as well");
    const open = (await api.get(listPath(filters({ attribute: "status", value: { status: "in_progress" } }))))
      .body;
    assert.deepEqual(
      open.runs.map(({ id }: { id: number }) => id),
      [run],
    );
    await call.hangUp();
    await isReleased(gateway, call);
  });

  it("explains what Twilio reported of a stream that failed, and takes that for the cause", async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER, from: FROM });
    const { run } = recordOf(gateway, call);
    await send({
      origin: story.origin,
      path: streamStatus(run),
      params: {
        AccountSid: ACCOUNT_SID,
        CallSid: call.sid,
        StreamSid: `MZ${"0".repeat(32)}`,
        StreamEvent: "stream-error",
        StreamError: "31920 - handshake failed",
      },
    });
    await send({
      origin: story.origin,
      path: streamEnded(run),
      params: { ...call.params, CallStatus: "in-progress" },
    });
    await isReleased(gateway, call);
    const { body } = await api.get(runPath(run));
    assert.equal(body.outcome, "media_lost");
    assert.equal(body.twilio_error.code, 31920);
    assert.match(body.twilio_error.remedy, /proxy/);
    const line = body.events.find(({ kind }: { kind: string }) => kind === "stream_status");
    assert.equal(line.detail, "stream-error: 31920 - handshake failed");
    assert.match(line.text, /WebSocket/);
    const [listed] = (await api.get(listPath({ limit: "1" }))).body.runs;
    assert.deepEqual(listed.twilio_error, body.twilio_error);
  });

  it("is not found under another workflow, by another number, or without a number", async () => {
    const run = await talk();
    for (const path of [runPath(run, OTHER), runPath(run, 0), runPath(run + 10_000)]) {
      const { status, body } = await api.get(path);
      assert.deepEqual([status, body.detail], [404, "Workflow run not found"], path);
    }
    assert.equal((await api.get(runPath(run, 999))).body.detail, "Workflow not found");
    assertBlames(await api.get(`/api/v1/workflow/${ECHO}/runs/x`), "path.run_id");
    assert.equal((await api.as({}).get(runPath(run))).status, 401);
  });

  it("of a call that no workflow answered is found under workflow 0", async () => {
    const call = await twilio.dial({ to: UNKNOWN_NUMBER, from: FROM });
    await call.settled();
    const { run } = recordOf(gateway, call);
    const { body } = await api.get(runPath(run, 0));
    assert.deepEqual([body.workflow_id, body.outcome, body.ended_by], [0, "number_unknown", "gateway"]);
    const listed = (await api.get(listPath({}, 0))).body.runs;
    assert.deepEqual(
      listed.map(({ id }: { id: number }) => id),
      [run],
    );
  });
});

describe("a workflow's runs", () => {
  it("are listed newest first, page by page", async () => {
    const runs = [await talk(OTHER_NUMBER), await talk(OTHER_NUMBER), await talk(OTHER_NUMBER)];
    const first = (await api.get(listPath({ limit: "2" }, OTHER))).body;
    assert.deepEqual(
      first.runs.map(({ id }: { id: number }) => id),
      [runs[2], runs[1]],
    );
    assert.deepEqual(
      [first.total_count, first.page, first.limit, first.total_pages, first.applied_filters],
      [3, 1, 2, 2, null],
    );
    const second = (await api.get(listPath({ limit: "2", page: "2" }, OTHER))).body;
    assert.deepEqual(
      second.runs.map(({ id }: { id: number }) => id),
      [runs[0]],
    );
    const { runs: beyond, total_count } = (await api.get(listPath({ page: "9" }, OTHER))).body;
    assert.deepEqual([beyond, total_count], [[], 3]);
    const oldest = (await api.get(listPath({ sort_order: "asc", sort_by: "duration", limit: "1" }, OTHER)))
      .body;
    assert.equal(oldest.runs.length, 1);
    const ofOne = (await api.get(runPath(runs[0]!, OTHER))).body;
    const { events, logs, ...rest } = ofOne;
    assert.deepEqual(
      second.runs[0],
      { ...rest, logs: null },
      "a run in a list is the run without its timeline",
    );
    assert.ok(events.length > 0 && logs !== null);
  });

  it("can be filtered, and tell by what they were", async () => {
    const wanted = filters(
      { attribute: "dispositionCode", type: "multiSelect", value: { codes: ["caller_hung_up", "busy"] } },
      { attribute: "dateRange", type: "dateRange", value: { from: "2020-01-01" } },
    );
    const { body } = await api.get(listPath(wanted, OTHER));
    assert.equal(body.total_count, 3);
    assert.deepEqual(body.applied_filters, JSON.parse(wanted.filters));
    const none = await api.get(listPath(filters({ attribute: "duration", value: { min: 3_600 } }), OTHER));
    assert.equal(none.body.total_count, 0);
  });

  it("refuse what they can't be filtered or sorted by, naming it", async () => {
    const forbidden = await api.get(listPath(filters({ attribute: "callerNumber", value: { value: "1" } })));
    assert.equal(forbidden.status, 403);
    assert.match(forbidden.body.detail, /"callerNumber".*dispositionCode/);
    assertBlames(await api.get(listPath({ filters: "[{" })), "query.filters");
    assertBlames(
      await api.get(listPath(filters({ attribute: "duration", value: { min: "x" } }))),
      "query.filters.0.value.min",
    );
    assertBlames(
      await api.get(listPath({ page: "0", limit: "101", sort_by: "name", sort_order: "up" })),
      ...["query.page", "query.limit", "query.sort_by", "query.sort_order"],
    );
    assert.equal((await api.get(listPath({}, 999))).status, 404);
  });
});

describe("usage", () => {
  it("lists the runs of all workflows with who called and how long was talked in all", async () => {
    const refused = await twilio.dial({ to: UNKNOWN_NUMBER, from: "+14155550177" });
    await refused.settled();
    const all = (await api.get(usagePath({ limit: "100" }))).body;
    assert.equal(all.total_count, all.runs.length);
    const seconds = all.runs.reduce(
      (sum: number, run: { call_duration_seconds: number }) => sum + run.call_duration_seconds,
      0,
    );
    assert.equal(all.total_duration_seconds, seconds);
    const [newest] = all.runs;
    assert.deepEqual(
      [
        newest.workflow_id,
        newest.workflow_name,
        newest.caller_number,
        newest.called_number,
        newest.disposition,
      ],
      [0, null, "+14155550177", UNKNOWN_NUMBER, "number_unknown"],
    );
    const named = all.runs.find(({ workflow_id }: { workflow_id: number }) => workflow_id === OTHER);
    assert.deepEqual(
      [named.workflow_name, named.phone_number, named.call_type],
      ["Workflow 3", FROM, "inbound"],
    );
    const found = (
      await api.get(
        usagePath(filters({ attribute: "callerNumber", type: "text", value: { value: "555 0177" } })),
      )
    ).body;
    assert.deepEqual(
      found.runs.map(({ id }: { id: number }) => id),
      [newest.id],
    );
    const ofOther = (
      await api.get(usagePath(filters({ attribute: "workflowId", type: "number", value: { value: OTHER } })))
    ).body;
    assert.equal(ofOther.total_count, 3);
    assert.equal((await api.get(usagePath({ end_date: "2020-01-01" }))).body.total_count, 0);
    assertBlames(
      await api.get(usagePath({ start_date: "soon", end_date: "2024-02-31" })),
      "query.start_date",
      "query.end_date",
    );
  });
});

describe("a report", () => {
  it("is CSV of a workflow's runs that are over, oldest first", async () => {
    const call = await twilio.dial({ to: OTHER_NUMBER, from: FROM });
    await call.connect();
    const { status, headers, body } = await api.get(`/api/v1/workflow/${OTHER}/report`);
    assert.equal(status, 200);
    assert.equal(headers.get("content-type"), "text/csv; charset=utf-8");
    assert.match(headers.get("content-disposition")!, /^attachment; filename="workflow-\d+-runs\.csv"$/);
    const [header, ...rows] = parseCsv(body);
    const column = (name: string) => rows.map((row) => row[header!.indexOf(name)]);
    const listed = (await api.get(listPath({ sort_order: "asc" }, OTHER))).body.runs;
    assert.deepEqual(
      column("run_id"),
      listed.slice(0, 3).map(({ id }: { id: number }) => `${id}`),
      "without the live one",
    );
    assert.deepEqual(column("caller_number"), [FROM, FROM, FROM]);
    assert.deepEqual(
      column("received_at"),
      listed.slice(0, 3).map(({ received_at }: { received_at: string }) => received_at),
    );
    await call.hangUp();
    await isReleased(gateway, call);
    assert.equal(
      parseCsv((await api.get(`/api/v1/workflow/${OTHER}/report?end_date=2020-01-01`)).body).length,
      1,
    );
    assert.equal((await api.get("/api/v1/workflow/999/report")).status, 404);
  });

  it("of usage takes the filters of its list", async () => {
    const query = new URLSearchParams(
      filters({ attribute: "calledNumber", type: "text", value: { value: UNKNOWN_NUMBER } }),
    );
    const { body } = await api.get(`/api/v1/organizations/usage/runs/report?${query}`);
    const [header, ...rows] = parseCsv(body);
    assert.deepEqual(
      new Set(rows.map((row) => row[header!.indexOf("outcome")])),
      new Set(["number_unknown"]),
    );
    assert.ok(rows.length >= 1);
    assertBlames(await api.get("/api/v1/organizations/usage/runs/report?filters=x"), "query.filters");
  });
});
