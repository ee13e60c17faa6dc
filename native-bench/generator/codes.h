// Frames that are recognised in an echo by their sound.
//
// A frame is a chord: five of the thirteen tones at 400, 600 ... 2800 Hz, all equally loud. Of the 1287 chords the
// first 1283, a prime, are the codes. A stream walks through all of them with a stride of its own, so that
//   - a chord tells the number of its frame, modulo 1283 (25.7 s): lost, repeated and reordered frames are seen;
//   - two streams have the same chord at the same number once in 1283 frames: another stream's audio is seen.
//
// An echo is no exact copy: resamplers delay it by up to 15 ms, soften its upper tones and round. All tones have whole
// periods in 5 ms, so in the last 5 ms of a frame they don't disturb each other wherever the delay has put them, and
// a delay of up to 15 ms still shows the frame itself there and not the one before. The chord is the five loudest
// tones, if each is at least twice as loud as any of the others.
#pragma once
#include <stdint.h>
#include "../sound/mulaw.h"
#include "../wire/base64.h"

#define CODES 1283
#define PAYLOAD_CHARACTERS BASE64_LENGTH(FRAME_SAMPLES)

// One stream's walk through the codes: frame n has code (first + n * stride) mod CODES.
struct walk {
  uint32_t first, stride, inverse;
};

// Makes all chords; once, before anything else here.
void codes_prepare(void);

struct walk walk_of(uint32_t stream);

// The base64 of a stream's frame.
const uint8_t *frame_payload(const struct walk *walk, uint64_t number);

// The number, modulo CODES, of the frame whose echo this mu-law is; -1 where it is no chord.
int recognise(const struct walk *walk, const uint8_t codes[FRAME_SAMPLES]);
