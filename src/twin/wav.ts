// WAV files, read and written: 16-bit PCM and mu-law. Everything else is refused in words.
import { decode } from "./mulaw.ts";

export interface Wav {
  readonly rateHz: number;
  /** One array of 16-bit samples per channel, equally long. */
  readonly channels: readonly Int16Array[];
}

/** A file that is no WAV, or one of a kind that isn't read here; the message completes "the file …". */
export class WavError extends Error {
  constructor(what: string) {
    super(what);
    this.name = "WavError";
  }
}

const PCM = 1;
const MULAW = 7;
/** The real format then stands in the first two bytes of the extension's GUID. */
const EXTENSIBLE = 0xfffe;
const HEADER_BYTES = 44;

/** Reads a whole file; throws WavError. A length that runs past the end, as streamed files have, is cut there. */
export function readWav(bytes: Uint8Array): Wav {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (
    file.length < 12 ||
    file.toString("latin1", 0, 4) !== "RIFF" ||
    file.toString("latin1", 8, 12) !== "WAVE"
  ) {
    throw new WavError("is not a WAV file");
  }
  const chunks = readChunks(file);
  const format = chunks.get("fmt ");
  const audio = chunks.get("data");
  if (format === undefined || format.length < 16) throw new WavError("has no format");
  if (audio === undefined) throw new WavError("has no audio");
  const channelCount = format.readUInt16LE(2);
  const rateHz = format.readUInt32LE(4);
  const bits = format.readUInt16LE(14);
  const tag = format.readUInt16LE(0);
  const encoding = tag === EXTENSIBLE && format.length >= 26 ? format.readUInt16LE(24) : tag;
  if (channelCount !== 1 && channelCount !== 2)
    throw new WavError(`has ${channelCount} channels, not 1 or 2`);
  if (encoding === PCM && bits === 16)
    return { rateHz, channels: deinterleave(samplesOf(audio), channelCount) };
  if (encoding === MULAW && bits === 8)
    return { rateHz, channels: deinterleave(decode(audio), channelCount) };
  throw new WavError(`is ${bits}-bit audio of format ${encoding}, neither 16-bit PCM nor mu-law`);
}

/** A 16-bit PCM file of the channels, the shorter ones filled up with silence. */
export function writeWav({ rateHz, channels }: Wav): Buffer {
  const samples = Math.max(0, ...channels.map((channel) => channel.length));
  const frameBytes = channels.length * 2;
  const file = Buffer.alloc(HEADER_BYTES + samples * frameBytes);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(file.length - 8, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(PCM, 20);
  file.writeUInt16LE(channels.length, 22);
  file.writeUInt32LE(rateHz, 24);
  file.writeUInt32LE(rateHz * frameBytes, 28);
  file.writeUInt16LE(frameBytes, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(samples * frameBytes, 40);
  for (const [index, channel] of channels.entries()) {
    for (let i = 0; i < channel.length; i++) {
      file.writeInt16LE(channel[i]!, HEADER_BYTES + i * frameBytes + index * 2);
    }
  }
  return file;
}

/** Chunks by name, the first of each. Chunks are padded to an even length. */
function readChunks(file: Buffer): Map<string, Buffer> {
  const chunks = new Map<string, Buffer>();
  for (let at = 12; at + 8 <= file.length; ) {
    const name = file.toString("latin1", at, at + 4);
    const length = file.readUInt32LE(at + 4);
    if (!chunks.has(name)) chunks.set(name, file.subarray(at + 8, at + 8 + length));
    at += 8 + length + (length % 2);
  }
  return chunks;
}

function samplesOf(audio: Buffer): Int16Array {
  return Int16Array.from({ length: Math.floor(audio.length / 2) }, (_, i) => audio.readInt16LE(2 * i));
}

function deinterleave(samples: Int16Array, channelCount: number): Int16Array[] {
  const length = Math.floor(samples.length / channelCount);
  return Array.from({ length: channelCount }, (_, channel) =>
    Int16Array.from({ length }, (_, i) => samples[i * channelCount + channel]!),
  );
}
