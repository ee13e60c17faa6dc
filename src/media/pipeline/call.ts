// One call in a worker: the caller's frames to its agent, the agent's speech to the caller, and one ending. It
// does not know whether messages come from a lane or a socket, and owns no timer: its host ticks it.
import { CARRIER_FRAME_SAMPLES, CARRIER_RATE_HZ, frameSamples } from "../../domain/audio.ts";
import type { EndReason, StreamViolation } from "../../domain/endings.ts";
import { assertNever } from "../../domain/errors.ts";
import type { StreamSid } from "../../domain/ids.ts";
import type { WorkerCounts } from "../../lane/counts.ts";
import type { CallTicket, TaskReport } from "../../lane/ticket.ts";
import type { Agent, CallFacts, Line } from "../agents/port.ts";
import { decodeMulaw } from "../audio/g711.ts";
import { InboundTrack } from "../audio/inboundTrack.ts";
import type { Resampler } from "../audio/resampler.ts";
import {
  createMediaFrame,
  decodeBase64,
  decodeMessage,
  type Message,
  scanMedia,
} from "../protocol/messages.ts";
import { Speech, type SpeechOutlet } from "./speech.ts";

/** How long after its last words are due a goodbye may stay unacknowledged before the call ends anyway. */
const GOODBYE_GRACE_MS = 2_000;

/** What a call needs of the worker it runs in. */
export interface CallSurroundings extends SpeechOutlet {
  readonly counts: WorkerCounts;
  nowMs(): number;
  createResampler(fromHz: number, toHz: number): Resampler;
  createAgent(settings: CallTicket["agent"], line: Line, facts: CallFacts): Agent;
  /** Called once, last. */
  ended(report: TaskReport): void;
}

// Calls of a worker run one after the other, so these are shared by all of them and nothing is allocated per frame.
const frame = createMediaFrame();
const payload = new Uint8Array(16 * 1_024);
const carrierSamples = new Int16Array(CARRIER_FRAME_SAMPLES);
const agentSamples = new Map<number, Int16Array>();

function agentFrame(rateHz: number): Int16Array {
  const known = agentSamples.get(rateHz);
  if (known !== undefined) return known;
  const made = new Int16Array(frameSamples(rateHz));
  agentSamples.set(rateHz, made);
  return made;
}

export class Call implements Line {
  readonly ticket: CallTicket;
  readonly #around: CallSurroundings;
  readonly #agent: Agent;
  readonly #track: InboundTrack;
  readonly #trackCounts = { frames: 0, concealed: 0, late: 0, resyncs: 0 };
  /** These are there as soon as the stream is. */
  #heardFrame: Int16Array = new Int16Array(0);
  #upsampler: Resampler | undefined;
  #speech: Speech | undefined;
  #streamSidBytes = new Uint8Array(0);
  #startedMs = 0;
  #leaving: { readonly untilMs: number } | undefined;
  #resumeId = "";
  #digits = 0;
  #isOver = false;

  constructor(ticket: CallTicket, around: CallSurroundings) {
    this.ticket = ticket;
    this.#around = around;
    const { callSid, accountSid, run, direction, from, to, resumed } = ticket;
    const left = resumed?.remains;
    this.#agent = around.createAgent(ticket.agent, this, {
      callSid,
      accountSid,
      run,
      direction,
      from,
      to,
      resumed: resumed && { heardMs: left?.heardMs ?? 0, resumeId: left?.resumeId ?? "" },
    });
    this.#track = new InboundTrack((mulaw) => this.#hear(mulaw), this.#trackCounts);
  }

  /** Goes on with a stream that began on a worker which is dead; does nothing for a new call. */
  resume(): void {
    const { resumed } = this.ticket;
    if (resumed !== undefined) this.#begin(resumed.streamSid, resumed.talkedMs);
  }

  /** Takes one message of the stream. `bytes` belongs to the lane and is reused after this returns. */
  receive(bytes: Uint8Array): void {
    if (this.#isOver) return;
    if (this.#speech !== undefined && scanMedia(bytes, frame)) {
      if (!this.#isOurStream(bytes)) return this.#violated("foreign_stream");
      const length = decodeBase64(bytes, frame.payloadStart, frame.payloadEnd, payload);
      if (length < 0) this.#around.counts.add("messagesMalformed");
      else this.#accept(frame.timestampMs, payload, length);
      return;
    }
    this.#control(decodeMessage(bytes));
  }

  /** Sends what is due. Returns why the call is to end now, if it is. Called about every millisecond. */
  tick(nowMs: number): EndReason | undefined {
    const speech = this.#speech;
    if (this.#isOver || speech === undefined) return undefined;
    speech.pump(nowMs);
    const { max_duration_ms: maxDurationMs } = this.ticket.agent;
    if (maxDurationMs > 0 && nowMs - this.#startedMs >= maxDurationMs) return "max_duration";
    const hasLeft = this.#leaving !== undefined && (speech.isHeard || nowMs >= this.#leaving.untilMs);
    return hasLeft ? "agent_hung_up" : undefined;
  }

  /** Ends the call; only the first reason counts. */
  end(reason: EndReason, why: Pick<TaskReport, "error" | "violation"> = {}): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const heardMs = this.#speech?.totalHeardMs(this.#around.nowMs()) ?? 0;
    try {
      this.#agent.ended();
    } finally {
      this.#upsampler?.free();
      this.#speech?.free();
      this.#around.ended({ reason, ...why, heardMs: Math.round(heardMs), digits: this.#digits });
    }
  }

  // Line: what the agent may do.

  say(samples: Int16Array): number {
    if (this.#isOver || this.#speech === undefined || this.#leaving !== undefined) return 0;
    return this.#speech.say(samples, this.#around.nowMs());
  }

  endUtterance(): void {
    if (!this.#isOver) this.#speech?.endUtterance(this.#around.nowMs());
  }

  clear(): number {
    return this.#isOver ? 0 : (this.#speech?.clear(this.#around.nowMs()) ?? 0);
  }

  hangUp(when: "heard" | "now"): void {
    if (this.#isOver || this.#leaving !== undefined) return;
    if (when === "now" || this.#speech === undefined) return this.end("agent_hung_up");
    const nowMs = this.#around.nowMs();
    this.#speech.endUtterance(nowMs);
    this.#leaving = { untilMs: this.#speech.lastWordMs(nowMs) + GOODBYE_GRACE_MS };
  }

  fail(why: string): void {
    this.end("agent_failed", { error: why });
  }

  leaveBehind(resumeId: string): void {
    if (this.#isOver) return;
    this.#resumeId = resumeId;
    this.#speech?.leaveBehind(resumeId);
  }

  #begin(streamSid: StreamSid, talkedMs: number): void {
    this.#streamSidBytes = new TextEncoder().encode(streamSid);
    this.#startedMs = this.#around.nowMs() - talkedMs;
    const { rateHz } = this.#agent.hears;
    this.#heardFrame = agentFrame(rateHz);
    this.#upsampler = this.#around.createResampler(CARRIER_RATE_HZ, rateHz);
    this.#speech = new Speech(this.ticket, streamSid, this.#agent.speaks, this.#around);
    if (this.#resumeId !== "") this.#speech.leaveBehind(this.#resumeId);
    this.#agent.started();
  }

  #violated(violation: StreamViolation): void {
    this.end("protocol_error", { violation });
  }

  #control(message: Message): void {
    if (message.event === "malformed") return this.#around.counts.add("messagesMalformed");
    if (message.event === "ignored" || message.event === "connected") return;
    if (message.event === "start") {
      if (this.#speech !== undefined) return this.#violated("start_twice");
      return this.#begin(message.streamSid, 0);
    }
    const speech = this.#speech;
    if (speech === undefined) return this.#violated("early_message");
    if (message.streamSid !== speech.streamSid) return this.#violated("foreign_stream");
    switch (message.event) {
      case "media":
        if (message.track === "inbound")
          this.#accept(message.timestampMs, message.payload, message.payload.length);
        return;
      case "mark":
        // Twilio sends a mark back even for audio it cleared, so a mark of a past generation is normal here.
        if (speech.markEchoed(message.name)) this.#agent.marked(speech.heardMs());
        return;
      case "dtmf":
        this.#digits++;
        this.#agent.dtmf(message.digit);
        return;
      case "stop":
        return this.end("caller_hung_up");
      default:
        assertNever(message);
    }
  }

  #accept(timestampMs: number, mulaw: Uint8Array, length: number): void {
    const counted = this.#trackCounts;
    this.#track.accept(timestampMs, mulaw, length);
    const { counts } = this.#around;
    counts.add("framesHeard", counted.frames - counted.concealed);
    if (counted.concealed > 0) counts.add("framesConcealed", counted.concealed);
    if (counted.late > 0) counts.add("framesLate", counted.late);
    if (counted.resyncs > 0) counts.add("resyncs", counted.resyncs);
    counted.frames = 0;
    counted.concealed = 0;
    counted.late = 0;
    counted.resyncs = 0;
  }

  #hear(mulaw: Uint8Array): void {
    if (this.#isOver) return;
    decodeMulaw(mulaw, carrierSamples);
    this.#upsampler!.process(carrierSamples, this.#heardFrame);
    this.#agent.hear(this.#heardFrame);
  }

  #isOurStream(bytes: Uint8Array): boolean {
    const ours = this.#streamSidBytes;
    if (frame.streamSidEnd - frame.streamSidStart !== ours.length) return false;
    for (let i = 0; i < ours.length; i++) if (bytes[frame.streamSidStart + i] !== ours[i]) return false;
    return true;
  }
}
