// Mu-law (ITU-T G.711) to samples and back, by arithmetic: a code, its bits inverted, is a sign, three bits of exponent
// and four of mantissa, and stands for (8 × mantissa + 132) × 2 ^ exponent - 132.
import { CODES_BYTES } from "../layout";

const BIAS: i16 = 132;
/** Louder samples have the code of this one. */
const LOUDEST: i16 = 32_635 - BIAS;

export function expand(source: i32, target: i32): void {
  const powers = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
  const bias = i16x8.splat(BIAS);
  for (let at: i32 = 0; at < CODES_BYTES; at += 16) {
    const code = v128.not(v128.load(source + at));
    const power = v128.swizzle(powers, v128.and(i8x16.shr_u(code, 4), i8x16.splat(7)));
    const mantissa = v128.and(code, i8x16.splat(15));
    const stem = i8x16.add(shiftedLeft3(mantissa), i8x16.splat(<i8>BIAS));
    const sign = i8x16.shr_s(code, 7);
    const low = i16x8.sub(i16x8.extmul_low_i8x16_u(stem, power), bias);
    const high = i16x8.sub(i16x8.extmul_high_i8x16_u(stem, power), bias);
    v128.store(target + 2 * at, signed(low, i16x8.extend_low_i8x16_s(sign)));
    v128.store(target + 2 * at, signed(high, i16x8.extend_high_i8x16_s(sign)), 16);
  }
}

export function compress(source: i32, target: i32): void {
  // The exponent is the place of the highest of eight bits; by its two halves.
  const placesHigh = i8x16(0, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7);
  const placesLow = i8x16(0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const powers = i8x16(-128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  const four = i8x16.splat(15);
  for (let at: i32 = 0; at < CODES_BYTES; at += 16) {
    const first = v128.load(source + 2 * at);
    const last = v128.load(source + 2 * at, 16);
    const firstLoud = loudness(first);
    const lastLoud = loudness(last);
    const top = i8x16.narrow_i16x8_u(i16x8.shr_u(firstLoud, 7), i16x8.shr_u(lastLoud, 7));
    const exponent = i8x16.max_u(
      v128.swizzle(placesHigh, i8x16.shr_u(top, 4)),
      v128.swizzle(placesLow, v128.and(top, four)),
    );
    const power = v128.swizzle(powers, exponent);
    const mantissa = v128.and(
      four,
      i8x16.narrow_i16x8_u(
        i16x8.shr_u(i16x8.mul(firstLoud, i16x8.extend_low_i8x16_u(power)), 10),
        i16x8.shr_u(i16x8.mul(lastLoud, i16x8.extend_high_i8x16_u(power)), 10),
      ),
    );
    const sign = v128.and(i8x16.narrow_i16x8_s(first, last), i8x16.splat(-128));
    const code = v128.or(v128.or(sign, i8x16.shl(exponent, 4)), mantissa);
    v128.store(target + at, v128.not(code));
  }
}

/** Of bytes below 32. */
function shiftedLeft3(bytes: v128): v128 {
  return i16x8.shl(bytes, 3);
}

/** Without its sign, clipped, and biased: from 132 to 32,635. */
function loudness(samples: v128): v128 {
  return i16x8.add(i16x8.min_u(i16x8.abs(samples), i16x8.splat(LOUDEST)), i16x8.splat(BIAS));
}

/** Negated where the sign is all ones. */
function signed(samples: v128, sign: v128): v128 {
  return i16x8.sub(v128.xor(samples, sign), sign);
}
