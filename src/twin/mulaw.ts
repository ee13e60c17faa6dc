// G.711 mu-law by its formula. The twin's own: the gateway's codec must be judged by another one.

/** What mu-law calls silence: the code Twilio sends while the caller says nothing. */
export const SILENCE_CODE = 0xff;

const BIAS = 0x84; // added to the magnitude, so that every segment starts at a power of two
const CLIP = 32_635; // the largest magnitude that still fits after the bias

/** The 16-bit sample a code stands for. */
export function expand(code: number): number {
  const bits = ~code & 0xff;
  const segment = (bits >> 4) & 0x07;
  const magnitude = ((((bits & 0x0f) << 3) + BIAS) << segment) - BIAS;
  return bits & 0x80 ? -magnitude : magnitude;
}

/** The code of a 16-bit sample; beyond ±32,635 it clips. */
export function compress(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const biased = Math.min(Math.abs(sample), CLIP) + BIAS;
  const segment = 24 - Math.clz32(biased); // the highest bit of `biased` is 7 to 14
  const step = (biased >> (segment + 3)) & 0x0f;
  return ~(sign | (segment << 4) | step) & 0xff;
}

const EXPANDED = Int16Array.from({ length: 256 }, (_, code) => expand(code));

/** Mu-law bytes to 16-bit samples, one for one. */
export function decode(codes: Uint8Array): Int16Array {
  return Int16Array.from(codes, (code) => EXPANDED[code]!);
}

/** 16-bit samples to mu-law bytes, one for one. */
export function encode(samples: Int16Array): Uint8Array {
  return Uint8Array.from(samples, compress);
}
