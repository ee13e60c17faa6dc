// When a worker looks at a call again: a call is looked at when something is due, and not before, so that whatever
// becomes due must have asked for it. The agent here has no tick, which would hide what was forgotten.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { WorkerCounts } from "../../../../src/lane/counts.ts";
import { createLaneMemory, LaneEnd, RecordKind } from "../../../../src/lane/lane.ts";
import { CallRemains } from "../../../../src/lane/remains.ts";
import type { TaskReport } from "../../../../src/lane/ticket.ts";
import type { Agent, AudioFormat, Line } from "../../../../src/media/agents/port.ts";
import { CallHost, loadEquipment } from "../../../../src/media/pipeline/host.ts";
import { readPrompts } from "../../../../src/media/recordings/recordings.ts";
import { ManualClock } from "../../../support/manualClock.ts";
import { mediaMessage, message, type Sent, SLOT, startMessage, ticket } from "./surroundings.ts";

const PCM16: AudioFormat = { encoding: "pcm16", rateHz: 8_000 };
const MULAW: AudioFormat = { encoding: "mulaw", rateHz: 8_000 };
const loaded = await loadEquipment([], readPrompts());
const frameMs = 20;
/** Of the caller's messages, against the agent's words. */
const PHASES_MS = [0, 5, 10, 15];

class Quiet implements Agent {
  readonly line: Line;
  readonly #format: AudioFormat;
  constructor(line: Line, format: AudioFormat) {
    this.line = line;
    this.#format = format;
  }
  started(): void {
    this.line.ready(this.#format, this.#format);
  }
  hear(): void {}
  dtmf(): void {}
  marked(): void {}
  interrupted(): void {}
  ended(): void {}
}

/** A call that is up, and whose caller's frames go on coming. `failing`: makes agents that fail once they have a line. */
function call(t: TestContext, format = PCM16, phaseMs = 0) {
  const clock = new ManualClock();
  const memory = createLaneMemory();
  const sent: (Sent & { readonly atMs: number })[] = [];
  const front = new LaneEnd(memory, "front", clock, (kind, _slot, _epoch, bytes) => {
    if (kind === RecordKind.media || kind === RecordKind.control)
      sent.push({ ...(JSON.parse(Buffer.from(bytes).toString()) as Sent), atMs: clock.nowMs() });
  });
  t.after(() => front.close());
  const lines: Line[] = [];
  const agents = new Map([
    [
      "quiet",
      {
        type: "quiet",
        create(_settings: unknown, line: Line) {
          lines.push(line);
          return new Quiet(line, format);
        },
      },
    ],
    [
      "failing",
      {
        type: "failing",
        create(_settings: unknown, line: Line): Agent {
          lines.push(line);
          throw new Error("it can't be made");
        },
      },
    ],
  ]);
  const shared = {
    remains: new CallRemains({ slots: SLOT + 2 }),
    counts: new WorkerCounts(),
    heartbeat: new Int32Array(new SharedArrayBuffer(4)),
  };
  const equipment = { ...loaded, agents, createRecorder: () => assert.fail("no call is recorded here") };
  const host = new CallHost(memory, equipment, shared, clock, (error) => assert.fail(error));
  const begin = (slot: number, epoch: number, type = "quiet") => {
    const task: { report?: TaskReport; endedAtMs?: number } = {};
    const agent = { type, max_duration_ms: 0 };
    void host.run({ ...ticket({ slot, epoch }), agent }).then((report) => {
      task.report = report;
      task.endedAtMs = clock.nowMs();
    });
    return task;
  };
  const task = begin(SLOT, 1);
  front.write(RecordKind.control, SLOT, 1, startMessage());
  let frame = 0;
  /** Lets a millisecond pass. */
  const step = async () => {
    if (clock.nowMs() % frameMs === phaseMs)
      front.write(RecordKind.media, SLOT, 1, mediaMessage(frame++, 0xff));
    clock.advance(1);
    await new Promise((turn) => setImmediate(turn));
    front.poll();
    front.flush();
  };
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed++) await step();
  };
  const echo = ({ mark }: Sent) => front.write(RecordKind.control, SLOT, 1, message("mark", mark));
  return { clock, sent, lines, task, begin, pass, echo, line: () => lines[0]! };
}

/** Of silence. */
function silence(format: AudioFormat, ms: number) {
  return format.encoding === "mulaw" ? new Uint8Array(8 * ms).fill(0xff) : new Int16Array(8 * ms);
}

function mediaMs({ media }: Sent): number {
  return media === undefined ? 0 : Buffer.from(media.payload, "base64").length / 8;
}

describe("a call that has something to do", () => {
  for (const format of [PCM16, MULAW])
    for (const phaseMs of PHASES_MS)
      it(`sends what fills no frame 100 ms after it was said: ${format.encoding}, a caller at ${phaseMs} ms`, async (t) => {
        const { clock, sent, line, pass } = call(t, format, phaseMs);
        await pass(47);
        const saidMs = clock.nowMs();
        line().say(silence(format, 10));
        await pass(99);
        assert.equal(sent.length, 0);
        await pass(20); // with a frame of the caller's at the latest
        assert.deepEqual(sent.map(mediaMs), [frameMs, 0]); // and a mark
        assert.ok(sent[0]!.atMs - saidMs <= 103, `sent after ${sent[0]!.atMs - saidMs} ms`);
      });

  it("leaves Twilio 100 ms to play at any time, while more is waiting", async (t) => {
    const { clock, sent, line, pass } = call(t, PCM16, 13);
    await pass(47);
    const saidMs = clock.nowMs();
    line().say(silence(PCM16, 2_000));
    let sentMs = 0;
    while (sentMs < 2_000) {
      await pass(1);
      sentMs = sent.reduce((sum, one) => sum + mediaMs(one), 0);
      const leadMs = sentMs - (clock.nowMs() - saidMs);
      assert.ok(sentMs === 2_000 || leadMs >= 98, `${leadMs} ms at ${clock.nowMs() - saidMs} ms`);
      assert.ok(leadMs <= 200);
    }
  });

  it("hangs up as soon as its last mark is back, or at once when nothing was said", async (t) => {
    const { clock, sent, line, pass, echo, task } = call(t);
    await pass(47);
    line().say(silence(PCM16, 20));
    line().hangUp("heard");
    await pass(33);
    assert.deepEqual({ ...task }, {});
    for (const one of sent) if (one.mark !== undefined) echo(one);
    const echoedMs = clock.nowMs();
    await pass(3);
    assert.equal(task.report?.reason, "agent_hung_up");
    assert.ok(task.endedAtMs! - echoedMs <= 2);
    const silent = call(t);
    await silent.pass(47);
    silent.line().hangUp("heard");
    await silent.pass(2);
    assert.equal(silent.task.report?.reason, "agent_hung_up");
  });

  it("is not forgotten over another whose agent could not be made, and acts on its line all the same", async (t) => {
    const { sent, lines, line, begin, pass } = call(t);
    const failed = begin(SLOT + 1, 2, "failing");
    await pass(5);
    assert.equal(failed.report?.reason, "call_error");
    lines[1]!.hangUp("now");
    lines[1]!.fail("its server is gone");
    await pass(200);
    line().say(silence(PCM16, 1_000));
    await pass(1_000);
    assert.equal(
      sent.reduce((sum, one) => sum + mediaMs(one), 0),
      1_000,
    );
  });

  it("keeps its slot from the agent of one that had it before and never began", async (t) => {
    const { lines, begin, pass } = call(t);
    begin(SLOT + 1, 2, "failing");
    await pass(5);
    const heir = begin(SLOT + 1, 3);
    lines[1]!.hangUp("now");
    await pass(5);
    lines[2]!.hangUp("now");
    await pass(5);
    assert.equal(heir.report?.reason, "agent_hung_up");
  });
});
