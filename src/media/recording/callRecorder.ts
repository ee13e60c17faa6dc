// Records one call: each side's frames where they were heard, in memory until they can't change any more, then on
// disk, half a second or more at a time. Whatever becomes of the disk, the call hears nothing of it.
import { CARRIER_RATE_HZ } from "../../domain/audio.ts";
import type { Clock } from "../../domain/clock.ts";
import { SAMPLES_PER_MS, STEREO } from "../../domain/recordingFile.ts";
import type { News } from "../../lane/news.ts";
import { mulawLevelDb } from "../audio/level.ts";
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
/**
 * The caller's side follows the clock. It is set right when all of it comes later than this for so long: much later,
 * because audio is missing, or a little, because two clocks have parted…
 */
const MISSING = 0.5 * CARRIER_RATE_HZ;
const MISSING_FOR = 0.5 * CARRIER_RATE_HZ;
const BEHIND = 0.1 * CARRIER_RATE_HZ;
const BEHIND_FOR = 5 * CARRIER_RATE_HZ;
/** …and, as nobody is heard before having spoken, silence that comes earlier than this is left out, then anything. */
const EARLY = 0.04 * CARRIER_RATE_HZ;
const EARLY_MAX = 0.2 * CARRIER_RATE_HZ;
const SILENT_DB = -50;
/** After so long without the caller's audio what came before says nothing of what comes. */
const PAUSE = 0.5 * CARRIER_RATE_HZ;

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
  /** Where the caller's next frame belongs, and where the last one came; long ago before the first. */
  #callerAt = Number.NEGATIVE_INFINITY;
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Since when the caller's audio is looked at, and how late the least late of it has come. */
  #lookedAt = 0;
  #leastBehind = 0;
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
    const early = this.#callerAt - heardAt;
    if (early > EARLY && (early > EARLY_MAX || mulawLevelDb(mulaw) < SILENT_DB)) return;
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
   * places all the same.
   */
  #callerPlace(heardAt: number): number {
    const at = this.#callerAt === Number.NEGATIVE_INFINITY ? this.#firstPlace(heardAt) : this.#callerAt;
    const behind = heardAt - at;
    if (heardAt - this.#heardAt > PAUSE) this.#lookFrom(heardAt);
    this.#heardAt = heardAt;
    this.#leastBehind = Math.min(this.#leastBehind, behind);
    const least = this.#leastBehind;
    const lookedFor = heardAt - this.#lookedAt;
    const isMissing = least > MISSING && lookedFor >= MISSING_FOR;
    if (!isMissing && lookedFor < BEHIND_FOR) return at;
    this.#lookFrom(heardAt);
    return least > BEHIND ? at + least : at;
  }

  /** The first frame is spoken as the stream begins, however late it comes. */
  #firstPlace(heardAt: number): number {
    const { from } = this.#tracks;
    return heardAt - from < HOLD ? from : heardAt;
  }

  #lookFrom(heardAt: number): void {
    this.#lookedAt = heardAt;
    this.#leastBehind = Number.POSITIVE_INFINITY;
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
