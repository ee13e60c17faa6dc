// Resampling between 8 and 16 kHz as one writes it when one doesn't think about it: by interpolating, and by leaving
// out. There is no filter, so there is no delay either, and what a 16 kHz agent says above 4 kHz comes back as noise.

export function doubled(samples: Int16Array): Int16Array {
  const wide = new Int16Array(2 * samples.length);
  for (let i = 0; i < samples.length; i++) {
    const next = samples[i + 1] ?? samples[i]!;
    wide[2 * i] = samples[i]!;
    wide[2 * i + 1] = (samples[i]! + next) / 2;
  }
  return wide;
}

export function halved(samples: Int16Array): Int16Array {
  const narrow = new Int16Array(samples.length / 2);
  for (let i = 0; i < narrow.length; i++) narrow[i] = samples[2 * i]!;
  return narrow;
}
