// Between Twilio's mu-law frames and an agent's samples: G.711 and the change of rate, in one step each way. Owns the
// states that the filters need from frame to frame, a slot for each direction of each call, in the kernels' memory.
import assert from "node:assert/strict";
import {
  AGENT_RATES_HZ,
  type AgentRateHz,
  CARRIER_FRAME_SAMPLES,
  CARRIER_RATE_HZ,
  FRAME_MS,
  frameSamples,
} from "../../domain/audio.ts";
import type { Kernels } from "../kernels/kernels.ts";
import {
  CODES_BYTES,
  CODES_IN,
  CODES_OUT,
  SAMPLES_BYTES,
  SAMPLES_IN,
  SAMPLES_OUT,
  STATE_BYTES,
  STATES,
  STATES_MAX,
} from "../kernels/layout.ts";

interface Direction {
  readonly rateHz: AgentRateHz;
  /** Forgets what came before: the next frame is heard as if there had been silence. */
  reset(): void;
  /** Gives its slot back. Nothing may be called after this. */
  free(): void;
}

export interface Decoder extends Direction {
  /**
   * One frame of 160 codes as a frame at the agent's rate, up to 2 ms late. It is the codec's: valid until
   * anything else is decoded.
   */
  decode(mulaw: Uint8Array): Int16Array;
}

export interface Encoder extends Direction {
  /** One frame at the agent's rate as 160 codes, up to 2 ms late. Theirs, too, are valid until the next. */
  encode(samples: Int16Array): Uint8Array;
}

/** What a worker has for all its calls. */
export interface Codec {
  createDecoder(rateHz: AgentRateHz): Decoder;
  createEncoder(rateHz: AgentRateHz): Encoder;
}

/** Nothing else may decode or encode with those kernels. */
export function codecOf(kernels: Kernels): Codec {
  const slots = new Slots(kernels);
  return {
    createDecoder: (rateHz) => new KernelDecoder(slots, rateHz),
    createEncoder: (rateHz) => new KernelEncoder(slots, rateHz),
  };
}

/** States in use and free ones, and views of the kernels' memory where frames pass in and out: all calls share those. */
class Slots {
  readonly kernels: Kernels;
  readonly codesIn: Uint8Array;
  readonly codesOut: Uint8Array;
  readonly samplesIn: Int16Array;
  /** By ratio. */
  readonly samplesOut: readonly Int16Array[];
  readonly #states: Uint8Array;
  readonly #free: number[] = [];
  /** Slots that were ever taken. */
  #used = 0;

  constructor(kernels: Kernels) {
    const { buffer } = kernels.memory;
    this.kernels = kernels;
    this.codesIn = new Uint8Array(buffer, CODES_IN, CODES_BYTES);
    this.codesOut = new Uint8Array(buffer, CODES_OUT, CODES_BYTES);
    this.samplesIn = new Int16Array(buffer, SAMPLES_IN, SAMPLES_BYTES / 2);
    this.samplesOut = Array.from(
      { length: SAMPLES_BYTES / 2 / CARRIER_FRAME_SAMPLES + 1 },
      (_, ratio) => new Int16Array(buffer, SAMPLES_OUT, ratio * CARRIER_FRAME_SAMPLES),
    );
    this.#states = new Uint8Array(buffer, STATES);
  }

  /** Its address, which is never 0. A slot is silence when it is taken, whoever had it before. */
  take(): number {
    const state = this.#free.pop() ?? this.#next();
    this.silence(state);
    return state;
  }

  silence(state: number): void {
    const at = state - STATES;
    this.#states.fill(0, at, at + STATE_BYTES);
  }

  giveBack(state: number): void {
    this.#free.push(state);
  }

  #next(): number {
    if (this.#used === STATES_MAX) throw new Error("this worker has no more memory for calls' audio");
    return STATES + STATE_BYTES * this.#used++;
  }
}

/** What both directions are: one slot, at one rate. */
class Slot {
  readonly rateHz: AgentRateHz;
  protected readonly slots: Slots;
  protected readonly ratio: number;
  /** 0 once it is freed. */
  protected state: number;

  constructor(slots: Slots, rateHz: AgentRateHz) {
    assert(AGENT_RATES_HZ.includes(rateHz), `${rateHz} Hz is a rate that agents have`);
    this.rateHz = rateHz;
    this.ratio = rateHz / CARRIER_RATE_HZ;
    this.slots = slots;
    this.state = slots.take();
  }

  reset(): void {
    assert(this.state !== 0, "what is freed is not used");
    this.slots.silence(this.state);
  }

  free(): void {
    assert(this.state !== 0, "a slot is freed once");
    this.slots.giveBack(this.state);
    this.state = 0;
  }
}

class KernelDecoder extends Slot implements Decoder {
  decode(mulaw: Uint8Array): Int16Array {
    if (mulaw.length !== CARRIER_FRAME_SAMPLES) assert.fail(`frames are ${FRAME_MS} ms long`);
    if (this.state === 0) assert.fail("what is freed is not used");
    const { kernels, codesIn, samplesOut } = this.slots;
    codesIn.set(mulaw);
    kernels.decode(this.state, this.ratio);
    return samplesOut[this.ratio]!;
  }
}

class KernelEncoder extends Slot implements Encoder {
  encode(samples: Int16Array): Uint8Array {
    if (samples.length !== frameSamples(this.rateHz)) assert.fail(`frames are ${FRAME_MS} ms long`);
    if (this.state === 0) assert.fail("what is freed is not used");
    const { kernels, samplesIn, codesOut } = this.slots;
    samplesIn.set(samples);
    kernels.encode(this.state, this.ratio);
    return codesOut;
  }
}
