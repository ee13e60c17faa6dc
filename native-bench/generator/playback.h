// What Twilio does with what it is sent, as far as marks show it: audio plays one after the other, a mark comes back
// once all before it was played, and `clear` ends it all.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARK_CHARACTERS 64
#define MARKS_WAITING_MAX 32

struct waiting_mark {
  uint64_t due_ns;
  uint8_t length;
  char name[MARK_CHARACTERS];
};

struct playback {
  uint64_t playhead_ns;
  unsigned oldest, waiting;
  struct waiting_mark marks[MARKS_WAITING_MAX];
};

void playback_media(struct playback *playback, uint64_t now_ns, unsigned played_ms);
// False: more marks are out, or the name is longer, than this keeps.
bool playback_mark(struct playback *playback, uint64_t now_ns, const uint8_t *name, size_t length);
void playback_clear(struct playback *playback, uint64_t now_ns);
// The next mark whose time has come, which is then forgotten; NULL: none.
const struct waiting_mark *playback_due(struct playback *playback, uint64_t now_ns);
