// Times the functions that every frame goes through, as gcc makes them of the same algorithms: nanoseconds for 20 ms of
// one call, as one JSON object. The names are those of the files beside this.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../sound/mulaw.h"
#include "../wire/base64.h"
#include "../wire/scan.h"
#include "polyphase.h"

// Different frames, so that nothing is learned by heart.
#define FRAMES 64
#define MESSAGE_MAX 512
#define PAYLOAD_CHARACTERS BASE64_LENGTH(FRAME_SAMPLES)
#define ROUNDS 9
#define ROUND_RUNS 4000
#define WIDEST RATIO_MAX

// A batch of the lane: a header of four words before each message (src/lane/lane.ts).
#define BATCH_BYTES (32 * 1024)
#define HEADER_BYTES 16
#define RECORDS_A_BATCH 50

static uint8_t codes[FRAMES][FRAME_SAMPLES], payloads[FRAMES][PAYLOAD_CHARACTERS];
static int16_t samples[FRAMES][FRAME_SAMPLES], wide[FRAMES][WIDEST * FRAME_SAMPLES];
static char messages[FRAMES][MESSAGE_MAX];
static size_t message_lengths[FRAMES];
static struct polyphase in[RATIO_MAX + 1], out[RATIO_MAX + 1];

// Results go where the compiler can't know that nobody looks at them.
static uint8_t code_target[FRAME_SAMPLES], text_target[MESSAGE_MAX], batch[BATCH_BYTES];
static int16_t sample_target[WIDEST * FRAME_SAMPLES];
static volatile uint64_t seen;

static void fill_frames(void) {
  uint32_t state = 1;
  for (int frame = 0; frame < FRAMES; frame++) {
    for (int i = 0; i < WIDEST * FRAME_SAMPLES; i++) {
      state ^= state << 13;
      state ^= state >> 17;
      state ^= state << 5;
      wide[frame][i] = (int16_t)(state >> 18); // a quarter of full scale
    }
    memcpy(samples[frame], wide[frame], sizeof samples[frame]);
    mulaw_encode(samples[frame], codes[frame], FRAME_SAMPLES);
    base64_encode(codes[frame], FRAME_SAMPLES, payloads[frame]);
    message_lengths[frame] = (size_t)snprintf(
        messages[frame], MESSAGE_MAX,
        "{\"event\":\"media\",\"sequenceNumber\":\"%d\",\"media\":{\"track\":\"inbound\",\"chunk\":\"%d\","
        "\"timestamp\":\"%d\",\"payload\":\"%.*s\"},\"streamSid\":\"MZ%032d\"}",
        1000 + frame, 999 + frame, 100 + 20 * (999 + frame), PAYLOAD_CHARACTERS, (const char *)payloads[frame], 1);
  }
}

static void decode_base64(unsigned frame) {
  seen += (uint64_t)base64_decode(payloads[frame], PAYLOAD_CHARACTERS, code_target, sizeof code_target);
}
static void encode_base64(unsigned frame) { seen += base64_encode(codes[frame], FRAME_SAMPLES, text_target); }
static void decode_mulaw(unsigned frame) { mulaw_decode(codes[frame], sample_target, FRAME_SAMPLES); }
static void encode_mulaw(unsigned frame) { mulaw_encode(samples[frame], code_target, FRAME_SAMPLES); }

static void decode(unsigned frame, unsigned ratio) { polyphase_decode(&in[ratio], codes[frame], sample_target); }
static void encode(unsigned frame, unsigned ratio) { polyphase_encode(&out[ratio], wide[frame], code_target); }
static void decode_16(unsigned frame) { decode(frame, 2); }
static void encode_16(unsigned frame) { encode(frame, 2); }
static void decode_24(unsigned frame) { decode(frame, 3); }
static void encode_24(unsigned frame) { encode(frame, 3); }
static void decode_48(unsigned frame) { decode(frame, 6); }
static void encode_48(unsigned frame) { encode(frame, 6); }

// What a message says, its audio with it.
static void scan(unsigned frame) {
  struct media_frame found;
  const uint8_t *const message = (const uint8_t *)messages[frame];
  if (!scan_media(message, message_lengths[frame], &found)) abort();
  const size_t length = found.payload_end - found.payload_start;
  if (base64_decode(message + found.payload_start, length, code_target, sizeof code_target) != FRAME_SAMPLES) abort();
  seen += found.timestamp_ms;
}

static void message_in(unsigned frame) {
  scan(frame);
  polyphase_decode(&in[2], code_target, sample_target);
}

static void message_out(unsigned frame) {
  static const char PREFIX[] = "{\"event\":\"media\",\"streamSid\":\"MZ00000000000000000000000000000000\",\"media\":{"
                               "\"payload\":\"";
  static const char SUFFIX[] = "\"}}";
  polyphase_encode(&out[2], wide[frame], code_target);
  memcpy(text_target, PREFIX, sizeof PREFIX - 1);
  uint8_t *const end = text_target + sizeof PREFIX - 1 + PAYLOAD_CHARACTERS;
  seen += base64_encode(code_target, FRAME_SAMPLES, text_target + sizeof PREFIX - 1);
  memcpy(end, SUFFIX, sizeof SUFFIX - 1);
}

// What is heard said back.
static void echo(unsigned frame) {
  message_in(frame);
  message_out(frame);
}

// Appends one message; when the batch is full as a tick's is, walks through it as its reader does.
static void lane(unsigned frame) {
  static size_t used, records;
  const uint32_t length = (uint32_t)message_lengths[frame];
  const uint32_t header[] = {length, 1, frame, 1};
  memcpy(batch + used, header, sizeof header);
  memcpy(batch + used + HEADER_BYTES, messages[frame], length);
  used += HEADER_BYTES + ((length + 3) & ~3u);
  if (++records < RECORDS_A_BATCH) return;
  for (size_t at = 0; at < used;) {
    uint32_t read[4];
    memcpy(read, batch + at, sizeof read);
    seen += batch[at + HEADER_BYTES] + read[2];
    at += HEADER_BYTES + ((read[0] + 3) & ~3u);
  }
  used = records = 0;
}

static const struct {
  const char *name;
  void (*run)(unsigned frame);
} KERNELS[] = {{"base64 in", decode_base64}, {"base64 out", encode_base64}, {"mu-law in", decode_mulaw},
               {"mu-law out", encode_mulaw}, {"mu-law to 16 kHz", decode_16}, {"16 kHz to mu-law", encode_16}, {"mu-law to 24 kHz", decode_24},
               {"24 kHz to mu-law", encode_24}, {"mu-law to 48 kHz", decode_48}, {"48 kHz to mu-law", encode_48},
               {"message scan", scan}, {"message to 16 kHz", message_in},
               {"16 kHz to message", message_out}, {"lane hop", lane}, {"lane to lane", echo}};

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// The best of some rounds: what disturbs makes a round only longer.
static double best_ns(void (*run)(unsigned frame)) {
  double best = 1e18;
  for (int round = 0; round < ROUNDS; round++) {
    const double began = seconds();
    for (unsigned i = 0; i < ROUND_RUNS; i++) {
      run(i % FRAMES);
      __asm__ volatile("" ::: "memory");
    }
    const double ns = (seconds() - began) * 1e9 / ROUND_RUNS;
    if (ns < best) best = ns;
  }
  return best;
}

int main(void) {
  fill_frames();
  for (unsigned ratio = 1; ratio <= RATIO_MAX; ratio++) {
    polyphase_make(&in[ratio], ratio);
    polyphase_make(&out[ratio], ratio);
  }
  const size_t count = sizeof KERNELS / sizeof *KERNELS;
  for (size_t i = 0; i < count; i++)
    printf("%s\"%s\":%.1f", i == 0 ? "{" : ",", KERNELS[i].name, best_ns(KERNELS[i].run));
  puts("}");
  return EXIT_SUCCESS;
}
