// Finds the few strings that matter in a message.
#include "message.h"
#include <stdbool.h>
#include <string.h>

// The string that follows a key, which is given with its quotes.
static bool find_string(const uint8_t *bytes, size_t length, const char *key, const uint8_t **text, size_t *characters) {
  const uint8_t *const end = bytes + length;
  const uint8_t *at = memmem(bytes, length, key, strlen(key));
  if (at == NULL) return false;
  for (at += strlen(key); at < end && (*at == ' ' || *at == ':');) at++;
  if (at == end || *at++ != '"') return false;
  const uint8_t *const close = memchr(at, '"', (size_t)(end - at));
  if (close == NULL) return false;
  *text = at;
  *characters = (size_t)(close - at);
  return true;
}

static bool is(const uint8_t *text, size_t length, const char *word) {
  return length == strlen(word) && memcmp(text, word, length) == 0;
}

struct message read_message(const uint8_t *bytes, size_t length) {
  struct message message = {.event = EVENT_UNKNOWN};
  const uint8_t *event;
  size_t characters;
  if (!find_string(bytes, length, "\"event\"", &event, &characters)) return message;
  if (is(event, characters, "media") && find_string(bytes, length, "\"payload\"", &message.text, &message.length))
    message.event = EVENT_MEDIA;
  else if (is(event, characters, "mark") && find_string(bytes, length, "\"name\"", &message.text, &message.length))
    message.event = EVENT_MARK;
  else if (is(event, characters, "clear"))
    message.event = EVENT_CLEAR;
  return message;
}
