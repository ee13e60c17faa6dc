// Half-band resampling. Every second tap of such a filter is zero but the middle one, so one half of the samples is
// only delayed, and the other half costs 32 multiplications each.
#include "halfband.h"
#include <math.h>
#include <string.h>

#define MIDDLE (SIDE_TAPS / 2)
#define FRACTION_BITS 15
// Of the Kaiser window: about 70 dB.
#define KAISER_BETA 7.0

// The odd taps, as fractions of one half: they sum up to 1.
static int16_t side_taps[SIDE_TAPS];

static double bessel0(double x) {
  double sum = 1, term = 1;
  for (int k = 1; k < 40; k++) {
    term *= (x / (2 * k)) * (x / (2 * k));
    sum += term;
  }
  return sum;
}

__attribute__((constructor)) static void design(void) {
  double taps[SIDE_TAPS], sum = 0;
  for (int i = 0; i < SIDE_TAPS; i++) {
    const double at = 2 * i - (SIDE_TAPS - 1); // odd distances from the middle: -31, -29 ... 31
    const double edge = at / (HALFBAND_TAPS / 2 + 1);
    taps[i] = sin(M_PI * at / 2) / (M_PI * at / 2) * bessel0(KAISER_BETA * sqrt(1 - edge * edge));
    sum += taps[i];
  }
  for (int i = 0; i < SIDE_TAPS; i++) side_taps[i] = (int16_t)lrint(taps[i] / sum * ((1 << FRACTION_BITS) - 1));
}

static int16_t clipped(int32_t sample) {
  return (int16_t)(sample > INT16_MAX ? INT16_MAX : sample < INT16_MIN ? INT16_MIN : sample);
}

// The filter at one place. Sums of 16-bit products, which is what compilers vectorise best.
static int32_t filtered(const int16_t *samples) {
  int32_t sum = 1 << (FRACTION_BITS - 1);
  for (int tap = 0; tap < SIDE_TAPS; tap++) sum += side_taps[tap] * samples[tap];
  return sum >> FRACTION_BITS;
}

void upsample(struct upsampler *state, const int16_t narrow[FRAME_SAMPLES], int16_t wide[WIDE_SAMPLES]) {
  int16_t line[SIDE_TAPS - 1 + FRAME_SAMPLES];
  memcpy(line, state->history, sizeof state->history);
  memcpy(line + SIDE_TAPS - 1, narrow, FRAME_SAMPLES * sizeof *narrow);
  for (int i = 0; i < FRAME_SAMPLES; i++) {
    wide[2 * i] = line[i + MIDDLE - 1];
    wide[2 * i + 1] = clipped(filtered(line + i));
  }
  memcpy(state->history, line + FRAME_SAMPLES, sizeof state->history);
}

void downsample(struct downsampler *state, const int16_t wide[WIDE_SAMPLES], int16_t narrow[FRAME_SAMPLES]) {
  int16_t odd[SIDE_TAPS - 1 + FRAME_SAMPLES], even[MIDDLE + FRAME_SAMPLES];
  memcpy(odd, state->filtered, sizeof state->filtered);
  memcpy(even, state->delayed, sizeof state->delayed);
  for (int i = 0; i < FRAME_SAMPLES; i++) {
    even[MIDDLE + i] = wide[2 * i];
    odd[SIDE_TAPS - 1 + i] = wide[2 * i + 1];
  }
  for (int i = 0; i < FRAME_SAMPLES; i++) narrow[i] = clipped((even[i + 1] + filtered(odd + i)) / 2);
  memcpy(state->filtered, odd + FRAME_SAMPLES, sizeof state->filtered);
  memcpy(state->delayed, even + FRAME_SAMPLES, sizeof state->delayed);
}
