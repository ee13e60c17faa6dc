// What a server says on a media stream, found in its JSON without parsing it. Servers are told apart by nothing here,
// so white space between names and values is allowed for.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum event { EVENT_MEDIA, EVENT_MARK, EVENT_CLEAR, EVENT_UNKNOWN };

struct message {
  enum event event;
  // The payload of media, the name of a mark.
  const uint8_t *text;
  size_t length;
};

struct message read_message(const uint8_t *bytes, size_t length);
