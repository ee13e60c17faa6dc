// What a call has around it in its worker, made for a test: a clock that is moved by hand, a lane whose other end
// is here, a codec whose decoders and encoders are counted, an agent that remembers.
import type { AgentRateHz } from "../../../../src/domain/audio.ts";
import { AccountSid, CallSid, RunId, StreamSid } from "../../../../src/domain/ids.ts";
import { WorkerCounts } from "../../../../src/lane/counts.ts";
import { createLaneMemory, LaneEnd, RecordKind } from "../../../../src/lane/lane.ts";
import type { ToldNews } from "../../../../src/lane/news.ts";
import { CallRemains } from "../../../../src/lane/remains.ts";
import type { CallTicket, TaskReport } from "../../../../src/lane/ticket.ts";
import type { Agent, Audio, AudioFormat, CallFacts, Cut, Line } from "../../../../src/media/agents/port.ts";
import { type Codec, codecOf } from "../../../../src/media/audio/codec.ts";
import { loadKernels } from "../../../../src/media/kernels/kernels.ts";
import type { CallSurroundings } from "../../../../src/media/pipeline/call.ts";
import { MediaMessages } from "../../../../src/media/protocol/mediaMessages.ts";
import { readPrompts } from "../../../../src/media/recordings/recordings.ts";
import { briefing } from "../../../support/briefing.ts";
import { ManualClock } from "../../../support/manualClock.ts";

const HEX = "0123456789abcdef0123456789abcdef";
export const STREAM_SID = StreamSid(`MZ${HEX}`);
export const SLOT = 2;
export const EPOCH = 7;

const kernels = await loadKernels();
const codec = codecOf(kernels);
const messages = new MediaMessages(kernels);
const prompts = readPrompts();
const utf8 = new TextEncoder();

export function ticket(changes: Partial<CallTicket> = {}): CallTicket {
  return {
    slot: SLOT,
    epoch: EPOCH,
    callSid: CallSid(`CA${HEX}`),
    accountSid: AccountSid(`AC${HEX}`),
    run: RunId(1),
    direction: "inbound",
    from: "+14155550142",
    to: "+12025550100",
    ...briefing({ type: "remembering", max_duration_ms: 0 }),
    placedAtMs: 0,
    resumed: undefined,
    ...changes,
  };
}

/** A message of the stream. */
export function message(event: string, body: object = {}, streamSid: string = STREAM_SID): Uint8Array {
  return utf8.encode(JSON.stringify({ event, sequenceNumber: "1", [event]: body, streamSid }));
}

export function startMessage(): Uint8Array {
  const { callSid, accountSid } = ticket();
  const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 };
  return message("start", { streamSid: STREAM_SID, callSid, accountSid, tracks: ["inbound"], mediaFormat });
}

/** 20 ms of one byte, `frame` frames into the stream. */
export function mediaMessage(frame: number, voice: number): Uint8Array {
  const payload = Buffer.alloc(160, voice).toString("base64");
  return message("media", { track: "inbound", chunk: "1", timestamp: String(100 + 20 * frame), payload });
}

/** Remembers what it was told, and does what the test told it to do then. */
export class RememberingAgent implements Agent {
  readonly line: Line;
  readonly facts: CallFacts;
  readonly told: string[] = [];
  readonly heard: Int16Array[] = [];
  readonly #format: AudioFormat;
  /** What it does when it is told something; may throw. */
  react: (event: string) => void;

  constructor(line: Line, facts: CallFacts, rateHz: AgentRateHz, react: (event: string) => void) {
    this.#format = { encoding: "pcm16", rateHz };
    this.line = line;
    this.facts = facts;
    this.react = react;
  }

  started(): void {
    this.line.ready(this.#format, this.#format);
    this.#told("started");
  }

  hear(frame: Audio): void {
    this.heard.push(Int16Array.from(frame));
    this.react("hear");
  }

  dtmf(digit: string): void {
    this.#told(`dtmf ${digit}`);
  }

  marked(name: string, heardMs: number): void {
    this.#told(`marked ${name} ${heardMs}`);
  }

  interrupted({ utterance, heardMs }: Cut): void {
    this.#told(`interrupted ${utterance} ${heardMs}`);
  }

  tick(): void {}

  ended(): void {
    this.#told("ended");
  }

  #told(event: string): void {
    this.told.push(event);
    this.react(event);
  }
}

export interface Sent {
  readonly event: "media" | "mark" | "clear";
  readonly media?: { readonly payload: string };
  readonly mark?: { readonly name: string };
}

export function surroundings({ rateHz = 8_000 as AgentRateHz, react = (_event: string) => {} } = {}) {
  const clock = new ManualClock();
  const memory = createLaneMemory();
  const records: { kind: RecordKind; epoch: number; text: string }[] = [];
  const lane = new LaneEnd(memory, "worker", clock, () => {});
  const front = new LaneEnd(memory, "front", clock, (kind, _slot, epoch, bytes) => {
    records.push({ kind, epoch, text: Buffer.from(bytes).toString() });
  });
  const reports: TaskReport[] = [];
  const converters = { made: 0, freed: 0, failAtFree: false };
  /** What the call's recorder was told, if the call is recorded. */
  const recorded: string[] = [];
  const counted = <One extends ReturnType<Codec[keyof Codec]>>(one: One): One => {
    const free = one.free.bind(one);
    converters.made++;
    one.free = () => {
      converters.freed++;
      if (converters.failAtFree) throw new Error("nothing gets free");
      free();
    };
    return one;
  };
  let agent: RememberingAgent | undefined;
  const around: CallSurroundings = {
    lane,
    counts: new WorkerCounts(),
    remains: new CallRemains({ slots: SLOT + 1 }),
    nowMs: () => clock.nowMs(),
    wakeBy: () => {}, // whoever tests a call alone ticks it every millisecond
    codec: {
      createDecoder: (rateHz) => counted(codec.createDecoder(rateHz)),
      createEncoder: (rateHz) => counted(codec.createEncoder(rateHz)),
    },
    messages,
    prompts,
    createRecorder: (_ticket, _startedMs, tell) => ({
      caller: () => recorded.push("caller"),
      agent: () => recorded.push("agent"),
      cleared: () => recorded.push("cleared"),
      tick: () => recorded.push("tick"),
      finish() {
        recorded.push("finish");
        tell({ kind: "recording", state: "finished", file: "it", lastedMs: 1, droppedMs: 0 });
      },
    }),
    createAgent(_settings, line, facts) {
      agent = new RememberingAgent(line, facts, rateHz, react);
      return agent;
    },
    ended: (_slot, report) => reports.push(report),
  };
  /** All records so far, as the front thread would read them. */
  const readRecords = () => {
    lane.flush();
    front.poll();
    front.flush();
    return records;
  };
  /** What went to the stream's socket so far. */
  const sent = () =>
    readRecords()
      .filter(({ kind }) => kind === RecordKind.media || kind === RecordKind.control)
      .map(({ text }) => JSON.parse(text) as Sent);
  /** What was told of the call so far. */
  const news = () =>
    readRecords()
      .filter(({ kind }) => kind === RecordKind.news)
      .map(({ text }) => (JSON.parse(text) as ToldNews).news);
  /** The audio of it, as mu-law. */
  const audio = () => Buffer.concat(sent().map(({ media }) => Buffer.from(media?.payload ?? "", "base64")));
  return {
    around,
    clock,
    reports,
    converters,
    recorded,
    counts: around.counts,
    remains: around.remains,
    agent: () => agent!,
    records: readRecords,
    sent,
    news,
    audio,
    close(): void {
      lane.close();
      front.close();
    },
  };
}
