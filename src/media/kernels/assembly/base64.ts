// Standard base64 (RFC 4648, section 4), sixteen characters at a time.
import { PAYLOAD } from "../layout";

const PAD = 0x3d;
const SLASH: i8 = 0x2f;

/** Of what was read last. */
let payloadBytes: i32 = 0;

export function bytesRead(): i32 {
  return payloadBytes;
}

/**
 * The base64 that begins at `start`, by whole groups, padding included, → PAYLOAD. Returns where it ends: at the first
 * character that is none of it, which there must be.
 */
export function readBase64(start: i32): i32 {
  // A byte is wrong when what its two halves are looked up as have a bit in common: 1 in the row of the signs, but for
  // + and /; 2 past 9; 4 before A and a; 8 past Z and z; 16 in all other rows.
  const byLow = i8x16(21, 17, 17, 17, 17, 17, 17, 17, 17, 17, 19, 26, 27, 27, 27, 26);
  const byHigh = i8x16(16, 16, 1, 2, 4, 8, 4, 8, 16, 16, 16, 16, 16, 16, 16, 16);
  // What is added to a character for its six bits, by its high half; a slash takes the place before its own.
  const steps = i8x16(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
  let at = start;
  let to: i32 = PAYLOAD;
  while (true) {
    const text = v128.load(at);
    const high = i8x16.shr_u(text, 4);
    const wrong = v128.and(v128.swizzle(byLow, v128.and(text, i8x16.splat(15))), v128.swizzle(byHigh, high));
    const step = v128.swizzle(steps, i8x16.add(high, i8x16.eq(text, i8x16.splat(SLASH))));
    v128.store(to, joined(v128.and(i8x16.add(text, step), i8x16.splat(63))));
    // Some bit is set: the seventeenth, if no other.
    const right = ctz(i8x16.bitmask(i8x16.ne(wrong, i8x16.splat(0))) | 0x1_00_00);
    const groups = right >> 2;
    at += 4 * groups;
    to += 3 * groups;
    if (groups === 4) continue;
    const extra = load<u8>(at, 3) !== PAD ? 0 : right & 3;
    const isPadded = extra === 3 || (extra === 2 && load<u8>(at, 2) === PAD);
    payloadBytes = to - PAYLOAD + (isPadded ? extra - 1 : 0);
    return isPadded ? at + 4 : at;
  }
}

/** Groups of four times six bits → groups of three bytes, and four bytes that mean nothing. */
function joined(bits: v128): v128 {
  const pairs = v128.or(v128.and(i16x8.shl(bits, 6), i16x8.splat(0x0f_c0)), i16x8.shr_u(bits, 8));
  const groups = v128.or(v128.and(i32x4.shl(pairs, 12), i32x4.splat(0xff_f0_00)), i32x4.shr_u(pairs, 16));
  return v128.shuffle<i8>(groups, groups, 2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 3, 3, 3, 3);
}

/** `length` bytes from `source` on → base64 from `target` on. Returns its characters. Writes over what is behind them. */
export function writeBase64(source: i32, length: i32, target: i32): i32 {
  const places = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const whole = length - 12;
  let to = target;
  let at: i32 = 0;
  for (; at <= whole; at += 12) {
    v128.store(to, encoded(v128.load(source + at)));
    to += 16;
  }
  if (at < length) {
    const left = i8x16.lt_u(places, i8x16.splat(<i8>(length - at))); // bits that pad are 0
    v128.store(to, encoded(v128.and(v128.load(source + at), left)));
  }
  const characters = ((length + 2) / 3) * 4;
  const missing = (characters / 4) * 3 - length;
  if (missing > 0) store<u8>(target + characters - 1, PAD);
  if (missing > 1) store<u8>(target + characters - 2, PAD);
  return characters;
}

/** The first twelve bytes, as characters. */
function encoded(bytes: v128): v128 {
  const groups = v128.shuffle<i8>(bytes, bytes, 2, 1, 0, 3, 5, 4, 3, 3, 8, 7, 6, 3, 11, 10, 9, 3);
  return charactersOf(separated(groups));
}

/** Numbers of 24 bits → groups of four times six bits; their highest bytes don't matter. */
function separated(groups: v128): v128 {
  const first = v128.and(i32x4.shr_u(groups, 18), i32x4.splat(0x3f));
  const second = v128.and(i32x4.shr_u(groups, 4), i32x4.splat(0x3f_00));
  const third = v128.and(i32x4.shl(groups, 10), i32x4.splat(0x3f_00_00));
  const fourth = v128.and(i32x4.shl(groups, 24), i32x4.splat(0x3f_00_00_00));
  return v128.or(v128.or(first, second), v128.or(third, fourth));
}

function charactersOf(bits: v128): v128 {
  // 0 for a small letter, 1 to 10 for a digit, 11 and 12 for the two others, 13 for a capital; and what each adds.
  const kind = v128.or(
    i8x16.sub_sat_u(bits, i8x16.splat(51)),
    v128.and(i8x16.lt_u(bits, i8x16.splat(26)), i8x16.splat(13)),
  );
  const steps = i8x16(71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0);
  return i8x16.add(bits, v128.swizzle(steps, kind));
}
