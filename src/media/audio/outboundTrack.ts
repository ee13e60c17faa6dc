// The agent's speech on its way to Twilio: queued, paced, marked, and taken back when the caller interrupts; and
// the ledger of what the caller has heard of it. Knows mu-law bytes, mark names and time, but sends nothing itself.
import assert from "node:assert/strict";
import { CARRIER_FRAME_SAMPLES, CARRIER_RATE_HZ, FRAME_MS } from "../../domain/audio.ts";
import { LONG_AGO_MS } from "../../domain/clock.ts";
import { MULAW_SILENCE } from "../kernels/g711.ts";

export interface OutboundOptions {
  /** How far ahead of real time audio may be sent: what Twilio holds against jitter, and loses at a clear. */
  readonly leadMs: number;
  /** A mark follows every so much audio sent. */
  readonly markEveryMs: number;
  /** Audio that may wait here; more is not taken. */
  readonly queueMs: number;
  /** What waits here goes out in messages of up to this much. */
  readonly messageMs: number;
  /** Begins the name of every mark, and tells this track's marks from anyone else's. */
  readonly markPrefix: string;
  /** When audio that another worker had sent runs out: a track that takes over a call goes on from there. */
  readonly playheadMs?: number | undefined;
}

/** Where the track's output goes, in order. An object for the reason that FrameTaker gives. */
export interface OutboundSink {
  /** Whole frames: the bytes `[start, end)`, valid during the call. */
  sendMedia(mulaw: Uint8Array, start: number, end: number): void;
  /** `name` comes back in a mark message when all sent before it was played, or cleared. */
  sendMark(name: string): void;
  /** Everything that was sent and not played yet is to be forgotten. */
  sendClear(): void;
}

const MS_PER_BYTE = 1_000 / CARRIER_RATE_HZ;
/** What follows a frame, as bits: its utterance ends, or someone wants to know when it has been heard. */
const UTTERANCE_END = 1;
const MARKED = 2;
/** Less than a frame goes out alone once Twilio has been without audio for so long: nothing more seems to come. */
export const PARTIAL_AFTER_MS = 100;
/** The queue is made when it is first needed, and doubles: an agent that speaks in real time needs none. */
const QUEUE_FRAMES_FIRST = 20;
/** Behind all that is ever sent without a break; a small integer, as `LONG_AGO_MS` is. */
const WITHOUT_END_MS = 2 ** 30;
const NOTHING = new Uint8Array(0);

/**
 * Time is a monotonic `nowMs` that the caller passes in; it never goes backwards.
 *
 * Pacing: the playhead is when all that was sent will have been played. Each frame moves it by 20 ms from where it
 * was or, when it lay in the past (Twilio had run dry), from now. A message is due as soon as the playhead is no
 * more than `leadMs` ahead of now with it: an agent whose speech waits here has it sent in few long messages, the first
 * frame after a break alone and at once, and one that speaks in real time in as many as it makes.
 *
 * Ledger: positions are milliseconds of audio sent since the last clear, which begins a new generation. A mark's
 * name holds its generation and position, so it needs no memory here, and one that comes back because of a clear
 * is of a past generation. Heard is the position of the last mark that came back, carried on by the clock as long
 * as Twilio can have had audio to play without a break. A mark is sent every `markEveryMs`, at the end of an
 * utterance, and behind the first frame after a break: until that one is back nobody knows that playing goes on.
 */
export class OutboundTrack {
  // What every frame needs comes first and so lies together.
  readonly #sink: OutboundSink;
  readonly #leadMs: number;
  readonly #markEveryMs: number;
  #playheadMs: number;
  #sentMs = 0;
  /** Position of the last mark sent. */
  #markedMs = 0;
  /** Whole frames that wait, and the bytes that follow them. */
  #frames = 0;
  #partial = 0;
  /** When the frame at the head came to a queue without whole frames. */
  #readyMs = 0;
  #lateMs = 0;
  /** Where the audio sent without a break began, and how far the clock may carry on from the last mark: both set
   * anew by a generation's first frame. */
  #unbrokenFromMs = 0;
  #carryToMs = 0;
  /** The last frame sent was not the end of its utterance. */
  #speaking = false;
  #underruns = 0;

  /** A ring of frames, of which those that wait begin at `#head`. */
  #ring: Uint8Array = NOTHING;
  /** By frame of the ring, the one that is not whole included. */
  #follows: Uint8Array = NOTHING;
  #head = 0;
  readonly #framesMax: number;
  readonly #messageFrames: number;

  readonly #markPrefix: string;
  #generation = 0;
  /** Position of the last mark that came back, and when that was. */
  #echoedMs = 0;
  #echoedAtMs = 0;
  /** When the oldest mark that is not back should have been, at the latest; meaningful while one is out. */
  #awaitedMs = 0;
  #hasEchoed = false;
  /** The highest answer given. */
  #heardMs = 0;

  constructor(options: OutboundOptions, sink: OutboundSink) {
    for (const ms of [options.leadMs, options.markEveryMs, options.queueMs, options.messageMs])
      assert(ms >= FRAME_MS && ms % FRAME_MS === 0, `${ms} ms are whole frames`);
    this.#sink = sink;
    this.#leadMs = options.leadMs;
    this.#markEveryMs = options.markEveryMs;
    this.#markPrefix = options.markPrefix;
    const isPossible = options.messageMs === FRAME_MS || 2 * options.messageMs <= options.leadMs;
    assert(isPossible, "one message is still played while the next is sent");
    this.#framesMax = options.queueMs / FRAME_MS;
    this.#messageFrames = options.messageMs / FRAME_MS;
    this.#playheadMs = options.playheadMs ?? LONG_AGO_MS;
  }

  /** Milliseconds sent since the last clear. */
  get sentMs(): number {
    return this.#sentMs;
  }

  /** Position of the last mark that came back: all before it has been heard. */
  get echoedMs(): number {
    return this.#echoedMs;
  }

  /** Milliseconds waiting here. */
  get queuedMs(): number {
    return this.#queuedBytes * MS_PER_BYTE;
  }

  /** Where all that was pushed so far will end, in whole frames: what `markEchoed` and `heardMs` count in. */
  get endMs(): number {
    return this.#sentMs + FRAME_MS * (this.#frames + Math.sign(this.#partial));
  }

  /** When all that was sent will have been played, if nothing held it up on its way; long ago when nothing was. */
  get playheadMs(): number {
    return this.#playheadMs;
  }

  /** Nothing waits, and all that was sent is known to have been heard. Takes an `endUtterance` to become true again. */
  get idle(): boolean {
    return this.#queuedBytes === 0 && this.#echoedMs === this.#sentMs;
  }

  /** Times Twilio ran dry in the middle of an utterance. */
  get underruns(): number {
    return this.#underruns;
  }

  /**
   * For how long Twilio has confirmed nothing of what it should have played by now. 0 as well for a peer that has
   * never confirmed anything.
   */
  stalledMs(nowMs: number): number {
    if (!this.#hasEchoed || this.#markedMs === this.#echoedMs) return 0;
    return Math.max(0, nowMs - Math.max(this.#awaitedMs, this.#echoedAtMs));
  }

  /** How long after it was due the last message was sent. Already set when that reaches the sink. */
  get lateMs(): number {
    return this.#lateMs;
  }

  /** Queues speech. Returns the bytes taken: fewer than given when the queue is full, and the rest is lost. */
  push(mulaw: Uint8Array, nowMs: number): number {
    const queued = this.#queuedBytes;
    const taken = Math.min(mulaw.length, this.#framesMax * CARRIER_FRAME_SAMPLES - queued);
    this.#reserve(queued + taken);
    if (this.#frames === 0) this.#readyMs = nowMs;
    const ring = this.#ring;
    const to = this.#tailAt;
    const toEnd = ring.length - to;
    if (mulaw.length <= Math.min(taken, toEnd)) ring.set(mulaw, to);
    else {
      ring.set(mulaw.subarray(0, Math.min(taken, toEnd)), to);
      ring.set(mulaw.subarray(Math.min(taken, toEnd), taken));
    }
    const partial = this.#partial + taken;
    this.#partial = partial % CARRIER_FRAME_SAMPLES;
    this.#frames += (partial - this.#partial) / CARRIER_FRAME_SAMPLES;
    return taken;
  }

  /**
   * Sends a whole frame at once, which costs less than queueing it. False when it has to be queued: others wait, or it
   * is not due.
   */
  pass(frame: Uint8Array, nowMs: number): boolean {
    if (this.#queuedBytes > 0 || nowMs < this.#playheadMs + FRAME_MS - this.#leadMs) return false;
    this.#readyMs = nowMs;
    this.#send(frame, 0, 1, 0, nowMs);
    return true;
  }

  /** The utterance is complete: pads its last frame with silence, and a mark follows that frame. */
  endUtterance(nowMs: number): void {
    this.#fillPartial(nowMs);
    if (this.#frames > 0) {
      this.#follows[(this.#head + this.#frames - 1) % this.#follows.length]! |= UTTERANCE_END;
      return;
    }
    this.#speaking = false; // its last frame is gone already
    if (this.#markedMs < this.#sentMs) this.#sendMark(nowMs);
  }

  /** A mark follows what was pushed last, without ending its utterance. */
  mark(nowMs: number): void {
    const waiting = this.#frames + Math.sign(this.#partial);
    if (waiting > 0) this.#follows[(this.#head + waiting - 1) % this.#follows.length]! |= MARKED;
    else if (this.#markedMs < this.#sentMs) this.#sendMark(nowMs);
  }

  /** Nothing was sent before this moment, however long audio has waited: nobody could hear it. */
  begin(nowMs: number): void {
    this.#readyMs = nowMs;
  }

  /** Sends every message that is due. */
  pump(nowMs: number): void {
    if (this.#frames === 0 && nowMs >= this.nextDueMs()) this.#fillPartial(nowMs);
    while (this.#frames > 0 && nowMs >= this.nextDueMs()) this.#sendQueued(nowMs);
  }

  /** When `pump` has something to do: to send, or to fill up what has waited long enough. Infinity when nothing waits. */
  nextDueMs(): number {
    if (this.#frames > 0) return this.#dueMs(this.#nextFrames);
    if (this.#partial === 0) return Number.POSITIVE_INFINITY;
    return Math.max(this.#readyMs, this.#playheadMs) + PARTIAL_AFTER_MS;
  }

  /**
   * The caller interrupts: drops the queue, has Twilio drop what it holds, and begins a new generation. Returns
   * the milliseconds that were heard of the one it ends.
   */
  clear(nowMs: number): number {
    const heardMs = this.heardMs(nowMs);
    this.#follows.fill(0);
    this.#head = 0;
    this.#frames = 0;
    this.#partial = 0;
    this.#playheadMs = nowMs;
    this.#speaking = false;
    this.#generation++;
    this.#sentMs = 0;
    this.#markedMs = 0;
    this.#echoedMs = 0;
    this.#heardMs = 0;
    this.#sink.sendClear();
    return heardMs;
  }

  /**
   * A mark came back. False when it says nothing about this generation's audio: one of an earlier generation, one
   * that came before, or not one of ours at all.
   */
  markEchoed(name: string, nowMs: number): boolean {
    const positionMs = Number(name.slice(name.lastIndexOf("-") + 1));
    if (name !== this.#markName(positionMs)) return false;
    if (positionMs <= this.#echoedMs || positionMs > this.#markedMs || positionMs % FRAME_MS !== 0)
      return false;
    this.#echoedMs = positionMs;
    this.#echoedAtMs = nowMs;
    this.#hasEchoed = true;
    this.#carryToMs =
      positionMs > this.#unbrokenFromMs ? WITHOUT_END_MS : Math.max(this.#carryToMs, positionMs);
    return true;
  }

  /** Milliseconds of this generation that the caller has heard. Never more than were sent, and never falls. */
  heardMs(nowMs: number): number {
    const carriedMs = this.#echoedMs + nowMs - this.#echoedAtMs;
    this.#heardMs = Math.max(this.#heardMs, Math.min(carriedMs, this.#carryToMs, this.#sentMs));
    return this.#heardMs;
  }

  get #queuedBytes(): number {
    return this.#frames * CARRIER_FRAME_SAMPLES + this.#partial;
  }

  /** The ring's frame that the next byte goes into. */
  get #tailFrame(): number {
    return (this.#head + this.#frames) % this.#follows.length;
  }

  /** Where the next byte goes. */
  get #tailAt(): number {
    return this.#tailFrame * CARRIER_FRAME_SAMPLES + this.#partial;
  }

  /** When a message of so many frames may go. */
  #dueMs(frames: number): number {
    return Math.max(this.#readyMs, this.#playheadMs + frames * FRAME_MS - this.#leadMs);
  }

  /** Frames of the next message: as many as wait, up to one that a mark follows, and not across the ring's end. */
  get #nextFrames(): number {
    const unmarked = (this.#sentMs - this.#markedMs) / FRAME_MS;
    const room = Math.min(this.#messageFrames, this.#markEveryMs / FRAME_MS - unmarked);
    const most = Math.min(this.#frames, room, this.#follows.length - this.#head);
    for (let n = 1; n < most; n++) if (this.#follows[this.#head + n - 1] !== 0) return n;
    return most;
  }

  #sendQueued(nowMs: number): void {
    const head = this.#head;
    const frames = this.#playheadMs <= nowMs ? 1 : this.#nextFrames;
    const last = head + frames - 1;
    const follows = this.#follows[last]!;
    this.#follows[last] = 0;
    this.#head = (last + 1) % this.#follows.length;
    this.#frames -= frames;
    this.#send(this.#ring, head * CARRIER_FRAME_SAMPLES, frames, follows, nowMs);
  }

  /** The frames from `start` on, and the mark that follows them, if one does. */
  #send(source: Uint8Array, start: number, frames: number, follows: number, nowMs: number): void {
    const ms = frames * FRAME_MS;
    this.#lateMs = nowMs - this.#dueMs(frames);
    const dry = this.#playheadMs < nowMs;
    if (dry && this.#speaking) this.#underruns++;
    if (dry || this.#sentMs === 0) this.#breakAt(this.#sentMs);
    const first = this.#sentMs === this.#unbrokenFromMs;
    this.#playheadMs = Math.max(this.#playheadMs, nowMs) + ms;
    this.#sentMs += ms;
    this.#speaking = (follows & UTTERANCE_END) === 0;
    this.#sink.sendMedia(source, start, start + frames * CARRIER_FRAME_SAMPLES);
    if (follows !== 0 || first || this.#sentMs - this.#markedMs >= this.#markEveryMs) this.#sendMark(nowMs);
  }

  #fillPartial(nowMs: number): void {
    if (this.#partial === 0) return;
    const start = this.#tailAt;
    this.#ring.fill(MULAW_SILENCE, start, start + CARRIER_FRAME_SAMPLES - this.#partial);
    if (this.#frames === 0) this.#readyMs = nowMs;
    this.#partial = 0;
    this.#frames++;
  }

  /** What is sent from here on is played after a pause of unknown length: the clock alone can't carry across it. */
  #breakAt(positionMs: number): void {
    this.#carryToMs = Math.min(this.#carryToMs, positionMs);
    this.#unbrokenFromMs = positionMs;
  }

  #sendMark(nowMs: number): void {
    // The audio before it may have been played long ago.
    if (this.#markedMs === this.#echoedMs) this.#awaitedMs = Math.max(nowMs, this.#playheadMs);
    this.#markedMs = this.#sentMs;
    this.#sink.sendMark(this.#markName(this.#sentMs));
  }

  #markName(positionMs: number): string {
    return `${this.#markPrefix}${this.#generation}-${positionMs}`;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#ring.length) return;
    let frames = this.#follows.length;
    while (frames * CARRIER_FRAME_SAMPLES < bytes)
      frames = Math.min(Math.max(2 * frames, QUEUE_FRAMES_FIRST), this.#framesMax);
    this.#ring = unrolled(this.#ring, this.#head * CARRIER_FRAME_SAMPLES, frames * CARRIER_FRAME_SAMPLES);
    this.#follows = unrolled(this.#follows, this.#head, frames);
    this.#head = 0;
  }
}

/** A longer ring with the same content, its head at 0. */
function unrolled(ring: Uint8Array, head: number, length: number): Uint8Array {
  const longer = new Uint8Array(length);
  longer.set(ring.subarray(head));
  longer.set(ring.subarray(0, head), ring.length - head);
  return longer;
}
