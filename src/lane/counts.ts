// What a media worker counts, as one row of numbers in shared memory: written by the worker alone, read by the
// front thread when someone asks. No message, no lock, no metric object on the audio path.

/** Upper bounds, in milliseconds, of the playout lateness histogram; the last bucket is open. */
export const LATENESS_BOUNDS_MS = [1, 2, 5, 10, 20, 40, 60, 100, 200] as const;

const NAMES = [
  "framesHeard", // caller's frames that reached the pipeline in time
  "framesConcealed", // silence put where the caller's audio was missing
  "framesLate", // caller's frames dropped because their time had passed
  "framesDroppedAgent", // caller's frames dropped: the agent was not ready or reads too slowly
  "resyncs", // jumps of the caller's clock that were followed
  "messagesMalformed", // stream messages that could not be read
  "framesSent", // agent's frames sent
  "framesDroppedQueue", // agent's frames dropped: its queue was full
  "framesDroppedClear", // agent's frames dropped: the caller interrupted
  "framesDroppedLane", // agent's frames dropped: the front thread was behind
  "underruns", // times the agent's audio ran dry between two frames
  "marksEchoed",
  "callErrors", // exceptions in one call's own code
  "strayErrors", // exceptions that could not be traced to a call
  "newsDropped", // news of a call that had told more than it may
  "latenessSumMs",
] as const;
export type CountName = (typeof NAMES)[number];

const LATENESS_AT = NAMES.length;
const LATENESS_END = LATENESS_AT + LATENESS_BOUNDS_MS.length;
const CELLS = LATENESS_END + 1;

const AT = Object.fromEntries(NAMES.map((name, at) => [name, at])) as Record<CountName, number>;

const HEARD = AT.framesHeard;
const SENT = AT.framesSent;
const LATENESS_SUM = AT.latenessSumMs;

/** One worker's counts. Float64 cells: whole numbers up to 2^53, where 32 bits would overflow within a day. */
export class WorkerCounts {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(CELLS * Float64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#cells = new Float64Array(memory);
  }

  add(name: CountName, amount = 1): void {
    this.#cells[AT[name]]! += amount;
  }

  // For every frame of every call, so without a look at names.

  /** Counts a caller's frame that came in time. */
  heard(): void {
    this.#cells[HEARD]! += 1;
  }

  /** Counts frames sent `lateMs` after they were due. */
  sent(frames: number, lateMs: number): void {
    let bucket = LATENESS_AT;
    while (bucket < LATENESS_END && lateMs > LATENESS_BOUNDS_MS[bucket - LATENESS_AT]!) bucket++;
    this.#cells[bucket]! += frames;
    this.#cells[SENT]! += frames;
    this.#cells[LATENESS_SUM]! += frames * lateMs;
  }

  get(name: CountName): number {
    return this.#cells[AT[name]]!;
  }

  /** Frames per lateness bucket, one more than there are bounds. */
  lateness(): number[] {
    return Array.from(this.#cells.subarray(LATENESS_AT));
  }

  /** Adds another worker's counts to these, as when that worker has died. */
  absorb(other: WorkerCounts): void {
    for (let cell = 0; cell < CELLS; cell++) this.#cells[cell]! += other.#cells[cell]!;
  }
}
