// Marks, both ways: after the audio they are what a stream says most, five times a second. So they are read and
// written where they lie, byte by byte; what is not as Twilio writes it, decodeMessage reads.
const UTF8 = new TextEncoder();
const ascii = (text: string): Uint8Array => UTF8.encode(text);

const QUOTE = 0x22;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const TILDE = 0x7e;

/** In the order of Twilio's documentation; between them stand the number, the stream's id and the name. */
const READ = ['{"event":"mark","sequenceNumber":"', '","streamSid":"', '","mark":{"name":"', '"}}'].map(
  ascii,
) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
const WRITTEN = ['{"event":"mark","streamSid":"', '","mark":{"name":"', '"}}'].map(ascii) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
/** Longer ones than we give are written another way. */
const TEXT_BYTES = 256;
const text = new Uint8Array(TEXT_BYTES);
const FIXED_BYTES = WRITTEN.reduce((sum, { length }) => sum + length, 0);
/** Of the text, by length. */
const views: (Uint8Array | undefined)[] = Array.from({ length: TEXT_BYTES + 1 }, () => undefined);

/** The name in a mark of this stream; undefined for any other message, and for a mark in unusual words. */
export function readMark(bytes: Uint8Array, streamSid: string): string | undefined {
  let at = skip(bytes, 0, READ[0]);
  if (at < 0) return undefined;
  const digitsAt = at;
  while (bytes[at]! >= ZERO && bytes[at]! <= NINE) at++;
  if (at === digitsAt) return undefined;
  at = skipText(bytes, skip(bytes, at, READ[1]), streamSid);
  const nameAt = skip(bytes, at, READ[2]);
  if (nameAt < 0) return undefined;
  at = nameAt;
  while (isPlain(bytes[at]!)) at++;
  if (skip(bytes, at, READ[3]) !== bytes.length) return undefined;
  return Buffer.prototype.latin1Slice.call(bytes, nameAt, at);
}

/** The message that asks for this mark. Valid until the next is written. */
export function writeMark(streamSid: string, name: string): Uint8Array {
  const length = FIXED_BYTES + streamSid.length + name.length;
  if (length > TEXT_BYTES) return writtenAnyhow(streamSid, name);
  let at = put(0, WRITTEN[0]);
  at = putText(at, streamSid);
  if (at > 0) at = putText(put(at, WRITTEN[1]), name);
  if (at < 0) return writtenAnyhow(streamSid, name);
  put(at, WRITTEN[2]);
  const view = views[length] ?? text.subarray(0, length);
  views[length] = view;
  return view;
}

function writtenAnyhow(streamSid: string, name: string): Uint8Array {
  return ascii(JSON.stringify({ event: "mark", streamSid, mark: { name } }));
}

/** A character that stands for itself in JSON. */
function isPlain(code: number): boolean {
  return code >= SPACE && code <= TILDE && code !== QUOTE && code !== BACKSLASH;
}

// Each of these takes where its piece begins, or -1, and returns what is behind it; -1 where it is not there, or can't
// be written as it is.

function skip(bytes: Uint8Array, start: number, word: Uint8Array): number {
  const { length } = word;
  if (start < 0) return -1;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== word[i]) return -1;
  return start + length;
}

function skipText(bytes: Uint8Array, start: number, word: string): number {
  const { length } = word;
  if (start < 0) return -1;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== word.charCodeAt(i)) return -1;
  return start + length;
}

function put(start: number, word: Uint8Array): number {
  const { length } = word;
  for (let i = 0; i < length; i++) text[start + i] = word[i]!;
  return start + length;
}

function putText(start: number, word: string): number {
  const { length } = word;
  for (let i = 0; i < length; i++) {
    const code = word.charCodeAt(i);
    if (!isPlain(code)) return -1;
    text[start + i] = code;
  }
  return start + length;
}
