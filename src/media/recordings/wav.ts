// A WAV file as the telephone hears it: mu-law bytes at 8 kHz, one channel. Takes 16-bit PCM and mu-law, converts no
// rate and mixes no channels: whoever has another kind of file has sox.
import { CARRIER_RATE_HZ } from "../../domain/audio.ts";
import { encodeMulaw } from "../kernels/g711.ts";

/** A file of another kind; the message completes "the file …". */
export class WavFault extends Error {}

const PCM = 1;
const MULAW = 7;
/** The real format then stands in the first two bytes of the extension's GUID. */
const EXTENSIBLE = 0xfffe;

/** Throws WavFault. A length that runs past the file's end, as streamed files have, is cut there. */
export function mulawOf(file: Buffer): Uint8Array {
  const isWav = file.toString("latin1", 0, 4) === "RIFF" && file.toString("latin1", 8, 12) === "WAVE";
  if (!isWav) throw new WavFault("is not a WAV file");
  const format = chunk(file, "fmt ");
  if (format === undefined || format.length < 16) throw new WavFault("has no format");
  const channels = format.readUInt16LE(2);
  if (channels !== 1) throw new WavFault(`has ${channels} channels, not 1`);
  const rateHz = format.readUInt32LE(4);
  if (rateHz !== CARRIER_RATE_HZ) throw new WavFault(`is at ${rateHz} Hz, not ${CARRIER_RATE_HZ}`);
  const bits = format.readUInt16LE(14);
  const tag = format.readUInt16LE(0);
  const encoding = tag === EXTENSIBLE && format.length >= 26 ? format.readUInt16LE(24) : tag;
  const isPcm = encoding === PCM && bits === 16;
  if (!isPcm && !(encoding === MULAW && bits === 8))
    throw new WavFault(`is ${bits}-bit audio of format ${encoding}, neither 16-bit PCM nor mu-law`);
  const audio = chunk(file, "data");
  if (audio === undefined || audio.length < bits / 8) throw new WavFault("has no audio");
  if (!isPcm) return audio;
  const samples = Int16Array.from({ length: audio.length >> 1 }, (_, i) => audio.readInt16LE(2 * i));
  const mulaw = new Uint8Array(samples.length);
  encodeMulaw(samples, mulaw);
  return mulaw;
}

/** The first chunk of a name. Chunks are padded to an even length. */
function chunk(file: Buffer, name: string): Buffer | undefined {
  for (let at = 12; at + 8 <= file.length; ) {
    const length = file.readUInt32LE(at + 4);
    if (file.toString("latin1", at, at + 4) === name) return file.subarray(at + 8, at + 8 + length);
    at += 8 + length + (length % 2);
  }
  return undefined;
}
