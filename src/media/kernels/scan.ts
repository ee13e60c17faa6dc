// Reads a plain media message where it lies, byte by byte and by structure, allocating nothing. What it does not
// fully understand it leaves to decodeMessage: it may decline, but where it accepts, both say the same. For machines
// whose WASM knows no SIMD; assembly/messages.ts is the same for all others, word for word.
// Loops keep tables and lengths in local constants: V8 then does not fetch them anew for every byte.
import assert from "node:assert/strict";
import { skipBase64 } from "./base64.ts";

/** Where the parts of a media message are: offsets into the scanned bytes, ends exclusive. */
export interface MediaFrame {
  streamSidStart: number;
  streamSidEnd: number;
  /** Milliseconds since the stream began. */
  timestampMs: number;
  /** The audio, still base64 but known to be valid. */
  payloadStart: number;
  payloadEnd: number;
}

export function createMediaFrame(): MediaFrame {
  return { streamSidStart: 0, streamSidEnd: 0, timestampMs: 0, payloadStart: 0, payloadEnd: 0 };
}

/** Digits read as a number: any that long is exact in a double. */
export const DIGITS_MAX = 15;
/** Twilio's stream ids are `MZ` and 32 hex digits. They are only compared and echoed, so the alphabet is wider here. */
export const SID_LENGTH_MAX = 64;
/** Deeper values in fields nobody knows are left to decodeMessage. */
const UNKNOWN_DEPTH_MAX = 8;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
/** 1 for the bytes that are a character of `characters`. */
const classOf = (characters: string): Uint8Array => {
  const table = new Uint8Array(256);
  for (const character of ascii(characters)) table[character] = 1;
  return table;
};
const PRINTABLE = String.fromCharCode(...Array.from({ length: 0x7f - 0x20 }, (_, i) => 0x20 + i));

const SPACE = classOf(" \t\n\r");
const SPACE_MAX = 0x20;
const DIGIT = classOf("0123456789");
const ALPHANUMERIC = classOf(PRINTABLE.replace(/[^0-9A-Za-z]/g, ""));
/** What may stand in a string that means exactly what its bytes say: no escape, nothing beyond ASCII. */
const PLAIN = classOf(PRINTABLE.replace(/["\\]/g, ""));

const VALUE_MEDIA = ascii('"media"');
const VALUE_INBOUND = ascii('"inbound"');
const SID_PREFIX = ascii('"MZ');
const TRUE = ascii("true");
const FALSE = ascii("false");
const NULL = ascii("null");

/** The fields that matter, as bits: each must be there, once. */
const EVENT = 1;
const STREAM_SID = 2;
const MEDIA = 4;
const TRACK = 8;
const CHUNK = 16;
const TIMESTAMP = 32;
const PAYLOAD = 64;
const WHOLE_MESSAGE = EVENT | STREAM_SID | MEDIA;
const WHOLE_MEDIA = TRACK | CHUNK | TIMESTAMP | PAYLOAD;

/** A field's key as it is written, by the field's bit. */
const KEYS: Uint8Array[] = [];
/** The second letter tells the seven keys apart: a key's second byte to the only field it can be, or 0. */
const FIELD_BY_LETTER = new Uint8Array(256);
for (const [field, key] of [
  [EVENT, "event"],
  [STREAM_SID, "streamSid"],
  [MEDIA, "media"],
  [TRACK, "track"],
  [CHUNK, "chunk"],
  [TIMESTAMP, "timestamp"],
  [PAYLOAD, "payload"],
] as const) {
  const letter = key.charCodeAt(1);
  assert(FIELD_BY_LETTER[letter] === 0);
  FIELD_BY_LETTER[letter] = field;
  KEYS[field] = ascii(`"${key}"`);
}

/**
 * The hot case: fills `frame` and returns true for an inbound-track media message, its fields in any order and
 * with any others among them. Anything else, also a media message written in an unusual way (escapes, a field
 * twice, beyond ASCII), returns false, and what `frame` then holds is unspecified.
 */
export function scanMedia(bytes: Uint8Array, frame: MediaFrame): boolean {
  const start = skipSpace(bytes, 0);
  if (bytes[start] !== OPEN_OBJECT) return false;
  const end = scanFields(bytes, start, frame, WHOLE_MESSAGE);
  return end > 0 && skipSpace(bytes, end) === bytes.length;
}

// Each of these takes the offset where its piece begins and returns the one behind it, or -1: not understood.

/** An object that has all the `wanted` fields. */
function scanFields(bytes: Uint8Array, start: number, frame: MediaFrame, wanted: number): number {
  let at = skipSpace(bytes, start + 1);
  let found = 0;
  for (;;) {
    const field = fieldAt(bytes, at) & wanted;
    if ((found & field) !== 0) return -1;
    found |= field;
    at = skipColon(bytes, field === 0 ? skipString(bytes, at) : at + KEYS[field]!.length);
    if (at < 0) return -1;
    at = field === 0 ? skipValue(bytes, at, 0) : scanField(bytes, at, frame, field);
    if (at < 0) return -1;
    at = skipSpace(bytes, at);
    if (bytes[at] === CLOSE_OBJECT) return found === wanted ? at + 1 : -1;
    if (bytes[at] !== COMMA) return -1;
    at = skipSpace(bytes, at + 1);
  }
}

/** Which field has the key that begins here; 0 for one that does not matter or is no key. */
function fieldAt(bytes: Uint8Array, start: number): number {
  if (start + 2 >= bytes.length) return 0;
  const field = FIELD_BY_LETTER[bytes[start + 2]!]!;
  return field !== 0 && skipWord(bytes, start, KEYS[field]!) > 0 ? field : 0;
}

function scanField(bytes: Uint8Array, start: number, frame: MediaFrame, field: number): number {
  switch (field) {
    case EVENT:
      return skipWord(bytes, start, VALUE_MEDIA);
    case TRACK:
      return skipWord(bytes, start, VALUE_INBOUND);
    case STREAM_SID:
      return scanStreamSid(bytes, start, frame);
    case MEDIA:
      return bytes[start] === OPEN_OBJECT ? scanFields(bytes, start, frame, WHOLE_MEDIA) : -1;
    case PAYLOAD:
      return scanPayload(bytes, start, frame);
    default:
      return scanCount(bytes, start, frame, field);
  }
}

function scanStreamSid(bytes: Uint8Array, start: number, frame: MediaFrame): number {
  const rest = skipWord(bytes, start, SID_PREFIX);
  if (rest < 0) return -1;
  const alphanumeric = ALPHANUMERIC;
  const { length } = bytes;
  let at = rest;
  while (at < length && alphanumeric[bytes[at]!] === 1) at++;
  if (at === rest || at - start - 1 > SID_LENGTH_MAX || bytes[at] !== QUOTE) return -1;
  frame.streamSidStart = start + 1;
  frame.streamSidEnd = at;
  return at + 1;
}

function scanPayload(bytes: Uint8Array, start: number, frame: MediaFrame): number {
  if (bytes[start] !== QUOTE) return -1;
  const end = skipBase64(bytes, start + 1);
  if (bytes[end] !== QUOTE) return -1;
  frame.payloadStart = start + 1;
  frame.payloadEnd = end;
  return end + 1;
}

/** A chunk or timestamp: digits, in quotes as Twilio sends them or bare. */
function scanCount(bytes: Uint8Array, start: number, frame: MediaFrame, field: number): number {
  const quoted = bytes[start] === QUOTE;
  const first = quoted ? start + 1 : start;
  let at = first;
  let value = 0;
  while (at < bytes.length && DIGIT[bytes[at]!] === 1) value = value * 10 + bytes[at++]! - ZERO;
  if (at === first || at - first > DIGITS_MAX) return -1;
  if (quoted) {
    if (bytes[at++] !== QUOTE) return -1;
  } else if (bytes[first] === ZERO && at - first > 1) return -1;
  if (field === TIMESTAMP) frame.timestampMs = value;
  return at;
}

function skipWord(bytes: Uint8Array, start: number, word: Uint8Array): number {
  const { length } = word;
  const end = start + length;
  if (end > bytes.length) return -1;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== word[i]) return -1;
  return end;
}

function skipSpace(bytes: Uint8Array, start: number): number {
  const { length } = bytes;
  let at = start;
  while (at < length && bytes[at]! <= SPACE_MAX && SPACE[bytes[at]!] === 1) at++;
  return at;
}

function skipString(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== QUOTE) return -1;
  const plain = PLAIN;
  const { length } = bytes;
  let at = start + 1;
  while (at < length && plain[bytes[at]!] === 1) at++;
  return bytes[at] === QUOTE ? at + 1 : -1;
}

/** The colon behind a key and the space around it. */
function skipColon(bytes: Uint8Array, keyEnd: number): number {
  if (keyEnd < 0) return -1;
  const at = skipSpace(bytes, keyEnd);
  return bytes[at] === COLON ? skipSpace(bytes, at + 1) : -1;
}

/** A value nobody asked for. It must be JSON all the same, or decodeMessage would call the message malformed. */
function skipValue(bytes: Uint8Array, start: number, depth: number): number {
  switch (bytes[start]) {
    case QUOTE:
      return skipString(bytes, start);
    case OPEN_OBJECT:
      return skipMembers(bytes, start, depth, CLOSE_OBJECT);
    case OPEN_ARRAY:
      return skipMembers(bytes, start, depth, CLOSE_ARRAY);
    case TRUE[0]:
      return skipWord(bytes, start, TRUE);
    case FALSE[0]:
      return skipWord(bytes, start, FALSE);
    case NULL[0]:
      return skipWord(bytes, start, NULL);
    default:
      return skipNumber(bytes, start);
  }
}

function skipMembers(bytes: Uint8Array, start: number, depth: number, close: number): number {
  if (depth === UNKNOWN_DEPTH_MAX) return -1;
  let at = skipSpace(bytes, start + 1);
  if (bytes[at] === close) return at + 1;
  for (;;) {
    if (close === CLOSE_OBJECT) at = skipColon(bytes, skipString(bytes, at));
    if (at < 0) return -1;
    at = skipValue(bytes, at, depth + 1);
    if (at < 0) return -1;
    at = skipSpace(bytes, at);
    if (bytes[at] === close) return at + 1;
    if (bytes[at] !== COMMA) return -1;
    at = skipSpace(bytes, at + 1);
  }
}

/** A whole number, with decimals or without. One with an exponent is left to decodeMessage. */
function skipNumber(bytes: Uint8Array, start: number): number {
  const first = bytes[start] === MINUS ? start + 1 : start;
  let at = skipDigits(bytes, first);
  if (at < 0 || (bytes[first] === ZERO && at - first > 1)) return -1;
  if (bytes[at] === DOT) at = skipDigits(bytes, at + 1);
  return at;
}

function skipDigits(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && DIGIT[bytes[at]!] === 1) at++;
  return at > start ? at : -1;
}
