// Calls as the pool is given them, messages of their streams, and listeners that remember.
import type { EndReason } from "../../../src/domain/endings.ts";
import { AccountSid, CallSid, RunId, StreamSid } from "../../../src/domain/ids.ts";
import type { News } from "../../../src/lane/news.ts";
import type { TaskReport } from "../../../src/lane/ticket.ts";
import type { CallOrder, PlacementListener } from "../../../src/pool/placement.ts";
import { briefing } from "../../support/briefing.ts";

const HEX = "0123456789abcdef0123456789abcdef";
export const CALL_SID = CallSid(`CA${HEX}`);
export const ACCOUNT_SID = AccountSid(`AC${HEX}`);
export const STREAM_SID = StreamSid(`MZ${HEX}`);

const utf8 = new TextEncoder();

/** A call to be placed, answered by that type of agent. */
export function order(type = "echo", settings: object = {}): CallOrder {
  const agent = { type, max_duration_ms: 0, rate_hz: 8_000, ...settings };
  const [from, to] = ["+14155550142", "+12025550100"];
  const facts = { callSid: CALL_SID, accountSid: ACCOUNT_SID, run: RunId(1), direction: "inbound" } as const;
  return { ...facts, from, to, ...briefing(agent) };
}

/** Messages of a stream, as Twilio writes them. */
export const wire = {
  start: (): Uint8Array =>
    message("start", {
      streamSid: STREAM_SID,
      callSid: CALL_SID,
      accountSid: ACCOUNT_SID,
      tracks: ["inbound"],
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 },
      customParameters: {},
    }),
  /** 20 ms of one byte; the `frame`th of the stream. */
  media: (frame: number, voice = frame & 0x7f): Uint8Array =>
    message("media", {
      track: "inbound",
      chunk: String(frame + 1),
      timestamp: String(100 + 20 * frame),
      payload: Buffer.alloc(160, voice).toString("base64"),
    }),
  dtmf: (digit: string): Uint8Array => message("dtmf", { track: "inbound_track", digit }),
  mark: (name: string): Uint8Array => message("mark", { name }),
  stop: (): Uint8Array => message("stop", { accountSid: ACCOUNT_SID, callSid: CALL_SID }),
};

function message(event: string, body: object): Uint8Array {
  return utf8.encode(JSON.stringify({ event, sequenceNumber: "1", [event]: body, streamSid: STREAM_SID }));
}

/** What a call's owner is told. */
export class RecordingListener implements PlacementListener {
  readonly frames: string[] = [];
  /** Of these, those that were told of together with the one before. */
  readonly marks: string[] = [];
  readonly news: News[] = [];
  readonly reports: TaskReport[] = [];
  moves = 0;

  frame(bytes: Uint8Array): void {
    this.frames.push(Buffer.from(bytes).toString());
  }

  frameAndControl(audio: Uint8Array, control: Uint8Array): void {
    this.frame(audio);
    this.frame(control);
    this.marks.push(Buffer.from(control).toString());
  }

  told(bytes: Uint8Array): void {
    this.news.push(JSON.parse(Buffer.from(bytes).toString()).news);
  }

  replaced(): void {
    this.moves++;
  }

  ended(report: TaskReport): void {
    this.reports.push(report);
  }

  get reasons(): readonly EndReason[] {
    return this.reports.map(({ reason }) => reason);
  }

  /** The audio it was sent, as bytes. */
  get audio(): Buffer {
    const payloads = this.frames.map((frame) => JSON.parse(frame).media?.payload ?? "");
    return Buffer.concat(payloads.map((payload: string) => Buffer.from(payload, "base64")));
  }
}
