// SHA-1, which the WebSocket handshake asks for and nothing else should.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SHA1_BYTES 20
// Messages of up to two blocks, less their padding: more than a handshake's 60 bytes.
#define SHA1_MESSAGE_MAX 119

void sha1(const uint8_t *message, size_t length, uint8_t digest[SHA1_BYTES]);
