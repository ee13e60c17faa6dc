// The same algorithm as src/media/kernels/base64.ts: a table each way, four characters a step, and a marker in the
// table that shows in any group with a foreign character.
#include "base64.h"
#include <stdbool.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
// All bits set marks what is not in the alphabet: shifted by less than 32 its highest bit stays.
#define FOREIGN UINT32_MAX
#define HAS_FOREIGN(bits) ((bits) >> 31 != 0)

static uint32_t six_bits[256];

__attribute__((constructor)) static void fill_table(void) {
  for (int i = 0; i < 256; i++) six_bits[i] = FOREIGN;
  for (uint32_t bits = 0; bits < 64; bits++) six_bits[(uint8_t)ALPHABET[bits]] = bits;
}

int base64_decode(const uint8_t *text, size_t length, uint8_t *target, size_t room) {
  if (length == 0) return 0;
  if (length % 4 != 0) return -1;
  const size_t padding = text[length - 1] != '=' ? 0 : text[length - 2] != '=' ? 1 : 2;
  const size_t bytes = length / 4 * 3 - padding;
  if (bytes > room) return -1;
  const uint8_t *const whole_end = text + (padding == 0 ? length : length - 4);
  uint8_t *to = target;
  const uint8_t *at = text;
  for (; at < whole_end; at += 4, to += 3) {
    const uint32_t bits = six_bits[at[0]] << 18 | six_bits[at[1]] << 12 | six_bits[at[2]] << 6 | six_bits[at[3]];
    if (HAS_FOREIGN(bits)) return -1;
    to[0] = (uint8_t)(bits >> 16);
    to[1] = (uint8_t)(bits >> 8);
    to[2] = (uint8_t)bits;
  }
  if (padding > 0) {
    const uint32_t third = padding == 1 ? six_bits[at[2]] : 0;
    const uint32_t bits = six_bits[at[0]] << 18 | six_bits[at[1]] << 12 | third << 6;
    if (HAS_FOREIGN(bits)) return -1;
    to[0] = (uint8_t)(bits >> 16);
    if (padding == 1) to[1] = (uint8_t)(bits >> 8);
  }
  return (int)bytes;
}

size_t base64_encode(const uint8_t *bytes, size_t length, uint8_t *target) {
  const uint8_t *const whole_end = bytes + length - length % 3;
  uint8_t *to = target;
  for (; bytes < whole_end; bytes += 3, to += 4) {
    const uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
    to[0] = (uint8_t)ALPHABET[bits >> 18];
    to[1] = (uint8_t)ALPHABET[bits >> 12 & 63];
    to[2] = (uint8_t)ALPHABET[bits >> 6 & 63];
    to[3] = (uint8_t)ALPHABET[bits & 63];
  }
  if (length % 3 != 0) {
    const bool two = length % 3 == 2;
    const uint32_t bits = (uint32_t)bytes[0] << 16 | (two ? (uint32_t)bytes[1] << 8 : 0);
    to[0] = (uint8_t)ALPHABET[bits >> 18];
    to[1] = (uint8_t)ALPHABET[bits >> 12 & 63];
    to[2] = two ? (uint8_t)ALPHABET[bits >> 6 & 63] : '=';
    to[3] = '=';
    to += 4;
  }
  return (size_t)(to - target);
}

size_t base64_skip(const uint8_t *bytes, size_t length, size_t at) {
  while (at + 4 <= length && !HAS_FOREIGN(six_bits[bytes[at]] | six_bits[bytes[at + 1]] | six_bits[bytes[at + 2]] |
                                          six_bits[bytes[at + 3]]))
    at += 4;
  if (at + 4 > length || bytes[at + 3] != '=') return at;
  const uint32_t third = bytes[at + 2] == '=' ? 0 : six_bits[bytes[at + 2]];
  return HAS_FOREIGN(six_bits[bytes[at]] | six_bits[bytes[at + 1]] | third) ? at : at + 4;
}
