// From the carrier's rate to an agent's and back, by the filters.
import {
  CARRIER_BYTES,
  CARRIER_OUT,
  FILTER_2,
  FILTER_3,
  FILTER_6,
  HISTORY_BYTES,
  LINE,
  PHASES,
  PLANE_BYTES,
  PLANES,
  ROW_BYTES,
  ROWS_AT,
  SAMPLES_IN,
  SAMPLES_OUT,
} from "../layout";

/** CARRIER_IN → SAMPLES_OUT. */
export function upsample(state: i32, ratio: i32): void {
  const rows = filterOf(ratio) + ROWS_AT;
  copyHistory(state, LINE);
  for (let phase = 0; phase < ratio - 1; phase++)
    convolve(LINE, 1, rows + phase * ROW_BYTES, 1, 0, 0, PHASES + phase * CARRIER_BYTES);
  // The last phase is the carrier's samples themselves, 15 ago.
  if (ratio === 2) interleave2(LINE + 34);
  else if (ratio === 3) interleave3(LINE + 34);
  else interleave6(LINE + 34);
  copyHistory(LINE + CARRIER_BYTES, state);
}

/** SAMPLES_IN → CARRIER_OUT. */
export function downsample(state: i32, ratio: i32): void {
  const filter = filterOf(ratio);
  if (ratio === 2) deinterleave2();
  else if (ratio === 3) deinterleave3();
  else deinterleave6();
  const pure = PLANES + (ratio - 1) * PLANE_BYTES;
  for (let plane: i32 = 0; plane < ratio; plane++) {
    const line = PLANES + plane * PLANE_BYTES;
    const history = state + plane * HISTORY_BYTES;
    copyHistory(history, line);
    copyHistory(line + CARRIER_BYTES, history);
  }
  const rows = filter + ROWS_AT + (ratio - 1) * ROW_BYTES;
  // The last plane is taken as it is, 16 ago.
  convolve(PLANES, ratio - 1, rows, load<i32>(filter), load<i32>(filter, 4), pure + 32, CARRIER_OUT);
}

/**
 * 160 samples, each the sum over `planes` of 32 samples times 32 taps, and of `pure` times its gain. Sixteen at a time:
 * `dot` takes samples in pairs, so the even ones and those behind them are summed apart. Sums are shifted down
 * after sixteen taps, before they can overflow; in the end they have 14 bits of fraction.
 */
function convolve(
  firstPlane: i32,
  planes: i32,
  rows: i32,
  shift: i32,
  gain: i32,
  pure: i32,
  target: i32,
): void {
  const gains = i32x4.splat(gain);
  for (let at: i32 = 0; at < CARRIER_BYTES; at += 32) {
    let even = i32x4.splat(1 << 13); // rounds
    let odd = even;
    let nextEven = even;
    let nextOdd = even;
    if (gain !== 0) {
      const samples = v128.load(pure + at);
      const next = v128.load(pure + at, 16);
      even = i32x4.add(even, i32x4.shr_s(i32x4.mul(evenOf(samples), gains), shift));
      odd = i32x4.add(odd, i32x4.shr_s(i32x4.mul(oddOf(samples), gains), shift));
      nextEven = i32x4.add(nextEven, i32x4.shr_s(i32x4.mul(evenOf(next), gains), shift));
      nextOdd = i32x4.add(nextOdd, i32x4.shr_s(i32x4.mul(oddOf(next), gains), shift));
    }
    let taps = rows;
    let plane = firstPlane + 2 + at;
    for (let count = 0; count < planes; count++) {
      let from = plane;
      for (let half = 0; half < 2; half++) {
        let sumEven = i32x4.splat(0);
        let sumOdd = sumEven;
        let sumNextEven = sumEven;
        let sumNextOdd = sumEven;
        const end = from + 32;
        while (from < end) {
          let pair = v128.load_splat<u32>(taps);
          sumEven = i32x4.add(sumEven, i32x4.dot_i16x8_s(v128.load(from), pair));
          sumOdd = i32x4.add(sumOdd, i32x4.dot_i16x8_s(v128.load(from, 2), pair));
          sumNextEven = i32x4.add(sumNextEven, i32x4.dot_i16x8_s(v128.load(from, 16), pair));
          sumNextOdd = i32x4.add(sumNextOdd, i32x4.dot_i16x8_s(v128.load(from, 18), pair));
          pair = v128.load_splat<u32>(taps, 4);
          sumEven = i32x4.add(sumEven, i32x4.dot_i16x8_s(v128.load(from, 4), pair));
          sumOdd = i32x4.add(sumOdd, i32x4.dot_i16x8_s(v128.load(from, 6), pair));
          sumNextEven = i32x4.add(sumNextEven, i32x4.dot_i16x8_s(v128.load(from, 20), pair));
          sumNextOdd = i32x4.add(sumNextOdd, i32x4.dot_i16x8_s(v128.load(from, 22), pair));
          pair = v128.load_splat<u32>(taps, 8);
          sumEven = i32x4.add(sumEven, i32x4.dot_i16x8_s(v128.load(from, 8), pair));
          sumOdd = i32x4.add(sumOdd, i32x4.dot_i16x8_s(v128.load(from, 10), pair));
          sumNextEven = i32x4.add(sumNextEven, i32x4.dot_i16x8_s(v128.load(from, 24), pair));
          sumNextOdd = i32x4.add(sumNextOdd, i32x4.dot_i16x8_s(v128.load(from, 26), pair));
          pair = v128.load_splat<u32>(taps, 12);
          sumEven = i32x4.add(sumEven, i32x4.dot_i16x8_s(v128.load(from, 12), pair));
          sumOdd = i32x4.add(sumOdd, i32x4.dot_i16x8_s(v128.load(from, 14), pair));
          sumNextEven = i32x4.add(sumNextEven, i32x4.dot_i16x8_s(v128.load(from, 28), pair));
          sumNextOdd = i32x4.add(sumNextOdd, i32x4.dot_i16x8_s(v128.load(from, 30), pair));
          taps += 16;
          from += 16;
        }
        even = i32x4.add(even, i32x4.shr_s(sumEven, shift));
        odd = i32x4.add(odd, i32x4.shr_s(sumOdd, shift));
        nextEven = i32x4.add(nextEven, i32x4.shr_s(sumNextEven, shift));
        nextOdd = i32x4.add(nextOdd, i32x4.shr_s(sumNextOdd, shift));
      }
      plane += PLANE_BYTES;
    }
    v128.store(target + at, woven(even, odd));
    v128.store(target + at, woven(nextEven, nextOdd), 16);
  }
}

function evenOf(samples: v128): v128 {
  return i32x4.shr_s(i32x4.shl(samples, 16), 16);
}

function oddOf(samples: v128): v128 {
  return i32x4.shr_s(samples, 16);
}

/** Without their fraction, clipped, in the order of time. */
function woven(even: v128, odd: v128): v128 {
  const first = i32x4.shr_s(v128.shuffle<i32>(even, odd, 0, 4, 1, 5), 14);
  const last = i32x4.shr_s(v128.shuffle<i32>(even, odd, 2, 6, 3, 7), 14);
  return i16x8.narrow_i32x4_s(first, last);
}

function filterOf(ratio: i32): i32 {
  return ratio === 2 ? FILTER_2 : ratio === 3 ? FILTER_3 : FILTER_6;
}

function copyHistory(source: i32, target: i32): void {
  v128.store(target, v128.load(source));
  v128.store(target, v128.load(source, 16), 16);
  v128.store(target, v128.load(source, 32), 32);
  v128.store(target, v128.load(source, 48), 48);
}

// Eight samples of each phase, or plane, at a time. Threes are taken as pairs of neighbours, a b, c a, b c, and sixes as
// three pairs: processors shuffle those at once, where any other order of samples costs them a table.

function interleave2(pure: i32): void {
  for (let at: i32 = 0; at < CARRIER_BYTES; at += 16) {
    const a = v128.load(PHASES + at);
    const b = v128.load(pure + at);
    v128.store(SAMPLES_OUT + 2 * at, pairsLow(a, b));
    v128.store(SAMPLES_OUT + 2 * at, pairsHigh(a, b), 16);
  }
}

function interleave3(pure: i32): void {
  for (let at: i32 = 0; at < CARRIER_BYTES; at += 16) {
    const a = v128.load(PHASES + at);
    const b = v128.load(PHASES + CARRIER_BYTES + at);
    const c = v128.load(pure + at);
    const ab = evenAndOdd(a, i32x4.shl(b, 16));
    const bc = evenAndOdd(i32x4.shr_u(b, 16), c);
    interleavePairs(ab, evenAndOdd(c, a), bc, SAMPLES_OUT + 3 * at);
  }
}

function interleave6(pure: i32): void {
  for (let at: i32 = 0; at < CARRIER_BYTES; at += 16) {
    const a = v128.load(PHASES + at);
    const b = v128.load(PHASES + CARRIER_BYTES + at);
    const c = v128.load(PHASES + 2 * CARRIER_BYTES + at);
    const d = v128.load(PHASES + 3 * CARRIER_BYTES + at);
    const e = v128.load(PHASES + 4 * CARRIER_BYTES + at);
    const f = v128.load(pure + at);
    const target = SAMPLES_OUT + 6 * at;
    interleavePairs(pairsLow(a, b), pairsLow(c, d), pairsLow(e, f), target);
    interleavePairs(pairsHigh(a, b), pairsHigh(c, d), pairsHigh(e, f), target + 48);
  }
}

/** Of four pairs of each kind. */
function interleavePairs(a: v128, b: v128, c: v128, target: i32): void {
  v128.store(target, v128.shuffle<i32>(v128.shuffle<i32>(a, b, 0, 4, 0, 1), c, 0, 1, 4, 3));
  v128.store(target, v128.shuffle<i32>(v128.shuffle<i32>(a, b, 5, 0, 2, 6), c, 0, 5, 2, 3), 16);
  v128.store(target, v128.shuffle<i32>(v128.shuffle<i32>(a, b, 0, 3, 7, 0), c, 6, 1, 2, 7), 32);
}

function deinterleave2(): void {
  for (let at: i32 = 0; at < CARRIER_BYTES; at += 16) {
    const a = v128.load(SAMPLES_IN + 2 * at);
    const b = v128.load(SAMPLES_IN + 2 * at, 16);
    toPlane(0, at, evens(a, b));
    toPlane(1, at, odds(a, b));
  }
}

function deinterleave3(): void {
  for (let at: i32 = 0; at < CARRIER_BYTES; at += 16) {
    const first = v128.load(SAMPLES_IN + 3 * at);
    const second = v128.load(SAMPLES_IN + 3 * at, 16);
    const third = v128.load(SAMPLES_IN + 3 * at, 32);
    const ab = firstPairs(first, second, third);
    const ca = secondPairs(first, second, third);
    const bc = thirdPairs(first, second, third);
    toPlane(0, at, evenAndOdd(ab, ca));
    toPlane(1, at, evenAndOdd(i32x4.shr_u(ab, 16), i32x4.shl(bc, 16)));
    toPlane(2, at, evenAndOdd(ca, bc));
  }
}

function deinterleave6(): void {
  for (let at: i32 = 0; at < CARRIER_BYTES; at += 16) {
    const from = SAMPLES_IN + 6 * at;
    const a = v128.load(from);
    const b = v128.load(from, 16);
    const c = v128.load(from, 32);
    const d = v128.load(from, 48);
    const e = v128.load(from, 64);
    const f = v128.load(from, 80);
    pairsToPlanes(0, at, firstPairs(a, b, c), firstPairs(d, e, f));
    pairsToPlanes(2, at, secondPairs(a, b, c), secondPairs(d, e, f));
    pairsToPlanes(4, at, thirdPairs(a, b, c), thirdPairs(d, e, f));
  }
}

function pairsToPlanes(plane: i32, at: i32, first: v128, last: v128): void {
  toPlane(plane, at, evens(first, last));
  toPlane(plane + 1, at, odds(first, last));
}

function toPlane(plane: i32, at: i32, samples: v128): void {
  v128.store(PLANES + plane * PLANE_BYTES + HISTORY_BYTES + at, samples);
}

// Of twelve pairs every third.

function firstPairs(a: v128, b: v128, c: v128): v128 {
  return v128.shuffle<i32>(v128.shuffle<i32>(a, b, 0, 3, 6, 0), c, 0, 1, 2, 5);
}

function secondPairs(a: v128, b: v128, c: v128): v128 {
  return v128.shuffle<i32>(v128.shuffle<i32>(a, b, 1, 4, 7, 0), c, 0, 1, 2, 6);
}

function thirdPairs(a: v128, b: v128, c: v128): v128 {
  return v128.shuffle<i32>(v128.shuffle<i32>(a, b, 2, 5, 0, 0), c, 0, 1, 4, 7);
}

function pairsLow(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

function pairsHigh(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

function evens(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}

function odds(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}

/** The even samples of one, the odd ones of the other, each where it is. */
function evenAndOdd(even: v128, odd: v128): v128 {
  return v128.shuffle<i16>(even, odd, 0, 9, 2, 11, 4, 13, 6, 15);
}
