// The caller's audio on its way to the agent: in order and without gaps, kept while the agent can't take it, and in
// the format it hears. Whoever else listens gets each frame as it came, before the agent does.
import { CARRIER_FRAME_SAMPLES, FRAME_MS } from "../../domain/audio.ts";
import type { WorkerCounts } from "../../lane/counts.ts";
import type { Audio, AudioFormat } from "../agents/port.ts";
import type { Codec, Decoder } from "../audio/codec.ts";
import { type FrameTaker, InboundTrack } from "../audio/inboundTrack.ts";

/** Caller's audio that waits for its agent: past it the oldest is dropped. */
const BACKLOG_MS = 2_000;
const BACKLOG_FRAMES = BACKLOG_MS / FRAME_MS;

/** Who hears the caller. An object for the reason that FrameTaker gives. */
export interface CallerListener {
  /** Each 20 ms of the caller, as mu-law. Valid during the call only, as all frames here. */
  callerSaid(mulaw: Uint8Array): void;
  /** The same in the agent's format, once it is ready. */
  agentHears(frame: Audio): void;
}

export class Hearing implements FrameTaker {
  readonly #listener: CallerListener;
  readonly #codec: Codec;
  readonly #counts: WorkerCounts;
  readonly #track = new InboundTrack(this);
  #hasCome = false;
  #isReady = false;
  #isClosed = false;
  #format: AudioFormat | undefined;
  #decoder: Decoder | undefined;
  /** A ring of frames; made when first needed, for good agents never. */
  #backlog: Uint8Array | undefined;
  #oldest = 0;
  #kept = 0;

  constructor(listener: CallerListener, codec: Codec, counts: WorkerCounts) {
    this.#listener = listener;
    this.#codec = codec;
    this.#counts = counts;
  }

  /** Frames go to the agent from now on, those it has missed first. */
  ready(format: AudioFormat): void {
    if (this.#format?.encoding !== format.encoding || this.#format.rateHz !== format.rateHz) {
      this.#free();
      this.#format = format;
      if (format.encoding === "pcm16") this.#decoder = this.#codec.createDecoder(format.rateHz);
    }
    this.#isReady = true;
    while (this.#kept > 0 && this.#isReady) {
      const at = this.#oldest * CARRIER_FRAME_SAMPLES;
      this.#oldest = (this.#oldest + 1) % BACKLOG_FRAMES;
      this.#kept--;
      this.#tell(this.#backlog!.subarray(at, at + CARRIER_FRAME_SAMPLES));
    }
  }

  /** Frames are kept from now on. */
  hold(): void {
    this.#isReady = false;
  }

  /** One media message of the stream. */
  accept(timestampMs: number, mulaw: Uint8Array): void {
    this.#hasCome = true;
    this.#track.accept(timestampMs, mulaw);
  }

  /** Whether anything has come since this was asked last. */
  hasCome(): boolean {
    const hasCome = this.#hasCome;
    this.#hasCome = false;
    return hasCome;
  }

  /** Nobody hears anything from here on, also of the message that is being taken. */
  close(): void {
    this.#isClosed = true;
    this.#kept = 0;
    this.#free();
  }

  #free(): void {
    this.#decoder?.free();
    this.#decoder = undefined;
  }

  // What the track tells.

  frame(mulaw: Uint8Array, isConcealed: boolean): void {
    if (isConcealed) this.#counts.add("framesConcealed");
    else this.#counts.heard();
    if (!this.#isClosed) this.#listener.callerSaid(mulaw);
    if (this.#isClosed) return; // it may have ended by what was heard
    if (this.#isReady) this.#tell(mulaw);
    else this.#keep(mulaw);
  }

  late(): void {
    this.#counts.add("framesLate");
  }

  resynced(): void {
    this.#counts.add("resyncs");
  }

  #tell(mulaw: Uint8Array): void {
    this.#listener.agentHears(this.#decoder === undefined ? mulaw : this.#decoder.decode(mulaw));
  }

  #keep(mulaw: Uint8Array): void {
    this.#backlog ??= new Uint8Array(BACKLOG_FRAMES * CARRIER_FRAME_SAMPLES);
    if (this.#kept === BACKLOG_FRAMES) {
      this.#oldest = (this.#oldest + 1) % BACKLOG_FRAMES;
      this.#kept--;
      this.#counts.add("framesDroppedAgent");
    }
    this.#backlog.set(mulaw, ((this.#oldest + this.#kept) % BACKLOG_FRAMES) * CARRIER_FRAME_SAMPLES);
    this.#kept++;
  }
}
