// How loud a stretch of audio is.

/** Root mean square below full scale, in dB; −Infinity for silence or no samples at all. */
export function levelDbfs(samples: Int16Array): number {
  let energy = 0;
  for (const sample of samples) energy += sample * sample;
  return 10 * Math.log10(energy / Math.max(1, samples.length) / 32_768 ** 2);
}
