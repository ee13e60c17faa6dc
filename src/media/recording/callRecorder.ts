// Records one call: each side's frames where they were heard, in memory until they can't change any more, then on
// disk, half a second or more at a time. Whatever becomes of the disk, the call hears nothing of it.
import { CARRIER_RATE_HZ } from "../../domain/audio.ts";
import type { Clock } from "../../domain/clock.ts";
import { SAMPLES_PER_MS, STEREO } from "../../domain/recordingFile.ts";
import type { News } from "../../lane/news.ts";
import type { Recorder } from "../pipeline/recorder.ts";
import { Tracks } from "./tracks.ts";

/** Written at a time: at least, and at most, when the disk has much to do. */
const CHUNK_MIN = 0.5 * CARRIER_RATE_HZ;
const CHUNK_MAX = 2 * CARRIER_RATE_HZ;
/** How long the caller's audio is waited for when it is late. */
const HOLD = 2 * CARRIER_RATE_HZ;
/** What the disk hasn't taken by then is dropped. */
const DISK = 5 * CARRIER_RATE_HZ;
/** What the agent's side may be ahead of now, with something to spare. */
const AHEAD = 0.5 * CARRIER_RATE_HZ;
/** The caller's side follows the clock: it is set right when all of a second came later than this… */
const BEHIND_MAX = 0.06 * CARRIER_RATE_HZ;
const LOOK = CARRIER_RATE_HZ;
/** …or, at the beginning and once it is too late for the disk, all of this… */
const LOOK_SOON = 0.2 * CARRIER_RATE_HZ;
/** …and what comes earlier than this is left out: nobody is heard before having spoken. */
const EARLY_MAX = 0.04 * CARRIER_RATE_HZ;

/** Shared by the worker's recorders: only those that are writing just now need one. */
const buffers: Int16Array[] = [];

/** Where a recording goes. Rejects as often as it likes, and is used by one call at a time. */
export interface RecordingFile {
  /** Its name, known for certain once it is open. */
  readonly name: string;
  /** Whether it is new. */
  open(): Promise<boolean>;
  /** Both sides from this moment on, in samples since the stream began. What is never written is silence. */
  writeAt(moment: number, pcm: Uint8Array): Promise<void>;
  /** So many moments are all there is. */
  finish(moments: number): Promise<void>;
  /** Leaves it as it is. */
  close(): Promise<void>;
}

/** Has something done when it is its turn. */
export type InTurn = <Value>(work: () => Promise<Value>) => Promise<Value>;

export interface RecorderParts {
  readonly file: RecordingFile;
  readonly inTurn: InTurn;
  readonly clock: Clock;
  readonly startedMs: number;
  readonly tell: (news: News) => void;
  /** Called once: the file is closed, whatever is in it. */
  readonly closed: () => void;
}

export class CallRecorder implements Recorder {
  readonly #parts: RecorderParts;
  readonly #tracks: Tracks;
  #state: "opening" | "ready" | "writing" | "closed" = "opening";
  /** Whatever is being done with the file. Never rejects. */
  #work: Promise<void>;
  /** Where the caller's next frame belongs; long ago before the first. */
  #callerAt = Number.NEGATIVE_INFINITY;
  /** Where the second began in which the caller's audio is looked at, and how late the least late of it came. */
  #lookedAt = 0;
  #leastBehind = Number.POSITIVE_INFINITY;
  /** Where the agent's last frame ended. */
  #agentEnd = Number.NEGATIVE_INFINITY;
  #dropped = 0;
  /** The call is: nothing is told any more. */
  #isOver = false;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#tracks = new Tracks(Math.max(0, this.#at(parts.clock.nowMs())), DISK + HOLD + AHEAD);
    this.#work = this.#open();
  }

  caller(mulaw: Uint8Array): void {
    if (this.#state === "closed") return;
    const { length } = mulaw;
    const heardAt = this.#at(this.#parts.clock.nowMs()) - length;
    if (this.#callerAt - heardAt > EARLY_MAX) {
      this.#dropped += length;
      return;
    }
    const at = this.#callerPlace(heardAt);
    this.#callerAt = at + length;
    this.#dropped += Math.min(length, Math.max(0, this.#tracks.from - at));
    this.#tracks.putCaller(mulaw, 0, length, at);
  }

  agent(mulaw: Uint8Array, start: number, end: number, playMs: number): void {
    if (this.#state === "closed") return;
    let at = this.#at(playMs);
    if (Math.abs(at - this.#agentEnd) <= 1) at = this.#agentEnd; // rounding leaves no gap
    this.#agentEnd = at + end - start;
    this.#tracks.putAgent(mulaw, start, end, at);
  }

  cleared(nowMs: number): void {
    this.#agentEnd = Number.NEGATIVE_INFINITY;
    this.#tracks.silenceAgent(this.#at(nowMs));
  }

  tick(nowMs: number): void {
    const waiting = this.#readyUntil(nowMs) - this.#tracks.from;
    if (this.#state === "ready" && waiting >= CHUNK_MIN) {
      this.#state = "writing";
      this.#work = this.#write();
    } else if (waiting > DISK && this.#state !== "closed") {
      this.#drop(waiting - DISK);
    }
  }

  finish(nowMs: number): void {
    if (this.#state === "closed") return;
    const end = this.#at(nowMs);
    this.#tell("finished", end);
    this.#isOver = true;
    void this.#work.then(() => this.#finish(end));
  }

  /** How far nothing can change any more: all of the past, but for what the caller's side still waits for. */
  #readyUntil(nowMs: number): number {
    const now = this.#at(nowMs);
    return Math.min(now, Math.max(this.#callerAt, now - HOLD));
  }

  /**
   * Where a frame goes that came at `heardAt`: after the one before. Frames come late and in heaps, and are in their
   * places all the same; when none of them comes in time any more, audio is missing or the clocks have parted.
   */
  #callerPlace(heardAt: number): number {
    const next = this.#callerAt;
    if (next === Number.NEGATIVE_INFINITY) {
      this.#lookedAt = heardAt - LOOK + LOOK_SOON;
      const { from } = this.#tracks;
      return heardAt - from < HOLD ? from : heardAt; // the first is spoken as the stream begins, however late it comes
    }
    const behind = heardAt - next;
    const lookedFor = heardAt - this.#lookedAt;
    let at = next;
    if (lookedFor >= (next < this.#tracks.from ? LOOK_SOON : LOOK)) {
      const least = Math.min(this.#leastBehind, behind);
      if (least > BEHIND_MAX) at += least;
      this.#lookedAt = heardAt;
      this.#leastBehind = Number.POSITIVE_INFINITY;
    }
    this.#leastBehind = Math.min(this.#leastBehind, heardAt - at);
    return at;
  }

  async #open(): Promise<void> {
    try {
      const { file, inTurn } = this.#parts;
      const isNew = await inTurn(() => file.open());
      this.#state = "ready";
      if (isNew) this.#tell("started", 0);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #write(): Promise<void> {
    try {
      await this.#parts.inTurn(() => this.#writeUntil(this.#readyUntil(this.#parts.clock.nowMs())));
      this.#state = "ready";
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Writes what there is before this position, a chunk of it at most. */
  async #writeUntil(end: number): Promise<void> {
    const { from } = this.#tracks;
    const samples = Math.min(end - from, CHUNK_MAX);
    const buffer = buffers.pop() ?? new Int16Array(STEREO * CHUNK_MAX);
    this.#tracks.take(samples, buffer);
    const bytes = new Uint8Array(buffer.buffer, 0, samples * STEREO * buffer.BYTES_PER_ELEMENT);
    await this.#parts.file.writeAt(from, bytes);
    buffers.push(buffer); // one that a failed write had is not used again
  }

  async #finish(end: number): Promise<void> {
    if (this.#state === "closed") return; // it failed meanwhile
    this.#state = "closed";
    const { file, inTurn, closed } = this.#parts;
    try {
      while (this.#tracks.from < end) await inTurn(() => this.#writeUntil(end));
      await inTurn(() => file.finish(end));
    } catch {
      await inTurn(() => file.close()).catch(() => {});
    } finally {
      closed();
    }
  }

  #fail(error: unknown): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    const { file, inTurn, clock, closed } = this.#parts;
    this.#tell("failed", this.#at(clock.nowMs()), { why: (error as NodeJS.ErrnoException).code ?? "error" });
    void inTurn(() => file.close())
      .catch(() => {})
      .finally(closed);
  }

  #drop(samples: number): void {
    this.#tracks.skip(samples);
    this.#dropped += samples;
  }

  #tell(state: "started" | "finished" | "failed", at: number, more: { readonly why?: string } = {}): void {
    if (this.#isOver) return;
    this.#parts.tell({
      kind: "recording",
      state,
      file: this.#parts.file.name,
      lastedMs: Math.round(at / SAMPLES_PER_MS),
      droppedMs: Math.round(this.#dropped / SAMPLES_PER_MS),
      ...more,
    });
  }

  #at(ms: number): number {
    return Math.round((ms - this.#parts.startedMs) * SAMPLES_PER_MS);
  }
}
