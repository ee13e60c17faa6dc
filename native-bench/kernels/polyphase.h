// Mu-law to two, three or six times the telephone's rate and back: 32 taps for each sample between two of the
// telephone's, which themselves are only delayed. The same algorithm as src/media/kernels; state is kept from
// frame to frame.
#pragma once
#include <stdint.h>
#include "../sound/mulaw.h"

#define RATIO_MAX 6
#define SIDE_TAPS 32

struct polyphase {
  unsigned ratio;
  int16_t up[RATIO_MAX - 1][SIDE_TAPS], down[RATIO_MAX - 1][SIDE_TAPS];
  unsigned down_shift;
  int32_t down_gain;
  // Of each of the agent's phases; on the way up there is one.
  int16_t history[RATIO_MAX][SIDE_TAPS];
};

void polyphase_make(struct polyphase *state, unsigned ratio);
// One frame each: FRAME_SAMPLES codes, and `ratio` times as many samples.
void polyphase_decode(struct polyphase *state, const uint8_t *codes, int16_t *samples);
void polyphase_encode(struct polyphase *state, const int16_t *samples, uint8_t *codes);
