// The agent's speech on its way to the caller: from the agent's samples to finished frames for the stream's
// socket, paced and marked, and the ledger of what was heard.
import { CARRIER_FRAME_SAMPLES, CARRIER_RATE_HZ, FRAME_MS, frameSamples } from "../../domain/audio.ts";
import type { StreamSid } from "../../domain/ids.ts";
import type { WorkerCounts } from "../../lane/counts.ts";
import { type LaneEnd, RecordKind } from "../../lane/lane.ts";
import type { CallRemains } from "../../lane/remains.ts";
import type { CallTicket } from "../../lane/ticket.ts";
import type { AudioFormat } from "../agents/port.ts";
import { encodeMulaw } from "../audio/g711.ts";
import { OutboundTrack } from "../audio/outboundTrack.ts";
import type { Resampler } from "../audio/resampler.ts";
import { OutboundEncoder } from "../protocol/outbound.ts";

/** Twilio holds at most this much of our audio: an interruption is as quick as this is short. */
const LEAD_MS = 200;
/** How closely the heard ledger follows the caller's ear. */
const MARK_EVERY_MS = 200;
/** Speech an agent may have waiting; past it the newest is dropped and counted. */
const QUEUE_MS = 30_000;

/** Where finished frames go, and what is shared by all calls of the worker. */
export interface SpeechOutlet {
  readonly lane: LaneEnd;
  readonly counts: WorkerCounts;
  readonly remains: CallRemains;
  nowMs(): number;
  createResampler(fromHz: number, toHz: number): Resampler;
}

const carrierSamples = new Int16Array(CARRIER_FRAME_SAMPLES);
const mulaw = new Uint8Array(CARRIER_FRAME_SAMPLES);

export class Speech {
  readonly streamSid: StreamSid;
  readonly #ticket: CallTicket;
  readonly #outlet: SpeechOutlet;
  readonly #encoder: OutboundEncoder;
  readonly #track: OutboundTrack;
  readonly #downsampler: Resampler;
  readonly #frameSamples: number;
  /** The agent's samples that don't fill a frame yet; made when first needed. */
  #partial: Int16Array | undefined;
  #partialSamples = 0;
  /** Heard in generations that a clear has ended, and by the agent this one took over from. */
  #heardBeforeMs: number;
  #resumeId = "";
  #underruns = 0;

  constructor(ticket: CallTicket, streamSid: StreamSid, speaks: AudioFormat, outlet: SpeechOutlet) {
    this.streamSid = streamSid;
    this.#ticket = ticket;
    this.#outlet = outlet;
    this.#encoder = new OutboundEncoder(streamSid);
    const left = ticket.resumed?.remains;
    this.#heardBeforeMs = left?.heardMs ?? 0;
    this.#track = new OutboundTrack(
      {
        leadMs: LEAD_MS,
        markEveryMs: MARK_EVERY_MS,
        queueMs: QUEUE_MS,
        // The epoch keeps marks of a dead worker's speech apart from these.
        markPrefix: `${ticket.epoch}-`,
        playheadMs: left?.playheadMs,
      },
      {
        media: (source, start, end) => this.#media(source, start, end),
        mark: (name) => this.#control(this.#encoder.mark(name)),
        clear: () => this.#control(this.#encoder.clear()),
      },
    );
    this.#downsampler = outlet.createResampler(speaks.rateHz, CARRIER_RATE_HZ);
    this.#frameSamples = frameSamples(speaks.rateHz);
  }

  /** Queues samples in the agent's format and sends what is due. Returns how many were taken. */
  say(samples: Int16Array, nowMs: number): number {
    const whole = this.#frameSamples;
    let taken = 0;
    while (taken < samples.length) {
      const room = whole - this.#partialSamples;
      const next = Math.min(room, samples.length - taken);
      if (next === whole && samples.length === whole) {
        if (!this.#queue(samples, nowMs)) break;
      } else {
        this.#partial ??= new Int16Array(whole);
        if (next === room && this.#track.queuedMs >= QUEUE_MS) {
          this.#outlet.counts.add("framesDroppedQueue", Math.ceil((samples.length - taken) / whole));
          break;
        }
        this.#partial.set(samples.subarray(taken, taken + next), this.#partialSamples);
        this.#partialSamples += next;
        if (this.#partialSamples === whole) {
          this.#partialSamples = 0;
          this.#queue(this.#partial, nowMs);
        }
      }
      taken += next;
    }
    this.pump(nowMs);
    return taken;
  }

  endUtterance(nowMs: number): void {
    if (this.#partial !== undefined && this.#partialSamples > 0) {
      this.#partial.fill(0, this.#partialSamples);
      this.#partialSamples = 0;
      this.#queue(this.#partial, nowMs);
    }
    this.#track.endUtterance(nowMs);
    this.pump(nowMs);
  }

  pump(nowMs: number): void {
    if (nowMs >= this.#track.nextDueMs()) this.#track.pump(nowMs);
  }

  /** Unsays what was not heard. Returns the milliseconds that were, of this generation. */
  clear(nowMs: number): number {
    this.#outlet.counts.add("framesDroppedClear", Math.round(this.#track.queuedMs / FRAME_MS));
    this.#partialSamples = 0;
    this.#downsampler.reset();
    const heardMs = this.#track.clear(nowMs);
    this.#heardBeforeMs += heardMs;
    return heardMs;
  }

  /** False for a mark that says nothing: unknown, or of a generation that was cleared. */
  markEchoed(name: string): boolean {
    if (!this.#track.markEchoed(name, this.#outlet.nowMs())) return false;
    this.#outlet.counts.add("marksEchoed");
    this.#writeRemains();
    return true;
  }

  /** What the agent's replacement would need to find its session, should this worker die. */
  leaveBehind(resumeId: string): void {
    this.#resumeId = resumeId;
    this.#writeRemains();
  }

  heardMs(): number {
    return this.#track.heardMs(this.#outlet.nowMs());
  }

  totalHeardMs(nowMs: number): number {
    return this.#heardBeforeMs + this.#track.heardMs(nowMs);
  }

  /** Whether everything said has been acknowledged as played. */
  get isHeard(): boolean {
    return this.#track.idle;
  }

  /** When the last word now queued will have been played. */
  lastWordMs(nowMs: number): number {
    return Math.max(nowMs, this.#track.playheadMs) + this.#track.queuedMs;
  }

  free(): void {
    this.#downsampler.free();
  }

  #writeRemains(): void {
    const { slot, epoch } = this.#ticket;
    const heardMs = Math.round(this.totalHeardMs(this.#outlet.nowMs()));
    this.#outlet.remains.write(slot, epoch, heardMs, this.#track.playheadMs, this.#resumeId);
  }

  #media(source: Uint8Array, start: number, end: number): void {
    const { lane, counts } = this.#outlet;
    const { slot, epoch } = this.#ticket;
    const at = lane.reserve(RecordKind.media, slot, epoch, this.#encoder.mediaLength(end - start));
    if (at < 0) {
      counts.add("framesDroppedLane");
      return;
    }
    this.#encoder.writeMedia(source, start, end, lane.batchBytes, at);
    counts.add("framesSent");
    counts.sentLate(this.#track.lateMs);
    if (this.#track.underruns !== this.#underruns) {
      counts.add("underruns", this.#track.underruns - this.#underruns);
      this.#underruns = this.#track.underruns;
    }
  }

  #control(text: Uint8Array): void {
    const { slot, epoch } = this.#ticket;
    this.#outlet.lane.write(RecordKind.control, slot, epoch, text);
  }

  /** False when the queue is full. */
  #queue(samples: Int16Array, nowMs: number): boolean {
    this.#downsampler.process(samples, carrierSamples);
    encodeMulaw(carrierSamples, mulaw);
    if (this.#track.push(mulaw, nowMs) === mulaw.length) return true;
    this.#outlet.counts.add("framesDroppedQueue");
    return false;
  }
}
