// The caller's audio on its way to the agent: in order and without gaps, kept while the agent can't take it, and in
// the format it hears. Whoever else listens gets each frame as it came, before the agent does.
import { CARRIER_FRAME_SAMPLES, FRAME_MS } from "../../domain/audio.ts";
import type { WorkerCounts } from "../../lane/counts.ts";
import type { Audio, AudioFormat } from "../agents/port.ts";
import type { Codec, Decoder } from "../audio/codec.ts";
import { InboundTrack } from "../audio/inboundTrack.ts";

/** Caller's audio that waits for its agent: past it the oldest is dropped. */
const BACKLOG_MS = 2_000;
const BACKLOG_FRAMES = BACKLOG_MS / FRAME_MS;

export interface HearingParts {
  readonly counts: WorkerCounts;
  readonly codec: Codec;
  /** Each 20 ms of the caller, as mu-law. Valid during the call only, as all frames here. */
  readonly tap: (mulaw: Uint8Array) => void;
  /** The same in the agent's format, once it is ready. */
  readonly agent: (frame: Audio) => void;
}

export class Hearing {
  readonly #parts: HearingParts;
  readonly #track: InboundTrack;
  readonly #trackCounts = { frames: 0, concealed: 0, late: 0, resyncs: 0 };
  #isReady = false;
  #isClosed = false;
  #format: AudioFormat | undefined;
  #decoder: Decoder | undefined;
  /** A ring of frames; made when first needed, for good agents never. */
  #backlog: Uint8Array | undefined;
  #oldest = 0;
  #kept = 0;

  constructor(parts: HearingParts) {
    this.#parts = parts;
    this.#track = new InboundTrack((mulaw) => this.#hear(mulaw), this.#trackCounts);
  }

  /** Frames go to the agent from now on, those it has missed first. */
  ready(format: AudioFormat): void {
    if (this.#format?.encoding !== format.encoding || this.#format.rateHz !== format.rateHz) {
      this.#free();
      this.#format = format;
      if (format.encoding === "pcm16") this.#decoder = this.#parts.codec.createDecoder(format.rateHz);
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
    const counted = this.#trackCounts;
    this.#track.accept(timestampMs, mulaw);
    const { counts } = this.#parts;
    counts.heard(counted.frames - counted.concealed);
    counted.frames = 0;
    if (counted.concealed + counted.late + counted.resyncs === 0) return;
    if (counted.concealed > 0) counts.add("framesConcealed", counted.concealed);
    if (counted.late > 0) counts.add("framesLate", counted.late);
    if (counted.resyncs > 0) counts.add("resyncs", counted.resyncs);
    counted.concealed = 0;
    counted.late = 0;
    counted.resyncs = 0;
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

  #hear(mulaw: Uint8Array): void {
    if (!this.#isClosed) this.#parts.tap(mulaw);
    if (this.#isClosed) return; // it may have ended by what the tap has heard
    if (this.#isReady) this.#tell(mulaw);
    else this.#keep(mulaw);
  }

  #tell(mulaw: Uint8Array): void {
    this.#parts.agent(this.#decoder === undefined ? mulaw : this.#decoder.decode(mulaw));
  }

  #keep(mulaw: Uint8Array): void {
    this.#backlog ??= new Uint8Array(BACKLOG_FRAMES * CARRIER_FRAME_SAMPLES);
    if (this.#kept === BACKLOG_FRAMES) {
      this.#oldest = (this.#oldest + 1) % BACKLOG_FRAMES;
      this.#kept--;
      this.#parts.counts.add("framesDroppedAgent");
    }
    this.#backlog.set(mulaw, ((this.#oldest + this.#kept) % BACKLOG_FRAMES) * CARRIER_FRAME_SAMPLES);
    this.#kept++;
  }
}
