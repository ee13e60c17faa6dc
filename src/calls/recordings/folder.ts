// The folder that calls are recorded into: finds a call's file, deletes files past their date, and makes whole what was
// never finished. Asynchronous throughout, one file at a time; the names say all there is to know.
import type { FileHandle } from "node:fs/promises";
import { open, opendir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Stop } from "../../domain/clock.ts";
import {
  HEADER_BYTES,
  MOMENT_BYTES,
  momentsIn,
  PART,
  readRecordingName,
  STEREO,
  wavHeader,
} from "../../domain/recordingFile.ts";

const TEND_MS = 3_600_000;
/** A recorder writes every second: what nobody has written to for so long nobody will finish. */
const ABANDONED_MS = 3_600_000;

export interface OpenRecording {
  readonly handle: FileHandle;
  /** Recorded so far. */
  readonly moments: number;
}

export interface RecordingsObserver {
  /** Files past their date, and files that were never finished and are whole now. */
  recordingsTended(deleted: number, repaired: number): void;
  /** Some or all of the folder could not be looked after; it is tried again. */
  recordingsUntended(error: unknown): void;
}

export class RecordingsFolder {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #observer: RecordingsObserver;
  /** Unfinished files of calls that were under way when the gateway went away. */
  #left: ReadonlySet<string> = new Set();
  #stop: Stop | undefined;
  #tending: Promise<void> | undefined;

  private constructor(path: string, clock: Clock, observer: RecordingsObserver) {
    this.#path = path;
    this.#clock = clock;
    this.#observer = observer;
  }

  /** To be asked for before any call can come: what is unfinished by then never will be. */
  static async find(path: string, clock: Clock, observer: RecordingsObserver): Promise<RecordingsFolder> {
    const folder = new RecordingsFolder(path, clock, observer);
    try {
      folder.#left = new Set((await readdir(path)).filter((name) => name.endsWith(PART)));
    } catch (error) {
      if (!isMissing(error)) observer.recordingsUntended(error);
    }
    return folder;
  }

  /** Looks after the folder, now and every hour. */
  start(): void {
    void this.tend();
    this.#stop = this.#clock.every(TEND_MS, () => void this.tend());
  }

  stop(): void {
    this.#stop?.();
  }

  /** Never rejects. */
  tend(): Promise<void> {
    this.#tending ??= this.#tend().finally(() => {
      this.#tending = undefined;
    });
    return this.#tending;
  }

  /** A recording by its name, finished or not; undefined when it is gone. The handle is the caller's to close. */
  async open(name: string): Promise<OpenRecording | undefined> {
    if (readRecordingName(name) === undefined) return undefined;
    // It may be finished between one try and the next.
    for (const file of [name, name + PART, name]) {
      const handle = await open(join(this.#path, file), "r").catch(orMissing);
      if (handle === undefined) continue;
      try {
        return { handle, moments: momentsIn((await handle.stat()).size) };
      } catch (error) {
        await handle.close();
        throw error;
      }
    }
    return undefined;
  }

  async #tend(): Promise<void> {
    const left = this.#left;
    this.#left = new Set();
    let deleted = 0;
    let repaired = 0;
    let trouble: unknown;
    try {
      for await (const { name } of await opendir(this.#path)) {
        try {
          const done = await this.#look(name, left);
          if (done === "deleted") deleted++;
          if (done === "repaired") repaired++;
        } catch (error) {
          trouble ??= error;
        }
      }
    } catch (error) {
      if (!isMissing(error)) trouble ??= error;
    }
    if (deleted + repaired > 0) this.#observer.recordingsTended(deleted, repaired);
    if (trouble !== undefined) this.#observer.recordingsUntended(trouble);
  }

  async #look(file: string, left: ReadonlySet<string>): Promise<"deleted" | "repaired" | undefined> {
    const isPart = file.endsWith(PART);
    const name = isPart ? file.slice(0, -PART.length) : file;
    const named = readRecordingName(name);
    if (named === undefined) return undefined; // not ours
    const nowMs = this.#clock.wallMs();
    if (nowMs >= named.untilMs) {
      await rm(join(this.#path, file), { force: true });
      return "deleted";
    }
    if (!isPart) return undefined;
    return (await this.#makeWhole(name, left.has(file) ? nowMs : nowMs - ABANDONED_MS))
      ? "repaired"
      : undefined;
  }

  /** Gives an unfinished file its header and its name, if nobody has written to it since then. */
  async #makeWhole(name: string, sinceMs: number): Promise<boolean> {
    const part = join(this.#path, name + PART);
    const handle = await open(part, "r+").catch(orMissing);
    if (handle === undefined) return false;
    try {
      const { size, mtimeMs } = await handle.stat();
      if (mtimeMs > sinceMs) return false;
      const moments = momentsIn(size);
      await handle.truncate(HEADER_BYTES + moments * MOMENT_BYTES);
      await handle.write(wavHeader(STEREO, moments), 0, HEADER_BYTES, 0);
    } finally {
      await handle.close();
    }
    await rename(part, join(this.#path, name));
    return true;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

function orMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
