// What a run is: read from the command line, and the streams from standard input or a file.
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH_MAX_CHARACTERS 512
#define SID_CHARACTERS 34
#define HEADER_CHARACTERS 128

enum marks { MARKS_PLAYED, MARKS_AT_ONCE };

struct options {
  double seconds, warm_up_seconds;
  enum marks marks;
  // Of every `burst_every` frames of a stream, the last `burst_frames` are held back and sent together; 0: none are.
  unsigned burst_frames, burst_every;
  // Streams a second that are cut without a word.
  double resets_per_second;
  const char *streams_path;
};

// Where one stream is opened, and as which call.
struct target {
  struct sockaddr_in address;
  char path[PATH_MAX_CHARACTERS];
  char call_sid[SID_CHARACTERS + 1], account_sid[SID_CHARACTERS + 1];
  // X-Twilio-Signature; empty: the header is left out.
  char signature[HEADER_CHARACTERS];
};

// Also sets what is no part of a run: the niceness. Ends the process with status 2 and a sentence when an argument is
// wrong.
struct options read_options(int count, char **arguments);

// The same for a line that is none. Returns an array, and how many there are.
struct target *read_targets(const struct options *options, size_t *count);
