// The same algorithm as src/media/kernels/scan.ts, so that both do the same work: the whole message is walked once,
// by structure, fields in any order, each of the seven that matter exactly once.
#include "scan.h"
#include <string.h>
#include "base64.h"

enum { EVENT = 1, STREAM_SID = 2, MEDIA = 4, TRACK = 8, CHUNK = 16, TIMESTAMP = 32, PAYLOAD = 64 };
#define WHOLE_MESSAGE (EVENT | STREAM_SID | MEDIA)
#define WHOLE_MEDIA (TRACK | CHUNK | TIMESTAMP | PAYLOAD)
#define UNKNOWN_DEPTH_MAX 8
#define DIGITS_MAX 15
#define SID_LENGTH_MAX 64

static const struct {
  unsigned field;
  const char *key;
} KEYS[] = {{EVENT, "\"event\""},   {STREAM_SID, "\"streamSid\""}, {MEDIA, "\"media\""},    {TRACK, "\"track\""},
            {CHUNK, "\"chunk\""}, {TIMESTAMP, "\"timestamp\""},  {PAYLOAD, "\"payload\""}};

// The message, and how far it was read. A wrong piece sets `at` to NULL, which every step leaves as it is.
struct reader {
  const uint8_t *bytes, *at, *end;
  struct media_frame *frame;
};

static bool fail(struct reader *reader) {
  reader->at = NULL;
  return false;
}

static bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static bool is_alphanumeric(uint8_t byte) {
  return is_digit(byte) || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

static bool next_is(const struct reader *reader, uint8_t byte) {
  return reader->at != NULL && reader->at < reader->end && *reader->at == byte;
}

static bool is_space(uint8_t byte) { return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r'; }

static void skip_space(struct reader *reader) {
  if (reader->at == NULL) return;
  while (reader->at < reader->end && is_space(*reader->at)) reader->at++;
}

static bool skip_byte(struct reader *reader, uint8_t byte) {
  if (!next_is(reader, byte)) return fail(reader);
  reader->at++;
  return true;
}

static bool skip_word(struct reader *reader, const char *word) {
  const size_t length = strlen(word);
  if (reader->at == NULL || (size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
    return fail(reader);
  reader->at += length;
  return true;
}

// A string that means exactly what its bytes say.
static bool skip_string(struct reader *reader) {
  if (!skip_byte(reader, '"')) return false;
  while (reader->at < reader->end && *reader->at >= 0x20 && *reader->at < 0x7f && *reader->at != '"' &&
         *reader->at != '\\')
    reader->at++;
  return skip_byte(reader, '"');
}

static bool skip_colon(struct reader *reader) {
  skip_space(reader);
  if (!skip_byte(reader, ':')) return false;
  skip_space(reader);
  return true;
}

static bool skip_value(struct reader *reader, int depth);

static bool skip_members(struct reader *reader, int depth, uint8_t open, uint8_t close) {
  if (depth == UNKNOWN_DEPTH_MAX || !skip_byte(reader, open)) return fail(reader);
  skip_space(reader);
  if (next_is(reader, close)) return skip_byte(reader, close);
  for (;;) {
    if (close == '}' && !(skip_string(reader) && skip_colon(reader))) return false;
    if (!skip_value(reader, depth + 1)) return false;
    skip_space(reader);
    if (next_is(reader, close)) return skip_byte(reader, close);
    if (!skip_byte(reader, ',')) return false;
    skip_space(reader);
  }
}

static bool skip_digits(struct reader *reader) {
  const uint8_t *const first = reader->at;
  while (reader->at < reader->end && is_digit(*reader->at)) reader->at++;
  return reader->at > first || fail(reader);
}

// A value nobody asked for. Numbers with an exponent are declined.
static bool skip_value(struct reader *reader, int depth) {
  if (reader->at == NULL || reader->at == reader->end) return fail(reader);
  switch (*reader->at) {
    case '"':
      return skip_string(reader);
    case '{':
      return skip_members(reader, depth, '{', '}');
    case '[':
      return skip_members(reader, depth, '[', ']');
    case 't':
      return skip_word(reader, "true");
    case 'f':
      return skip_word(reader, "false");
    case 'n':
      return skip_word(reader, "null");
    default:
      if (*reader->at == '-') reader->at++;
      if (!skip_digits(reader)) return false;
      if (!next_is(reader, '.')) return true;
      reader->at++;
      return skip_digits(reader);
  }
}

static bool scan_stream_sid(struct reader *reader) {
  const uint8_t *const start = reader->at + 1;
  if (!skip_word(reader, "\"MZ")) return false;
  while (reader->at < reader->end && is_alphanumeric(*reader->at)) reader->at++;
  if (reader->at == start + 2 || reader->at - start > SID_LENGTH_MAX) return fail(reader);
  reader->frame->stream_sid_start = (size_t)(start - reader->bytes);
  reader->frame->stream_sid_end = (size_t)(reader->at - reader->bytes);
  return skip_byte(reader, '"');
}

static bool scan_payload(struct reader *reader) {
  if (!skip_byte(reader, '"')) return false;
  struct media_frame *const frame = reader->frame;
  frame->payload_start = (size_t)(reader->at - reader->bytes);
  frame->payload_end = base64_skip(reader->bytes, (size_t)(reader->end - reader->bytes), frame->payload_start);
  reader->at = reader->bytes + frame->payload_end;
  return skip_byte(reader, '"');
}

// Digits, in quotes as Twilio sends them or bare.
static bool scan_count(struct reader *reader, uint64_t *count) {
  const bool is_quoted = next_is(reader, '"');
  if (is_quoted) reader->at++;
  const uint8_t *const first = reader->at;
  *count = 0;
  while (reader->at < reader->end && is_digit(*reader->at)) *count = *count * 10 + *reader->at++ - '0';
  if (reader->at == first || reader->at - first > DIGITS_MAX) return fail(reader);
  if (is_quoted) return skip_byte(reader, '"');
  return !(*first == '0' && reader->at - first > 1) || fail(reader);
}

// Which of the fields that matter has the key that begins here; 0: none.
static unsigned key_here(struct reader *reader) {
  const size_t left = (size_t)(reader->end - reader->at);
  for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
    const size_t length = strlen(KEYS[i].key);
    // The second letter tells the seven keys apart.
    if (left < length || reader->at[2] != (uint8_t)KEYS[i].key[2]) continue;
    if (memcmp(reader->at, KEYS[i].key, length) != 0) return 0;
    reader->at += length;
    return KEYS[i].field;
  }
  return 0;
}

static bool scan_fields(struct reader *reader, unsigned wanted);

static bool scan_field(struct reader *reader, unsigned field) {
  switch (field) {
    case EVENT:
      return skip_word(reader, "\"media\"");
    case TRACK:
      return skip_word(reader, "\"inbound\"");
    case STREAM_SID:
      return scan_stream_sid(reader);
    case MEDIA:
      return scan_fields(reader, WHOLE_MEDIA);
    case PAYLOAD:
      return scan_payload(reader);
    case CHUNK:
      return scan_count(reader, &reader->frame->chunk);
    default:
      return scan_count(reader, &reader->frame->timestamp_ms);
  }
}

// An object that has all the wanted fields, each once.
static bool scan_fields(struct reader *reader, unsigned wanted) {
  unsigned found = 0;
  if (!skip_byte(reader, '{')) return false;
  for (;;) {
    skip_space(reader);
    const uint8_t *const key = reader->at;
    unsigned field = key_here(reader) & wanted;
    if (field == 0) {
      reader->at = key;
      if (!skip_string(reader)) return false;
    }
    if ((found & field) != 0 || !skip_colon(reader)) return fail(reader);
    found |= field;
    if (!(field == 0 ? skip_value(reader, 0) : scan_field(reader, field))) return false;
    skip_space(reader);
    if (next_is(reader, '}')) return found == wanted ? skip_byte(reader, '}') : fail(reader);
    if (!skip_byte(reader, ',')) return false;
  }
}

bool scan_media(const uint8_t *bytes, size_t length, struct media_frame *frame) {
  struct reader reader = {.bytes = bytes, .at = bytes, .end = bytes + length, .frame = frame};
  skip_space(&reader);
  if (!scan_fields(&reader, WHOLE_MESSAGE)) return false;
  skip_space(&reader);
  return reader.at == reader.end;
}
