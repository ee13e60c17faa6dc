// Reads a plain media message of Twilio's where it lies, byte by byte and by structure.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Offsets into the scanned bytes, ends exclusive.
struct media_frame {
  size_t stream_sid_start, stream_sid_end;
  uint64_t chunk;
  uint64_t timestamp_ms;
  size_t payload_start, payload_end;
};

// True for a media message of the inbound track, its fields in any order and with any others among them.
bool scan_media(const uint8_t *bytes, size_t length, struct media_frame *frame);
