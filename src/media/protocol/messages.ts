// What Twilio says on a media stream: bytes in, message out. Unknown and broken messages are named cases, never
// exceptions; what they mean for the call is the pipeline's to decide.
import { AccountSid, CallSid, StreamSid } from "../../domain/ids.ts";
import { decodeBase64 } from "../kernels/base64.ts";
import { DIGITS_MAX, SID_LENGTH_MAX } from "../kernels/scan.ts";

export type Message =
  | { readonly event: "connected" }
  | {
      readonly event: "start";
      readonly streamSid: StreamSid;
      readonly callSid: CallSid;
      readonly accountSid: AccountSid;
      /** Twilio says `audio/x-mulaw`, 8000 and 1; whether that is so is for the reader to check. */
      readonly encoding: string;
      readonly sampleRateHz: number;
      readonly channels: number;
      /** The TwiML's `<Parameter>`s. Has no prototype, so any name is only a name. */
      readonly parameters: Readonly<Record<string, string>>;
    }
  | {
      readonly event: "media";
      readonly streamSid: StreamSid;
      /** Counts the stream's media messages, from 1. */
      readonly chunk: number;
      /** Since the stream began; the first is rarely 0. */
      readonly timestampMs: number;
      /** `inbound` is the caller. */
      readonly track: string;
      /** Mu-law, any length, in memory of its own. */
      readonly payload: Uint8Array;
    }
  | { readonly event: "mark"; readonly streamSid: StreamSid; readonly name: string }
  /** `digit` is one of `0`-`9`, `*`, `#`, `A`-`D`. */
  | { readonly event: "dtmf"; readonly streamSid: StreamSid; readonly digit: string }
  | { readonly event: "stop"; readonly streamSid: StreamSid }
  /** An event of some later version of the protocol. `was` is its name, cut to 64 characters. */
  | { readonly event: "ignored"; readonly was: string }
  | { readonly event: "malformed"; readonly why: Malformation };

/** Closed, so that it may label a metric. */
export type Malformation =
  | "not_json" // nor UTF-8, perhaps
  | "not_object"
  | "no_event"
  | "bad_field" // a field this event needs is missing or of another shape
  | "bad_payload"; // audio that is not base64

type Json = Readonly<Record<string, unknown>>;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ASCII = new TextEncoder();

const DIGITS = new RegExp(`^[0-9]{1,${DIGITS_MAX}}$`);
const SID = new RegExp(`^[A-Z]{2}[0-9A-Za-z]{1,${SID_LENGTH_MAX - 2}}$`);
const DTMF_DIGIT = /^[0-9*#A-D]$/;
const IGNORED_NAME_MAX = 64;

const NO_PARAMETERS: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
const BAD_FIELD: Message = { event: "malformed", why: "bad_field" };

/**
 * Decodes any message. Never throws. `bytes` may be reused once this returns: nothing of it is kept. Fields may
 * stand in any order and among others; counts may be numbers or, as Twilio sends them, strings.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  let message: unknown;
  try {
    message = JSON.parse(UTF8.decode(bytes));
  } catch {
    return { event: "malformed", why: "not_json" };
  }
  if (!isObject(message)) return { event: "malformed", why: "not_object" };
  const { event } = message;
  switch (event) {
    case "connected":
      return { event };
    case "start":
      return decodeStart(message);
    case "media":
      return decodeMedia(message);
    case "mark":
      return decodeMark(message);
    case "dtmf":
      return decodeDtmf(message);
    case "stop":
      return decodeStop(message);
    default:
      if (typeof event !== "string") return { event: "malformed", why: "no_event" };
      return { event: "ignored", was: event.slice(0, IGNORED_NAME_MAX) };
  }
}

function decodeStart(message: Json): Message {
  const { start } = message;
  if (!isObject(start) || !isObject(start.mediaFormat)) return BAD_FIELD;
  const { streamSid, callSid, accountSid, customParameters } = start;
  const { encoding, sampleRate, channels } = start.mediaFormat;
  const sampleRateHz = countOf(sampleRate);
  const channelCount = countOf(channels);
  const parameters = parametersOf(customParameters);
  if (!isSid(streamSid, "MZ") || !isSid(callSid, "CA") || !isSid(accountSid, "AC")) return BAD_FIELD;
  if (streamSid !== message.streamSid) return BAD_FIELD; // Twilio says it twice
  if (typeof encoding !== "string" || sampleRateHz === undefined || channelCount === undefined)
    return BAD_FIELD;
  if (parameters === undefined) return BAD_FIELD;
  return {
    event: "start",
    streamSid: StreamSid(streamSid),
    callSid: CallSid(callSid),
    accountSid: AccountSid(accountSid),
    encoding,
    sampleRateHz,
    channels: channelCount,
    parameters,
  };
}

function decodeMedia({ streamSid, media }: Json): Message {
  if (!isSid(streamSid, "MZ") || !isObject(media)) return BAD_FIELD;
  const { track, payload } = media;
  const chunk = countOf(media.chunk);
  const timestampMs = countOf(media.timestamp);
  if (chunk === undefined || timestampMs === undefined || typeof track !== "string") return BAD_FIELD;
  if (typeof payload !== "string") return BAD_FIELD;
  const characters = ASCII.encode(payload); // what is not ASCII becomes bytes that are not base64
  const mulaw = new Uint8Array((characters.length / 4) * 3);
  const length = decodeBase64(characters, 0, characters.length, mulaw);
  if (length < 0) return { event: "malformed", why: "bad_payload" };
  return {
    event: "media",
    streamSid: StreamSid(streamSid),
    chunk,
    timestampMs,
    track,
    payload: mulaw.subarray(0, length),
  };
}

function decodeMark({ streamSid, mark }: Json): Message {
  if (!isSid(streamSid, "MZ") || !isObject(mark) || typeof mark.name !== "string") return BAD_FIELD;
  return { event: "mark", streamSid: StreamSid(streamSid), name: mark.name };
}

function decodeDtmf({ streamSid, dtmf }: Json): Message {
  if (!isSid(streamSid, "MZ") || !isObject(dtmf)) return BAD_FIELD;
  const { digit } = dtmf;
  if (typeof digit !== "string" || !DTMF_DIGIT.test(digit)) return BAD_FIELD;
  return { event: "dtmf", streamSid: StreamSid(streamSid), digit };
}

function decodeStop({ streamSid }: Json): Message {
  return isSid(streamSid, "MZ") ? { event: "stop", streamSid: StreamSid(streamSid) } : BAD_FIELD;
}

/** Older captures of `start` lack the parameters altogether. A value that is not a string has no meaning: left out. */
function parametersOf(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return NO_PARAMETERS;
  if (!isObject(value)) return undefined;
  const parameters: Record<string, string> = Object.create(null);
  for (const [name, text] of Object.entries(value)) if (typeof text === "string") parameters[name] = text;
  return parameters;
}

/** A whole number from 0 on, also when it comes as decimal digits. */
function countOf(value: unknown): number | undefined {
  if (typeof value === "string") return DIGITS.test(value) ? Number(value) : undefined;
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

function isSid(value: unknown, prefix: "MZ" | "CA" | "AC"): value is string {
  return typeof value === "string" && value.startsWith(prefix) && SID.test(value);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
