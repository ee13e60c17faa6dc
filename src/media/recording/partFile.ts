// One recording's file while it is written: opened, written where it is told to, finished. Every call to the file
// system is asynchronous, and none of them is repeated.
import { type FileHandle, mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { HEADER_BYTES, MOMENT_BYTES, PART, STEREO, wavHeader } from "../../domain/recordingFile.ts";
import type { RecordingFile } from "./callRecorder.ts";

export class PartFile implements RecordingFile {
  readonly #folder: string;
  readonly #names: readonly string[];
  readonly #isResumed: boolean;
  #name: string;
  #handle: FileHandle | undefined;

  /** A call that is resumed goes on with the first of `names` that is there; any other begins its one. */
  constructor(folder: string, names: readonly string[], isResumed: boolean) {
    this.#folder = folder;
    this.#names = names;
    this.#isResumed = isResumed;
    this.#name = names[0]!;
  }

  /** Without the ending that it has until it is finished. */
  get name(): string {
    return this.#name;
  }

  async open(): Promise<boolean> {
    if (this.#isResumed && (await this.#reopen())) return false;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    this.#handle = await open(this.#path(), "w", 0o600);
    await this.#write(wavHeader(STEREO, undefined), 0);
    return true;
  }

  async writeAt(moment: number, bytes: Uint8Array): Promise<void> {
    await this.#write(bytes, HEADER_BYTES + moment * MOMENT_BYTES);
  }

  async finish(moments: number): Promise<void> {
    await this.#handle?.truncate(HEADER_BYTES + moments * MOMENT_BYTES);
    await this.#write(wavHeader(STEREO, moments), 0);
    await this.close();
    await rename(this.#path(), join(this.#folder, this.#name));
  }

  /** Leaves it as it is; who tends the folder makes it whole. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #reopen(): Promise<boolean> {
    for (const name of this.#names) {
      this.#name = name;
      try {
        this.#handle = await open(this.#path(), "r+");
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
    }
    this.#name = this.#names[0]!;
    return false;
  }

  #path(): string {
    return join(this.#folder, this.#name + PART);
  }

  async #write(bytes: Uint8Array, position: number): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) throw new Error("the file is closed");
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
      if (bytesWritten === 0) throw new Error("nothing can be written any more");
      done += bytesWritten;
    }
  }
}
