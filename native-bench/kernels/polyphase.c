// Polyphase filters in 16 bits: products of 16-bit numbers summed in 32 are what compilers vectorise best. Sums are
// shifted down after sixteen taps, before they can overflow.
#include "polyphase.h"
#include <assert.h>
#include <math.h>
#include <string.h>

#define FRACTION_BITS 14
#define KAISER_BETA 7.4
#define HALF (SIDE_TAPS / 2)

static double bessel0(double x) {
  double term = 1, sum = 1;
  for (int k = 1; term > sum * 1e-16; k++) sum += term *= x / 2 / k * (x / 2 / k);
  return sum;
}

static double tap(double distance, unsigned ratio) {
  const double angle = M_PI * distance / ratio, part = distance / (HALF * ratio);
  return sin(angle) / angle * bessel0(KAISER_BETA * sqrt(1 - part * part)) / bessel0(KAISER_BETA);
}

void polyphase_make(struct polyphase *state, unsigned ratio) {
  assert(ratio >= 1 && ratio <= RATIO_MAX);
  memset(state, 0, sizeof *state);
  state->ratio = ratio;
  state->down_shift = ratio < 4 ? 2 : 3;
  state->down_gain = (1 << (FRACTION_BITS + state->down_shift)) / (int)ratio;
  for (int phase = 0; phase < (int)ratio - 1; phase++)
    for (int i = 0; i < SIDE_TAPS; i++) {
      const int middle = HALF * (int)ratio, at = i * (int)ratio;
      state->up[phase][i] = (int16_t)lrint(tap(at + (int)ratio - 1 - middle - phase, ratio) * (1 << 15));
      state->down[phase][i] = (int16_t)lrint(tap(at + phase + 1 - middle, ratio) * state->down_gain);
    }
}

static int32_t filtered(const int16_t *restrict samples, const int16_t *restrict taps, unsigned shift) {
  int32_t total = 0;
  for (int half = 0; half < SIDE_TAPS; half += HALF) {
    int32_t sum = 0;
#pragma GCC unroll 1 // or gcc takes it apart before it could make vectors of it
    for (int i = half; i < half + HALF; i++) sum += samples[i] * taps[i];
    total += sum >> shift;
  }
  return total;
}

static int16_t clipped(int32_t sum) {
  const int32_t sample = sum >> FRACTION_BITS;
  return (int16_t)(sample > INT16_MAX ? INT16_MAX : sample < INT16_MIN ? INT16_MIN : sample);
}

void polyphase_decode(struct polyphase *state, const uint8_t *codes, int16_t *samples) {
  const unsigned ratio = state->ratio;
  if (ratio == 1) {
    mulaw_decode(codes, samples, FRAME_SAMPLES);
    return;
  }
  int16_t line[SIDE_TAPS + FRAME_SAMPLES];
  memcpy(line, state->history, SIDE_TAPS * sizeof *line);
  mulaw_decode(codes, line + SIDE_TAPS, FRAME_SAMPLES);
  for (unsigned phase = 0; phase < ratio - 1; phase++)
    for (int n = 0; n < FRAME_SAMPLES; n++)
      samples[n * ratio + phase] =
          clipped((1 << (FRACTION_BITS - 1)) + filtered(line + 1 + n, state->up[phase], 1));
  for (int n = 0; n < FRAME_SAMPLES; n++) samples[n * ratio + ratio - 1] = line[HALF + 1 + n];
  memcpy(state->history, line + FRAME_SAMPLES, SIDE_TAPS * sizeof *line);
}

void polyphase_encode(struct polyphase *state, const int16_t *samples, uint8_t *codes) {
  const unsigned ratio = state->ratio;
  if (ratio == 1) {
    mulaw_encode(samples, codes, FRAME_SAMPLES);
    return;
  }
  int16_t lines[RATIO_MAX][SIDE_TAPS + FRAME_SAMPLES], narrow[FRAME_SAMPLES];
  for (unsigned phase = 0; phase < ratio; phase++) {
    memcpy(lines[phase], state->history[phase], SIDE_TAPS * sizeof **lines);
    for (int n = 0; n < FRAME_SAMPLES; n++) lines[phase][SIDE_TAPS + n] = samples[n * ratio + phase];
    memcpy(state->history[phase], lines[phase] + FRAME_SAMPLES, SIDE_TAPS * sizeof **lines);
  }
  for (int n = 0; n < FRAME_SAMPLES; n++) {
    int32_t sum = 1 << (FRACTION_BITS - 1);
    sum += lines[ratio - 1][HALF + n] * state->down_gain >> state->down_shift;
    for (unsigned phase = 0; phase < ratio - 1; phase++)
      sum += filtered(lines[phase] + 1 + n, state->down[phase], state->down_shift);
    narrow[n] = clipped(sum);
  }
  mulaw_encode(narrow, codes, FRAME_SAMPLES);
}
