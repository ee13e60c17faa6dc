// Mu-law (G.711) to 16-bit samples and back.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define RATE_HZ 8000
#define FRAME_MS 20
#define FRAME_SAMPLES (RATE_HZ * FRAME_MS / 1000)

void mulaw_decode(const uint8_t *codes, int16_t *samples, size_t count);
void mulaw_encode(const int16_t *samples, uint8_t *codes, size_t count);
