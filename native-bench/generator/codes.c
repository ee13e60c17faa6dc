// How chords are made and recognised; why so is in the header.
#include "codes.h"
#include <assert.h>
#include <math.h>

#define TONES 13
#define CHORD_TONES 5
#define LOWEST_HZ 400
#define STEP_HZ 200
#define AMPLITUDE 2800.0
// Resampling as cheap as averaging two neighbours leaves about half of the highest tone.
#define FAINTEST (AMPLITUDE * 0.3)
// Of powers: twice as loud.
#define CONTRAST 4.0f

#define WINDOW_SAMPLES (FRAME_SAMPLES / 4)
#define WINDOW_AT (FRAME_SAMPLES - WINDOW_SAMPLES)
_Static_assert(STEP_HZ * WINDOW_SAMPLES % RATE_HZ == 0, "every tone has whole periods in the window");

static uint8_t payloads[CODES][PAYLOAD_CHARACTERS];
static int16_t code_of_chord[1 << TONES];
// By sample, then by tone: several tones are then taken at a time.
static float cosines[WINDOW_SAMPLES][TONES], sines[WINDOW_SAMPLES][TONES];

// Each tone has a phase of its own, or their peaks would meet.
static double phase_of(int tone, int sample) {
  return 2 * M_PI * (LOWEST_HZ + STEP_HZ * tone) * sample / RATE_HZ + M_PI * tone * tone / TONES;
}

static void make_payload(uint8_t payload[PAYLOAD_CHARACTERS], unsigned chord) {
  int16_t samples[FRAME_SAMPLES];
  uint8_t codes[FRAME_SAMPLES];
  for (int i = 0; i < FRAME_SAMPLES; i++) {
    double sum = 0;
    for (int tone = 0; tone < TONES; tone++)
      if ((chord >> tone & 1) != 0) sum += AMPLITUDE * sin(phase_of(tone, i));
    samples[i] = (int16_t)lrint(sum);
  }
  mulaw_encode(samples, codes, FRAME_SAMPLES);
  base64_encode(codes, FRAME_SAMPLES, payload);
}

void codes_prepare(void) {
  int code = 0;
  for (unsigned chord = 0; chord < 1 << TONES; chord++) {
    code_of_chord[chord] = -1;
    if (__builtin_popcount(chord) != CHORD_TONES || code == CODES) continue;
    make_payload(payloads[code], chord);
    code_of_chord[chord] = (int16_t)code++;
  }
  assert(code == CODES);
  for (int i = 0; i < WINDOW_SAMPLES; i++)
    for (int tone = 0; tone < TONES; tone++) {
      cosines[i][tone] = (float)cos(phase_of(tone, i));
      sines[i][tone] = (float)sin(phase_of(tone, i));
    }
}

// By Fermat: the inverse of x modulo a prime p is x to the power of p - 2.
static uint32_t inverse_of(uint32_t stride) {
  uint32_t product = 1, power = stride;
  for (unsigned exponent = CODES - 2; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) product = product * power % CODES;
    power = power * power % CODES;
  }
  return product;
}

struct walk walk_of(uint32_t stream) {
  // The two counts have no common factor, so more than a million streams each have a walk of their own.
  const uint32_t stride = 1 + stream % (CODES - 1);
  return (struct walk){.first = stream * 617 % CODES, .stride = stride, .inverse = inverse_of(stride)};
}

const uint8_t *frame_payload(const struct walk *walk, uint64_t number) {
  return payloads[(walk->first + number % CODES * walk->stride) % CODES];
}

// Which tones sound in the window, as bits; 0 when that isn't clear.
static unsigned chord_in(const int16_t window[WINDOW_SAMPLES]) {
  float real[TONES] = {0}, imaginary[TONES] = {0}, power[TONES];
  for (int i = 0; i < WINDOW_SAMPLES; i++)
    for (int tone = 0; tone < TONES; tone++) {
      real[tone] += (float)window[i] * cosines[i][tone];
      imaginary[tone] += (float)window[i] * sines[i][tone];
    }
  for (int tone = 0; tone < TONES; tone++) power[tone] = real[tone] * real[tone] + imaginary[tone] * imaginary[tone];
  unsigned chord = 0;
  float faintest = 0;
  for (int found = 0; found < CHORD_TONES; found++) {
    int loudest = -1;
    for (int tone = 0; tone < TONES; tone++)
      if ((chord >> tone & 1) == 0 && (loudest < 0 || power[tone] > power[loudest])) loudest = tone;
    chord |= 1u << loudest;
    faintest = power[loudest];
  }
  // A tone of amplitude a over n samples has power (a n / 2)^2.
  const double least = FAINTEST * WINDOW_SAMPLES / 2;
  if (faintest < least * least) return 0;
  for (int tone = 0; tone < TONES; tone++)
    if ((chord >> tone & 1) == 0 && power[tone] * CONTRAST > faintest) return 0;
  return chord;
}

int recognise(const struct walk *walk, const uint8_t codes[FRAME_SAMPLES]) {
  int16_t window[WINDOW_SAMPLES];
  mulaw_decode(codes + WINDOW_AT, window, WINDOW_SAMPLES);
  const int code = code_of_chord[chord_in(window)];
  if (code < 0) return -1;
  const uint32_t steps = ((uint32_t)code + CODES - walk->first) % CODES;
  return (int)(steps * walk->inverse % CODES);
}
