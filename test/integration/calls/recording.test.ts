// Calls that are recorded: what is in their files is held against what the telephone network has said and played, and
// what becomes of them when a worker dies or the disk is none.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import type { TwinCall } from "../../../src/twin/call.ts";
import type { TwinStream } from "../../../src/twin/stream.ts";
import { readWav } from "../../../src/twin/wav.ts";
import { ApiClient } from "../../support/api.ts";
import { API_KEY, number, type Story, startStory, workflow } from "../../support/gateway.ts";
import { MovableClock } from "../../support/movableClock.ts";
import { isReleased, recordOf } from "../../support/records.ts";
import { levelDb, recording as speech } from "../../support/sound.ts";
import { WORDS } from "../../support/testAgent.ts";
import { until } from "../../support/until.ts";

const ANNOUNCED = "+12025550180";
const KEYED = "+12025550181";
const PER_MS = 8;

function recorded(key: number, agent: object, announcement: boolean) {
  const definition = { agent, recording: { enabled: true, announcement, retention_days: 7 } };
  return workflow(key, agent, { definition });
}

const WORLD = {
  numbers: [number(ANNOUNCED, 10), number(KEYED, 11)],
  workflows: [recorded(10, { type: "echo" }, true), recorded(11, { type: "test" }, false)],
};

/** Of two calls, one after the other. */
const shared = startStory(WORLD);

function folderOf({ gateway }: Story): string {
  return gateway.settings.recordingsPath;
}

/** The call's file, once it is finished. */
async function fileOf(story: Story, call: TwinCall): Promise<{ name: string; bytes: Buffer }> {
  const { recordingFile: name } = recordOf(story.gateway, call);
  assert.ok(name !== undefined, "the record knows of its recording");
  await until("the recording to be finished", () => readdirSync(folderOf(story)).includes(name));
  return { name, bytes: readFileSync(join(folderOf(story), name)) };
}

/** How far one may be off the other: asked are 40 ms, on a machine that does nothing else. */
const OFF_MAX_MS = 120;
const STEP = 5 * PER_MS;

/** By how much one is later than the other where they are most alike, in ms, and how unlike they are even there. */
function shift(one: Int16Array, other: Int16Array): { readonly ms: number; readonly unlike: number } {
  const most = OFF_MAX_MS * PER_MS;
  let best = { ms: 0, unlike: Number.POSITIVE_INFINITY };
  for (let step = 0; step <= 2 * most; step++) {
    const samples = step % 2 === 0 ? step / 2 : -(step + 1) / 2; // of equals the nearest: 0, -1, 1, -2, …
    const end = Math.min(one.length, other.length) - most;
    let unlike = 0;
    for (let i = most; i < end && unlike < best.unlike; i++) if (one[i + samples] !== other[i]) unlike++;
    if (unlike < best.unlike) best = { ms: samples / PER_MS, unlike };
  }
  return best;
}

/** By pieces of 5 ms: whether there is anything to be heard. */
function loud(samples: Int16Array): boolean[] {
  return Array.from({ length: Math.floor(samples.length / STEP) }, (_, n) =>
    samples.subarray(n * STEP, (n + 1) * STEP).some((sample) => Math.abs(sample) > 1_000),
  );
}

/** The furthest that something to be heard in one is from anything in the other, in ms. */
function strayMs(one: boolean[], other: boolean[]): number {
  let furthest = 0;
  for (const [at, isLoud] of one.entries()) {
    if (!isLoud) continue;
    let away = 0;
    while (away < other.length && !other[at - away] && !other[at + away]) away++;
    furthest = Math.max(furthest, away * 5);
  }
  return furthest;
}

interface Heard {
  readonly ours: readonly Int16Array[];
  /** What the twin has kept of the same time. */
  readonly theirs: readonly Int16Array[];
}

/** Asserts that the file is as long as the call was. */
function heardIn(bytes: Buffer, stream: TwinStream, say: (figure: string) => void): Heard {
  const { rateHz, channels } = readWav(bytes);
  assert.deepEqual([rateHz, channels.length], [8_000, 2]);
  const fromMs = stream.startedMs!;
  const lastedMs = channels[0]!.length / PER_MS;
  const calledMs = stream.nowMs - fromMs;
  say(`the file lasts ${lastedMs.toFixed(0)} ms, the call ${calledMs.toFixed(0)} ms`);
  assert.ok(Math.abs(lastedMs - calledMs) <= OFF_MAX_MS);
  const theirs = [stream.caller, stream.agent].map((track) => track.samples(fromMs, fromMs + lastedMs));
  return { ours: channels, theirs };
}

/** Asserts that two are the same, give or take where they begin. */
function assertAlike(side: string, one: Int16Array, other: Int16Array, say: (figure: string) => void): void {
  const { ms, unlike } = shift(one, other);
  say(`${side}: ${ms.toFixed(1)} ms off, ${unlike} of ${other.length} samples unlike`);
  assert.ok(other.some((sample) => sample !== 0));
  // A frame that is late on a busy machine has another place on either side.
  assert.ok(unlike <= 0.05 * other.length, `${unlike} samples of the ${side}'s side are not what was heard`);
}

async function detailOf(story: Story, call: TwinCall, key: number) {
  const { run } = recordOf(story.gateway, call);
  const client = new ApiClient(story.origin);
  return (await client.get(`/api/v1/workflow/${story.workflowId(key)}/runs/${run}`)).body;
}

describe("a call that is recorded", () => {
  it("is kept as it was heard, announcement and echo, and can be downloaded, whole, in part, and by side", async (t) => {
    const lines: string[] = [];
    const clock = new MovableClock();
    const story = await startStory({ ...WORLD, clock, onLogLine: (line) => lines.push(line) });
    const call = await story.twilio.dial({ to: ANNOUNCED });
    const stream = await call.connect();
    stream.say(speech("question"));
    await stream.hasSaidAll();
    await until(
      "a second to be recorded",
      async () => (await detailOf(story, call, 10)).recording_url !== null,
    );

    await t.test("while it goes on", async () => {
      const live = await detailOf(story, call, 10);
      assert.equal(live.is_completed, false);
      await until("half a second on disk", async () => {
        const { channels } = readWav(await bytesOf(live.recording_url));
        return channels[0]!.length >= 500 * PER_MS;
      });
    });
    await stream.hasPlayed(1_000);
    await call.hangUp();
    await isReleased(story.gateway, call);
    const { name, bytes } = await fileOf(story, call);
    const say = (figure: string) => t.diagnostic(figure);
    const { ours, theirs } = heardIn(bytes, stream, say);
    assertAlike("caller", ours[0]!, theirs[0]!, say);
    assertAlike("agent", ours[1]!, theirs[1]!, say);
    assert.match(name, /^run-00000001-\d{4}-\d\d-\d\d-until-\d{4}-\d\d-\d\d\.wav$/);
    assert.equal(statSync(join(folderOf(story), name)).mode & 0o777, 0o600);
    assert.equal(statSync(folderOf(story)).mode & 0o777, 0o700);
    const { channels } = readWav(bytes);
    assert.ok(levelDb(channels[1]!.subarray(0, 1_000 * PER_MS)) > -40, "the announcement is in it");

    const detail = await detailOf(story, call, 10);
    await t.test("once it is over, by links in the run and in both lists", async () => {
      const client = new ApiClient(story.origin);
      const { runs } = (await client.get(`/api/v1/workflow/${story.workflowId(10)}/runs`)).body;
      const used = (await client.get("/api/v1/organizations/usage/runs")).body.runs;
      for (const { recording_url, recording_public_url, transcript_url } of [detail, runs[0], used[0]]) {
        assert.equal(recording_public_url, recording_url);
        assert.equal(transcript_url, null);
        assert.ok((await bytesOf(recording_url)).equals(bytes));
      }
      const told = detail.events.filter(({ kind }: { kind: string }) => kind === "recording");
      assert.deepEqual(
        told.map(({ facts }: { facts: { state: string; droppedMs: number } }) => [
          facts.state,
          facts.droppedMs,
        ]),
        [
          ["started", 0],
          ["finished", 0],
        ],
      );
    });

    await t.test("by side, each a file of its own", async () => {
      for (const [side, url] of [detail.user_recording_url, detail.bot_recording_url].entries())
        assert.deepEqual(readWav(await bytesOf(url)).channels, [channels[side]]);
    });

    await t.test("in part, as players ask for it", async () => {
      const ask = (range: string, init: RequestInit = {}) =>
        fetch(detail.recording_url, { ...init, headers: { Range: range, ...init.headers } });
      const part = await ask("bytes=100-299");
      assert.equal(part.status, 206);
      assert.equal(part.headers.get("content-range"), `bytes 100-299/${bytes.length}`);
      assert.ok(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(100, 300)));
      const end = Buffer.from(await (await ask("bytes=-10")).arrayBuffer());
      assert.ok(end.equals(bytes.subarray(-10)));
      const beyond = await ask(`bytes=${bytes.length}-`);
      assert.equal(beyond.status, 416);
      assert.equal(beyond.headers.get("content-range"), `bytes */${bytes.length}`);
      assert.deepEqual(Object.keys((await beyond.json()) as object), ["detail"]);
      const changed = await ask("bytes=0-1", { headers: { "If-Range": '"x"' } });
      assert.equal(changed.status, 200);
      await changed.arrayBuffer();
      const head = await ask("bytes=0-1", { method: "HEAD" });
      assert.deepEqual([head.status, head.headers.get("content-length")], [200, String(bytes.length)]);
    });

    await t.test("to be saved, or shown", async () => {
      for (const [query, how] of [
        ["", "attachment"],
        ["?inline=true", "inline"],
      ]) {
        const { headers } = await fetch(detail.user_recording_url + query, { method: "HEAD" });
        const file = "WR-TEL-IN-00000001-user_recording.wav";
        assert.equal(headers.get("content-disposition"), `${how}; filename="${file}"`);
        assert.equal(headers.get("content-type"), "audio/wav");
      }
    });

    await t.test("by nobody else, and not for longer than an hour", async () => {
      const client = new ApiClient(story.origin, {});
      const path = (token: string, artifact = "recording") =>
        `/api/v1/public/download/workflow/${token}/${artifact}`;
      const token: string = detail.public_access_token;
      assert.equal((await client.get(path(token, "transcript"))).status, 404);
      assert.equal((await client.get(path(token, "everything"))).status, 422);
      assert.equal((await client.get(path("00000000-0000-4000-8000-000000000000"))).status, 404);
      assert.equal((await client.get(path(`${token.slice(0, -2)}xx`))).status, 404);
      clock.jump(3_590_000);
      assert.equal((await fetch(detail.recording_url, { method: "HEAD" })).status, 200);
      clock.jump(20_000);
      assert.equal((await client.get(path(token))).status, 404);
      clock.jump(9 * 86_400_000);
      const late = await detailOf(story, call, 10);
      assert.deepEqual([late.recording_url, late.public_access_token], [null, null]);
    });

    await story.close();
    const log = lines.join("");
    assert.ok(!log.includes(detail.public_access_token) && !log.includes(API_KEY));
    assert.ok(!log.includes("our own code"), log);
  });

  it("has nothing that was unsaid before it was heard, and its words as they were heard", async (t) => {
    const story = await shared;
    const call = await story.twilio.dial({ to: KEYED });
    const stream = await call.connect();
    stream.say(speech("hello"));
    stream.press("0"); // ten seconds
    await stream.hasPlayed(700);
    stream.press("*");
    await stream.next("clear");
    stream.press("A");
    await stream.hasPlayed(1_500);
    await stream.until("its mark", () => recordOf(story.gateway, call).hasTranscript || undefined);
    await call.hangUp();
    await isReleased(story.gateway, call);
    const say = (figure: string) => t.diagnostic(figure);
    const { ours, theirs } = heardIn((await fileOf(story, call)).bytes, stream, say);
    assertAlike("caller", ours[0]!, theirs[0]!, say);
    const [recorded, played] = [loud(ours[1]!), loud(theirs[1]!)];
    const [tooMuchMs, tooLittleMs] = [strayMs(recorded, played), strayMs(played, recorded)];
    say(`agent: ${tooMuchMs} ms where nothing was heard, ${tooLittleMs} ms heard and not kept`);
    assert.ok(tooMuchMs <= OFF_MAX_MS && tooLittleMs <= OFF_MAX_MS);
    assert.ok(recorded.filter(Boolean).length * 5 < 2_500, "ten seconds were said, and most of them unsaid");
    const detail = await detailOf(story, call, 11);
    const transcript = await fetch(`${detail.transcript_url}?inline=1`);
    assert.equal(transcript.headers.get("content-type"), "text/plain; charset=utf-8");
    assert.match(transcript.headers.get("content-disposition")!, /^inline; .*-transcript\.txt"$/);
    const said = await transcript.text();
    assert.match(said, /^caller: Is anyone there\?\nagent: Good morning/);
    assert.ok(WORDS.startsWith(said.split("agent: ")[1]!.trim()));
  });

  it("is one file when its worker dies in the middle, with everything in its time", async (t) => {
    const story = await shared;
    const kept = readdirSync(folderOf(story));
    const added = () => readdirSync(folderOf(story)).filter((file) => !kept.includes(file));
    const call = await story.twilio.dial({ to: KEYED });
    const stream = await call.connect();
    stream.say(speech("question"));
    stream.press("1");
    await stream.hasPlayed(1_000);
    await until("a second on disk", () => {
      const [file] = added();
      return file !== undefined && statSync(join(folderOf(story), file)).size > 44 + 4 * 8_000;
    });
    stream.press("7");
    const moved = () => recordOf(story.gateway, call).events.some(({ kind }) => kind === "worker_replaced");
    await until("the call to move", moved);
    const movedMs = stream.nowMs - stream.startedMs!;
    stream.press("#");
    await stream.hasPlayed(1_500);
    await call.hangUp();
    await isReleased(story.gateway, call);
    const { bytes, name } = await fileOf(story, call);
    assert.deepEqual(added(), [name]);
    const say = (figure: string) => t.diagnostic(figure);
    const { ours, theirs } = heardIn(bytes, stream, say);
    const from = Math.round(movedMs * PER_MS);
    assertAlike("second agent", ours[1]!.subarray(from), theirs[1]!.subarray(from), say);
    assertAlike("caller", ours[0]!.subarray(0, 800 * PER_MS), theirs[0]!.subarray(0, 800 * PER_MS), say);
  });

  it("goes on as any other when there is nowhere to record it, which the operator is told", async () => {
    const lines: string[] = [];
    const story = await startStory({ ...WORLD, onLogLine: (line) => lines.push(line) });
    writeFileSync(folderOf(story), "a file where the folder should be");
    const call = await story.twilio.dial({ to: KEYED });
    const stream = await call.connect();
    stream.press("1");
    await stream.hasPlayed(1_000);
    stream.press("3");
    const { how } = await call.ended;
    assert.equal(how, "agent");
    await isReleased(story.gateway, call);
    const detail = await detailOf(story, call, 11);
    assert.deepEqual([detail.outcome, detail.recording_url], ["agent_hung_up", null]);
    const warning = lines.find((line) => line.includes("a recording failed"));
    assert.match(warning!, /"why":"(EEXIST|ENOTDIR)"/);
    assert.ok(dirname(folderOf(story)) === dirname(story.databasePath));
  });
});

async function bytesOf(url: string): Promise<Buffer> {
  const response = await fetch(url);
  assert.equal(response.status, 200, await response.clone().text());
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.equal(response.headers.get("content-length"), String(bytes.length));
  return bytes;
}
