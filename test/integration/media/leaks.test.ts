// A thousand calls of every kind there is, some at once, some never answered, some broken on purpose: afterwards
// nothing of them is left.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import type { Worker } from "node:worker_threads";
import type { Outcome } from "../../../src/domain/endings.ts";
import type { TwinCall } from "../../../src/twin/call.ts";
import type { TwinStream } from "../../../src/twin/stream.ts";
import { WRONG_SIGNATURE } from "../../../src/twin/webhook.ts";
import { ECHO_NUMBER, number, startStory, TEST_AGENT_NUMBER, workflow } from "../../support/gateway.ts";
import { MovableClock } from "../../support/movableClock.ts";
import { recordOf } from "../../support/records.ts";
import { until } from "../../support/until.ts";

setFlagsFromString("--expose-gc"); // for the workers, which are born from here on
const workers = new Set<Worker>();
process.on("worker", (worker: Worker) => workers.add(worker));

const CALLS = 1_000;
const AT_ONCE = 25;
const BRIEF_NUMBER = "+12025550190";
const SILENT_NUMBER = "+12025550191";
const STRANGERS_NUMBER = "+12025550199";
const STATUS_CALLBACK = "/api/v1/telephony/twilio/status-callback";

const clock = new MovableClock();
const endings = new Map<string, number>();
/** A tenth of a second each, so that calls of which the agent fails are as short as the others. */
const brief = () => new Uint8Array(new SharedArrayBuffer(800)).fill(0x20);

const { gateway, twilio, origin, held } = await startStory({
  clock,
  prompts: { apology: brief(), comfort: brief(), announcement: brief() },
  numbers: [number(BRIEF_NUMBER, 10), number(SILENT_NUMBER, 1, { isActive: false })],
  workflows: [workflow(10, { type: "echo", max_duration_ms: 60 })],
  onLogLine: (line) => {
    const { msg, callSid } = JSON.parse(line) as { msg: string; callSid?: string };
    if (msg.startsWith("call ended")) endings.set(callSid!, (endings.get(callSid!) ?? 0) + 1);
  },
});

/** A kind of call: goes on until the caller's side is over, and resolves with how it should be on record. */
type Kind = () => Promise<{ call: TwinCall; outcome: Outcome | undefined }>;

function heardBack(stream: TwinStream): Promise<unknown> {
  return stream.until("a few frames back", () => stream.received.length >= 3 || undefined, 30_000);
}

/** A call that connects its stream and then ends in some way. */
function connected(
  to: string,
  outcome: Outcome,
  end: (call: TwinCall, stream: TwinStream) => Promise<unknown>,
  automatic = true,
): Kind {
  return async () => {
    const call = await twilio.dial({ to });
    const stream = await call.connect({ automatic });
    await end(call, stream);
    return { call, outcome };
  };
}

/** An agent that does what a key tells it, and the call is over. */
function keyed(key: string, outcome: Outcome): Kind {
  return connected(TEST_AGENT_NUMBER, outcome, (call, stream) => {
    stream.press(key);
    return call.ended;
  });
}

/** A stream that breaks the contract after its start, or with it. */
function violating(outcome: Outcome, violate: (stream: TwinStream) => void): Kind {
  return connected(
    ECHO_NUMBER,
    outcome,
    (_call, stream) => {
      violate(stream);
      return stream.ended;
    },
    false,
  );
}

function dialled(to: string, outcome: Outcome, end: (call: TwinCall) => Promise<unknown>): Kind {
  return async () => {
    const call = await twilio.dial({ to });
    await end(call);
    return { call, outcome };
  };
}

const media = { track: "inbound", chunk: "1", timestamp: "20", payload: "" };
const tokenOf = (call: TwinCall) => /\/media\/([^"]+)"/.exec(call.webhook!.body)![1]!;

const KINDS: readonly Kind[] = [
  connected(ECHO_NUMBER, "caller_hung_up", async (call, stream) => {
    await heardBack(stream);
    await call.hangUp();
  }),
  connected(ECHO_NUMBER, "caller_hung_up", (call) => call.hangUp()),
  connected(ECHO_NUMBER, "media_lost", async (_call, stream) => {
    await heardBack(stream);
    await stream.break("reset");
  }),
  connected(ECHO_NUMBER, "media_lost", (_call, stream) => stream.break("cut")),
  connected(ECHO_NUMBER, "media_lost", (_call, stream) => stream.close()),
  connected(ECHO_NUMBER, "no_stream", (_call, stream) => stream.break("reset"), false),
  connected(ECHO_NUMBER, "no_stream", (_call, stream) => stream.close(), false),
  connected(BRIEF_NUMBER, "max_duration", (call) => call.ended),
  connected(TEST_AGENT_NUMBER, "caller_hung_up", async (call, stream) => {
    stream.press("0");
    await heardBack(stream);
    await call.hangUp();
  }),
  connected(TEST_AGENT_NUMBER, "caller_hung_up", async (call, stream) => {
    stream.press("0");
    stream.press("*");
    await stream.next("clear", 30_000);
    await call.hangUp();
  }),
  keyed("3", "agent_hung_up"),
  keyed("9", "agent_failed"),
  keyed("4", "call_error"),
  keyed("5", "call_error"),
  keyed("6", "call_error"),
  violating("no_stream", (stream) => stream.sendEvent("media", media)),
  violating("no_stream", (stream) => stream.introduce({ callSid: `CA${"0".repeat(32)}` })),
  violating("protocol_error", (stream) => {
    stream.introduce();
    stream.introduce();
  }),
  violating("protocol_error", (stream) => {
    stream.introduce();
    stream.send({ event: "stop", streamSid: `MZ${"0".repeat(32)}`, stop: {} });
  }),
  dialled(ECHO_NUMBER, "caller_hung_up", async (call) => {
    await call.reportStatus(origin + STATUS_CALLBACK, "canceled");
    await assert.rejects(call.connect());
    await call.hangUp();
  }),
  dialled(ECHO_NUMBER, "caller_hung_up", async (call) => {
    const repeat = await call.repeatWebhook();
    assert.equal(repeat?.body, call.webhook?.body);
    const stream = await call.connect();
    const second = twilio.openStream({ url: `${origin.replace("http", "ws")}/media/${tokenOf(call)}` });
    assert.equal((await second.ended).opened, false);
    await heardBack(stream);
    await call.hangUp();
  }),
  dialled(ECHO_NUMBER, "caller_hung_up", async (call) => {
    const forged = tokenOf(call).replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    const stranger = twilio.openStream({ url: `${origin.replace("http", "ws")}/media/${forged}` });
    assert.equal((await stranger.ended).opened, false);
    await call.connect();
    await call.hangUp();
  }),
  dialled(STRANGERS_NUMBER, "number_unknown", async (call) => {
    call.answer();
    assert.equal((await call.ended).how, "refused");
  }),
  dialled(SILENT_NUMBER, "number_inactive", async (call) => {
    call.answer();
    assert.equal((await call.ended).how, "refused");
  }),
  async () => {
    const call = await twilio.dial({ to: ECHO_NUMBER, signing: WRONG_SIGNATURE });
    assert.equal((await call.ended).how, "refused");
    return { call, outcome: undefined };
  },
];

/** Kinds that only time ends: theirs is moved on when all the others are over. */
const STRANDED: readonly Kind[] = [
  dialled(ECHO_NUMBER, "no_stream", async () => {}), // its stream never comes
  connected(ECHO_NUMBER, "no_stream", async () => {}, false), // its stream never says what it is
  connected(ECHO_NUMBER, "media_lost", async (_call, stream) => {
    await heardBack(stream);
    stream.freeze();
  }),
];
const STRANDED_CALLS = 60;

/** Runs so many calls, kind after kind, `AT_ONCE` at a time. */
async function run(kinds: readonly Kind[], calls: number): Promise<{ call: TwinCall; outcome?: Outcome }[]> {
  const done: { call: TwinCall; outcome?: Outcome }[] = [];
  let next = 0;
  const caller = async () => {
    while (next < calls) {
      const { call, outcome } = await kinds[next++ % kinds.length]!();
      done.push(outcome === undefined ? { call } : { call, outcome });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  return done;
}

function isFree(): Promise<void> {
  return until(
    "everything to be free",
    () => Object.values(held()).every((value) => Number(value) === 0),
    20_000,
  );
}

/** What the workers hold, in bytes, once their garbage is gone. */
async function workersHold(): Promise<number> {
  const calls = await Promise.all([...workers].map(() => twilio.dial({ to: TEST_AGENT_NUMBER })));
  const streams = await Promise.all(calls.map((call) => call.connect()));
  for (const stream of streams) {
    stream.press("C");
    stream.press("1");
    await heardBack(stream);
  }
  await Promise.all(calls.map((call) => call.hangUp()));
  await isFree();
  const heaps = await Promise.all(
    [...workers].map(
      (worker) => worker.getHeapStatistics() as Promise<{ used_heap_size: number; external_memory: number }>,
    ),
  );
  return heaps.reduce((sum, heap) => sum + heap.used_heap_size + heap.external_memory, 0);
}

describe("after a thousand calls of all kinds", () => {
  it("nothing is held: no call, task, slot, socket, connection or tick, and no memory", async (t) => {
    await run(KINDS, 2 * KINDS.length);
    const before = await workersHold();
    const startedMs = performance.now();
    const usage = process.cpuUsage();
    const ended = await run(KINDS, CALLS - STRANDED_CALLS);
    const stranded = await run(STRANDED, STRANDED_CALLS);
    const tookS = (performance.now() - startedMs) / 1_000;
    const { user, system } = process.cpuUsage(usage);
    const cpuS = (user + system) / 1e6; // the clock on the wall also counts what else the machine does
    await until("only the stranded to be left", () => gateway.calls.size === STRANDED_CALLS);
    for (let passed = 0; passed < 3 && gateway.calls.size > 0; passed++) await clock.advance(11_000);
    await Promise.all(stranded.map(({ call }) => call.abandon()));
    await isFree();
    await until("every connection to be closed", () => gateway.front.connections() === 0);

    const after = await workersHold();
    const grownKb = (after - before) / 1_024;
    t.diagnostic(`${CALLS} calls in ${tookS.toFixed(1)} s, with ${cpuS.toFixed(1)} s of CPU`);
    t.diagnostic(`the workers grew by ${grownKb.toFixed(0)} KB`);
    for (const { call, outcome } of [...ended, ...stranded]) {
      if (outcome === undefined) assert.equal(endings.has(call.sid), false);
      else {
        assert.equal(recordOf(gateway, call).outcome, outcome);
        assert.equal(endings.get(call.sid), 1);
      }
    }
    assert.equal(ended.length + stranded.length, CALLS);
    assert.ok(cpuS < 4 * 15, `${cpuS} s of CPU`);
    assert.ok(grownKb < 4 * CALLS, `${grownKb} KB are more than 4 for each call`);
  });
});
