// How the filters between the telephone's 8 kHz and an agent's rate are designed, and how filters.ts is written.

/** How many samples of the agent's rate there are to one of the telephone's. */
export const RATIOS = [2, 3, 6] as const;
export type Ratio = (typeof RATIOS)[number];

export interface Filter {
  /**
   * The way up: for each sample that stands between two of the telephone's, 32 taps in the order of time, in units of
   * 2^-15, together exactly 1.
   */
  readonly up: readonly (readonly number[])[];
  /**
   * The way down: the same filter, for every sample of the agent's between two of those that line up with the
   * telephone's. In units of 2^-(14 + `downShift`); with `downGain`, for the one that lines up, together exactly 1.
   */
  readonly down: readonly (readonly number[])[];
  readonly downShift: number;
  readonly downGain: number;
}

/** Of the telephone's samples: what the filter looks at, for one sample on the way up. */
export const TAPS = 32;
/** See `design`. */
const KAISER_BETA = 7.4;

/**
 * Wanted: flat within 0.05 dB up to 3.4 kHz; what is above 4.6 kHz, where the images of that band begin on the way up,
 * and from where on the way down would fold into it, at least 70 dB lower; 2 ms of delay at most.
 *
 * A windowed sinc with its edge at 4 kHz, half the telephone's rate, is symmetric about it: from 3.4 to 4.6 kHz. It has
 * the value 0 at every sample of the telephone's but the one in its middle, and there 1, so that on the way up those
 * samples are passed as they are, and a filter is needed only between them. (That also binds both ripples to one
 * another: 70 dB of attenuation is 0.003 dB in the passband.)
 *
 * Two milliseconds are 16 samples of the telephone's to either side of the middle: 32 taps for each sample between,
 * 32 ratio - 1 altogether. By Kaiser's formula, of which the transition's width is 1.2 kHz of 8 ratio kHz, these
 * attenuate by
 *
 *   A = 7.95 + 14.36 (32 ratio - 2) 1.2 / (8 ratio) = 74.7 dB for ratio 2, 75.4 for 3, 76.1 for 6,
 *
 * with a window of beta = 0.1102 (A - 8.7) = 7.3 to 7.4; 7.4 is best for all three. Rounding taps to 16 bits adds
 * errors of about -85 dB, and that of sums to whole samples is that of 16-bit audio.
 *
 * The delay: on the way up a sample is passed when the last tap that needs it has come, after 16 ratio - 1 samples of
 * the agent's rate (1.94 to 1.98 ms); on the way down after 15 ratio + 1 (1.90 to 1.94 ms), which makes 31 whole samples
 * of the telephone's, 3.875 ms, for both.
 */
export function design(ratio: Ratio): Filter {
  const reach = (TAPS / 2) * ratio;
  const tap = (distance: number): number => {
    const angle = (Math.PI * distance) / ratio;
    const window = bessel0(KAISER_BETA * Math.sqrt(1 - (distance / reach) ** 2)) / bessel0(KAISER_BETA);
    return (Math.sin(angle) / angle) * window;
  };
  const row = (first: number): number[] => Array.from({ length: TAPS }, (_, n) => tap(first + n * ratio));
  const between = Array.from({ length: ratio - 1 }, (_, phase) => phase);
  // As much precision as the largest tap leaves: the taps of the way down are smaller by the ratio.
  const downShift = ratio < 4 ? 2 : 3;
  const unit = 2 ** (14 + downShift);
  const downGain = Math.floor(unit / ratio);
  const shares = rounded(
    between.map(() => 1),
    unit - downGain,
  );
  return {
    up: between.map((phase) => rounded(row(ratio - 1 - reach - phase), 2 ** 15)),
    down: between.map((phase) => rounded(row(phase + 1 - reach), shares[phase]!)),
    downShift,
    downGain,
  };
}

/** filters.ts, whole. */
export function filtersSource(): string {
  const filters = RATIOS.map((ratio) => {
    const { up, down, downShift, downGain } = design(ratio);
    const rows = (of: readonly (readonly number[])[]) =>
      of.map((row) => `      [${wrapped(row)}],\n`).join("");
    return `  ${ratio}: {
    up: [
${rows(up)}    ],
    down: [
${rows(down)}    ],
    downShift: ${downShift},
    downGain: ${downGain},
  },
`;
  });
  return `// The filters between the telephone's rate and an agent's, as design.ts has computed them: \`npm run kernels\`.
import type { Filter, Ratio } from "./design.ts";

export const FILTERS: Readonly<Record<Ratio, Filter>> = {
${filters.join("")}};
`;
}

/** Whole numbers in proportion to these, and their sum: each is rounded up or down, those with the largest rest up. */
function rounded(values: readonly number[], sum: number): number[] {
  const scale = sum / values.reduce((total, value) => total + value, 0);
  const floors = values.map((value) => Math.floor(value * scale));
  const missing = sum - floors.reduce((total, value) => total + value, 0);
  const rest = (n: number): number => values[n]! * scale - floors[n]!;
  const byRest = floors.map((_, n) => n).sort((a, b) => rest(b) - rest(a) || a - b);
  for (const n of byRest.slice(0, missing)) floors[n]!++;
  return floors;
}

/** The modified Bessel function of the first kind, of order zero. */
function bessel0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * Number.EPSILON; k++) {
    term *= (x / 2 / k) ** 2;
    sum += term;
  }
  return sum;
}

/** As Biome breaks a long list of numbers. */
function wrapped(numbers: readonly number[]): string {
  const lines = [""];
  for (const number of numbers) {
    const longer = `${lines.at(-1)}${lines.at(-1) === "" ? "" : " "}${number},`;
    if (longer.length > 110 - 8) lines.push(`${number},`);
    else lines[lines.length - 1] = longer;
  }
  return `\n${lines.map((line) => `        ${line}\n`).join("")}      `;
}
