// When a caller begins and ceases to speak, by level alone: over the line's noise, and over what comes back of the
// agent's own voice. One detector is one call's ears. It knows frames and levels, nothing of time, queues or agents.
import assert from "node:assert/strict";
import { FRAME_MS } from "../../domain/audio.ts";
import { LEVEL_MIN_DB, mulawLevelDb } from "./level.ts";

export type Decision = "none" | "started" | "stopped";

/**
 * Speech has started when three of the last four frames are loud: 60 ms after its first sound, or 80 with a hole in
 * it, which leaves the rest of 150 ms to the interruption. A click is two frames at most.
 */
const START_FRAMES = 3;
const START_WINDOW_FRAMES = 4;
/** It has stopped after so long without a loud frame; a pause between two words is shorter. */
const HANGOVER_FRAMES = 400 / FRAME_MS;

/** A quieter line is no better, and what is louder than the maximum for seconds may be someone who speaks. */
const FLOOR_MIN_DB = -65;
const FLOOR_MAX_DB = -35;
/** A fair line's, before anything was heard on it. */
const FLOOR_START_DB = -55;
/** The floor goes down to a quieter frame by this part of the way: between two words it is found again. */
const FLOOR_FALL = 0.3;
/** And up by 15 dB a second: a new noise is known in about one, and speech, which has gaps, can't lift it for long. */
const FLOOR_RISE_DB = 0.3;
/** Noise is seldom more than 6 dB over its floor; speech is 20. */
const FLOOR_MARGIN_DB = 10;

/** Nobody who speaks into a telephone is quieter. */
const THRESHOLD_MIN_DB = -45;
/** What is louder is heard whatever the agent says. */
const THRESHOLD_MAX_DB = -16;

/** The echo comes 0 to 400 ms after what it is the echo of. */
const DELAYS = 400 / FRAME_MS + 1;
/** An echo lies across two frames, so one more level is needed than there are delays. A power of two, to wrap. */
const AGENT_LEVELS = 32;
/** From a telephone that is laid on a table, to a line with no echo. */
const COUPLING_MAX_DB = -10;
const COUPLING_MIN_DB = -50;
/** Worse than nearly every line: while a line's coupling is not known yet, an agent had better not interrupt itself. */
const COUPLING_START_DB = -20;
/** How far a frame moves it, either way, so that it settles where half of the echo is louder: 25 dB a second. */
const COUPLING_STEP_DB = 0.5;
/** How far up a frame moves it that is over the threshold, and so most likely the caller's. */
const COUPLING_LOUD_STEP_DB = 0.2;
/** Frames of the agent's that coupling is learned from: the echo of quieter ones is lost in the noise. */
const AGENT_LOUD_DB = -35;
/** By its pitch and the room an echo is louder than the coupling says, but hardly by more than this for three frames. */
const ECHO_MARGIN_DB = 5;

assert(Number.isInteger(HANGOVER_FRAMES) && Number.isInteger(DELAYS));
assert(DELAYS < AGENT_LEVELS && (AGENT_LEVELS & (AGENT_LEVELS - 1)) === 0);
assert(COUPLING_START_DB <= COUPLING_MAX_DB && FLOOR_MIN_DB > LEVEL_MIN_DB);

/**
 * The echo's delay is not searched for. Each possible delay has a coupling of its own: how much quieter the caller's
 * frames are than the agent's that were heard so long before. At the echo's delay that is the echo's return loss, at
 * any other it is less, so the loudest of what all of them expect is the echo, smeared reverberation included.
 */
export class TurnDetector {
  /** The agent's last levels, the newest at `#newest`. */
  readonly #agentDb = new Float64Array(AGENT_LEVELS).fill(LEVEL_MIN_DB);
  #newest = 0;
  /** By delay in frames. */
  readonly #couplingDb = new Float64Array(DELAYS).fill(COUPLING_START_DB);
  #levelDb = LEVEL_MIN_DB;
  #floorDb = FLOOR_START_DB;
  #thresholdDb = THRESHOLD_MIN_DB;
  /** The last frames, the newest in the lowest bit; 1 is loud. */
  #recent = 0;
  #isSpeaking = false;
  /** Since the beginning of the first loud frame, and since the end of the last one. */
  #onsetFrames = 0;
  #quietFrames = 0;

  /**
   * Takes one frame of the caller and the level of the agent's audio that the caller is hearing just now, −Infinity
   * when there is none. Takes about 350 ns, of which 140 are the level's, and makes no object.
   */
  hear(frame: Uint8Array, agentLevelDb: number): Decision {
    const levelDb = mulawLevelDb(frame);
    this.#levelDb = levelDb;
    this.#newest = (this.#newest + 1) % AGENT_LEVELS;
    this.#agentDb[this.#newest] = agentLevelDb > LEVEL_MIN_DB ? Math.min(agentLevelDb, 0) : LEVEL_MIN_DB;
    const overFloorDb = Math.max(this.#floorDb + FLOOR_MARGIN_DB, THRESHOLD_MIN_DB);
    const overEchoDb = Math.min(this.#echoDb() + ECHO_MARGIN_DB, THRESHOLD_MAX_DB);
    this.#thresholdDb = Math.max(overFloorDb, overEchoDb);
    const isLoud = levelDb > this.#thresholdDb;
    this.#learnCoupling(levelDb, isLoud);
    this.#learnFloor(levelDb);
    return this.#isSpeaking ? this.#goOn(isLoud) : this.#begin(isLoud);
  }

  /** Of the last frame. */
  get levelDb(): number {
    return this.#levelDb;
  }

  /** The line's noise. */
  get floorDb(): number {
    return this.#floorDb;
  }

  /** What the last frame had to be over to be loud. */
  get thresholdDb(): number {
    return this.#thresholdDb;
  }

  /** From "started" to "stopped". */
  get isSpeaking(): boolean {
    return this.#isSpeaking;
  }

  /** From the beginning of the speech's first loud frame to the end of the last frame that was taken. */
  get onsetAgoMs(): number {
    return this.#onsetFrames * FRAME_MS;
  }

  /** From the end of its last loud frame so far: at "stopped", how long ago the speech had ended. */
  get endedAgoMs(): number {
    return this.#quietFrames * FRAME_MS;
  }

  /** From the beginning of its first loud frame to the end of its last so far. */
  get lastedMs(): number {
    return (this.#onsetFrames - this.#quietFrames) * FRAME_MS;
  }

  /** The loudest that any delay expects. */
  #echoDb(): number {
    const agentDb = this.#agentDb;
    const couplingDb = this.#couplingDb;
    const newest = this.#newest;
    let echoDb = LEVEL_MIN_DB;
    let later = agentDb[newest]!;
    for (let delay = 0; delay < DELAYS; delay++) {
      const earlier = agentDb[(newest - delay - 1) & (AGENT_LEVELS - 1)]!;
      echoDb = Math.max(echoDb, Math.max(earlier, later) + couplingDb[delay]!);
      later = earlier;
    }
    return echoDb;
  }

  /** Of the two frames an echo lies across, the quieter one counts: where the agent begins, half a frame is no echo. */
  #learnCoupling(levelDb: number, isLoud: boolean): void {
    const agentDb = this.#agentDb;
    const couplingDb = this.#couplingDb;
    const newest = this.#newest;
    const upDb = isLoud ? COUPLING_LOUD_STEP_DB : COUPLING_STEP_DB;
    let later = agentDb[newest]!;
    for (let delay = 0; delay < DELAYS; delay++) {
      const earlier = agentDb[(newest - delay - 1) & (AGENT_LEVELS - 1)]!;
      const quieter = Math.min(earlier, later);
      later = earlier;
      if (quieter < AGENT_LOUD_DB) continue;
      const now = couplingDb[delay]!;
      const next = levelDb - quieter > now ? now + upDb : now - COUPLING_STEP_DB;
      couplingDb[delay] = Math.min(Math.max(next, COUPLING_MIN_DB), COUPLING_MAX_DB);
    }
  }

  /** Digital silence tells nothing of the line: it is a lost frame, or a telephone that sends none of its noise. */
  #learnFloor(levelDb: number): void {
    if (levelDb <= LEVEL_MIN_DB) return;
    const floorDb = this.#floorDb;
    const nextDb =
      levelDb < floorDb
        ? floorDb + (levelDb - floorDb) * FLOOR_FALL
        : Math.min(floorDb + FLOOR_RISE_DB, levelDb);
    this.#floorDb = Math.min(Math.max(nextDb, FLOOR_MIN_DB), FLOOR_MAX_DB);
  }

  #begin(isLoud: boolean): Decision {
    this.#recent = ((this.#recent << 1) | Number(isLoud)) & ((1 << START_WINDOW_FRAMES) - 1);
    let loudFrames = 0;
    let firstAgo = 0;
    for (let ago = 0; ago < START_WINDOW_FRAMES; ago++) {
      if (((this.#recent >> ago) & 1) === 0) continue;
      loudFrames++;
      firstAgo = ago;
    }
    if (loudFrames < START_FRAMES) return "none";
    this.#isSpeaking = true;
    this.#recent = 0;
    this.#onsetFrames = firstAgo + 1;
    this.#quietFrames = isLoud ? 0 : 1;
    return "started";
  }

  #goOn(isLoud: boolean): Decision {
    this.#onsetFrames++;
    this.#quietFrames = isLoud ? 0 : this.#quietFrames + 1;
    if (this.#quietFrames < HANGOVER_FRAMES) return "none";
    this.#isSpeaking = false;
    return "stopped";
  }
}
