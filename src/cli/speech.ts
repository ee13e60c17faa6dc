// What a caller on the command line says: a file, brought to the telephone's rate.
import { readFileSync } from "node:fs";
import { RateError, toTelephone } from "../twin/resample.ts";
import { readWav, WavError } from "../twin/wav.ts";
import { UsageError } from "./arguments.ts";

/** A recording as 16-bit samples at 8 kHz; throws UsageError for what can't be read. */
export function readSpeech(file: string | URL): Int16Array {
  try {
    return toTelephone(readWav(readFileSync(file)));
  } catch (error) {
    if (error instanceof WavError || error instanceof RateError)
      throw new UsageError(`the file ${file} ${error.message}`);
    if (error instanceof Error && "code" in error)
      throw new UsageError(`the file ${file} could not be read (${error.code})`);
    throw error;
  }
}
