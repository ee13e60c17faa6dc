// Links to what is kept of a call, for whoever has one: no key is asked for, so a link holds good for an hour, for one
// run, and nobody can make one. Nothing is remembered of them.
import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import { RunId } from "../../domain/ids.ts";
import { readRecordingName } from "../../domain/recordingFile.ts";
import type { CallRecord } from "../log/records.ts";

export const LINK_MS = 3_600_000;
export const DOWNLOAD_PATH = "/api/v1/public/download/workflow";
export const ARTIFACTS = ["recording", "user_recording", "bot_recording", "transcript"] as const;
export type Artifact = (typeof ARTIFACTS)[number];

const TOKEN = /^([0-9a-z]{1,11})\.([0-9a-z]{1,9})\.([\w-]{43})$/;

export class RunLinks {
  readonly #key: KeyObject;

  /** A key for this and nothing else. */
  constructor(key: KeyObject) {
    this.#key = key;
  }

  /** For one run's artifacts, from this moment (wall clock, as all times here) on for an hour. */
  token(run: RunId, nowMs: number): string {
    const told = `${run.toString(36)}.${Math.ceil((nowMs + LINK_MS) / 1_000).toString(36)}`;
    return `${told}.${this.#seal(told).toString("base64url")}`;
  }

  /** Whose token it is; undefined for one that we didn't make, or whose time is over. */
  runOf(token: string, nowMs: number): RunId | undefined {
    const [, run, untilS, seal] = TOKEN.exec(token) ?? [];
    if (run === undefined || untilS === undefined || seal === undefined) return undefined;
    const isOurs = timingSafeEqual(this.#seal(`${run}.${untilS}`), Buffer.from(seal, "base64url"));
    const isOver = nowMs >= Number.parseInt(untilS, 36) * 1_000;
    return isOurs && !isOver ? RunId(Number.parseInt(run, 36)) : undefined;
  }

  #seal(told: string): Buffer {
    return createHmac("sha256", this.#key).update(told).digest();
  }
}

/** A request's path as it may stand in a log: whoever has a link has what it leads to. */
export function withoutToken(path: string): string {
  return path.startsWith(`${DOWNLOAD_PATH}/`) ? `${DOWNLOAD_PATH}/…/${path.split("/").at(-1)}` : path;
}

/** As much of a record as tells what can be downloaded. */
export type Kept = Pick<CallRecord, "run" | "recordingFile" | "hasTranscript">;
export type Links = Readonly<Record<keyof typeof NO_LINKS, string | null>>;

export const NO_LINKS = {
  transcript_url: null,
  recording_url: null,
  user_recording_url: null,
  bot_recording_url: null,
  transcript_public_url: null,
  recording_public_url: null,
  user_recording_public_url: null,
  bot_recording_public_url: null,
  public_access_token: null,
};

/** The links of a run, under the public base; null for what is not kept, or no longer. */
export function linksOf(kept: Kept, links: RunLinks, publicBase: string, nowMs: number): Links {
  const { run, recordingFile, hasTranscript = false } = kept;
  const named = recordingFile === undefined ? undefined : readRecordingName(recordingFile);
  const hasRecording = named !== undefined && nowMs < named.untilMs;
  if (!hasRecording && !hasTranscript) return NO_LINKS;
  const token = links.token(run, nowMs);
  const url = (artifact: Artifact, isKept: boolean) =>
    isKept ? `${publicBase}${DOWNLOAD_PATH}/${token}/${artifact}` : null;
  const transcript = url("transcript", hasTranscript);
  const recording = url("recording", hasRecording);
  const user = url("user_recording", hasRecording);
  const bot = url("bot_recording", hasRecording);
  return {
    transcript_url: transcript,
    recording_url: recording,
    user_recording_url: user,
    bot_recording_url: bot,
    transcript_public_url: transcript,
    recording_public_url: recording,
    user_recording_public_url: user,
    bot_recording_public_url: bot,
    public_access_token: token,
  };
}
