// Standard base64 (RFC 4648, section 4) between byte arrays the caller owns. Knows nothing of JSON or audio.
// Loops keep their table in a local constant: V8 then does not fetch it anew for every character.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD = 0x3d;

/** Character to its six bits, -1 for what is not in the alphabet: it makes any group it is ORed into negative. */
const SIX_BITS = new Int8Array(256).fill(-1);
/** Six bits to their character. */
const CHARACTERS = new Uint8Array(64);
for (let bits = 0; bits < 64; bits++) {
  const character = ALPHABET.charCodeAt(bits);
  SIX_BITS[character] = bits;
  CHARACTERS[bits] = character;
}

/** Characters that hold `length` bytes, padding included. */
export function base64Length(length: number): number {
  return Math.ceil(length / 3) * 4;
}

/**
 * Decodes the characters `[start, end)` of `bytes` into the beginning of `target`. Returns the bytes written, or
 * -1 when they are not whole padded groups of the standard alphabet or `target` is too small; what `target` then
 * holds is unspecified.
 */
export function decodeBase64(bytes: Uint8Array, start: number, end: number, target: Uint8Array): number {
  const characters = end - start;
  if (characters === 0) return 0;
  if (characters < 0 || characters % 4 !== 0 || start < 0 || end > bytes.length) return -1;
  const padding = bytes[end - 1] !== PAD ? 0 : bytes[end - 2] !== PAD ? 1 : 2;
  const length = (characters / 4) * 3 - padding;
  if (length > target.length) return -1;

  const sixBits = SIX_BITS;
  const wholeEnd = padding === 0 ? end : end - 4;
  let at = start;
  let to = 0;
  for (; at < wholeEnd; at += 4, to += 3) {
    const bits =
      (sixBits[bytes[at]!]! << 18) |
      (sixBits[bytes[at + 1]!]! << 12) |
      (sixBits[bytes[at + 2]!]! << 6) |
      sixBits[bytes[at + 3]!]!;
    if (bits < 0) return -1;
    target[to] = bits >> 16;
    target[to + 1] = bits >> 8;
    target[to + 2] = bits;
  }
  if (padding > 0) {
    const third = padding === 1 ? sixBits[bytes[at + 2]!]! : 0;
    const bits = (sixBits[bytes[at]!]! << 18) | (sixBits[bytes[at + 1]!]! << 12) | (third << 6);
    if (bits < 0) return -1;
    target[to] = bits >> 16;
    if (padding === 1) target[to + 1] = bits >> 8;
  }
  return length;
}

/** Where the base64 that begins at `start` ends, by whole groups, padding included: up to there it decodes. */
export function skipBase64(bytes: Uint8Array, start: number): number {
  const sixBits = SIX_BITS;
  const lastGroup = bytes.length - 4;
  let at = start;
  while (
    at <= lastGroup &&
    (sixBits[bytes[at]!]! | sixBits[bytes[at + 1]!]! | sixBits[bytes[at + 2]!]! | sixBits[bytes[at + 3]!]!) >=
      0
  )
    at += 4;
  if (at > lastGroup || bytes[at + 3] !== PAD) return at;
  const third = bytes[at + 2] === PAD ? 0 : sixBits[bytes[at + 2]!]!;
  return (sixBits[bytes[at]!]! | sixBits[bytes[at + 1]!]! | third) < 0 ? at : at + 4;
}

/**
 * Encodes the bytes `[start, end)` of `source` into `target` from `at` on. Returns the characters written:
 * `base64Length(end - start)`, for which the caller has made room.
 */
export function encodeBase64(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  const characters = CHARACTERS;
  const wholeEnd = end - ((end - start) % 3);
  let from = start;
  let to = at;
  for (; from < wholeEnd; from += 3, to += 4) {
    const bits = (source[from]! << 16) | (source[from + 1]! << 8) | source[from + 2]!;
    target[to] = characters[bits >> 18]!;
    target[to + 1] = characters[(bits >> 12) & 63]!;
    target[to + 2] = characters[(bits >> 6) & 63]!;
    target[to + 3] = characters[bits & 63]!;
  }
  if (from < end) {
    const two = from + 1 < end;
    const bits = (source[from]! << 16) | (two ? source[from + 1]! << 8 : 0);
    target[to] = characters[bits >> 18]!;
    target[to + 1] = characters[(bits >> 12) & 63]!;
    target[to + 2] = two ? characters[(bits >> 6) & 63]! : PAD;
    target[to + 3] = PAD;
    to += 4;
  }
  return to - at;
}
