// From 8 to 16 kHz and back through a half-band filter of 63 taps, frame by frame, with what came before kept.
// Flat to 3.4 kHz, images and aliases below -70 dB, 2 ms of delay each way.
#pragma once
#include <stdint.h>
#include "mulaw.h"

#define HALFBAND_TAPS 63
// The taps that are neither zero nor the middle one.
#define SIDE_TAPS ((HALFBAND_TAPS + 1) / 2)
#define WIDE_SAMPLES (2 * FRAME_SAMPLES)

struct upsampler {
  int16_t history[SIDE_TAPS - 1];
};

struct downsampler {
  // Of the odd samples, which are filtered, and of the even ones, which are only delayed.
  int16_t filtered[SIDE_TAPS - 1];
  int16_t delayed[SIDE_TAPS / 2];
};

// Each takes and gives one frame of 20 ms. A state that is all zero is silence before the first sample.
void upsample(struct upsampler *state, const int16_t narrow[FRAME_SAMPLES], int16_t wide[WIDE_SAMPLES]);
void downsample(struct downsampler *state, const int16_t wide[WIDE_SAMPLES], int16_t narrow[FRAME_SAMPLES]);
