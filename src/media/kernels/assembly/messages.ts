// Reads a plain media message, byte by byte and by structure, and writes one. Reading may decline, but where it accepts,
// it says what the full parser would. ../scan.ts is the same in TypeScript, word for word.
import { FOUND, MESSAGE, PREFIX_LENGTH_AT, SID_END_AT, SID_START_AT, TEXT } from "../layout";
import { bytesRead, readBase64, writeBase64 } from "./base64";

const DIGITS_MAX = 15;
const SID_LENGTH_MAX = 64;
const UNKNOWN_DEPTH_MAX = 8;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

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

// Words as they lie in memory, in up to two pieces.
const EVENT_KEY: u64 = 0x22_74_6e_65_76_65_22; // "event"
const SID_KEY: u64 = 0x53_6d_61_65_72_74_73_22; // "streamS
const SID_KEY_REST: u32 = 0x22_64_69; // id"
const MEDIA_WORD: u64 = 0x22_61_69_64_65_6d_22; // "media"
const TRACK_KEY: u64 = 0x22_6b_63_61_72_74_22; // "track"
const CHUNK_KEY: u64 = 0x22_6b_6e_75_68_63_22; // "chunk"
const TIMESTAMP_KEY: u64 = 0x61_74_73_65_6d_69_74_22; // "timesta
const TIMESTAMP_KEY_REST: u32 = 0x22_70_6d; // mp"
const PAYLOAD_KEY: u64 = 0x64_61_6f_6c_79_61_70_22; // "payload
const INBOUND: u64 = 0x64_6e_75_6f_62_6e_69_22; // "inbound
const MEDIA_END: u32 = 0x7d_7d_22; // "}}
const SEVEN_BYTES: u64 = 0xff_ff_ff_ff_ff_ff_ff;
const THREE_BYTES: u32 = 0xff_ff_ff;

/**
 * MESSAGE, so many bytes of it → FOUND and PAYLOAD. Returns the payload's bytes; -1 for all but an inbound-track media
 * message in plain words, and what is found then is unspecified. Writes behind the message's end.
 */
export function readMedia(length: i32): i32 {
  const end = MESSAGE + length;
  v128.store(end, i8x16.splat(0)); // nothing that is looked for goes on there
  const start = skipSpace(MESSAGE);
  if (load<u8>(start) !== OPEN_OBJECT) return -1;
  const behind = scanFields(start, WHOLE_MESSAGE);
  return behind > 0 && skipSpace(behind) === end ? bytesRead() : -1;
}

/** A stream's prefix, audio and the end → TEXT. Returns its characters. Writes over what is behind them. */
export function writeMedia(prefix: i32, source: i32, length: i32): i32 {
  const audioAt = <i32>load<u8>(prefix, PREFIX_LENGTH_AT);
  for (let at = 0; at < audioAt; at += 16) v128.store(TEXT + at, v128.load(prefix + at));
  const endAt = audioAt + writeBase64(source, length, TEXT + audioAt);
  store<u32>(TEXT + endAt, MEDIA_END);
  return endAt + 3;
}

// Each of these takes the address where its piece begins and returns the one behind it, or -1: not understood.

/** An object that has all the `wanted` fields. */
function scanFields(start: i32, wanted: i32): i32 {
  let at = skipSpace(start + 1);
  let found: i32 = 0;
  while (true) {
    const field = fieldAt(at) & wanted;
    if ((found & field) !== 0) return -1;
    found |= field;
    at = skipColon(field === 0 ? skipString(at) : at + keyLength(field));
    if (at < 0) return -1;
    at = field === 0 ? skipValue(at, 0) : scanField(at, field);
    if (at < 0) return -1;
    at = skipSpace(at);
    const next = load<u8>(at);
    if (next === CLOSE_OBJECT) return found === wanted ? at + 1 : -1;
    if (next !== COMMA) return -1;
    at = skipSpace(at + 1);
  }
}

/** Which field has the key that begins here; 0 for one that does not matter or is no key. */
function fieldAt(start: i32): i32 {
  const word = load<u64>(start);
  const seven = word & SEVEN_BYTES;
  if (seven === EVENT_KEY) return EVENT;
  if (seven === MEDIA_WORD) return MEDIA;
  if (seven === TRACK_KEY) return TRACK;
  if (seven === CHUNK_KEY) return CHUNK;
  if (word === PAYLOAD_KEY) return load<u8>(start, 8) === QUOTE ? PAYLOAD : 0;
  const rest = load<u32>(start, 8) & THREE_BYTES;
  if (word === SID_KEY && rest === SID_KEY_REST) return STREAM_SID;
  return word === TIMESTAMP_KEY && rest === TIMESTAMP_KEY_REST ? TIMESTAMP : 0;
}

function keyLength(field: i32): i32 {
  if (field === PAYLOAD) return 9;
  return (field & (STREAM_SID | TIMESTAMP)) !== 0 ? 11 : 7;
}

function scanField(start: i32, field: i32): i32 {
  switch (field) {
    case EVENT:
      return (load<u64>(start) & SEVEN_BYTES) === MEDIA_WORD ? start + 7 : -1;
    case TRACK:
      return load<u64>(start) === INBOUND && load<u8>(start, 8) === QUOTE ? start + 9 : -1;
    case STREAM_SID:
      return scanStreamSid(start);
    case MEDIA:
      return load<u8>(start) === OPEN_OBJECT ? scanFields(start, WHOLE_MEDIA) : -1;
    case PAYLOAD:
      return scanPayload(start);
    default:
      return scanCount(start, field);
  }
}

function scanStreamSid(start: i32): i32 {
  if ((load<u32>(start) & THREE_BYTES) !== 0x5a_4d_22) return -1; // "MZ
  let at = start + 3;
  while (isAlphanumeric(load<u8>(at))) at++;
  if (at === start + 3 || at - start - 1 > SID_LENGTH_MAX || load<u8>(at) !== QUOTE) return -1;
  store<i32>(FOUND, start + 1 - MESSAGE, SID_START_AT);
  store<i32>(FOUND, at - MESSAGE, SID_END_AT);
  return at + 1;
}

function scanPayload(start: i32): i32 {
  if (load<u8>(start) !== QUOTE) return -1;
  const end = readBase64(start + 1);
  return load<u8>(end) === QUOTE ? end + 1 : -1;
}

/** A chunk or timestamp: digits, in quotes as Twilio sends them or bare. */
function scanCount(start: i32, field: i32): i32 {
  const quoted = load<u8>(start) === QUOTE;
  const first = quoted ? start + 1 : start;
  let at = first;
  let value: u64 = 0;
  while (isDigit(load<u8>(at))) value = value * 10 + <u64>load<u8>(at++) - ZERO;
  if (at === first || at - first > DIGITS_MAX) return -1;
  if (quoted) {
    if (load<u8>(at++) !== QUOTE) return -1;
  } else if (load<u8>(first) === ZERO && at - first > 1) return -1;
  if (field === TIMESTAMP) store<f64>(FOUND, <f64>value);
  return at;
}

function skipSpace(start: i32): i32 {
  let at = start;
  while (true) {
    const byte = load<u8>(at);
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return at;
    at++;
  }
}

function skipString(start: i32): i32 {
  if (load<u8>(start) !== QUOTE) return -1;
  let at = start + 1;
  while (isPlain(load<u8>(at))) at++;
  return load<u8>(at) === QUOTE ? at + 1 : -1;
}

/** The colon behind a key and the space around it. */
function skipColon(keyEnd: i32): i32 {
  if (keyEnd < 0) return -1;
  const at = skipSpace(keyEnd);
  return load<u8>(at) === COLON ? skipSpace(at + 1) : -1;
}

/** A value nobody asked for. It must be JSON all the same, or the full parser would call the message malformed. */
function skipValue(start: i32, depth: i32): i32 {
  const first = load<u8>(start);
  if (first === QUOTE) return skipString(start);
  if (first === OPEN_OBJECT) return skipMembers(start, depth, CLOSE_OBJECT);
  if (first === OPEN_ARRAY) return skipMembers(start, depth, CLOSE_ARRAY);
  const word = load<u32>(start);
  if (word === 0x65_75_72_74 || word === 0x6c_6c_75_6e) return start + 4; // true, null
  if (word === 0x73_6c_61_66 && load<u8>(start, 4) === 0x65) return start + 5; // false
  return skipNumber(start);
}

function skipMembers(start: i32, depth: i32, close: i32): i32 {
  if (depth === UNKNOWN_DEPTH_MAX) return -1;
  let at = skipSpace(start + 1);
  if (load<u8>(at) === close) return at + 1;
  while (true) {
    if (close === CLOSE_OBJECT) at = skipColon(skipString(at));
    if (at < 0) return -1;
    at = skipValue(at, depth + 1);
    if (at < 0) return -1;
    at = skipSpace(at);
    const next = load<u8>(at);
    if (next === close) return at + 1;
    if (next !== COMMA) return -1;
    at = skipSpace(at + 1);
  }
}

/** A whole number, with decimals or without. One with an exponent is left to the full parser. */
function skipNumber(start: i32): i32 {
  const first = load<u8>(start) === MINUS ? start + 1 : start;
  const at = skipDigits(first);
  if (at < 0 || (load<u8>(first) === ZERO && at - first > 1)) return -1;
  return load<u8>(at) === DOT ? skipDigits(at + 1) : at;
}

function skipDigits(start: i32): i32 {
  let at = start;
  while (isDigit(load<u8>(at))) at++;
  return at > start ? at : -1;
}

function isDigit(byte: u32): bool {
  return byte - ZERO < 10;
}

function isAlphanumeric(byte: u32): bool {
  return isDigit(byte) || (byte | 0x20) - 0x61 < 26;
}

/** Whether it may stand in a string that means exactly what its bytes say: no escape, nothing beyond ASCII. */
function isPlain(byte: u32): bool {
  return byte - 0x20 < 0x5f && byte !== QUOTE && byte !== BACKSLASH;
}
