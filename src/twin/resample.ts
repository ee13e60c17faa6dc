// Brings recorded speech to the telephone's rate with a windowed-sinc filter, whole recordings at once.
import { RATE_HZ } from "./track.ts";
import type { Wav } from "./wav.ts";

/** The filter's length, in zero crossings on either side; its transition is then about 300 Hz wide. */
const CROSSINGS = 32;
/** The filter's corner as a part of the band's edge, so that what lies above the edge is gone. */
const CORNER = 0.95;
const RATES_HZ = { min: 8_000, max: 48_000 };

/** A rate that isn't converted; the message completes "the file …". */
export class RateError extends Error {
  constructor(rateHz: number) {
    super(`has ${rateHz} samples per second; ${RATES_HZ.min} to ${RATES_HZ.max} can be converted`);
    this.name = "RateError";
  }
}

/** A recording as one channel of 8 kHz samples; two channels are averaged. Throws RateError. */
export function toTelephone({ rateHz, channels }: Wav): Int16Array {
  if (rateHz < RATES_HZ.min || rateHz > RATES_HZ.max) throw new RateError(rateHz);
  const [left, right] = channels;
  const mono = right === undefined ? left! : left!.map((sample, i) => (sample + right[i]!) >> 1);
  return rateHz === RATE_HZ ? mono : resample(mono, rateHz);
}

function resample(samples: Int16Array, rateHz: number): Int16Array {
  const ratio = rateHz / RATE_HZ;
  const reach = CROSSINGS * ratio;
  const gain = CORNER / ratio;
  const resampled = new Int16Array(Math.round(samples.length / ratio));
  for (let n = 0; n < resampled.length; n++) {
    const centre = n * ratio;
    const to = Math.min(samples.length - 1, Math.floor(centre + reach));
    let sum = 0;
    for (let i = Math.max(0, Math.ceil(centre - reach)); i <= to; i++) {
      const distance = (i - centre) / ratio;
      sum += samples[i]! * sinc(distance * CORNER) * blackman(distance / CROSSINGS);
    }
    resampled[n] = Math.max(-32_768, Math.min(32_767, Math.round(sum * gain)));
  }
  return resampled;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The window at −1 to 1 of its half length. */
function blackman(x: number): number {
  return 0.42 + 0.5 * Math.cos(Math.PI * x) + 0.08 * Math.cos(2 * Math.PI * x);
}
