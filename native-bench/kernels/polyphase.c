// Polyphase filters in 16 bits: products of 16-bit numbers summed in 32 are what compilers vectorise best.
#include "polyphase.h"
#include <assert.h>
#include <math.h>
#include <string.h>

#define FRACTION_BITS 15
// Of the lower rate's band.
#define PASSED 0.92

static double windowed_sinc(double at, double half_width, double cutoff) {
  if (fabs(at) >= half_width) return 0;
  const double window = 0.5 + 0.5 * cos(M_PI * at / half_width);
  const double x = M_PI * at * cutoff;
  return (fabs(x) < 1e-9 ? 1 : sin(x) / x) * window;
}

void polyphase_make(struct polyphase *state, unsigned up, unsigned down) {
  assert((up == 1 || down == 1) && up <= FACTOR_MAX && down <= FACTOR_MAX);
  memset(state, 0, sizeof *state);
  state->up = up;
  state->down = down;
  state->taps = TAPS_AT_LOWER_RATE * down;
  const double half_width = state->taps / 2.0;
  for (unsigned phase = 0; phase < up; phase++) {
    double taps[TAPS_MAX], sum = 0;
    for (unsigned i = 0; i < state->taps; i++) {
      taps[i] = windowed_sinc(i - half_width + 1 - (double)phase / up, half_width, PASSED / down);
      sum += taps[i];
    }
    for (unsigned i = 0; i < state->taps; i++)
      state->filters[phase][i] = (int16_t)lrint(taps[i] / sum * ((1 << FRACTION_BITS) - 1));
  }
}

static int16_t filtered(const int16_t *restrict filter, const int16_t *restrict samples, unsigned taps) {
  int32_t sum = 1 << (FRACTION_BITS - 1);
  for (unsigned i = 0; i < taps; i++) sum += filter[i] * samples[i];
  const int32_t sample = sum >> FRACTION_BITS;
  return (int16_t)(sample > INT16_MAX ? INT16_MAX : sample < INT16_MIN ? INT16_MIN : sample);
}

void polyphase_run(struct polyphase *state, const int16_t *source, size_t count, int16_t *target) {
  assert(count <= FRAME_SAMPLES_MAX);
  int16_t line[TAPS_MAX + FRAME_SAMPLES_MAX];
  const unsigned taps = state->taps;
  memcpy(line, state->history, taps * sizeof *line);
  memcpy(line + taps, source, count * sizeof *line);
  for (size_t at = 0; at < count; at += state->down)
    for (unsigned phase = 0; phase < state->up; phase++)
      *target++ = filtered(state->filters[phase], line + at + state->down, taps);
  memcpy(state->history, line + count, taps * sizeof *line);
}
