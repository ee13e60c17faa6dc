// A recording on its way to whoever downloads it: the whole file, or one side of it as a file of its own, from any byte
// to any other, read a piece at a time. What a file's header would say is said from its length, so that a call can be
// heard while it is recorded.
import assert from "node:assert/strict";
import type { FileHandle } from "node:fs/promises";
import { HEADER_BYTES, MOMENT_BYTES, STEREO, wavHeader } from "../../domain/recordingFile.ts";
import type { BodySource } from "../../http/http.ts";

export const SIDES = ["both", "caller", "agent"] as const;
export type Side = (typeof SIDES)[number];

const PIECE_MOMENTS = 16_384; // 64 KiB

/** How long the file of a side is, with so many moments recorded. */
export function audioBytes(side: Side, moments: number): number {
  return HEADER_BYTES + moments * bytesOf(side);
}

export class AudioBody implements BodySource {
  readonly bytes: number;
  readonly #handle: FileHandle;
  readonly #side: Side;
  readonly #moments: number;
  readonly #end: number;
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_MOMENTS * MOMENT_BYTES);
  /** The next byte, as one who downloads all of it counts. */
  #at: number;
  readonly #closed: () => void;

  /** The bytes `[start, end)`. The file is its own from now on, and closed with it. */
  constructor(
    file: { readonly handle: FileHandle; readonly moments: number },
    side: Side,
    { start, end }: { readonly start: number; readonly end: number },
    closed: () => void,
  ) {
    assert(0 <= start && start < end && end <= audioBytes(side, file.moments), "it lies within the file");
    this.#handle = file.handle;
    this.#moments = file.moments;
    this.#side = side;
    this.#at = start;
    this.#end = end;
    this.#closed = closed;
    this.bytes = end - start;
  }

  async read(): Promise<Uint8Array> {
    const piece = this.#at < HEADER_BYTES ? this.#header() : await this.#audio();
    this.#at += piece.length;
    return piece;
  }

  async close(): Promise<void> {
    this.#closed();
    await this.#handle.close();
  }

  #header(): Uint8Array {
    const channels = this.#side === "both" ? STEREO : 1;
    return wavHeader(channels, this.#moments).subarray(this.#at, Math.min(HEADER_BYTES, this.#end));
  }

  async #audio(): Promise<Uint8Array> {
    const size = bytesOf(this.#side);
    const from = this.#at - HEADER_BYTES;
    const first = Math.floor(from / size);
    const last = Math.ceil((this.#end - HEADER_BYTES) / size);
    const moments = Math.min(last - first, PIECE_MOMENTS);
    await this.#fill(first, moments);
    if (this.#side !== "both") keepOne(this.#piece, moments, this.#side === "caller" ? 0 : 1);
    const cut = from - first * size;
    return this.#piece.subarray(cut, Math.min(moments * size, cut + this.#end - this.#at));
  }

  async #fill(first: number, moments: number): Promise<void> {
    const wanted = moments * MOMENT_BYTES;
    for (let done = 0; done < wanted; ) {
      const position = HEADER_BYTES + first * MOMENT_BYTES + done;
      const { bytesRead } = await this.#handle.read(this.#piece, done, wanted - done, position);
      if (bytesRead === 0) throw new Error("the recording has become shorter while it was read");
      done += bytesRead;
    }
  }
}

function bytesOf(side: Side): number {
  return side === "both" ? MOMENT_BYTES : MOMENT_BYTES / STEREO;
}

/** One side's samples, moved up to the front. */
function keepOne(piece: Buffer, moments: number, channel: 0 | 1): void {
  const samples = new Int16Array(piece.buffer, piece.byteOffset, moments * STEREO);
  for (let i = 0; i < moments; i++) samples[i] = samples[STEREO * i + channel]!;
}
