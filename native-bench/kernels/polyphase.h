// Resampling by a whole factor, up or down, as the Speex resampler at quality 5 does it: 80 taps of the lower rate for
// every sample of the higher one, in as many filters as there are samples in between; state kept from frame to frame.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define TAPS_AT_LOWER_RATE 80
#define FACTOR_MAX 6
#define FRAME_SAMPLES_MAX 960
#define TAPS_MAX (TAPS_AT_LOWER_RATE * FACTOR_MAX)

struct polyphase {
  unsigned up, down; // one of them is 1
  unsigned taps;     // of each filter
  int16_t filters[FACTOR_MAX][TAPS_MAX];
  int16_t history[TAPS_MAX];
};

void polyphase_make(struct polyphase *state, unsigned up, unsigned down);
// One frame: `count` samples in, count * up / down out.
void polyphase_run(struct polyphase *state, const int16_t *source, size_t count, int16_t *target);
