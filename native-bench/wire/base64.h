// Standard base64 (RFC 4648, section 4) between buffers the caller owns.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Characters that hold so many bytes, padding included.
#define BASE64_LENGTH(bytes) (((bytes) + 2) / 3 * 4)

// Decodes whole padded groups. Returns the bytes written, or -1 when they are no base64 or don't fit.
int base64_decode(const uint8_t *text, size_t length, uint8_t *target, size_t room);

// Encodes into room for BASE64_LENGTH(length) characters; returns how many were written. No terminator.
size_t base64_encode(const uint8_t *bytes, size_t length, uint8_t *target);

// Where the base64 that begins at `at` ends, by whole groups, padding included.
size_t base64_skip(const uint8_t *bytes, size_t length, size_t at);
