// Holds what the generator's headers promise: chords are recognised through every delay that an echo may have, durations
// are told to within 1 %, and what is read back is what was written. Ends with 1 and a sentence where that isn't so.
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../generator/clocks.h"
#include "../generator/codes.h"
#include "../generator/histogram.h"
#include "../sound/halfband.h"
#include "../wire/base64.h"
#include "../wire/sha1.h"
#include "../wire/websocket.h"

#define STREAMS 24
#define FRAMES 120
#define SAMPLES_PER_MS (RATE_HZ / 1000)
#define DELAY_MAX_MS 15
// Of the filters both ways: 31 samples and a half.
#define FILTER_MS 4

static void check(bool holds, const char *what, double with) {
  if (holds) return;
  fprintf(stderr, "checks: %s (%g)\n", what, with);
  exit(EXIT_FAILURE);
}

// A stream's frames one after the other, through the filters where that is asked for, and so much later.
static void record(int16_t *tape, const struct walk *walk, int delay_ms, bool is_filtered) {
  struct upsampler up = {0};
  struct downsampler down = {0};
  for (int n = 0; n < FRAMES; n++) {
    uint8_t codes[FRAME_SAMPLES];
    int16_t narrow[FRAME_SAMPLES], wide[WIDE_SAMPLES];
    base64_decode(frame_payload(walk, (uint64_t)n), PAYLOAD_CHARACTERS, codes, sizeof codes);
    mulaw_decode(codes, narrow, FRAME_SAMPLES);
    if (is_filtered) {
      upsample(&up, narrow, wide);
      downsample(&down, wide, narrow);
    }
    memcpy(tape + delay_ms * SAMPLES_PER_MS + n * FRAME_SAMPLES, narrow, sizeof narrow);
  }
}

static void check_codes(int delay_ms, bool is_filtered) {
  for (uint32_t stream = 0; stream < STREAMS; stream++) {
    const struct walk walk = walk_of(stream * 97), other = walk_of(stream * 97 + 1);
    int16_t tape[FRAMES * FRAME_SAMPLES + DELAY_MAX_MS * SAMPLES_PER_MS] = {0};
    record(tape, &walk, delay_ms, is_filtered);
    int mistaken = 0;
    for (int n = 0; n < FRAMES; n++) {
      uint8_t codes[FRAME_SAMPLES];
      mulaw_encode(tape + n * FRAME_SAMPLES, codes, FRAME_SAMPLES);
      check(recognise(&walk, codes) == n, "a frame was not recognised, delayed by so many ms", delay_ms);
      if (recognise(&other, codes) == n) mistaken++;
    }
    check(mistaken <= 1, "streams have so many frames in common", mistaken);
  }
}

static void check_histogram(void) {
  for (double ns = NS_PER_US; ns < 10.0 * NS_PER_S; ns *= 1.0137) {
    struct histogram histogram = {0};
    histogram_add(&histogram, (uint64_t)ns);
    histogram_add(&histogram, 10 * NS_PER_S); // or the longest would be told instead
    const double told = (double)histogram_percentile_ns(&histogram, 50);
    check(fabs(told - ns) <= ns / 100, "a duration was told wrongly, in ns", ns);
  }
  struct histogram histogram = {0};
  check(histogram_percentile_ns(&histogram, 99) == 0, "nothing has a percentile", 0);
  for (uint64_t ms = 1; ms <= 1000; ms++) histogram_add(&histogram, ms * NS_PER_MS);
  const double p99_ms = (double)histogram_percentile_ns(&histogram, 99) / NS_PER_MS;
  check(fabs(p99_ms - 990) < 10, "of 1 to 1000 ms the 99th percentile was told as", p99_ms);
}

static void check_wire(void) {
  uint8_t bytes[64], text[BASE64_LENGTH(sizeof bytes)], back[sizeof bytes];
  for (size_t length = 0; length <= sizeof bytes; length++) {
    for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)(i * 89 + length * 31);
    const size_t characters = base64_encode(bytes, length, text);
    check(base64_decode(text, characters, back, sizeof back) == (int)length && memcmp(bytes, back, length) == 0,
          "base64 doesn't come back, of so many bytes", (double)length);
    check(base64_skip(text, characters, 0) == characters, "base64 has no end, of so many bytes", (double)length);
  }
  check(base64_decode((const uint8_t *)"QU=D", 4, back, sizeof back) < 0, "base64 goes on behind its end", 0);
  // The example of RFC 6455, section 1.3.
  char accept[ACCEPT_CHARACTERS];
  accept_of("dGhlIHNhbXBsZSBub25jZQ==", accept);
  check(memcmp(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", sizeof accept) == 0, "a key has another answer", 0);
}

static void check_mulaw(void) {
  for (int code = 0; code < 0x100; code++) {
    const uint8_t given = (uint8_t)code;
    int16_t sample;
    uint8_t back;
    mulaw_decode(&given, &sample, 1);
    mulaw_encode(&sample, &back, 1);
    // There are two codes of 0, of which one is used.
    check(back == given || (sample == 0 && back == 0xff), "a mu-law code doesn't come back", code);
  }
}

int main(void) {
  codes_prepare();
  check_wire();
  check_mulaw();
  check_histogram();
  for (int delay_ms = 0; delay_ms <= DELAY_MAX_MS; delay_ms++) {
    check_codes(delay_ms, false);
    if (delay_ms + FILTER_MS <= DELAY_MAX_MS) check_codes(delay_ms, true);
  }
  return EXIT_SUCCESS;
}
