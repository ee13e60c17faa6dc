// WebSocket framing (RFC 6455). No socket in here.
#include "websocket.h"
#include <assert.h>
#include <string.h>
#include "base64.h"
#include "sha1.h"

static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
#define FINAL 0x80
#define MASKED 0x80

void accept_of(const char key[KEY_CHARACTERS], char accept[ACCEPT_CHARACTERS]) {
  uint8_t message[KEY_CHARACTERS + sizeof GUID - 1];
  memcpy(message, key, KEY_CHARACTERS);
  memcpy(message + KEY_CHARACTERS, GUID, sizeof GUID - 1);
  uint8_t digest[SHA1_BYTES];
  sha1(message, sizeof message, digest);
  base64_encode(digest, sizeof digest, (uint8_t *)accept);
}

enum header_reading read_header(const uint8_t *bytes, size_t length, struct frame_header *header) {
  if (length < 2) return HEADER_PARTIAL;
  const uint8_t short_length = bytes[1] & 0x7f;
  if (short_length == 127) return HEADER_TOO_LONG;
  const size_t length_end = short_length == 126 ? 4 : 2;
  header->is_final = (bytes[0] & FINAL) != 0;
  header->opcode = bytes[0] & 0x0f;
  header->is_masked = (bytes[1] & MASKED) != 0;
  header->header_bytes = (uint8_t)(length_end + (header->is_masked ? 4 : 0));
  if (length < header->header_bytes) return HEADER_PARTIAL;
  header->body_bytes = short_length == 126 ? (uint32_t)bytes[2] << 8 | bytes[3] : short_length;
  if (header->is_masked) memcpy(header->mask, bytes + length_end, 4);
  return HEADER_WHOLE;
}

size_t write_header(uint8_t *target, enum opcode opcode, size_t body_bytes, const uint8_t *mask) {
  assert(body_bytes < 1 << 16);
  size_t at = 0;
  target[at++] = (uint8_t)(FINAL | opcode);
  const uint8_t masked = mask != NULL ? MASKED : 0;
  if (body_bytes < 126) {
    target[at++] = (uint8_t)(masked | body_bytes);
  } else {
    target[at++] = masked | 126;
    target[at++] = (uint8_t)(body_bytes >> 8);
    target[at++] = (uint8_t)body_bytes;
  }
  if (mask != NULL) {
    memcpy(target + at, mask, 4);
    at += 4;
  }
  return at;
}

void apply_mask(uint8_t *bytes, size_t length, const uint8_t mask[4]) {
  uint64_t wide_mask;
  memcpy(&wide_mask, mask, 4);
  memcpy((uint8_t *)&wide_mask + 4, mask, 4);
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    uint64_t word;
    memcpy(&word, bytes + i, 8);
    word ^= wide_mask;
    memcpy(bytes + i, &word, 8);
  }
  for (; i < length; i++) bytes[i] ^= mask[i & 3];
}
