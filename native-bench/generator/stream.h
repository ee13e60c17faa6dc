// One stream: Twilio's side of a media WebSocket. Owns its socket; owns no time: it is told when to send and read.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "codes.h"
#include "options.h"
#include "playback.h"
#include "tally.h"

// How far behind an echo may be, about 5 s; what is further behind is not known any more.
#define REMEMBERED_FRAMES 256
// A message or its part that has not been read, or not been taken by the socket.
#define UNREAD_MAX 4096
#define UNSENT_MAX 4096

struct stream {
  int fd; // -1 once it is over
  const struct target *target;
  enum marks marks;
  char stream_sid[SID_CHARACTERS + 1];
  struct walk walk;
  struct playback playback;
  uint32_t sequence;
  // Frames sent, and the number of the one whose echo comes next.
  uint64_t sent, awaited;
  // When each was sent, by the wall clock, until it has come back.
  uint64_t sent_ns[REMEMBERED_FRAMES];
  size_t unread_bytes, unsent_bytes;
  uint8_t unread[UNREAD_MAX], unsent[UNSENT_MAX];
};

// Connects and upgrades, waiting for it, and says `connected` and `start`. NULL, or what went wrong.
const char *stream_open(struct stream *stream, const struct target *target, size_t number, enum marks marks);

// Sends its next frame, after the marks that are due. `due_ns` is monotonic, or 0 for a frame that was held back.
void stream_send(struct stream *stream, struct tally *tally, uint64_t due_ns);

// Reads all there is.
void stream_read(struct stream *stream, struct tally *tally);

// Ends it in good order, and cuts it like a cable.
void stream_stop(struct stream *stream);
void stream_reset(struct stream *stream, struct tally *tally);
