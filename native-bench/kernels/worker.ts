// All that a worker does for a frame, from lane to lane: the stream read, the agent heard and said, its speech paced,
// marked and kept account of, and every mark's echo read. Against what a tutorial does, which has one agent and no marks.
import assert from "node:assert/strict";
import { FRAME_MS } from "../../src/domain/audio.ts";
import type { Clock } from "../../src/domain/clock.ts";
import { AccountSid, CallSid, RunId, StreamSid, WorkflowId } from "../../src/domain/ids.ts";
import { WorkerCounts } from "../../src/lane/counts.ts";
import { createLaneMemory, LaneEnd, RecordKind } from "../../src/lane/lane.ts";
import { CallRemains } from "../../src/lane/remains.ts";
import type { EchoSettings } from "../../src/media/agents/echo/settings.ts";
import { CallHost, loadEquipment } from "../../src/media/pipeline/host.ts";
import { recordersIn } from "../../src/media/recording/recorders.ts";
import { readPrompts } from "../../src/media/recordings/recordings.ts";
import { FRAMES, type Kernel, MESSAGES, STREAM_SID } from "./kernel.ts";
import { message } from "./message.ts";

const EPOCH = 1;
const ECHO: EchoSettings = { type: "echo", max_duration_ms: 0, rate_hz: 16_000 };
const FIRST_TIMESTAMP_MS = 100_000_000;
const sidOf = (call: number): string => STREAM_SID.slice(0, -2) + String(call).padStart(2, "0");

/** Time that passes when it is told to, and one ticker, the host's. */
class HandClock implements Clock {
  #nowMs = 0;
  #tick: () => void = () => {};

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  every(_periodMs: number, tick: () => void): () => void {
    this.#tick = tick;
    return () => {};
  }

  passes(ms: number): void {
    this.#nowMs += ms;
    this.#tick();
  }
}

/** A text that is written into where it has digits, so that nothing is made for a frame. */
class Template {
  readonly bytes: Uint8Array;
  readonly #digitsEnd: number;

  constructor(text: string, digits: string) {
    this.bytes = Buffer.from(text);
    this.#digitsEnd = text.indexOf(digits) + digits.length;
  }

  write(value: number): Uint8Array {
    for (let at = this.#digitsEnd, rest = value; rest > 0; rest = Math.floor(rest / 10))
      this.bytes[--at] = 0x30 + (rest % 10);
    return this.bytes;
  }
}

const clock = new HandClock();
const memory = createLaneMemory();
const host = new CallHost(
  memory,
  { ...(await loadEquipment([], readPrompts())), createRecorder: recordersIn("", clock) },
  {
    remains: new CallRemains({ slots: FRAMES }),
    counts: new WorkerCounts(),
    heartbeat: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
  },
  clock,
  (error) => {
    throw new Error(error);
  },
);

/** Marks that Twilio was asked for and sends back when the next frames come, whatever it has played. */
const asked: number[] = [];
/** By call and length of what asks for it: the echo of a mark, of which the name is written anew. */
const echoes = Array.from({ length: FRAMES }, () => new Map<number, Uint8Array>());
const ASKED_NAME_AT = `{"event":"mark","streamSid":"${STREAM_SID}","mark":{"name":"`.length;
const END = '"}}';

/** Frames that have come back of the last 20 ms. */
let returned = 0;
const front = new LaneEnd(
  memory,
  "front",
  clock,
  (kind, call, _epoch, bytes) => {
    if (kind === RecordKind.media) returned++;
    else if (kind === RecordKind.control) answer(call, bytes);
  },
  () => {},
  [new Uint8Array(2_048)],
);

function answer(call: number, bytes: Uint8Array): void {
  let echo = echoes[call]!.get(bytes.length);
  const nameBytes = bytes.length - ASKED_NAME_AT - END.length;
  if (echo === undefined) {
    const name = "?".repeat(nameBytes);
    echo = Buffer.from(
      JSON.stringify({ event: "mark", sequenceNumber: "1000", streamSid: sidOf(call), mark: { name } }),
    );
    echoes[call]!.set(bytes.length, echo);
  }
  const to = echo.length - END.length - nameBytes;
  for (let i = 0; i < nameBytes; i++) echo[to + i] = bytes[ASKED_NAME_AT + i]!;
  asked.push(call, bytes.length);
}

const media = Array.from({ length: FRAMES }, (_, call) => {
  const said = JSON.parse(MESSAGES[call]!.toString());
  said.media.timestamp = String(FIRST_TIMESTAMP_MS);
  return new Template(JSON.stringify({ ...said, streamSid: sidOf(call) }), said.media.timestamp);
});

for (let call = 0; call < FRAMES; call++) {
  const callSid = CallSid(`CA${"0".repeat(32)}`);
  const accountSid = AccountSid(`AC${"0".repeat(32)}`);
  const over = host.run({
    ...{ slot: call, epoch: EPOCH, placedAtMs: 0, resumed: undefined },
    ...{ callSid, accountSid, run: RunId(1), direction: "inbound", from: "+14155550142", to: "+12025550100" },
    workflow: { id: WorkflowId(1), name: "Echo", version: 1 },
    agent: ECHO,
    ...{ recording: undefined, variables: {}, parameters: {} },
  });
  void over.then(({ error }) => assert.fail(`a call has ended: ${error}`));
  const streamSid = StreamSid(sidOf(call));
  const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 };
  const start = { streamSid, callSid, accountSid, tracks: ["inbound"], mediaFormat };
  front.write(
    RecordKind.control,
    call,
    EPOCH,
    Buffer.from(JSON.stringify({ event: "start", start, streamSid })),
  );
}

let nextTimestampMs = FIRST_TIMESTAMP_MS;

/** One frame; after the last call's 20 ms have passed, and what the worker has said of them is read. */
function frame(call: number): void {
  front.write(RecordKind.media, call, EPOCH, media[call]!.write(nextTimestampMs));
  if (call < FRAMES - 1) return;
  while (asked.length > 0) {
    const length = asked.pop()!;
    const of = asked.pop()!;
    front.write(RecordKind.control, of, EPOCH, echoes[of]!.get(length)!);
  }
  nextTimestampMs += FRAME_MS;
  clock.passes(FRAME_MS);
  returned = 0;
  front.poll();
  assert(returned === FRAMES, "every frame comes back");
  front.flush();
}

const [toSamples, toMessage] = ["message to 16 kHz", "16 kHz to message"].map(
  (wanted) => message.find(({ name }) => name === wanted)!,
) as [Kernel, Kernel];

export const worker: readonly Kernel[] = [
  {
    name: "lane to lane",
    ours: frame,
    library: "tutorial",
    theirs(n) {
      toSamples.theirs(n);
      toMessage.theirs(n);
    },
  },
];
