// Records one call: each side's frames where they were heard, in memory until they can't change any more, then on
// disk, half a second or more at a time. Whatever becomes of the disk, the call hears nothing of it.
import { CARRIER_RATE_HZ } from "../../domain/audio.ts";
import type { Clock } from "../../domain/clock.ts";
import { SAMPLES_PER_MS, STEREO } from "../../domain/recordingFile.ts";
import type { News } from "../../lane/news.ts";
import type { Recorder } from "../pipeline/recorder.ts";
import type { PartFile } from "./partFile.ts";
import { Tracks } from "./tracks.ts";

/** Written at a time: at least, and at most. */
const CHUNK_MIN = 0.5 * CARRIER_RATE_HZ;
const CHUNK_MAX = CARRIER_RATE_HZ;
/** How long the caller's audio is waited for when it is late. */
const HOLD = 2 * CARRIER_RATE_HZ;
/** What the disk hasn't taken by then is dropped. */
const DISK = 5 * CARRIER_RATE_HZ;
/** What the agent's side may be ahead of now, with something to spare. */
const AHEAD = 0.5 * CARRIER_RATE_HZ;
/** The caller's side follows the clock: it is set right when all of a second came later than this… */
const BEHIND_MAX = 0.1 * CARRIER_RATE_HZ;
const LOOK = CARRIER_RATE_HZ;
/** …and what comes earlier than this is left out. */
const EARLY_MAX = 0.2 * CARRIER_RATE_HZ;

/** Shared by the worker's recorders: only those that are writing just now need one. */
const buffers: Int16Array[] = [];

export interface RecorderParts {
  readonly file: PartFile;
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
  /** Where the caller's next frame belongs; undefined before the first. */
  #callerAt: number | undefined;
  /** Where the second began in which the caller's audio is looked at, and how late the least late of it came. */
  #lookedAt = 0;
  #leastBehind = Number.POSITIVE_INFINITY;
  /** Where the agent's last frame ended. */
  #agentEnd = Number.NEGATIVE_INFINITY;
  #dropped = 0;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#tracks = new Tracks(Math.max(0, this.#at(parts.clock.nowMs())), DISK + HOLD + AHEAD);
    this.#work = this.#open();
  }

  caller(mulaw: Uint8Array): void {
    if (this.#state === "closed") return;
    const end = this.#at(this.#parts.clock.nowMs());
    const at = this.#callerPlace(end - mulaw.length, mulaw.length);
    if (at === undefined) return;
    this.#callerAt = at + mulaw.length;
    this.#tracks.putCaller(mulaw, 0, mulaw.length, at);
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
      this.#work = this.#write(Math.min(waiting, CHUNK_MAX));
    } else if (waiting > DISK && this.#state !== "closed") {
      this.#drop(waiting - DISK);
    }
  }

  finish(nowMs: number): void {
    if (this.#state === "closed") return;
    const end = this.#at(nowMs);
    this.#tell("finished", end);
    void this.#work.then(() => this.#finish(end));
  }

  /** How far nothing can change any more: all of the past, but for what the caller's side still waits for. */
  #readyUntil(nowMs: number): number {
    const now = this.#at(nowMs);
    return Math.min(now, Math.max(this.#callerAt ?? 0, now - HOLD));
  }

  /**
   * Where a frame goes that came at `heardAt`: after the one before. Frames come late and in heaps, and are in their
   * places all the same; when none of them comes in time any more, audio is missing or the clocks have parted.
   */
  #callerPlace(heardAt: number, samples: number): number | undefined {
    const next = this.#callerAt;
    if (next === undefined || next < this.#tracks.from) {
      this.#lookedAt = heardAt;
      this.#leastBehind = Number.POSITIVE_INFINITY;
      return Math.max(this.#tracks.from, heardAt);
    }
    const behind = heardAt - next;
    if (behind < -EARLY_MAX) {
      this.#dropped += samples;
      return undefined;
    }
    let at = next;
    if (heardAt - this.#lookedAt >= LOOK) {
      if (this.#leastBehind > BEHIND_MAX) at += Math.max(0, Math.min(this.#leastBehind, behind));
      this.#lookedAt = heardAt;
      this.#leastBehind = Number.POSITIVE_INFINITY;
    }
    this.#leastBehind = Math.min(this.#leastBehind, heardAt - at);
    return at;
  }

  async #open(): Promise<void> {
    try {
      const isNew = await this.#parts.file.open();
      this.#state = "ready";
      if (isNew) this.#tell("started", 0);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #write(samples: number): Promise<void> {
    try {
      await this.#writeNext(samples);
      this.#state = "ready";
    } catch (error) {
      this.#fail(error);
    }
  }

  async #writeNext(samples: number): Promise<void> {
    const { from } = this.#tracks;
    const buffer = buffers.pop() ?? new Int16Array(STEREO * CHUNK_MAX);
    this.#tracks.take(samples, buffer);
    const bytes = new Uint8Array(buffer.buffer, 0, samples * STEREO * buffer.BYTES_PER_ELEMENT);
    await this.#parts.file.writeAt(from, bytes);
    buffers.push(buffer); // one that a failed write had is not used again
  }

  async #finish(end: number): Promise<void> {
    if (this.#state === "closed") return; // it failed meanwhile
    this.#state = "closed";
    const { file, closed } = this.#parts;
    try {
      while (this.#tracks.from < end) await this.#writeNext(Math.min(end - this.#tracks.from, CHUNK_MAX));
      await file.finish(end);
    } catch {
      await file.close().catch(() => {});
    } finally {
      closed();
    }
  }

  #fail(error: unknown): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    const { file, clock, closed } = this.#parts;
    this.#tell("failed", this.#at(clock.nowMs()), { why: (error as NodeJS.ErrnoException).code ?? "error" });
    void file
      .close()
      .catch(() => {})
      .finally(closed);
  }

  #drop(samples: number): void {
    this.#tracks.skip(samples);
    this.#dropped += samples;
  }

  #tell(state: "started" | "finished" | "failed", at: number, more: { readonly why?: string } = {}): void {
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
