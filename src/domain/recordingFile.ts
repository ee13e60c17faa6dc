// How a recording's file is named and laid out. Its name says whose it is and until when it is kept, so that nothing
// else is needed to let it expire; a file that was never finished is known by its name, and its length says all that
// its header doesn't.
import assert from "node:assert/strict";
import { CARRIER_RATE_HZ } from "./audio.ts";
import { RunId } from "./ids.ts";

const DAY_MS = 86_400_000;
const SAMPLE_BYTES = 2;
export const STEREO = 2;
export const HEADER_BYTES = 44;
/** One moment of both sides: left the caller, right the agent. */
export const MOMENT_BYTES = STEREO * SAMPLE_BYTES;
export const SAMPLES_PER_MS = CARRIER_RATE_HZ / 1_000;
assert(Number.isInteger(SAMPLES_PER_MS));

/** After the name of a file that is being written, or was when its writer died. */
export const PART = ".part";
const NAME = /^run-(\d{8,16})-\d{4}-\d{2}-\d{2}-until-(\d{4}-\d{2}-\d{2})\.wav$/;

/** `run-00000017-2026-11-26-until-2026-12-26.wav`. Days are UTC; the last one is kept whole. */
export function recordingName(run: RunId, startedMs: number, retentionDays: number): string {
  const last = day(startedMs + retentionDays * DAY_MS);
  return `run-${String(run).padStart(8, "0")}-${day(startedMs)}-until-${last}.wav`;
}

export interface NamedRecording {
  readonly run: RunId;
  /** Wall clock: from here on it may not be there any more. */
  readonly untilMs: number;
}

/** What a file's name says; undefined for one that is no recording. */
export function readRecordingName(name: string): NamedRecording | undefined {
  const [, run, last] = NAME.exec(name) ?? [];
  const lastMs = Date.parse(`${last}T00:00:00Z`);
  if (run === undefined || Number.isNaN(lastMs)) return undefined;
  return { run: RunId(Number(run)), untilMs: lastMs + DAY_MS };
}

/** Whole moments in a file of this length. */
export function momentsIn(fileBytes: number): number {
  return Math.max(0, Math.floor((fileBytes - HEADER_BYTES) / MOMENT_BYTES));
}

/** The header of a WAV file of 16-bit PCM at 8 kHz. `moments` is undefined while nobody knows how long it will be. */
export function wavHeader(channels: number, moments: number | undefined): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  const momentBytes = channels * SAMPLE_BYTES;
  const audioBytes = moments === undefined ? UNKNOWN : moments * momentBytes;
  const letters = (at: number, text: string) => {
    for (let i = 0; i < text.length; i++) header[at + i] = text.charCodeAt(i);
  };
  letters(0, "RIFF");
  view.setUint32(4, Math.min(UNKNOWN, audioBytes + HEADER_BYTES - 8), true);
  letters(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, channels, true);
  view.setUint32(24, CARRIER_RATE_HZ, true);
  view.setUint32(28, CARRIER_RATE_HZ * momentBytes, true);
  view.setUint16(32, momentBytes, true);
  view.setUint16(34, 8 * SAMPLE_BYTES, true);
  letters(36, "data");
  view.setUint32(40, audioBytes, true);
  return header;
}

/** What players take for a length that is not known yet. */
const UNKNOWN = 0xffff_ffff;

function day(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}
