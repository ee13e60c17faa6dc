// WebSocket framing (RFC 6455) as far as both ends here need it: the handshake's answer, headers and masks.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opcode { OPCODE_TEXT = 1, OPCODE_BINARY = 2, OPCODE_CLOSE = 8, OPCODE_PING = 9, OPCODE_PONG = 10 };

#define KEY_CHARACTERS 24
#define ACCEPT_CHARACTERS 28
// Longest header written here: two bytes, a length of two more, and a mask.
#define HEADER_MAX 8

struct frame_header {
  bool is_final;
  bool is_masked;
  uint8_t opcode;
  uint8_t header_bytes;
  uint32_t body_bytes;
  uint8_t mask[4];
};

enum header_reading { HEADER_WHOLE, HEADER_PARTIAL, HEADER_TOO_LONG };

// What Sec-WebSocket-Accept must say to this key.
void accept_of(const char key[KEY_CHARACTERS], char accept[ACCEPT_CHARACTERS]);

// Bodies of 64 KiB and more are TOO_LONG: nothing here is that long.
enum header_reading read_header(const uint8_t *bytes, size_t length, struct frame_header *header);

// Writes a final frame's header, masked where `mask` is given; returns its bytes.
size_t write_header(uint8_t *target, enum opcode opcode, size_t body_bytes, const uint8_t *mask);

// Masks or unmasks in place.
void apply_mask(uint8_t *bytes, size_t length, const uint8_t mask[4]);
