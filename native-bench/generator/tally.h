// What a run has measured so far, all streams together. Frames count if they were sent in the measured time.
#pragma once
#include <stdint.h>
#include "clocks.h"
#include "histogram.h"

// A frame that comes back later than this is late.
#define LATE_NS (40 * NS_PER_MS)

struct tally {
  // The measured time, by the wall clock; both 0 before it is known.
  uint64_t from_ns, to_ns;
  struct histogram round_trip;
  // How long after they were due frames were sent: this program's own fault.
  struct histogram lateness;
  uint64_t sent, returned, late;
  // Came back of streams that were cut on purpose: neither returned nor lost.
  uint64_t abandoned;
  // Over the whole run. Wrong: no chord, or no audio at all. Foreign: a chord that this stream has not out. Repeated:
  // one that has come back before. Overtaken: after a later one.
  uint64_t wrong, foreign, repeated, overtaken;
  // Turns at which a stream's socket took nothing: its server doesn't read.
  uint64_t blocked;
  uint64_t marks, marks_unkept, clears, unknown;
  // Streams: cut by this program on purpose, closed by the server, broken by what they said.
  uint64_t reset, closed, broken;
  // Arrivals with and without a time stamp of the kernel's.
  uint64_t stamped, unstamped;
};

static inline int is_measured(const struct tally *tally, uint64_t sent_ns) {
  return sent_ns >= tally->from_ns && sent_ns < tally->to_ns;
}
