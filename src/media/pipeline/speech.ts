// What the caller is to hear, on its way to them: from the agent's audio and the gateway's own prompts to finished
// frames for the stream's socket, paced and marked, and the ledger of what was heard.
import { CARRIER_FRAME_SAMPLES, CARRIER_RATE_HZ, FRAME_MS } from "../../domain/audio.ts";
import { LONG_AGO_MS } from "../../domain/clock.ts";
import type { WorkerCounts } from "../../lane/counts.ts";
import { type LaneEnd, RecordKind } from "../../lane/lane.ts";
import type { CallRemains } from "../../lane/remains.ts";
import type { CallTicket } from "../../lane/ticket.ts";
import type { Audio, AudioFormat, Cut } from "../agents/port.ts";
import type { Codec } from "../audio/codec.ts";
import { LEVEL_MIN_DB } from "../audio/level.ts";
import { type OutboundSink, OutboundTrack, PARTIAL_AFTER_MS } from "../audio/outboundTrack.ts";
import type { StreamMessages } from "../protocol/streamMessages.ts";
import { HeardLedger, type Utterance } from "./ledger.ts";
import { Loudness } from "./loudness.ts";
import type { Recorder } from "./recorder.ts";
import { type MulawTaker, Voice } from "./voice.ts";

/** Twilio holds at most this much of our audio: an interruption is as quick as this is short. */
const LEAD_MS = 200;
/**
 * What waits goes out in messages of this much: a fifth of the messages that a frame each would take. The price: Twilio
 * holds 100 to 200 ms of what is waiting, not 180 to 200, so a standstill of 100 ms may be heard.
 */
const MESSAGE_MS = 100;
/** How closely the heard ledger follows the caller's ear. */
const MARK_EVERY_MS = 200;
/** Speech an agent may have waiting; past it the newest is dropped and counted. */
export const QUEUE_MS = 30_000;
/** While Twilio confirms nothing for so long, nothing more is sent: it would only pile up on its way. */
const STALL_PAUSE_MS = 1_000;
/** An utterance that the agent never named has ended when nothing of it was said, or left to play, for so long. */
const UNNAMED_PAUSE_MS = 500;
/** Frames that Twilio may still be playing. */
const PLAYING_MAX = 2 * (LEAD_MS / FRAME_MS);

/** Where finished frames go, and what is shared by all calls of the worker. */
export interface SpeechOutlet {
  readonly lane: LaneEnd;
  readonly counts: WorkerCounts;
  readonly remains: CallRemains;
  nowMs(): number;
  readonly codec: Codec;
  /** The call in this slot wants to be ticked by then. */
  wakeBy(slot: number, ms: number): void;
}

/** What the call is told. */
export interface SpeechListener {
  /** An utterance of the agent's is over. */
  over(utterance: Utterance): void;
  /** A mark of the agent's was heard, `heardMs` into its utterance. */
  marked(name: string, heardMs: number): void;
}

/** Positions in a generation, in milliseconds. */
interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** What became of speech that was unsaid. */
export interface Clearing extends Omit<Cut, "by"> {
  /** Queued or sent, and not heard. */
  readonly droppedMs: number;
}

export class Speech implements MulawTaker, OutboundSink {
  // What every frame needs comes first, as in a Call.
  readonly #slot: number;
  readonly #epoch: number;
  readonly #outlet: SpeechOutlet;
  readonly #track: OutboundTrack;
  readonly #ledger = new HeardLedger();
  #voice: Voice | undefined;
  #stream: StreamMessages | undefined;
  #recorder: Recorder | undefined;
  /** Undefined where nobody asks how loud it is. */
  readonly #loudness: Loudness | undefined;
  /** A mark of the agent's is to follow the frame that the voice has not filled yet. */
  #isMarkDue = false;
  /** When the agent last said something. */
  #saidMs = LONG_AGO_MS;
  #underruns = 0;
  readonly #listener: SpeechListener;
  /** Heard of the agent, in generations that a clear has ended, and by the agent this one took over from. */
  #heardBeforeMs: number;
  /** Where in this generation the gateway itself speaks. */
  #prompts: Span[] = [];
  #resumeId = "";

  /** `knowsLoudness`: whether anybody will ask how loud it is. */
  constructor(ticket: CallTicket, outlet: SpeechOutlet, listener: SpeechListener, knowsLoudness: boolean) {
    this.#loudness = knowsLoudness ? new Loudness(PLAYING_MAX) : undefined;
    this.#slot = ticket.slot;
    this.#epoch = ticket.epoch;
    this.#outlet = outlet;
    this.#listener = listener;
    const left = ticket.resumed?.remains;
    this.#heardBeforeMs = left?.heardMs ?? 0;
    this.#track = new OutboundTrack(
      {
        leadMs: LEAD_MS,
        markEveryMs: MARK_EVERY_MS,
        queueMs: QUEUE_MS,
        messageMs: MESSAGE_MS,
        // The epoch keeps marks of a dead worker's speech apart from these.
        markPrefix: `${ticket.epoch}-`,
        playheadMs: left?.playheadMs,
      },
      this,
    );
  }

  /** The stream is up: what was said so far may be sent, and is recorded if the call is. */
  begin(stream: StreamMessages, recorder: Recorder | undefined): void {
    this.#recorder = recorder;
    this.#stream = stream;
    this.#track.begin(this.#outlet.nowMs());
  }

  /** The agent speaks in this format from now on. */
  speaks(format: AudioFormat): void {
    this.#voice?.flush();
    this.#voice?.free();
    this.#voice = undefined; // making one may fail
    this.#voice = new Voice(format, this.#outlet.codec, this);
  }

  /** Whether something said is still to be heard, or the agent is in the middle of saying it. */
  isSpeaking(nowMs: number): boolean {
    return this.#ledger.isMidUtterance || this.#track.heardMs(nowMs) < this.#track.endMs;
  }

  /** Whether the agent has begun an utterance, and there is nothing of it or before it to be heard yet. */
  isPreparing(nowMs: number): boolean {
    const { isMidUtterance, isGrowing } = this.#ledger;
    return isMidUtterance && !isGrowing && this.#track.heardMs(nowMs) >= this.#track.endMs;
  }

  get queuedMs(): number {
    return this.#track.queuedMs;
  }

  /** Positions in the present generation, in milliseconds: of all that was said, sent, and confirmed as heard. */
  get endMs(): number {
    return this.#track.endMs;
  }

  get sentMs(): number {
    return this.#track.sentMs;
  }

  get confirmedMs(): number {
    return this.#track.echoedMs;
  }

  /** How far the caller has heard by now: carried on by the clock from what was confirmed. */
  heardMs(nowMs: number): number {
    return this.#track.heardMs(nowMs);
  }

  /** Whether the first thing the agent said has been heard, or cut. */
  get isGreeted(): boolean {
    return this.#ledger.isGreeted;
  }

  /** Whether everything said has been acknowledged as played. */
  get isHeard(): boolean {
    return this.#track.idle;
  }

  /** For how long Twilio has confirmed nothing of what it should have played. */
  stalledMs(nowMs: number): number {
    return this.#track.stalledMs(nowMs);
  }

  /** When the last word now queued will have been played, in whole milliseconds. */
  lastWordMs(nowMs: number): number {
    return Math.ceil(Math.max(nowMs, this.#track.playheadMs) + this.#track.queuedMs);
  }

  /** How loud is what the caller hears now, in dB below full scale. */
  levelNowDb(nowMs: number): number {
    return this.#loudness?.atDb(nowMs) ?? LEVEL_MIN_DB;
  }

  beginUtterance(id: string, text: string, nowMs: number): void {
    if (this.#ledger.isOpen) this.endUtterance(nowMs);
    this.#ledger.begin(id, text, this.#track.endMs);
  }

  /** Queues audio in the agent's format and sends what is due. Returns how many samples were taken. */
  say(audio: Audio, nowMs: number): number {
    const voice = this.#voice;
    if (voice === undefined) return 0;
    const fromMs = this.#track.endMs;
    this.#saidMs = nowMs;
    const taken = voice.say(audio);
    if (taken < audio.length) {
      const droppedMs = ((audio.length - taken) * 1_000) / voice.rateHz;
      this.#outlet.counts.add("framesDroppedQueue", Math.ceil(droppedMs / FRAME_MS));
    }
    this.#ledger.grew((audio.length * 1_000) / voice.rateHz, fromMs, this.#track.endMs);
    this.#pump(nowMs);
    return taken;
  }

  endUtterance(nowMs: number, text?: string): void {
    this.#voice?.flush();
    this.#track.endUtterance(nowMs);
    this.#ledger.complete(this.#track.endMs, text);
    this.#pump(nowMs);
    this.#tellOver(); // no mark comes for what has been heard already
  }

  /** The agent says no more: the utterance is complete, to its last sample. */
  finish(nowMs: number): void {
    this.#voice?.drain();
    this.endUtterance(nowMs);
  }

  /**
   * Says something of the gateway's own, whole frames of mu-law, behind what is queued. False when there is no more
   * room for all of it: half a sentence is worse than none.
   */
  prompt(mulaw: Uint8Array, nowMs: number): boolean {
    if (this.#ledger.isGrowing) this.endUtterance(nowMs);
    this.#voice?.drain();
    if (this.#track.queuedMs + (mulaw.length * 1_000) / CARRIER_RATE_HZ > QUEUE_MS) return false;
    const startMs = this.#track.endMs;
    this.take(mulaw);
    this.#prompts.push({ startMs, endMs: this.#track.endMs });
    this.#track.endUtterance(nowMs);
    this.#pump(nowMs);
    return true;
  }

  /** Has the listener told once all that was said so far is heard. False when too many marks wait. */
  mark(name: string): boolean {
    const isMidFrame = this.#voice?.hasPartial === true;
    if (!this.#ledger.mark(name, this.#track.endMs + (isMidFrame ? FRAME_MS : 0))) return false;
    if (isMidFrame) this.#isMarkDue = true;
    else this.#track.mark(this.#outlet.nowMs());
    this.#tellMarks();
    return true;
  }

  /** Sends what is due, and looks whether the agent has ceased to speak. */
  tick(nowMs: number): void {
    if (this.#ledger.isGrowing && this.#track.queuedMs === 0 && this.#maySend(nowMs)) this.#paused(nowMs);
    this.#pump(nowMs);
  }

  #pump(nowMs: number): void {
    const track = this.#track;
    const maySend = this.#maySend(nowMs);
    if (maySend) track.pump(nowMs);
    if (track.queuedMs > 0 || this.#voice?.hasPartial === true)
      this.#outlet.wakeBy(this.#slot, maySend ? this.#dueMs : nowMs + FRAME_MS);
  }

  /** When more of what waits may go. */
  get #dueMs(): number {
    const { queuedMs, playheadMs } = this.#track;
    if (queuedMs > 0) return this.#track.nextDueMs();
    return Math.max(this.#saidMs, playheadMs) + PARTIAL_AFTER_MS; // the voice's, for want of the rest of its frame
  }

  /** What the lane would drop waits here instead: it is said late, and never counted as heard unsaid. */
  #maySend(nowMs: number): boolean {
    if (this.#stream === undefined || this.#outlet.lane.isBehind) return false;
    return this.#track.stalledMs(nowMs) <= STALL_PAUSE_MS;
  }

  /** Unsays what was not heard. */
  clear(nowMs: number): Clearing {
    const heardMs = this.#track.heardMs(nowMs);
    const { endMs, sentMs } = this.#track;
    const at = this.#ledger.at(heardMs);
    const cut = this.#ledger.cut(sentMs, heardMs);
    const queuedFrames = Math.round(this.#track.queuedMs / FRAME_MS);
    if (queuedFrames > 0) this.#outlet.counts.add("framesDroppedClear", queuedFrames);
    this.#voice?.drop();
    this.#isMarkDue = false;
    this.#track.clear(nowMs);
    this.#heardBeforeMs += this.#agentsMs(heardMs);
    this.#prompts = [];
    this.#loudness?.clear();
    for (const utterance of cut) this.#listener.over(utterance);
    return {
      utterance: at?.id,
      heardMs: Math.round(at?.heardMs ?? 0),
      heardText: at?.heardText ?? "",
      droppedMs: Math.round(endMs - heardMs),
    };
  }

  /** The agent says no more in this call: its utterances are over as far as they were heard. */
  close(nowMs: number): void {
    this.#voice?.free();
    this.#voice = undefined;
    const heardMs = this.#track.heardMs(nowMs);
    for (const utterance of this.#ledger.cut(this.#track.sentMs, heardMs)) this.#listener.over(utterance);
  }

  /** False for a mark that says nothing: unknown, or of a generation that was cleared. */
  markEchoed(name: string): boolean {
    if (!this.#track.markEchoed(name, this.#outlet.nowMs())) return false;
    this.#outlet.counts.add("marksEchoed");
    this.#writeRemains();
    this.#tellMarks();
    this.#tellOver();
    return true;
  }

  /** What the agent's replacement would need to find its session, should this worker die. */
  leaveBehind(resumeId: string): void {
    this.#resumeId = resumeId;
    this.#writeRemains();
  }

  /** How much of the agent's speech the caller has heard in the whole call. */
  totalHeardMs(nowMs: number): number {
    return this.#heardBeforeMs + this.#agentsMs(this.#track.heardMs(nowMs));
  }

  /** How much of this generation before a position is the agent's. */
  #agentsMs(positionMs: number): number {
    let agentsMs = positionMs;
    for (const { startMs, endMs } of this.#prompts)
      agentsMs -= Math.max(0, Math.min(positionMs, endMs) - startMs);
    return agentsMs;
  }

  #tellMarks(): void {
    const { echoedMs } = this.#track;
    for (const { name, heardMs } of this.#ledger.marksUpTo(echoedMs)) this.#listener.marked(name, heardMs);
  }

  #tellOver(): void {
    const { sentMs, echoedMs } = this.#track;
    for (const utterance of this.#ledger.over(sentMs, echoedMs)) this.#listener.over(utterance);
  }

  /** The agent has said nothing for a while, and nothing that it said is left to play. */
  #paused(nowMs: number): void {
    const quietMs = nowMs - Math.max(this.#saidMs, this.#track.playheadMs);
    if (quietMs >= UNNAMED_PAUSE_MS && !this.#ledger.isMidUtterance) this.endUtterance(nowMs);
    else if (quietMs >= PARTIAL_AFTER_MS && this.#voice?.hasPartial === true) {
      const fromMs = this.#track.endMs;
      this.#voice.flush();
      this.#ledger.grew(0, fromMs, this.#track.endMs);
    }
  }

  #writeRemains(): void {
    const heardMs = Math.round(this.totalHeardMs(this.#outlet.nowMs()));
    this.#outlet.remains.write(this.#slot, this.#epoch, heardMs, this.#track.playheadMs, this.#resumeId);
  }

  #control(text: Uint8Array): void {
    this.#outlet.lane.write(RecordKind.control, this.#slot, this.#epoch, text);
  }

  // What the voice and the track do with it.

  take(mulaw: Uint8Array): number {
    const nowMs = this.#outlet.nowMs();
    const isSent =
      mulaw.length === CARRIER_FRAME_SAMPLES && this.#maySend(nowMs) && this.#track.pass(mulaw, nowMs);
    const taken = isSent ? mulaw.length : this.#track.push(mulaw, nowMs);
    if (this.#isMarkDue && taken > 0) {
      this.#isMarkDue = false;
      this.#track.mark(nowMs);
    }
    return taken;
  }

  sendMedia(source: Uint8Array, start: number, end: number): void {
    const { lane, counts } = this.#outlet;
    const frames = (end - start) / CARRIER_FRAME_SAMPLES;
    const playMs = this.#track.playheadMs - frames * FRAME_MS;
    this.#loudness?.sent(source, start, end, playMs);
    this.#recorder?.agent(source, start, end, playMs);
    const message = this.#stream!.media(source, start, end);
    if (!lane.write(RecordKind.media, this.#slot, this.#epoch, message))
      return counts.add("framesDroppedLane", frames);
    counts.sent(frames, this.#track.lateMs);
    if (this.#track.underruns !== this.#underruns) {
      counts.add("underruns", this.#track.underruns - this.#underruns);
      this.#underruns = this.#track.underruns;
    }
  }

  sendMark(name: string): void {
    this.#control(this.#stream!.mark(name));
  }

  sendClear(): void {
    if (this.#stream !== undefined) this.#control(this.#stream.clear());
  }
}
