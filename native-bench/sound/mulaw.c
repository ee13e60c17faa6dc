// The same algorithm as src/media/kernels/g711.ts: one table each way, filled once.
#include "mulaw.h"

#define BIAS 132
#define CLIP 32635

static int16_t to_samples[0x100];
static uint8_t to_codes[0x10000];

static int16_t expanded(uint8_t code) {
  const int bits = ~code & 0xff;
  const int magnitude = ((((bits & 0x0f) << 3) + BIAS) << (bits >> 4 & 7)) - BIAS;
  return (int16_t)((bits & 0x80) != 0 ? -magnitude : magnitude);
}

static uint8_t compressed(int sample) {
  const int sign = sample < 0 ? 0x80 : 0;
  int magnitude = sample < 0 ? -sample : sample;
  if (magnitude > CLIP) magnitude = CLIP;
  magnitude += BIAS;
  const int segment = 24 - __builtin_clz((unsigned)magnitude);
  return (uint8_t)~(sign | segment << 4 | (magnitude >> (segment + 3) & 0x0f));
}

__attribute__((constructor)) static void fill_tables(void) {
  for (int code = 0; code < 0x100; code++) to_samples[code] = expanded((uint8_t)code);
  for (int bits = 0; bits < 0x10000; bits++) to_codes[bits] = compressed((int16_t)bits);
}

void mulaw_decode(const uint8_t *codes, int16_t *samples, size_t count) {
  for (size_t i = 0; i < count; i++) samples[i] = to_samples[codes[i]];
}

void mulaw_encode(const int16_t *samples, uint8_t *codes, size_t count) {
  for (size_t i = 0; i < count; i++) codes[i] = to_codes[(uint16_t)samples[i]];
}
