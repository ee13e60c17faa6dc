// Twilio's playback, in a playhead and a ring of marks.
#include "playback.h"
#include <string.h>
#include "clocks.h"

void playback_media(struct playback *playback, uint64_t now_ns, unsigned played_ms) {
  const uint64_t from = playback->playhead_ns > now_ns ? playback->playhead_ns : now_ns;
  playback->playhead_ns = from + played_ms * NS_PER_MS;
}

bool playback_mark(struct playback *playback, uint64_t now_ns, const uint8_t *name, size_t length) {
  if (playback->waiting == MARKS_WAITING_MAX || length > MARK_CHARACTERS) return false;
  struct waiting_mark *const mark = &playback->marks[(playback->oldest + playback->waiting++) % MARKS_WAITING_MAX];
  mark->due_ns = playback->playhead_ns > now_ns ? playback->playhead_ns : now_ns;
  mark->length = (uint8_t)length;
  memcpy(mark->name, name, length);
  return true;
}

void playback_clear(struct playback *playback, uint64_t now_ns) {
  playback->playhead_ns = now_ns;
  for (unsigned i = 0; i < playback->waiting; i++)
    playback->marks[(playback->oldest + i) % MARKS_WAITING_MAX].due_ns = now_ns;
}

const struct waiting_mark *playback_due(struct playback *playback, uint64_t now_ns) {
  const struct waiting_mark *const mark = &playback->marks[playback->oldest];
  if (playback->waiting == 0 || mark->due_ns > now_ns) return NULL;
  playback->oldest = (playback->oldest + 1) % MARKS_WAITING_MAX;
  playback->waiting--;
  return mark;
}
